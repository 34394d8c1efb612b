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
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener));
    when_it_listens(address)
}

/// The same, by a server that listens by itself.
fn serve_at(serve: fn(SocketAddr) -> io::Result<()>) -> u16 {
    let address = crate::load::listen().unwrap().local_addr().unwrap();
    thread::spawn(move || serve(address));
    when_it_listens(address)
}

/// The port, once connections are taken there.
fn when_it_listens(address: SocketAddr) -> u16 {
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
        let port = match server.start {
            Start::Here(serve) => serve_here(serve),
            Start::Listens(serve) => serve_at(serve),
            Start::Bare(_) | Start::There(_) => continue,
        };
        for name in ["c1", "routes", "browser", "post", "large"] {
            let checked = check(port, scenario(name).unwrap(), true);
            assert!(checked.is_ok(), "{} in {name}: {checked:?}", server.name);
        }
    }
}

#[test]
fn each_echo_server_of_this_program_echoes_to_the_letter() {
    for server in crate::echo::SERVERS {
        let Start::Here(serve) = server.start else { continue };
        let port = serve_here(serve);
        for scenario in crate::echo::SCENARIOS {
            let checked = check(port, scenario, true);
            assert!(checked.is_ok(), "{} in {}: {checked:?}", server.name, scenario.name);
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
    for servers in [SERVERS, crate::echo::SERVERS] {
        assert_eq!(servers[0].class, Class::Floor);
        for server in servers {
            assert_eq!(servers.iter().filter(|other| other.name == server.name).count(), 1, "{}", server.name);
        }
    }
}
