//! A loop after a fork: an error that says so, and the parent's loop untouched. Without the harness, whose threads a fork
//! would lose.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that is its own harness")]

use evloop::fs::{File, TempDir};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{UnixListener, UnixStream};
use evloop::process::{Child, Command, Stdio};
use evloop::{Mode, Runtime};
use fork::Fork;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn main() {
    loop_after_a_fork_is_an_error_and_the_parents_goes_on();
    println!("a loop after a fork is an error, and the parent's goes on: ok");
}

fn loop_after_a_fork_is_an_error_and_the_parents_goes_on() {
    let runtime = Runtime::new().unwrap();
    // What would be lost on the parent if the child touched the epoll instance that both have: two registrations, a thread
    // of the pool, a timer.
    let (mut near, mut far) = runtime.enter(UnixStream::pair).unwrap();
    runtime.block_on(async { evloop::spawn_blocking(|| ()).await.unwrap() });
    // A folder that would be removed, and bytes that would be written twice.
    let folder = runtime.block_on(TempDir::new()).unwrap();
    let path = folder.path().join("once");
    let file = runtime.block_on(async {
        let mut file = File::create(&path).await.unwrap();
        file.write_all(b"once").await.unwrap();
        file
    });
    let listener = runtime.enter(|| UnixListener::bind(folder.path().join("listener"))).unwrap();
    // And a child that would be killed.
    let mut cat = runtime.enter(|| Command::new("cat").stdin(Stdio::piped()).kill_on_drop(true).spawn()).unwrap();

    match fork::fork().unwrap() {
        Fork::Child => {
            let status =
                catch_unwind(AssertUnwindSafe(|| in_the_child(runtime, near, far, cat, (folder, file, listener))));
            std::process::exit(i32::from(status.is_err())); // the parent is told by the status
        }
        Fork::Parent(child) => {
            assert_eq!(fork::waitpid(child).unwrap(), 0, "the child says on stderr what it found");
            runtime.block_on(async {
                evloop::time::sleep(Duration::from_millis(1)).await;
                let echo = evloop::spawn(async move {
                    let mut word = [0; 4];
                    far.read_exact(&mut word).await.unwrap();
                    far.write_all(&word).await.unwrap();
                });
                near.write_all(b"word").await.unwrap();
                let mut word = [0; 4];
                near.read_exact(&mut word).await.unwrap();
                assert_eq!(&word, b"word");
                echo.await.unwrap();
                assert!(cat.wait().await.unwrap().success(), "nobody has killed it");
            });
            runtime.block_on(file.close()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "once");
            assert!(folder.path().join("listener").exists());
            drop(listener);
            runtime.block_on(folder.close()).unwrap();
            assert!(runtime.shut_down(Duration::from_secs(60)), "the pool is whole");
        }
    }
}

fn in_the_child(runtime: Runtime, near: UnixStream, far: UnixStream, cat: Child, owned: (TempDir, File, UnixListener)) {
    let error = runtime.run(Mode::NoWait).unwrap_err();
    assert!(error.to_string().contains("forked"), "{error}");

    for error in
        [runtime.enter(UnixStream::pair).unwrap_err(), runtime.enter(|| Command::new("true").spawn()).unwrap_err()]
    {
        assert!(error.to_string().contains("forked"), "{error}");
    }

    std::panic::set_hook(Box::new(|_| ()));
    let panicked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(std::future::pending::<()>()))).unwrap_err();
    let text = panicked.downcast_ref::<String>().unwrap();
    assert!(text.contains("forked"), "{text}");
    drop(std::panic::take_hook());

    drop((near, far, cat, owned));
    drop(runtime);
    // A loop of its own works here as anywhere.
    evloop::block_on(async {
        evloop::time::sleep(Duration::from_millis(1)).await;
        evloop::spawn_blocking(|| ()).await.unwrap();
    });
}
