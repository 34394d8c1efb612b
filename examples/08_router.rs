//! A small server as one is written: routes, handlers that block and handlers that do not, state, files, limits.
//!
//! ```text
//! cargo run --release --example 08_router
//! curl -i http://127.0.0.1:8000/users/7
//! curl -i -d 'name=Ada&born=1815' http://127.0.0.1:8000/users
//! curl -i http://127.0.0.1:8000/report            # blocks a thread of the pool, and nobody else
//! curl -i http://127.0.0.1:8000/source/           # this repository's examples, as files
//! curl -i -X DELETE http://127.0.0.1:8000/users   # 405, with what is allowed
//! ```
//!
//! What to see: a handler is a function from a request to anything that can be a response. One that is `async` runs on the
//! loop, beside all the others, so it must not block; one that blocks is given to `get_blocking` and runs on a thread of
//! the pool. (It is the difference that `FastAPI` makes between `async def` and `def`.) State belongs to the router, whose handlers are
//! all on one thread: a `Cell` is enough.

#![allow(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use evloop::http::access_log::AccessLog;
use evloop::http::limits::Timeouts;
use evloop::http::router::BlockingRequest;
use evloop::http::{Files, Request, Response, Router, Server, StatusCode};
use evloop::signal::ctrl_c;
use std::cell::RefCell;
use std::time::Duration;

/// Who is known. Not behind a lock: it never leaves the loop's thread.
#[derive(Default)]
struct Users(RefCell<Vec<String>>);

fn app() -> std::io::Result<Router> {
    let app = Router::new()
        .state(Users::default())
        .get("/", |_: Request| async { "users, a report, and the source\n" })
        .get("/users", |request: Request| async move { users(&request, |users| format!("{users:?}\n")) })
        .get("/users/{id}", user)
        .post("/users", add)
        .get_blocking("/report", |_: BlockingRequest| report())
        .mount("/source", Files::new("examples")?.listing(true))
        .fallback(|request: Request| async move { (StatusCode::NOT_FOUND, format!("no {} here\n", request.path())) });
    Ok(app)
}

fn users<R>(request: &Request, look: impl FnOnce(&mut Vec<String>) -> R) -> R {
    let users = request.state::<Users>().expect("the router has it");
    look(&mut users.0.borrow_mut())
}

async fn user(request: Request) -> Result<String, StatusCode> {
    let id: usize = request.param("id").parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    users(&request, |users| users.get(id).cloned()).ok_or(StatusCode::NOT_FOUND)
}

/// A form of at most a kilobyte; a larger one is 413, another kind of body 415.
async fn add(mut request: Request) -> evloop::http::asgi::Result<Response> {
    let form = request.form(1024).await?;
    let Some(name) = form.get("name") else {
        return Ok(Response::text("a user has a name\n").with_status(StatusCode::BAD_REQUEST));
    };
    let id = users(&request, |users| {
        users.push(name.clone().into_owned());
        users.len() - 1
    });
    Ok(Response::text(format!("{name} is user {id}\n"))
        .with_status(StatusCode::CREATED)
        .with_header("location", format!("/users/{id}")))
}

/// What would hold the loop: so it is not the loop's thread on which it runs.
fn report() -> String {
    std::thread::sleep(Duration::from_secs(1));
    format!("one second on {:?}\n", std::thread::current().name().unwrap_or("a thread of the pool"))
}

fn main() -> evloop::Result<()> {
    env_logger::Builder::new().filter_level(log::LevelFilter::Info).init(); // where the access log goes
    evloop::run(async {
        let server = Server::bind("127.0.0.1:8000")?
            .access_log(AccessLog::Common)
            .concurrency_max(1_000)
            .timeouts(Timeouts { keep_alive: Some(Duration::from_secs(30)), ..Timeouts::default() });
        println!("http://{}/", server.local_addr()?);
        let stop = async { drop(ctrl_c().await) };
        let ended = server.serve_until(app()?, stop).await?;
        println!("{ended} requests were not finished");
        Ok(())
    })
}
