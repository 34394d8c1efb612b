//! Filters: what stands between an application and its connection.

use super::logs::errors_logged;
use super::{GET, transcript};
use crate::asgi::{Filter, NO_FIELDS, Receive, Result, Scope, Send};
use crate::codec::encode::ResponseHead;
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use crate::server::tests::serve;
use std::cell::RefCell;
use std::rc::Rc;

/// The answer when an application fails.
const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 21\r\nconnection: close\r\n\r\nInternal Server Error";

/// What a [`Twice`] does besides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Works,
    HeadOnly,
    FailsInHead,
    FailsInPiece,
    FailsAtEnd,
    PanicsInPiece,
}

/// Sends each byte twice, keeps back the first piece, and notes what it was asked.
struct Twice {
    manner: Manner,
    kept: Vec<u8>,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Filter for Twice {
    fn head(&mut self, status: StatusCode, head: &mut ResponseHead<'_>, length: Option<u64>) -> Result<bool> {
        self.asked.borrow_mut().push(format!("head {} {length:?}", status.as_u16()));
        if self.manner == Manner::FailsInHead {
            return Err(Error::application("no head"));
        }
        head.header("x-filter", b"twice")?;
        head.replace("x-app", b"replaced")?;
        Ok(self.manner != Manner::HeadOnly)
    }

    fn piece(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result {
        self.asked.borrow_mut().push(format!("piece {} {last}", String::from_utf8_lossy(piece)));
        assert!(self.manner != Manner::PanicsInPiece, "this filter panics");
        if self.manner == Manner::FailsInPiece || last && self.manner == Manner::FailsAtEnd {
            return Err(Error::application("no piece"));
        }
        self.kept.extend(piece.iter().flat_map(|&byte| [byte, byte]));
        if last || self.kept.len() > 4 {
            out.append(&mut self.kept);
        }
        Ok(())
    }
}

/// What the client gets from an application behind a filter, and what the filter was asked.
fn filtered<F: Future<Output = Result> + 'static>(
    request: &str,
    manner: Manner,
    app: impl Fn(Receive, Send) -> F + 'static,
) -> (String, Vec<String>) {
    let asked = Rc::<RefCell<Vec<String>>>::default();
    let noted = Rc::clone(&asked);
    let app = move |_: Scope, receive: Receive, mut send: Send| {
        let filter = Twice { manner, kept: Vec::new(), asked: Rc::clone(&noted) };
        send.set_filter(Box::new(filter));
        app(receive, send)
    };
    let mut answer = String::new();
    serve(app, async |network| answer = transcript(&network, request).await);
    (answer, asked.take())
}

async fn whole(_: Receive, mut send: Send) -> Result {
    send.respond(StatusCode::OK, b"abc", [("x-app", "1")])
}

async fn pieces(_: Receive, mut send: Send) -> Result {
    send.start(StatusCode::OK, Some(6), [("x-app", "1")])?;
    send.response_piece("ab").await?;
    send.response_piece("cd").await?;
    send.response_body("ef").await
}

const FIELDS: &str = "x-filter: twice\r\nx-app: replaced\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn whole_response_is_changed_and_its_length_known() {
    let (answer, asked) = filtered(GET, Manner::Works, whole);
    assert_eq!(answer, format!("HTTP/1.1 200 OK\r\n{FIELDS}content-length: 6\r\n\r\naabbcc"));
    assert_eq!(asked, ["head 200 Some(3)", "piece abc true"]);
    let (answer, _) = filtered(HEAD, Manner::Works, whole);
    assert_eq!(answer, format!("HTTP/1.1 200 OK\r\n{FIELDS}content-length: 6\r\n\r\n"), "as of a GET");
}

#[test]
fn response_in_pieces_is_changed_and_chunked() {
    let (answer, asked) = filtered(GET, Manner::Works, pieces);
    let head = format!("HTTP/1.1 200 OK\r\n{FIELDS}transfer-encoding: chunked\r\n\r\n");
    assert_eq!(answer, format!("{head}8\r\naabbccdd\r\n4\r\neeff\r\n0\r\n\r\n"));
    assert_eq!(asked, ["head 200 Some(6)", "piece ab false", "piece cd false", "piece ef false", "piece  true"]);
    assert_eq!(filtered(HEAD, Manner::Works, pieces).0, head, "as of a GET");
    let (old, _) = filtered("GET / HTTP/1.0\r\n\r\n", Manner::Works, pieces);
    assert_eq!(old, format!("HTTP/1.1 200 OK\r\n{FIELDS}connection: close\r\n\r\naabbccddeeff"));
}

#[test]
fn filter_of_the_head_alone_leaves_the_body_and_its_length() {
    let (answer, asked) = filtered(GET, Manner::HeadOnly, whole);
    assert_eq!(answer, format!("HTTP/1.1 200 OK\r\n{FIELDS}content-length: 3\r\n\r\nabc"));
    assert_eq!(asked, ["head 200 Some(3)"]);
    let (answer, asked) = filtered(GET, Manner::HeadOnly, pieces);
    assert_eq!(answer, format!("HTTP/1.1 200 OK\r\n{FIELDS}content-length: 6\r\n\r\nabcdef"));
    assert_eq!(asked, ["head 200 Some(6)"]);
}

#[test]
fn response_without_content_has_a_head_to_filter_and_no_body() {
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let (answer, asked) =
            filtered(GET, Manner::Works, move |_, mut send| async move { send.respond(status, b"", NO_FIELDS) });
        assert!(answer.ends_with(&format!("\r\n{FIELDS}\r\n")), "{answer}");
        assert_eq!(asked.len(), 1, "{asked:?}");
    }
}

#[test]
fn failure_before_anything_is_written_is_a_500() {
    for manner in [Manner::FailsInHead, Manner::FailsInPiece, Manner::FailsAtEnd, Manner::PanicsInPiece] {
        assert_eq!(filtered(GET, manner, whole).0, FAILED);
    }
    assert_eq!(filtered(GET, Manner::FailsInHead, pieces).0, FAILED);
}

#[test]
fn failure_in_the_middle_of_a_response_cuts_it() {
    for manner in [Manner::FailsInPiece, Manner::FailsAtEnd, Manner::PanicsInPiece] {
        let errors = errors_logged(|| {
            let (answer, _) = filtered(&[GET, GET].concat(), manner, pieces);
            assert!(answer.contains("chunked") && !answer.ends_with("0\r\n\r\n"), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        });
        assert!(!errors.is_empty());
    }
}

#[test]
fn filter_is_not_asked_out_of_order() {
    let (answer, asked) = filtered(GET, Manner::Works, |_, mut send| async move {
        assert!(send.response_piece("early").await.is_err());
        assert!(send.response_end().is_err());
        send.respond(StatusCode::OK, b"abc", NO_FIELDS)?;
        assert!(send.respond(StatusCode::OK, b"twice", NO_FIELDS).is_err());
        assert!(send.response_piece("late").await.is_err());
        assert!(send.response_end().is_err());
        Ok(())
    });
    assert!(answer.ends_with("\r\n\r\naabbcc"), "{answer}");
    assert_eq!(asked, ["head 200 Some(3)", "piece abc true"]);
    let (_, asked) = filtered(GET, Manner::Works, |_, mut send| async move {
        send.start(StatusCode::OK, None, NO_FIELDS)?;
        assert!(send.start(StatusCode::OK, None, NO_FIELDS).is_err());
        send.response_body("abc").await?;
        assert!(send.response_piece("late").await.is_err());
        assert!(send.response_end().is_err());
        Ok(())
    });
    assert_eq!(asked, ["head 200 None", "piece abc false", "piece  true"]);
}

#[test]
fn body_that_is_not_as_long_as_was_said_is_cut_behind_a_filter_too() {
    for given in ["abcde", "abcdefg"] {
        let (answer, _) = filtered(GET, Manner::Works, move |_, mut send| async move {
            send.start(StatusCode::OK, Some(6), NO_FIELDS)?;
            let ended = send.response_body(given).await;
            assert_eq!(ended.clone().map_err(Error::kind), Err(Kind::ResponseLength));
            ended
        });
        assert!(!answer.ends_with("0\r\n\r\n"), "{given}: {answer}");
    }
}

#[test]
fn trailers_and_early_hints_pass_by_the_filter() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n";
    let (answer, _) = filtered(request, Manner::Works, |_, mut send| async move {
        send.early_hint(["</a>"])?;
        send.response_start(200, NO_FIELDS).await?;
        send.response_piece("a").await?;
        send.response_trailers([("x-sum", "1")])
    });
    assert!(answer.starts_with("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("2\r\naa\r\n0\r\nx-sum: 1\r\n\r\n"), "{answer}");
}

#[test]
fn tunnel_is_not_filtered() {
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nabc";
    let (answer, asked) = filtered(upgrade, Manner::Works, |mut receive, mut send| async move {
        send.switch_protocols("echo", NO_FIELDS)?;
        while let Some(piece) = receive.piece().await? {
            send.response_piece(piece).await?;
        }
        send.response_end()
    });
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert_eq!(asked, [""; 0]);
    let connect = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nabc";
    let (answer, asked) = filtered(connect, Manner::Works, |mut receive, mut send| async move {
        send.start(StatusCode::OK, None, NO_FIELDS)?;
        while let Some(piece) = receive.piece().await? {
            send.response_piece(piece).await?;
        }
        send.response_end()
    });
    assert_eq!(answer, format!("HTTP/1.1 200 OK\r\n{FIELDS}\r\nabc"));
    assert_eq!(asked, ["head 200 None"]);
    let (answer, asked) = filtered(connect, Manner::Works, whole);
    assert_eq!(answer, format!("HTTP/1.1 200 OK\r\n{FIELDS}\r\nabc"));
    assert_eq!(asked, ["head 200 Some(3)"]);
}
