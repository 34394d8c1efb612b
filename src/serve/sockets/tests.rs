use super::*;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

fn free_port() -> Bind {
    Bind::Inet("127.0.0.1".to_owned(), 0)
}

fn addresses(sockets: &[Vec<Socket>]) -> Vec<SocketAddr> {
    let tcp = sockets.iter().flatten().filter_map(|socket| match socket {
        Socket::Tcp(listener) => Some(listener.local_addr().unwrap()),
        Socket::Unix(_) => None,
    });
    tcp.collect()
}

/// The kernel's own numbers of the sockets: duplicates have the same.
fn inodes(sockets: &[Vec<Socket>]) -> Vec<PathBuf> {
    let inode = |socket: &Socket| fs::read_link(format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd())).unwrap();
    sockets.iter().flatten().map(inode).collect()
}

#[test]
fn free_port_is_told_and_shared_by_all_loops() {
    let mut sockets = Sockets::open(&Config::new().bind(free_port()).bind(free_port())).unwrap();
    let for_loops = sockets.for_loops(0..3).unwrap();
    let told: Vec<String> = addresses(&for_loops[..1]).iter().map(|address| format!("http://{address}/")).collect();
    assert_eq!(sockets.places(), told);
    let inodes = inodes(&for_loops);
    assert!(inodes[..2] == inodes[2..4] && inodes[..2] == inodes[4..] && inodes[0] != inodes[1], "{inodes:?}");
}

#[test]
fn each_loop_has_a_socket_of_its_own_for_one_port_and_later_ones_too() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        Config::new().accept(Accept::ReusePort).bind(free_port()).bind(Bind::Unix(folder.path().join("socket")));
    let mut sockets = Sockets::open(&config).unwrap();
    let first = sockets.for_loops(0..2).unwrap();
    let more = sockets.for_loops(2..4).unwrap();
    let again = sockets.for_loops(1..2).unwrap();
    let all: Vec<_> = first.into_iter().chain(more).collect();
    let ports = addresses(&all);
    assert!(ports.len() == 4 && ports.iter().all(|address| *address == ports[0]), "{ports:?}");
    let (own, shared): (Vec<_>, Vec<_>) =
        inodes(&all).chunks(2).map(|of_loop| (of_loop[0].clone(), of_loop[1].clone())).unzip();
    assert_eq!(own.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert!(shared.iter().all(|inode| *inode == shared[0]), "a path is shared in any case");
    assert_eq!(inodes(&again), [own[1].clone(), shared[0].clone()], "a loop that comes again finds its queue again");
}

#[test]
fn port_of_another_server_is_refused_though_both_would_share_it() {
    let config = Config::new().accept(Accept::ReusePort).bind(free_port());
    let mut first = Sockets::open(&config).unwrap();
    let address = addresses(&first.for_loops(0..1).unwrap())[0];
    let again = Config::new().accept(Accept::ReusePort).bind(Bind::Inet(address.ip().to_string(), address.port()));
    let error = Sockets::open(&again).unwrap_err();
    assert_eq!(error.status(), 1);
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: Address already in use")), "{error}");
    drop(first);
    Sockets::open(&again).unwrap();
}

#[test]
fn place_that_cannot_be_bound_is_named_with_the_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = |host: &str, port| {
        let error = Sockets::open(&Config::new().bind(Bind::Inet(host.to_owned(), port))).unwrap_err();
        assert_eq!(error.status(), 1);
        error.to_string()
    };
    let said = refused("127.0.0.1", address.port());
    assert!(said.starts_with(&format!("cannot listen on {address}: Address already in use")), "{said}");
    assert!(said.ends_with("this server listens there already: two of its places are one"), "as it seems here: {said}");
    let said = refused("192.0.2.1", 80); // RFC 5737: nobody has it
    assert!(said.starts_with("cannot listen on 192.0.2.1:80: "), "{said}");
    assert!(said.contains("; this machine has no such address"), "{said}");
    let said = refused("no such host", 80);
    assert!(said.contains("no such host"), "{said}");
}

#[test]
fn file_of_a_unix_socket_goes_with_the_sockets_though_loops_have_it_still() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\nsocket");
    let mut sockets = Sockets::open(&Config::new().bind(Bind::Unix(path.clone()))).unwrap();
    assert_eq!(sockets.places(), [format!("unix:{}/a\\nsocket", folder.path().display())]);
    let for_loops = sockets.for_loops(0..1).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(sockets);
    assert!(!path.exists());
    let successor = Sockets::open(&Config::new().bind(Bind::Unix(path.clone()))).unwrap();
    drop(for_loops);
    UnixStream::connect(&path).unwrap();
    drop(successor);
}

#[test]
fn what_is_handed_over_listens_on_and_its_file_changes_hands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let theirs = UnixListener::bind(folder.path().join("theirs")).unwrap();
    let config = Config::new()
        .accept(Accept::ReusePort)
        .bind(free_port())
        .bind(Bind::Unix(path.clone()))
        .bind(Bind::Inherited(theirs.as_raw_fd()));
    let mut former = Sockets::open(&config).unwrap();
    let before = former.for_loops(0..2).unwrap();
    let by_wire = former.hand_over().unwrap().into_iter().map(|handed| {
        let socket = Socket::try_from(OwnedFd::from(handed.socket)).unwrap();
        Handed { socket, ..handed }
    });
    let mut successor = Sockets::take_over(&config, by_wire.collect()).unwrap();
    former.leave_files();
    assert_eq!(successor.places()[..2], former.places()[..2]);
    drop(former);
    assert_eq!(inodes(&successor.for_loops(0..2).unwrap()), inodes(&before));
    assert_eq!(addresses(&successor.for_loops(2..3).unwrap()), addresses(&before[..1]), "and it opens further ones");
    UnixStream::connect(&path).unwrap();
    drop(successor);
    assert!(!path.exists() && folder.path().join("theirs").exists(), "it removes what the former made, and no other's");
}

#[test]
fn name_with_addresses_that_this_machine_has_not_is_bound_where_it_can_be() {
    let sockets = Sockets::open(&Config::new().bind(Bind::Inet("localhost".to_owned(), 0))).unwrap();
    let places = sockets.places();
    assert!(places.iter().any(|place| place.starts_with("http://127.0.0.1:")), "{places:?}");
}

#[test]
fn what_does_not_listen_is_no_socket_of_a_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    for wrong in [OwnedFd::from(client), fs::File::open("/dev/null").unwrap().into()] {
        Socket::try_from(wrong).unwrap_err();
    }
    assert!(matches!(Socket::try_from(OwnedFd::from(listener)), Ok(Socket::Tcp(_))));
}

#[test]
fn hundreds_of_loops_are_told_what_they_had_better_not_share() {
    let config = |workers, threads| Config::new().workers(workers).threads(threads);
    assert!(crowded(&config(64, 64)).unwrap().starts_with("4096 loops that share a socket start slowly"));
    assert_eq!(crowded(&config(8, 64)), None);
    assert_eq!(crowded(&config(64, 64).accept(Accept::ReusePort)), None);
}
