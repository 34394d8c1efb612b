//! Clients that are too slow, at each place where one can be: how long they get, and what they get then.

use super::memory::End;
use super::{GET, HELLO, PIPE_BYTES, demo, is_about, is_seeded, ms, refusal, serve, still_serves};
use super::{transcript, without_dates};
use crate::asgi::{Inbound, NO_FIELDS, Receive, Result, Scope, Send};
use crate::message::StatusCode;
use crate::router::{Request, Response, Router};
use evloop_runtime::io::AsyncRead;
use evloop_runtime::time::{advance, now, sleep, sleep_until};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

const HEAD: Duration = ms(10_000);
const BODY: Duration = ms(20_000);
const WRITE: Duration = ms(20_000);
const KEEP_ALIVE: Duration = ms(5_000);
const LINGER: Duration = ms(2_000);

/// Longer than any time-out, and shorter than a test may take.
const LONG: Duration = ms(3_000_000);

/// A request whose body does not come.
const POST: &str = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

/// A moment that is not yet late.
fn just_before(limit: Duration) -> Duration {
    limit.saturating_sub(ms(10))
}

/// All that comes until the server ends its side, and how long that took.
async fn ended(client: &mut End) -> (String, Duration) {
    let before = now();
    let text = without_dates(&client.rest().await);
    (text, now() - before)
}

/// How long it takes until the server lets go of the connection.
async fn until_gone(client: &End) -> Duration {
    let before = now();
    while !client.seen().is_gone() {
        sleep(ms(1)).await;
    }
    now() - before
}

// --- Head ------------------------------------------------------------------------------------------------------------

#[test]
fn client_that_sends_nothing_is_let_go_without_a_word() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, "");
        assert!(is_about(took, HEAD), "{took:?}");
        assert!(client.seen().is_gone());
    });
}

#[test]
fn head_that_comes_a_byte_a_second_is_a_408_after_its_time() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        let before = now();
        for (second, byte) in (1..).zip(GET.bytes()) {
            client.send([byte]).await;
            sleep_until(before + ms(1_000) * second + ms(5)).await;
            if client.unread_bytes() > 0 {
                break;
            }
        }
        assert_eq!(now() - before, HEAD + ms(5));
        let (text, _) = ended(&mut client).await;
        assert_eq!(text, refusal("408 Request Timeout"));
        assert!(!client.seen().is_gone(), "the client may read its answer");
    });
}

#[test]
fn head_is_late_when_its_time_is_over_and_not_before() {
    serve(demo(), async |network| {
        for (sent_before, sent_after) in GET.split_at_checked(1).into_iter().chain(GET.split_at_checked(GET.len() - 1))
        {
            let mut client = network.connect(PIPE_BYTES);
            client.send(sent_before).await;
            sleep(just_before(HEAD)).await;
            client.send(sent_after).await;
            assert_eq!(without_dates(client.until("Hello").await.as_bytes()), HELLO);

            let mut client = network.connect(PIPE_BYTES);
            client.send(sent_before).await;
            let (text, took) = ended(&mut client).await;
            assert_eq!(text, refusal("408 Request Timeout"));
            assert!(is_about(took, HEAD), "{took:?}");
        }
    });
}

#[test]
fn head_that_is_whole_in_the_turn_of_its_deadline_is_served() {
    if is_seeded() {
        return; // its client is to be polled before its server
    }
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("G").await;
        let (_, exactly) = ended(&mut client).await;
        // Timers of one moment fire in the order in which they were set: the client is woken before the server.
        let before = sleep(exactly);
        let mut client = network.connect(PIPE_BYTES);
        client.send("G").await;
        before.await;
        client.send(&GET[1..]).await;
        let answer = client.until("o").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    });
}

#[test]
fn half_a_head_behind_a_request_has_the_time_of_a_head_from_then_on() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(&GET[..5]).await;
        sleep(ms(9_000)).await;
        client.send([&GET[5..], "GET / HT"].concat()).await;
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, [HELLO, &*refusal("408 Request Timeout")].concat());
        assert!(is_about(took, HEAD), "{took:?}");
    });
}

#[test]
fn half_a_head_after_a_pause_has_the_time_of_a_head_and_not_that_of_the_pause() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        still_serves(&mut client).await;
        sleep(ms(4_000)).await;
        client.send("GET / HT").await;
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, refusal("408 Request Timeout"));
        assert!(is_about(took, HEAD), "{took:?}");
    });
}

#[test]
fn head_cut_short_by_its_deadline_is_forgotten_before_the_next_client() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET / HTTP/1.1\r\nHost: b\r\nx: y").await;
        client.rest().await;
        until_gone(&client).await;
        assert_eq!(transcript(&network, GET).await, HELLO);
    });
}

// --- Body ------------------------------------------------------------------------------------------------------------

#[test]
fn body_that_stalls_is_a_408_to_the_client() {
    serve(demo(), async |network| {
        for sent in ["", "abc"] {
            let mut client = network.connect(PIPE_BYTES);
            client.send([POST, sent].concat()).await;
            let (text, took) = ended(&mut client).await;
            assert_eq!(text, refusal("408 Request Timeout"));
            assert!(is_about(took, BODY), "{took:?}");
        }
    });
}

#[test]
fn body_that_goes_on_now_and_then_has_its_time_anew() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(POST).await;
        for byte in "0123456789".bytes() {
            sleep(just_before(BODY)).await;
            client.send([byte]).await;
        }
        assert!(client.until("10 bytes").await.starts_with("HTTP/1.1 200 OK"));
        still_serves(&mut client).await;
    });
}

#[test]
fn chunk_extension_that_comes_a_byte_now_and_then_ends_at_its_limit() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;").await;
        for _ in 0..256 {
            sleep(ms(1_000)).await;
            if client.unread_bytes() > 0 {
                break;
            }
            client.send("x").await;
        }
        let (text, _) = ended(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n") && text.contains("connection: close"), "{text}");
    });
}

/// Waits for the whole body, notes how that failed, and answers what it is told to.
fn noting(noted: &Rc<RefCell<Vec<String>>>, answer: &'static str) -> Router {
    let noted = Rc::clone(noted);
    Router::new().post("/count", move |mut request: Request| {
        let noted = Rc::clone(&noted);
        async move {
            while let Err(error) = request.bytes(1_000).await {
                noted.borrow_mut().push(format!("{error}, {}", error.is_timeout()));
                if noted.borrow().len() == 2 {
                    break;
                }
            }
            answer
        }
    })
}

#[test]
fn application_is_told_each_time_it_asks_and_its_own_answer_is_sent() {
    let noted = Rc::default();
    serve(noting(&noted, "never mind"), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send([POST, "abc"].concat()).await;
        let (text, took) = ended(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("never mind"), "{text}");
        assert!(text.contains("connection: close\r\n"), "what comes late is no request: {text}");
        assert!(is_about(took, BODY), "{took:?}");
    });
    assert_eq!(*noted.borrow(), ["the body took too long, true", "the body took too long, true"]);
}

#[test]
fn application_that_ends_when_it_is_told_of_a_disconnect_leaves_the_answer_to_the_server() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        loop {
            match receive.event().await {
                Inbound::Request { more_body: true, .. } => {}
                Inbound::Request { .. } => return send.respond(StatusCode::OK, b"whole", NO_FIELDS),
                Inbound::Disconnect => return Ok(()), // as ASGI has it: nobody is there to be answered
            }
        }
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send([POST, "abc"].concat()).await;
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, refusal("408 Request Timeout"));
        assert!(is_about(took, BODY), "{took:?}");
        let malformed = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        assert_eq!(transcript(&network, malformed).await, refusal("400 Bad Request"));
    });
}

#[test]
fn answer_that_has_begun_is_cut_when_the_body_stalls() {
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
        client.until("abc\r\n").await;
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, "", "and no last chunk");
        assert!(is_about(took, BODY), "{took:?}");
    });
}

#[test]
fn body_that_nobody_reads_ends_the_connection_when_it_stalls() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
        client.until("ignored").await;
        sleep(just_before(BODY)).await;
        client.send("d").await;
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, "", "one answer for one request");
        assert!(is_about(took, BODY), "{took:?}");
        let lingered = until_gone(&client).await;
        assert!(is_about(lingered, LINGER), "{lingered:?}");
    });
}

#[test]
fn body_that_nobody_asks_for_has_all_the_time() {
    let app = Router::new().post("/count", |mut request: Request| async move {
        sleep(LONG).await;
        request.bytes(1_000).await.map(|bytes| format!("{} bytes", bytes.len()))
    });
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(POST).await;
        sleep(LONG).await;
        sleep(just_before(BODY)).await;
        client.send("0123456789").await;
        assert!(client.until("10 bytes").await.starts_with("HTTP/1.1 200 OK"));
    });
}

// --- Write -----------------------------------------------------------------------------------------------------------

/// Tells that it was dropped.
struct Told(Rc<Cell<bool>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn client_that_takes_nothing_is_reset_and_its_handler_dropped() {
    let dropped = Rc::new(Cell::new(false));
    let told = Rc::clone(&dropped);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let told = Told(Rc::clone(&told));
        async move {
            let _told = told;
            send.start(StatusCode::OK, None, NO_FIELDS)?;
            loop {
                send.response_piece(vec![b'x'; 10_000]).await?;
            }
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        let took = until_gone(&client).await;
        assert!(is_about(took, WRITE), "{took:?}");
        assert!(dropped.get());
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn answer_that_is_over_is_reset_as_well_when_it_is_not_taken() {
    serve(demo(), async |network| {
        let mut client = network.connect(10);
        client.send(GET).await;
        let took = until_gone(&client).await;
        assert!(is_about(took, WRITE), "{took:?}");
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        // Nor does a refusal wait for longer.
        let mut client = network.connect(10);
        client.send("bad\r\n\r\n").await;
        let took = until_gone(&client).await;
        assert!(is_about(took, WRITE), "{took:?}");
    });
}

#[test]
fn client_that_takes_a_byte_now_and_then_gets_all_of_it() {
    serve(demo(), async |network| {
        let mut client = network.connect(5);
        client.send("GET /lines HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"0\r\n\r\n") {
            sleep(just_before(WRITE)).await;
            let mut bytes = [0; 2];
            let read = client.read(&mut bytes).await.unwrap();
            answer.extend(&bytes[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    });
}

#[test]
fn what_is_sent_while_nothing_is_taken_gives_no_more_time() {
    let app = |_: Scope, _: Receive, mut send: Send| async move {
        send.start(StatusCode::OK, None, NO_FIELDS)?;
        loop {
            send.response_piece("x").await?;
            sleep(ms(1_000)).await;
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(1);
        client.send(GET).await;
        let took = until_gone(&client).await;
        assert!(is_about(took, WRITE), "{took:?}");
    });
}

#[test]
fn answer_without_an_end_is_given_room_again_and_again() {
    let app = Router::new().get("/", |_: Request| async { Response::stream(super::Lines(50)) });
    serve(app, async |network| {
        let mut client = network.connect(7);
        client.send(GET).await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"0\r\n\r\n") {
            sleep(ms(15_000)).await;
            answer.extend(client.take(7.min(client.unread_bytes())).await);
        }
        assert_eq!(String::from_utf8_lossy(&answer).matches("line\n").count(), 50);
    });
}

// --- Between requests ------------------------------------------------------------------------------------------------

#[test]
fn connection_without_another_request_is_closed_without_a_word() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        for _ in 0..3 {
            still_serves(&mut client).await;
            sleep(just_before(KEEP_ALIVE)).await;
        }
        still_serves(&mut client).await;
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, "");
        assert!(is_about(took, KEEP_ALIVE), "{took:?}");
        assert!(client.seen().is_gone());
    });
}

#[test]
fn pause_begins_when_the_answer_was_taken() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.until("slept").await;
        let (_, took) = ended(&mut client).await;
        assert!(is_about(took, KEEP_ALIVE), "{took:?}");

        let mut client = network.connect(HELLO.len());
        client.send(GET).await;
        sleep(just_before(WRITE)).await;
        client.until("Hello").await;
        let (_, took) = ended(&mut client).await;
        assert!(is_about(took, KEEP_ALIVE), "{took:?}");
    });
}

/// A loop that was held has not been waiting for its clients: ten seconds go by in a handler, and the others of the same
/// turn have all their time.
#[test]
fn time_in_which_a_handler_held_the_loop_is_no_pause_of_the_client() {
    if is_seeded() {
        return; // its holder is to be polled before the others
    }
    let app = demo().get("/hold", |_: Request| async {
        advance(ms(10_000));
        "held"
    });
    serve(app, async |network| {
        let (mut holder, mut client) = (network.connect(PIPE_BYTES), network.connect(PIPE_BYTES));
        let mut silent = network.connect(PIPE_BYTES);
        holder.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.send(GET).await;
        assert_eq!(without_dates(client.until("Hello").await.as_bytes()), HELLO);
        let before = now();
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, "");
        assert!(is_about(took, KEEP_ALIVE), "{took:?}");
        silent.rest().await;
        assert!(is_about(now() - before, HEAD), "{:?}", now() - before);
    });
}

#[test]
fn held_loop_is_no_pause_of_a_client_that_was_served_before() {
    if is_seeded() {
        return; // its holder is to be polled before the others
    }
    let app = demo().get("/hold", |_: Request| async {
        advance(ms(10_000));
        "held"
    });
    serve(app, async |network| {
        let (mut holder, mut client) = (network.connect(PIPE_BYTES), network.connect(PIPE_BYTES));
        still_serves(&mut client).await;
        holder.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.send(GET).await;
        assert_eq!(without_dates(client.until("Hello").await.as_bytes()), HELLO);
        let (text, took) = ended(&mut client).await;
        assert_eq!(text, "");
        assert!(is_about(took, KEEP_ALIVE), "{took:?}");
    });
}

#[test]
fn body_that_is_waited_for_no_longer_has_all_the_time() {
    let app = Router::new().post("/count", |mut request: Request| async move {
        let first = evloop_runtime::time::timeout(ms(1_000), request.piece()).await;
        assert!(first.is_err());
        sleep(LONG).await;
        request.bytes(1_000).await.map(|bytes| format!("{} bytes", bytes.len()))
    });
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(POST).await;
        sleep(LONG).await;
        client.send("0123456789").await;
        let (text, _) = ended(&mut client).await;
        assert!(text.ends_with("10 bytes"), "{text}");
    });
}
