//! The answer to a connection over the limit.

use std::time::Duration;

use ledgerstone_model::ErrorCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rest::Problem;

/// How long a refused client may take to read the answer.
const READING_TIME: Duration = Duration::from_secs(1);

/// Bytes that a refused client may send meanwhile.
const UNREAD_MAX: usize = 64 * 1024;

/// Says over a plain connection that there are too many, and closes it.
pub(super) async fn refuse(mut stream: TcpStream) {
    let told = async {
        stream.write_all(answer().as_bytes()).await?;
        stream.shutdown().await?;
        // What the client sent is read, or closing would take the answer away from it.
        let mut unread = [0; 4096];
        let mut total = 0;
        while total < UNREAD_MAX {
            match stream.read(&mut unread).await? {
                0 => break,
                count => total += count,
            }
        }
        std::io::Result::Ok(())
    };
    // A client that went away needs no answer.
    let _ = timeout(READING_TIME, told).await;
}

fn answer() -> String {
    let problem =
        Problem::new(ErrorCode::ServerBusy, "the server holds all the connections it may");
    let body = problem.to_json(None).to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
         content-length: {}\r\nretry-after: 1\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
