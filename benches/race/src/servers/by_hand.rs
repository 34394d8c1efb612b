//! What a person writes who wants no more of HTTP than the benchmark asks for: heads parsed by httparse, answers made
//! beforehand, no deadline, no limit but one, no `Date`. The runtimes that have no server of their own are raced with it.

use super::answers::{PLAINTEXT, ROUTES, large_body, route_body, route_path};
use std::collections::HashMap;
use std::io::{self, Write as _};

/// As many fields as a head can have.
const FIELDS_MAX: usize = 64;

/// A request and all before it that is not answered, in bytes: past it the client is cut off.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// The answers, ready to be copied.
#[derive(Debug)]
pub(crate) struct Answers(HashMap<String, Vec<u8>>);

impl Answers {
    /// All that [`super::answers`] asks for.
    pub(crate) fn new() -> Self {
        let mut answers: HashMap<String, Vec<u8>> =
            (0..ROUTES).map(|index| (route_path(index), whole(route_body(index).as_bytes()))).collect();
        answers.insert("/plaintext".to_owned(), whole(PLAINTEXT.as_bytes()));
        answers.insert("/100k".to_owned(), whole(&large_body()));
        Self(answers)
    }

    /// Answers each whole request in `input`, appending to `output`; returns how much of `input` they were, in bytes.
    ///
    /// # Errors
    ///
    /// When the input is no request, or the last one in it is longer than [`INPUT_BYTES_MAX`].
    pub(crate) fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
        let mut used = 0;
        while used < input.len() {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let mut request = httparse::Request::new(&mut fields);
            let Ok(parsed) = request.parse(&input[used..]) else { return Err(refused()) };
            let httparse::Status::Complete(head_bytes) = parsed else { break };
            let body_bytes = content_length(request.headers)?;
            if body_bytes > input.len() - used - head_bytes {
                break;
            }
            match (request.method, request.path) {
                (Some("GET"), Some(path)) => match self.0.get(path) {
                    Some(answer) => output.extend_from_slice(answer),
                    None => output.extend_from_slice(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
                },
                (Some("POST"), Some("/echo-length")) => write_whole(output, body_bytes.to_string().as_bytes()),
                _ => output.extend_from_slice(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n"),
            }
            used += head_bytes + body_bytes;
        }
        if input.len() - used >= INPUT_BYTES_MAX { Err(refused()) } else { Ok(used) }
    }
}

/// How long the body is that follows a head with these fields.
fn content_length(fields: &[httparse::Header<'_>]) -> io::Result<usize> {
    let Some(field) = fields.iter().find(|field| field.name.eq_ignore_ascii_case("content-length")) else {
        return Ok(0);
    };
    std::str::from_utf8(field.value).ok().and_then(|text| text.parse().ok()).ok_or_else(refused)
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no request that this server takes")
}

fn whole(body: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    write_whole(&mut answer, body);
    answer
}

fn write_whole(output: &mut Vec<u8>, body: &[u8]) {
    let length = body.len();
    write!(output, "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\r\n")
        .expect("a vector takes all");
    output.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::super::answers::SCENARIOS;
    use super::*;

    #[test]
    fn each_request_of_each_scenario_is_answered_wherever_it_is_split() {
        let answers = Answers::new();
        for exchange in SCENARIOS.iter().flat_map(|scenario| (scenario.exchanges)()) {
            for split in [1, exchange.request.len() / 2, exchange.request.len() - 1] {
                let mut output = Vec::new();
                assert_eq!(answers.answer(&exchange.request[..split], &mut output).unwrap(), 0);
                assert_eq!(answers.answer(&exchange.request, &mut output).unwrap(), exchange.request.len());
                assert!(output.starts_with(b"HTTP/1.1 200 OK\r\n") && output.ends_with(&exchange.body));
            }
        }
    }

    #[test]
    fn a_length_that_overflows_waits_for_nothing() {
        let mut output = Vec::new();
        let endless = format!("POST /echo-length HTTP/1.1\r\ncontent-length: {}\r\n\r\n", usize::MAX);
        assert_eq!(Answers::new().answer(endless.as_bytes(), &mut output).unwrap(), 0);
        let past = "POST /echo-length HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n";
        assert!(Answers::new().answer(past.as_bytes(), &mut output).is_err());
    }
}
