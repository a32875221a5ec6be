//! What browsers are told about reading our answers (Fetch standard, CORS protocol).
//!
//! Nothing here rests on cookies: a page that has no token gets nothing. So the endpoints of
//! OAuth are open to every page, without credentials; the MCP endpoint is open to the pages that
//! [`Names`] knows, because it may also run without tokens.

use super::host_guard::Names;
use actix_cors::Cors;
use actix_web::http::header::HeaderName;
use std::sync::Arc;

/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_MAX_AGE_SECS: usize = 24 * 60 * 60;

/// Headers that scripts may read.
const EXPOSED: [&str; 5] =
    ["mcp-protocol-version", "mcp-session-id", "retry-after", "www-authenticate", "x-request-id"];

/// For metadata, registration, token and revocation: any page.
pub fn for_any_page() -> Cors {
    common().send_wildcard().allow_any_origin()
}

/// For the MCP endpoint: the pages that may call it.
pub fn for_known_pages(names: Arc<Names>) -> Cors {
    common().allowed_origin_fn(move |origin, _| names.allows_origin(origin))
}

fn common() -> Cors {
    Cors::default()
        .allowed_methods(["GET", "POST", "DELETE"])
        // Besides those of OAuth and MCP, tracing tools add headers of their own; none of them
        // gives a page anything, so none is worth a failure that only its console explains.
        .allow_any_header()
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(PREFLIGHT_MAX_AGE_SECS)
        // The MCP endpoint refuses strange pages itself, with a text that helps.
        .block_on_origin_mismatch(false)
}
