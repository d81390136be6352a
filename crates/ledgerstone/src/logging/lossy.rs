//! Lines of the log wait for standard error in a queue, so that nobody who asks the server waits for
//! whoever reads its log. What finds no room is dropped, and told.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const WAITING_MAX: usize = 8_192;

/// How long the last lines may take.
const FLUSH_TIME: Duration = Duration::from_secs(1);

enum Message {
    Line(Vec<u8>),
    /// Everything before is to be written; then this is answered.
    Flush(SyncSender<()>),
}

/// Where lines are put.
#[derive(Clone)]
pub struct Lossy {
    /// None where there is no thread for it: then each line is written at once.
    queue: Option<SyncSender<Message>>,
    dropped: Arc<AtomicU64>,
}

/// A line in the making.
pub struct Line<'a> {
    text: Vec<u8>,
    to: &'a Lossy,
}

impl Lossy {
    /// Starts the thread that writes; it ends with the process.
    pub fn start() -> Self {
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let told = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&waiting, &told));
        Self { queue: thread.is_ok().then_some(queue), dropped }
    }

    /// Waits until the lines so far are written, within a time.
    pub fn flush(&self) {
        let Some(queue) = &self.queue else { return };
        let (done, written) = sync_channel(1);
        if queue.try_send(Message::Flush(done)).is_ok() {
            // A reader that does not read is not waited for.
            let _ = written.recv_timeout(FLUSH_TIME);
        }
    }

    fn put(&self, text: Vec<u8>) {
        match &self.queue {
            Some(queue) => {
                if queue.try_send(Message::Line(text)).is_err() {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            None => write(&text),
        }
    }
}

fn write_all(waiting: &Receiver<Message>, dropped: &AtomicU64) {
    for message in waiting {
        match message {
            Message::Line(text) => write(&text),
            Message::Flush(done) => {
                let _ = done.try_send(());
            }
        }
        let lines = dropped.swap(0, Ordering::Relaxed);
        if lines > 0 {
            tracing::warn!(lines, "lines of the log were dropped: standard error was not read");
        }
    }
}

fn write(text: &[u8]) {
    // There is nowhere to tell of a log that cannot be written.
    let _ = io::stderr().write_all(text);
}

impl<'a> MakeWriter<'a> for Lossy {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { text: Vec::with_capacity(384), to: self }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.to.put(std::mem::take(&mut self.text));
    }
}
