//! The bytes of a connection on their way: those that come in are noted and looked at, a client that does
//! not read what it asked for is given up, and what the parser answers by itself gets a body.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use super::head_watch::HeadWatch;
use super::own_answer;

/// A stream whose writing must not stand still for too long.
pub(super) struct GuardedIo<I> {
    io: I,
    activity: Activity,
    write_pause: Duration,
    /// Runs while the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    heads: HeadWatch,
    /// What is written in place of the parser's own answer, and how much of it has been.
    instead: Option<(Vec<u8>, usize)>,
}

/// Length of the longest text that may be an answer of the parser's own.
const OWN_ANSWER_MAX: usize = 256;

impl<I> GuardedIo<I> {
    pub(super) fn new(io: I, activity: Activity, write_pause: Duration) -> Self {
        let heads = HeadWatch::new();
        Self { io, activity, write_pause, stalled: None, heads, instead: None }
    }

    /// What a write came to, or that it has waited for too long.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let pause = self.write_pause;
        let stalled =
            self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client did not read for too long",
            ))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncWrite + Unpin> GuardedIo<I> {
    /// Writes what stands in place of an answer of so many bytes, and then says that these are written.
    fn write_instead(
        &mut self,
        context: &mut Context<'_>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        while let Some((text, done)) = &mut self.instead {
            let left = text.get(*done..).unwrap_or_default();
            if left.is_empty() {
                self.instead = None;
                break;
            }
            let written = Pin::new(&mut self.io).poll_write(context, left);
            match self.judge(context, written) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    if let Some((_, done)) = &mut self.instead {
                        *done += count;
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(length))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for GuardedIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
            let is_waiting = self.activity.is_idle();
            let came = buffer.filled().get(before..).unwrap_or_default();
            if let Some((request, why)) = self.heads.doubtful(came, is_waiting) {
                self.activity.doubt(request, why);
            }
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for GuardedIo<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() && bytes.len() <= OWN_ANSWER_MAX && self.activity.is_idle() {
            self.instead = own_answer::instead_of(bytes).map(|text| (text, 0));
        }
        if self.instead.is_some() {
            return self.write_instead(context, bytes.len());
        }
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.instead.is_some() || (total <= OWN_ANSWER_MAX && self.activity.is_idle()) {
            return self.poll_write(
                context,
                &slices.iter().flat_map(|slice| &**slice).copied().collect::<Vec<_>>(),
            );
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.judge(context, shut)
    }
}
