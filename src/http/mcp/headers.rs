//! Headers that repeat parts of the body for routers on the way, and must therefore agree with
//! it (MCP 2026-07-28, streamable HTTP, request metadata).

use super::envelope::Params;
use super::error::Fault;
use super::raw_json::RawJson;
use actix_web::http::header::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// Names the session of a legacy client.
pub(super) static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
static METHOD: HeaderName = HeaderName::from_static("mcp-method");
static NAME: HeaderName = HeaderName::from_static("mcp-name");

/// A header that repeats a part of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mirrored {
    /// `MCP-Protocol-Version`.
    ProtocolVersion,
    /// `Mcp-Method`.
    Method,
    /// `Mcp-Name`.
    Name,
}

impl Mirrored {
    fn header(self) -> &'static HeaderName {
        match self {
            Self::ProtocolVersion => &PROTOCOL_VERSION,
            Self::Method => &METHOD,
            Self::Name => &NAME,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::ProtocolVersion => "MCP-Protocol-Version",
            Self::Method => "Mcp-Method",
            Self::Name => "Mcp-Name",
        }
    }
}

/// The value of a header that may be given once.
///
/// # Errors
/// When it is given twice, since then two readers may read two different things, or holds
/// characters that no header may.
pub(super) fn single(headers: &HeaderMap, which: Mirrored) -> Result<Option<&str>, Fault> {
    let mut values = headers.get_all(which.header());
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::HeaderMismatch(format!("the header {} is given twice", which.as_str())));
    }
    let value = value.to_str().map_err(|_| {
        Fault::HeaderMismatch(format!("the header {} holds characters that are not visible ASCII", which.as_str()))
    })?;
    Ok(Some(value.trim()))
}

/// Checks that a header is there and says what the body says.
///
/// # Errors
/// When it does not.
pub(super) fn agree(which: Mirrored, header: Option<&str>, body: &str) -> Result<(), Fault> {
    match header {
        None => Err(Fault::HeaderMismatch(format!("the header {} is missing", which.as_str()))),
        Some(value) if value == body => Ok(()),
        Some(value) => {
            Err(Fault::HeaderMismatch(format!("the header {} says {value:?}, the body {body:?}", which.as_str())))
        }
    }
}

/// Checks `Mcp-Method`, and `Mcp-Name` where the method has a name.
///
/// # Errors
/// When one is missing or says something else than the body.
pub(super) fn agree_with_body(headers: &HeaderMap, method: &str, params: &Params<'_>) -> Result<(), Fault> {
    agree(Mirrored::Method, single(headers, Mirrored::Method)?, method)?;
    let Some(name) = named_in(method, params).and_then(RawJson::text) else { return Ok(()) };
    let header = single(headers, Mirrored::Name)?.map(decode).transpose()?;
    agree(Mirrored::Name, header.as_deref(), &name)
}

/// The part of the body that `Mcp-Name` repeats.
fn named_in<'a>(method: &str, params: &Params<'a>) -> Option<RawJson<'a>> {
    match method {
        "tools/call" | "prompts/get" => params.name,
        "resources/read" => params.uri,
        _ => None,
    }
}

/// Names that no header can carry as they are come as `=?base64?…?=`.
fn decode(value: &str) -> Result<Cow<'_, str>, Fault> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(Cow::Borrowed(value));
    };
    STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Cow::Owned)
        .ok_or_else(|| Fault::HeaderMismatch("the header Mcp-Name holds no base64 of UTF-8".to_owned()))
}
