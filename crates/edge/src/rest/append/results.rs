//! Results on their way to a client that may read them later than they come.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::rest::limits::RESULT_BYTES_MAX;
use crate::rest::stream_turns::StreamTurn;

/// The end that writes.
pub(super) struct Results {
    pieces: UnboundedSender<Bytes>,
    unread: Arc<AtomicUsize>,
}

/// Why results were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// More wait already than may.
    Unread,
    /// The client has gone away.
    Gone,
}

impl Results {
    /// Both ends; the other is the body of the answer, and keeps the request's turn until it has gone
    /// out: what is not read would otherwise be held for any number of requests.
    pub(super) fn new(turn: Arc<StreamTurn>) -> (Self, Body) {
        let (pieces, received) = mpsc::unbounded_channel();
        let unread = Arc::<AtomicUsize>::default();
        let body = ResultsBody { pieces: received, unread: Arc::clone(&unread), _turn: turn };
        (Self { pieces, unread }, Body::new(body))
    }

    /// Sends results. Those that make the limit overflow are sent all the same, as they can no
    /// longer be told otherwise; the answer then is that nothing more may follow.
    pub(super) fn send(&self, piece: Bytes) -> Result<(), Full> {
        let waiting = self.unread.fetch_add(piece.len(), Ordering::Relaxed) + piece.len();
        self.send_last(piece)?;
        if waiting > RESULT_BYTES_MAX { Err(Full::Unread) } else { Ok(()) }
    }

    /// Whether the client has gone away.
    pub(super) fn is_gone(&self) -> bool {
        self.pieces.is_closed()
    }

    /// Sends what ends the answer, whatever waits.
    pub(super) fn send_last(&self, piece: Bytes) -> Result<(), Full> {
        self.pieces.send(piece).map_err(|_| Full::Gone)
    }
}

/// The end that is read.
struct ResultsBody {
    pieces: UnboundedReceiver<Bytes>,
    unread: Arc<AtomicUsize>,
    _turn: Arc<StreamTurn>,
}

impl http_body::Body for ResultsBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.pieces.poll_recv(context).map(|piece| {
            let piece = piece?;
            let length = piece.len();
            // The last piece was never counted.
            let _ = self.unread.try_update(Ordering::Relaxed, Ordering::Relaxed, |bytes| {
                Some(bytes.saturating_sub(length))
            });
            Some(Ok(Frame::data(piece)))
        })
    }
}
