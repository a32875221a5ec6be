//! The revisions of MCP, and which one a message is sent in.
//!
//! A request that carries its version in `_meta` is served by itself (2026-07-28 and later:
//! modern); `initialize` opens the way of the revisions before it (legacy). One URL serves both
//! (MCP 2026-07-28, versioning and compatibility).

use super::envelope::Params;
use super::error::Fault;
use super::headers::{self, Mirrored};
use super::raw_json::RawJson;
use actix_web::http::header::HeaderMap;

/// The revision that is spoken without a handshake.
const MODERN: &str = "2026-07-28";
/// The newest revision with a handshake.
const LATEST_LEGACY: &str = "2025-11-25";
/// Every revision served, newest first.
pub(super) const SUPPORTED: [&str; 5] = [MODERN, LATEST_LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"];

/// How a message is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// By itself; everything it needs is in it.
    Modern,
    /// By the rules of a revision with `initialize`.
    Legacy,
}

/// The revision that answers an `initialize` which asks for `requested`: that one if it has a
/// handshake and is known, otherwise the newest that has one.
pub(super) fn negotiate(requested: &str) -> &'static str {
    SUPPORTED.into_iter().find(|known| *known == requested && *known != MODERN).unwrap_or(LATEST_LEGACY)
}

/// The keys of `_meta` that say something of the protocol.
const PROTOCOL_META: [&str; 2] =
    ["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"];

/// Tells the era of a request, and checks everything that its era asks of its headers and its
/// `_meta` before the method is looked at.
///
/// # Errors
/// When the headers do not fit the body, the version is not served, or a modern request lacks
/// what every modern request must have.
pub(super) fn judge_request(headers: &HeaderMap, method: &str, params: &Params<'_>) -> Result<Era, Fault> {
    let header = headers::single(headers, Mirrored::ProtocolVersion)?;
    let meta = params.meta.map_or(Ok([None; 2]), |meta| meta.members(PROTOCOL_META));
    let meta =
        meta.map_err(|_| Fault::MalformedParams("params._meta must be an object, each key given once".to_owned()))?;
    let [version, capabilities] = meta.map(|member| member.and_then(RawJson::unless_null));
    if let Some(version) = version {
        let version = version.text().ok_or_else(|| missing_meta("protocolVersion"))?;
        headers::agree(Mirrored::ProtocolVersion, header, &version)?;
        if version != MODERN {
            return Err(Fault::UnsupportedVersion(version.into_owned()));
        }
        headers::agree_with_body(headers, method, params)?;
        if capabilities.is_none_or(|json| !json.get().starts_with('{')) {
            return Err(missing_meta("clientCapabilities"));
        }
        return Ok(Era::Modern);
    }
    match (header, method) {
        // The handshake negotiates in its body, whatever the header says.
        (_, "initialize") => Ok(Era::Legacy),
        (None, "server/discover") => headers::agree(Mirrored::ProtocolVersion, None, MODERN).map(|()| Era::Modern),
        (Some(MODERN), _) | (Some(_), "server/discover") => Err(missing_meta("protocolVersion")),
        (header, _) => judge_legacy_header(header).map(|()| Era::Legacy),
    }
}

/// Tells the era of a message that wants no answer. No revision asks for `_meta` in it.
///
/// # Errors
/// When the version is not served.
pub(super) fn judge_notification(headers: &HeaderMap) -> Result<Era, Fault> {
    match headers::single(headers, Mirrored::ProtocolVersion)? {
        Some(MODERN) => Ok(Era::Modern),
        header => judge_legacy_header(header).map(|()| Era::Legacy),
    }
}

/// Without a header the revision is the one that was negotiated, or 2025-03-26, which did not
/// have the header.
fn judge_legacy_header(header: Option<&str>) -> Result<(), Fault> {
    match header {
        Some(version) if !SUPPORTED.contains(&version) => Err(Fault::UnsupportedVersion(version.to_owned())),
        Some(_) | None => Ok(()),
    }
}

fn missing_meta(key: &str) -> Fault {
    Fault::MalformedParams(format!("params._meta lacks io.modelcontextprotocol/{key}, or it has the wrong type"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::ProtocolVersion;

    #[test]
    fn the_revisions_are_those_that_the_vocabulary_knows() {
        let known: Vec<&str> = ProtocolVersion::KNOWN_VERSIONS.iter().rev().map(ProtocolVersion::as_str).collect();
        assert_eq!(known, SUPPORTED);
    }

    #[test]
    fn initialize_never_agrees_on_a_revision_without_handshake() {
        for (asked, answered) in [
            ("2025-11-25", "2025-11-25"),
            ("2025-06-18", "2025-06-18"),
            ("2025-03-26", "2025-03-26"),
            ("2024-11-05", "2024-11-05"),
            ("2026-07-28", "2025-11-25"),
            ("1900-01-01", "2025-11-25"),
            ("", "2025-11-25"),
        ] {
            assert_eq!(negotiate(asked), answered, "{asked}");
        }
    }
}
