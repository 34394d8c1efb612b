//! Why an address cannot be had, and what to do about it. What the system says is true, and seldom enough.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::process;

/// Ports below this one want a right of their own, unless the machine has it otherwise; ip(7).
const PRIVILEGED: u16 = 1024;

/// The refusal of that address, with what can be done behind the reason.
pub(super) fn advised(error: io::Error, address: SocketAddr) -> io::Error {
    match advice(error.kind(), address) {
        Some(advice) => io::Error::new(error.kind(), format!("{error}; {advice}")),
        None => error,
    }
}

fn advice(refused: ErrorKind, address: SocketAddr) -> Option<String> {
    let text = match (refused, address) {
        (ErrorKind::AddrInUse, _) => match holder(address) {
            Some((pid, _)) if pid == process::id() => {
                "this server listens there already: two of its places are one".to_owned()
            }
            Some((pid, name)) => {
                format!("process {pid} ({name}) listens there: end it, or take another port, as 0 for a free one")
            }
            None => "another process listens there, as `ss -ltnp` shows: end it, or take another port, as 0 for a \
                     free one"
                .to_owned(),
        },
        (ErrorKind::PermissionDenied, _) if address.port() < PRIVILEGED => format!(
            "a port below {PRIVILEGED} wants a right that this process has not: take a higher one, have systemd open \
             it (socket activation), or give the program that right by `setcap cap_net_bind_service=+ep`"
        ),
        (ErrorKind::AddrNotAvailable, _) => {
            "this machine has no such address, as `ip address` shows; 0.0.0.0 and :: are all that it has".to_owned()
        }
        (ErrorKind::InvalidInput, SocketAddr::V6(address))
            if address.ip().is_unicast_link_local() && address.scope_id() == 0 =>
        {
            format!("such an address holds on one interface only, which is to be told: {}%eth0", address.ip())
        }
        _ => return None,
    };
    Some(text)
}

/// The process that listens at an address, and what it is called, as far as this user may see it: `proc_pid_net(5)` has the
/// number of the socket, and `proc_pid_fd(5)` who has that open.
fn holder(address: SocketAddr) -> Option<(u32, String)> {
    let tables = if address.is_ipv4() { ["tcp", "tcp6"] } else { ["tcp6", "tcp"] }; // its own family's first
    let number = tables.iter().find_map(|table| {
        let table = fs::read_to_string(format!("/proc/net/{table}")).ok()?;
        table.lines().find_map(|line| listens(line, address).map(str::to_owned))
    })?;
    let socket = format!("socket:[{number}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let mut open = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        open.find(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == &*socket))?;
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        Some((pid, name.trim_end().escape_debug().to_string()))
    })
}

/// The number of the socket in a line of `/proc/net/tcp`, if that listens where the address is.
fn listens(line: &str, address: SocketAddr) -> Option<&str> {
    /// The state of a socket that listens.
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let (ip, wanted) = (ip_of(ip)?, address.ip().to_canonical());
    // Who has all addresses of IPv6 may have those of IPv4 with them, and not the other way round.
    let any = match (ip, wanted) {
        (IpAddr::V4(ip), IpAddr::V4(wanted)) => ip.is_unspecified() || wanted.is_unspecified(),
        (IpAddr::V6(ip), IpAddr::V6(wanted)) => ip.is_unspecified() || wanted.is_unspecified(),
        (IpAddr::V6(ip), IpAddr::V4(_)) => ip.is_unspecified(),
        (IpAddr::V4(_), IpAddr::V6(_)) => false,
    };
    let is_there = u16::from_str_radix(port, 16).ok()? == address.port() && (ip == wanted || any);
    (is_there && *fields.get(3)? == LISTEN).then_some(*fields.get(9)?)
}

/// An address as the kernel writes it: in words of 32 bits, each a number in the order of bytes of this machine.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => word(0).map(IpAddr::from),
        32 => {
            let words: Vec<[u8; 4]> = (0..32).step_by(8).map(word).collect::<Option<_>>()?;
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn who_listens_is_found_by_each_of_its_addresses() {
        for (bound, asked) in [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("127.0.0.3", "0.0.0.0")] {
            let listener = TcpListener::bind((bound, 0)).unwrap();
            let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), listener.local_addr().unwrap().port());
            assert_eq!(holder(at(asked)).map(|(pid, _)| pid), Some(process::id()), "{bound} as {asked}");
        }
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0   0 4711 1 0 100 0 0";
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        #[cfg(target_endian = "little")]
        {
            assert_eq!(listens(line, at("127.0.0.1:8080")), Some("4711"));
            assert_eq!(listens(line, at("127.0.0.2:8080")), None, "another address");
            assert_eq!(ip_of("00000000000000000000000001000000"), Some(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
            assert_eq!(ip_of("0000000000000000FFFF00000100007F"), Some(IpAddr::from([127, 0, 0, 1])));
        }
        assert_eq!(listens(line, at("0.0.0.0:8080")), Some("4711"));
        assert_eq!(listens(line, at("0.0.0.0:8081")), None, "another port");
        assert_eq!(listens(line, at("[::]:8080")), None, "another family");
        let all = line.replace("0100007F:1F90", &format!("{}:1F90", "0".repeat(32)));
        assert_eq!(listens(&all, at("0.0.0.0:8080")), Some("4711"), "all addresses may be those of both families");
        assert_eq!(listens(&all, at("[::1]:8080")), Some("4711"));
        assert_eq!(listens(&line.replace("0100007F", "00000000"), at("[::1]:8080")), None);
        assert_eq!(listens(&line.replace(" 0A ", " 01 "), at("0.0.0.0:8080")), None, "it does not listen");
        for short in ["", "sl local_address", "0: 0:0", "0: 00000000:1F90 00000000:0000 0A"] {
            assert_eq!(listens(short, at("0.0.0.0:8080")), None, "{short}");
        }
    }

    #[test]
    fn each_refusal_says_what_can_be_done() {
        let told = |kind, address: &str| advice(kind, address.parse().unwrap()).unwrap_or_default();
        for (kind, address, said) in [
            (ErrorKind::PermissionDenied, "127.0.0.1:80", "setcap cap_net_bind_service=+ep"),
            (ErrorKind::PermissionDenied, "127.0.0.1:80", "socket activation"),
            (ErrorKind::AddrNotAvailable, "192.0.2.1:8000", "this machine has no such address"),
            (ErrorKind::InvalidInput, "[fe80::1]:80", "fe80::1%eth0"),
            (ErrorKind::AddrInUse, "192.0.2.1:1", "`ss -ltnp`"), // of which nobody is found
        ] {
            assert!(told(kind, address).contains(said), "{kind:?}: {}", told(kind, address));
        }
        assert_eq!(told(ErrorKind::PermissionDenied, "127.0.0.1:8000"), "", "it is for another reason");
        assert_eq!(told(ErrorKind::InvalidInput, "127.0.0.1:0"), "");
    }
}
