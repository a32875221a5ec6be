//! Reads a body up to a limit.

use super::error::Fault;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;

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
