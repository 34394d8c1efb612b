use super::answers::{SCENARIOS, scenario};
use super::*;
use crate::load::check::check;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves on a thread of this process, which ends with it, and returns the port.
fn serve_here(serve: impl FnOnce(TcpListener) -> io::Result<()> + Send + 'static) -> u16 {
    let listener = crate::load::listen().unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener));
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nobody listens");
        thread::yield_now();
    }
    address.port()
}

#[test]
fn each_server_of_this_program_answers_to_the_letter() {
    for server in SERVERS {
        let Start::Here(serve) = server.start else { continue };
        let port = serve_here(serve);
        for name in ["c1", "routes", "browser", "post", "large"] {
            let checked = check(port, scenario(name).unwrap(), true);
            assert!(checked.is_ok(), "{} in {name}: {checked:?}", server.name);
        }
    }
}

#[test]
fn floor_answers_so_much_as_it_is_asked() {
    for scenario in SCENARIOS {
        let port = serve_here(|listener| floor::serve(listener, scenario));
        let checked = check(port, scenario, false);
        assert!(checked.is_ok(), "{}: {checked:?}", scenario.name);
    }
}

#[test]
fn floor_is_the_first_and_names_are_their_own() {
    assert_eq!(SERVERS[0].class, Class::Floor);
    for server in SERVERS {
        assert_eq!(SERVERS.iter().filter(|other| other.name == server.name).count(), 1, "{}", server.name);
    }
}
