//! Files, processes, signals, and the standard streams.

use crate::{FEW, MANY, Operation, operation};
use evloop::fs::watch::Watcher;
use evloop::fs::{self, File, TempFile, walk};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::process::{Command, Stdio};
use evloop::signal::{SignalKind, raise, signal};
use evloop::stdio::{Input, Output};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io::SeekFrom;

pub(crate) fn operations() -> Vec<Operation> {
    [files(), whole_files(), folders(), processes(), signals(), standard_streams()].into_iter().flatten().collect()
}

fn files() -> Vec<Operation> {
    vec![
        operation("fs", "opened and closed", MANY, |rounds| async move {
            for _ in 0..rounds {
                File::open("/dev/null").await.unwrap().close().await.unwrap();
            }
        }),
        operation("fs", "5 bytes read after a seek", MANY, |rounds| async move {
            let mut file = File::from_std(filled());
            for _ in 0..rounds {
                file.seek(SeekFrom::Start(7)).await.unwrap();
                file.read_exact(&mut [0; 5]).await.unwrap();
            }
        }),
        operation("fs", "5 bytes read in a row", MANY, |rounds| async move {
            let mut file = File::open("/dev/zero").await.unwrap();
            for _ in 0..rounds {
                file.read_exact(&mut [0; 5]).await.unwrap();
            }
        }),
        operation("fs", "4 KiB by `read_at`", MANY, |rounds| async move {
            let file = File::from_std(filled());
            let mut buf = vec![0; 4096];
            for _ in 0..rounds {
                let (read, back) = file.read_at(buf, 0).await;
                read.unwrap();
                buf = back;
            }
        }),
        operation("fs", "5 bytes written and flushed", MANY, |rounds| async move {
            let mut file = File::from_std(tempfile::tempfile().unwrap());
            for _ in 0..rounds {
                file.write_all(b"there").await.unwrap();
                file.flush().await.unwrap();
            }
        }),
    ]
}

fn filled() -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(4096).unwrap();
    file
}

fn whole_files() -> Vec<Operation> {
    vec![
        operation("fs", "`metadata`", MANY, |rounds| async move {
            for _ in 0..rounds {
                fs::metadata("/").await.unwrap();
            }
        }),
        operation("fs", "whole file of 4 KiB by `read`", MANY, |rounds| async move {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(4096).unwrap();
            for _ in 0..rounds {
                fs::read(file.path()).await.unwrap();
            }
        }),
        operation("fs", "whole file of 5 bytes by `write`", MANY, |rounds| async move {
            let file = tempfile::NamedTempFile::new().unwrap();
            for _ in 0..rounds {
                fs::write(file.path(), b"there").await.unwrap();
            }
        }),
        operation("fs", "`TempFile` made and closed", FEW, |rounds| async move {
            for _ in 0..rounds {
                TempFile::new().await.unwrap().close().await.unwrap();
            }
        }),
    ]
}

fn folders() -> Vec<Operation> {
    /// How many files the folder has.
    const FILES: usize = 100;
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        (0..FILES).for_each(|name| std::fs::write(folder.path().join(name.to_string()), "").unwrap());
        folder
    }
    vec![
        operation("fs", "an entry of 100 by `read_dir`", MANY, |rounds| async move {
            let folder = folder();
            for _ in 0..rounds / FILES {
                let mut entries = fs::read_dir(folder.path()).await.unwrap();
                while entries.next_entry().await.unwrap().is_some() {}
            }
        }),
        operation("fs", "an entry of 100 by `walk`", MANY, |rounds| async move {
            let folder = folder();
            for _ in 0..rounds / FILES {
                let mut entries = walk(folder.path());
                while entries.next_entry().await.unwrap().is_some() {}
            }
        }),
        operation("fs::watch", "mode of a watched file changed, and heard of", MANY, |rounds| async move {
            let folder = folder();
            let file = std::fs::File::open(folder.path().join("0")).unwrap();
            let mode = file.metadata().unwrap().permissions();
            let mut watcher = Watcher::new().unwrap();
            watcher.add(folder.path()).await.unwrap();
            for _ in 0..rounds {
                file.set_permissions(mode.clone()).unwrap();
                watcher.next_event().await.unwrap();
            }
        }),
    ]
}

fn processes() -> Vec<Operation> {
    vec![
        operation("process", "`true` started and waited for, with what it does itself", FEW, |rounds| async move {
            for _ in 0..rounds {
                Command::new("/bin/true").status().await.unwrap();
            }
        }),
        operation(
            "process",
            "`cat` through pipes by `communicate`, with what it does itself",
            FEW,
            |rounds| async move {
                for _ in 0..rounds {
                    let child = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
                    child.communicate(b"there").await.unwrap();
                }
            },
        ),
    ]
}

fn signals() -> Vec<Operation> {
    vec![
        operation("signal", "raised and heard", MANY, |rounds| async move {
            let mut stream = signal(SignalKind::USER_DEFINED_1).unwrap();
            for _ in 0..rounds {
                raise(SignalKind::USER_DEFINED_1).unwrap();
                stream.recv().await.unwrap();
            }
        }),
        operation("signal", "stream made and dropped", MANY, |rounds| async move {
            for _ in 0..rounds {
                drop(signal(SignalKind::USER_DEFINED_1).unwrap());
            }
        }),
    ]
}

fn standard_streams() -> Vec<Operation> {
    vec![
        operation("stdio", "write into a pipe, and read of what is there", MANY, |rounds| async move {
            let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            let (mut input, mut output) = (Input::from_fd(&reading).unwrap(), Output::from_fd(&writing).unwrap());
            for _ in 0..rounds {
                output.write_all(b"there").await.unwrap();
                input.read_exact(&mut [0; 5]).await.unwrap();
            }
        }),
        operation("stdio", "read of 5 bytes of a file", MANY, |rounds| async move {
            let file = std::fs::File::open("/dev/zero").unwrap();
            let mut input = Input::from_fd(&file).unwrap();
            for _ in 0..rounds {
                input.read_exact(&mut [0; 5]).await.unwrap();
            }
        }),
    ]
}
