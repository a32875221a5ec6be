//! How long an answer may be kept (RFC 9111 section 4.2).

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES};
use mxcp_actors::model::timestamp::Timestamp;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long the answer with these headers may be kept: zero when it must not be, `None` when they
/// say nothing.
pub(super) fn fresh_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let directives = directives(headers);
    let has = |name: &str| directives.iter().any(|(directive, _)| directive == name);
    if has("no-store") || has("no-cache") {
        return Some(Duration::ZERO);
    }
    if let Some((_, seconds)) = directives.iter().find(|(directive, _)| directive == "max-age") {
        // One that cannot be read counts as over (section 4.2.1).
        let max_age = Duration::from_secs(read_seconds(seconds.as_deref().unwrap_or_default()).unwrap_or(0));
        let age = headers.get(AGE).and_then(|age| read_seconds(age.to_str().ok()?)).unwrap_or(0);
        return Some(max_age.saturating_sub(Duration::from_secs(age)));
    }
    let expires = headers.get(EXPIRES)?;
    // A server whose clock is wrong is wrong about both dates.
    let sent_at = headers.get(DATE).and_then(|date| read_date(date.to_str().ok()?)).unwrap_or(now);
    let expires_at = expires.to_str().ok().and_then(read_date);
    Some(expires_at.map_or(Duration::ZERO, |expires_at| expires_at.since(sent_at)))
}

/// The directives of Cache-Control, names in lower case, values without quotes.
fn directives(headers: &HeaderMap) -> Vec<(String, Option<String>)> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let items = lines.flat_map(|line| line.split(',')).map(|item| match item.split_once('=') {
        Some((name, value)) => (name, Some(value.trim().trim_matches('"').to_owned())),
        None => (item, None),
    });
    items.map(|(name, value)| (name.trim().to_ascii_lowercase(), value)).collect()
}

fn read_seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // What does not fit is for ever.
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// A date as HTTP writes it. The two old forms, which nobody has to send, are not read.
fn read_date(text: &str) -> Option<Timestamp> {
    OffsetDateTime::parse(text, &Rfc2822).ok().map(|at| Timestamp::from_secs(at.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn headers_say_how_long_an_answer_may_be_kept() {
        let now = Timestamp::from_secs(784_111_777);
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:51:37 GMT");
        for (headers, expected) in [
            (vec![], None),
            (vec![("cache-control", "public")], None),
            (vec![("cache-control", "no-store")], Some(0)),
            (vec![("cache-control", "max-age=600, No-Store")], Some(0)),
            (vec![("cache-control", "no-cache")], Some(0)),
            (vec![("cache-control", "public, max-age=600")], Some(600)),
            (vec![("cache-control", "public"), ("cache-control", "MAX-AGE=\"600\"")], Some(600)),
            (vec![("cache-control", "max-age=600"), ("age", "550")], Some(50)),
            (vec![("cache-control", "max-age=600"), ("age", "700")], Some(0)),
            (vec![("cache-control", "max-age=600"), ("expires", date)], Some(600)),
            (vec![("cache-control", "max-age=soon")], Some(0)),
            (vec![("cache-control", "max-age=-1")], Some(0)),
            (vec![("cache-control", "max-age")], Some(0)),
            (vec![("cache-control", "max-age=99999999999999999999999")], Some(u64::MAX)),
            (vec![("expires", later)], Some(120)),
            (vec![("expires", later), ("date", later)], Some(0)),
            (vec![("expires", date), ("date", later)], Some(0)),
            (vec![("expires", "0")], Some(0)),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(fresh_for(&map, now), expected.map(Duration::from_secs), "{headers:?}");
        }
    }
}
