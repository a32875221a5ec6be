//! Reads a body up to a limit, or gets rid of it.

use super::error::Fault;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::time::timeout;

/// The largest body that is thrown away to keep a connection.
const DISCARD_MAX: usize = 64 * 1024;
/// How long a body may take that is thrown away.
const DISCARD_WITHIN: Duration = Duration::from_secs(1);

/// Throws a body away. The server has to close a connection on which an unread body is left,
/// and opening another costs both sides far more than these bytes, which have usually arrived
/// with the head already.
pub(super) async fn discard(mut payload: Payload) {
    let rest = async {
        let mut length = 0;
        while let Some(Ok(bytes)) = payload.next().await {
            length += bytes.len();
            if length > DISCARD_MAX {
                return;
            }
        }
    };
    // One that takes longer costs its sender the connection.
    let _took_too_long = timeout(DISCARD_WITHIN, rest).await;
}

/// The whole body. A message usually comes in one piece, which is then not copied.
///
/// # Errors
/// When it is larger than `max` bytes, or the client stops sending.
pub(super) async fn read(mut payload: Payload, max: usize) -> Result<Bytes, Fault> {
    let Some(first) = next(&mut payload).await? else { return Ok(Bytes::new()) };
    check(first.len(), max)?;
    let Some(second) = next(&mut payload).await? else { return Ok(first) };
    let mut body = BytesMut::from(first.as_ref());
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        check(body.len() + bytes.len(), max)?;
        body.extend_from_slice(&bytes);
        piece = next(&mut payload).await?;
    }
    Ok(body.freeze())
}

async fn next(payload: &mut Payload) -> Result<Option<Bytes>, Fault> {
    payload.next().await.transpose().map_err(|_| Fault::BodyIncomplete)
}

fn check(length: usize, max: usize) -> Result<(), Fault> {
    if length > max { Err(Fault::BodyTooLarge(max)) } else { Ok(()) }
}
