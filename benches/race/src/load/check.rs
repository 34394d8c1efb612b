//! Whether a server answers as it should, to the letter, before anything is measured.
//!
//! Each exchange of a scenario is done once as it is, once in three pieces, and sixteen times in one piece. What is read is
//! taken apart by httparse: a status of 200, a `Content-Length`, the whole body, and not a byte more.

use super::wrong;
use crate::echo;
use crate::servers::answers::{Exchange, Protocol, Scenario};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take for anything here.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a piece is left alone, so that the server reads it by itself.
const PAUSE: Duration = Duration::from_millis(1);

/// How many requests go in one piece.
const TOGETHER: usize = 16;

/// As many fields as a head can have.
const FIELDS_MAX: usize = 64;

/// Checks a server's answers to a scenario, and tells how long each of them is, in bytes. Unless `exact`, the bodies are
/// counted and not compared: the floor does not know what it is asked.
///
/// # Errors
///
/// What is wrong, and at which request.
pub(crate) fn check(port: u16, scenario: &Scenario, exact: bool) -> io::Result<usize> {
    let mut length = None;
    for exchange in (scenario.exchanges)() {
        let mut server = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PATIENCE)?;
        server.set_read_timeout(Some(PATIENCE))?;
        server.set_nodelay(true)?;
        if scenario.protocol == Protocol::Echo {
            length = Some(echo::check(&mut server, &exchange)?);
            continue;
        }
        for pieces in ways(&exchange.request) {
            let expected = pieces.concat().len() / exchange.request.len();
            for piece in &pieces {
                server.write_all(piece)?;
                std::thread::sleep(PAUSE);
            }
            for found in read(&mut server, &exchange, expected, exact).map_err(|error| named(&exchange, &error))? {
                let first = *length.get_or_insert(found);
                if first != found {
                    let why = format!("an answer has {found} bytes where another had {first}");
                    return Err(named(&exchange, &wrong(why)));
                }
            }
        }
    }
    length.ok_or_else(|| wrong("nothing is asked"))
}

/// As it is, in three pieces, many in one.
fn ways(request: &[u8]) -> [Vec<Vec<u8>>; 3] {
    let (head, tail) = (request.len() / 3, request.len() - 2);
    let pieces = vec![request[..head].to_vec(), request[head..tail].to_vec(), request[tail..].to_vec()];
    [vec![request.to_vec()], pieces, vec![request.repeat(TOGETHER)]]
}

/// The error with the request's first line.
fn named(exchange: &Exchange, error: &io::Error) -> io::Error {
    let line = exchange.request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    io::Error::new(error.kind(), format!("{}: {error}", String::from_utf8_lossy(line)))
}

/// Reads so many answers and returns the length of each.
fn read(server: &mut impl io::Read, exchange: &Exchange, expected: usize, exact: bool) -> io::Result<Vec<usize>> {
    let (mut input, mut lengths) = (Vec::new(), Vec::new());
    let mut piece = vec![0; 64 * 1024];
    while lengths.len() < expected {
        match answer(&input, exchange, exact)? {
            Some(length) => {
                input.drain(..length);
                lengths.push(length);
            }
            None => match server.read(&mut piece)? {
                0 => return Err(wrong(format!("closed after {} of {expected} answers", lengths.len()))),
                come => input.extend_from_slice(&piece[..come]),
            },
        }
    }
    if input.is_empty() { Ok(lengths) } else { Err(wrong(format!("{} bytes come after the answers", input.len()))) }
}

/// The length of the answer at the beginning of `input`; none as long as it is not whole.
fn answer(input: &[u8], exchange: &Exchange, exact: bool) -> io::Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(input).map_err(|error| wrong(format!("no answer: {error}")))?;
    let httparse::Status::Complete(head) = parsed else { return Ok(None) };
    if response.code != Some(200) {
        return Err(wrong(format!("the status is {}", response.code.unwrap_or_default())));
    }
    let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = field.and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    if length != Some(exchange.body.len()) {
        return Err(wrong(format!("the body has {length:?} bytes and not {}", exchange.body.len())));
    }
    let Some(body) = input[head..].get(..exchange.body.len()) else { return Ok(None) };
    if exact && body != exchange.body {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
        return Err(wrong(format!("the body is another: {shown:?}")));
    }
    Ok(Some(head + exchange.body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange {
        Exchange { request: b"GET /a HTTP/1.1\r\n\r\n".to_vec(), body: b"yes".to_vec() }
    }

    fn read_all(text: &str, expected: usize, exact: bool) -> Result<Vec<usize>, String> {
        read(&mut text.as_bytes(), &exchange(), expected, exact).map_err(|error| error.to_string())
    }

    #[test]
    fn answers_are_counted_with_their_heads() {
        let one = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes";
        assert_eq!(read_all(&one.repeat(2), 2, true), Ok(vec![one.len(); 2]));
    }

    #[test]
    fn another_body_is_told_unless_nobody_compares() {
        let other = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nno!";
        assert_eq!(read_all(other, 1, true), Err("the body is another: \"no!\"".to_owned()));
        assert_eq!(read_all(other, 1, false), Ok(vec![other.len()]));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for (text, why) in [
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nyes", "the status is 404"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nyes!", "the body has Some(4) bytes and not 3"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nyes\r\n", "the body has None bytes and not 3"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes!", "1 bytes come after the answers"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nye", "closed after 0 of 1 answers"),
            ("nonsense", "no answer: invalid HTTP version"),
        ] {
            assert_eq!(read_all(text, 1, true), Err(why.to_owned()));
        }
    }
}
