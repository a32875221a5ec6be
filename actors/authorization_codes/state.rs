//! The rules of redeeming.

use super::messages::{RedeemCode, RedeemError};
use crate::model::grant::AuthorizationCode;
use crate::model::timestamp::Timestamp;

/// Judges the first attempt to redeem `code` (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
pub(super) fn judge_redemption(
    code: &AuthorizationCode,
    attempt: &RedeemCode,
    now: Timestamp,
) -> Result<(), RedeemError> {
    if now >= code.expires_at {
        return Err(RedeemError::Invalid);
    }
    let mismatch = |what| RedeemError::Mismatch { what, trace_id: code.trace_id.clone() };
    if code.request.client_id != attempt.client_id {
        return Err(mismatch("client_id"));
    }
    let is_same_uri = match attempt.redirect_uri.as_deref() {
        Some(uri) => uri == code.request.redirect_uri.as_str(),
        // OAuth 2.1 drops the parameter here; older clients must repeat what they sent. Those
        // that leave it out are still bound by the verifier.
        None => true,
    };
    if !is_same_uri {
        return Err(mismatch("redirect_uri"));
    }
    if !code.request.challenge.accepts(&attempt.verifier) {
        return Err(mismatch("code_verifier"));
    }
    Ok(())
}
