//! A process of the host's own program that works for it: what it is handed, what it answers, and how it ends.
//!
//! Nothing of the host's environment is its business. It is killed when the time is up, and when nobody waits for it any more.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How much of the end of what a child says on standard error is kept, bytes.
const SAID_BYTES_MAX: usize = 1024;

/// A child that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// On standard output; cut off past the limit.
    pub(crate) answer: Vec<u8>,
    /// The end of what it said on standard error.
    pub(crate) said: String,
}

/// Starts the program with these arguments, hands it the pieces on standard input, and returns how it ended; `None` if it was killed because
/// `within` was over. Of its answer `answer_max` bytes are kept. If the future is dropped midway, the child is killed.
///
/// # Errors
/// When it can't be started.
pub(crate) async fn run(
    program: &Path,
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
    pieces: Vec<Bytes>,
    within: Duration,
    answer_max: u64,
) -> std::io::Result<Option<Ended>> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("TMPDIR", std::env::temp_dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    // A task of its own waits for the child's end, whatever happens to this call: a child that is killed but not
    // waited for stays a zombie.
    let dropped = CancellationToken::new();
    let _guard = dropped.clone().drop_guard();
    let supervising = tokio::spawn(async move {
        let ended = tokio::select! {
            ended = timeout(within, supervise(&mut child, &pieces, answer_max)) => ended.ok(),
            () = dropped.cancelled() => None,
        };
        match ended {
            Some(ended) => ended.map(Some),
            None => child.kill().await.map(|()| None),
        }
    });
    supervising.await.map_err(std::io::Error::from).flatten()
}

/// Hands the pieces over, and waits for the child's end.
async fn supervise(child: &mut Child, pieces: &[Bytes], answer_max: u64) -> std::io::Result<Ended> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (status, answer, said, ()) =
        tokio::join!(child.wait(), first_of(stdout, answer_max), last_of(stderr), feed(stdin, pieces));
    Ok(Ended { status: status?, answer, said })
}

/// Writes the pieces to the child. If the child ends before it has read everything, its end says why.
async fn feed(stdin: Option<ChildStdin>, pieces: &[Bytes]) {
    let Some(mut stdin) = stdin else { return };
    for piece in pieces {
        if stdin.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// Reads to the end, and returns the beginning.
async fn first_of(pipe: Option<impl AsyncRead + Unpin>, bytes_max: u64) -> Vec<u8> {
    let mut first = Vec::new();
    if let Some(mut pipe) = pipe {
        _ = (&mut pipe).take(bytes_max).read_to_end(&mut first).await;
        // A child that can't write waits for ever.
        _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    first
}

async fn last_of(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; SAID_BYTES_MAX]);
    if let Some(mut pipe) = pipe {
        while let Ok(bytes @ 1..) = pipe.read(&mut piece).await {
            said.extend_from_slice(piece.get(..bytes).unwrap_or_default());
            said.drain(..said.len().saturating_sub(SAID_BYTES_MAX));
        }
    }
    String::from_utf8_lossy(&said).trim().to_owned()
}
