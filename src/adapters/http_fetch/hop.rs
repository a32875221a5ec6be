//! One request of those that a fetch may take, and what of it goes along with a redirect.

use super::answer::shown;
use crate::adapters::duckdb::{FetchFault, FetchRequest};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// The most headers of a request.
const HEADERS_MAX: usize = 64;

/// Headers of the connection, which are not for a caller to set.
const REFUSED_HEADERS: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
];

/// What may go along to another origin: any other header may be a key to the first.
const PORTABLE_HEADERS: [HeaderName; 3] = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::USER_AGENT];

/// A request.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) url: Url,
    /// What the SQL asked for, when this is where it was redirected to.
    redirected_from: Option<String>,
    headers: HeaderMap,
}

impl Hop {
    /// The request as the SQL says it.
    pub(super) fn first(request: &FetchRequest) -> Result<Self, FetchFault> {
        let failed = |text: &str| FetchFault::Failed(text.to_owned());
        let url = Url::parse(request.url.trim()).ok().filter(|url| is_http(url) && url.has_host());
        let url = url.ok_or_else(|| failed("headers are for http and https URLs only, and the URL is neither"))?;
        if has_credentials(&url) {
            return Err(failed("the URL holds a user name or a password; send them with the header Authorization"));
        }
        if request.headers.len() > HEADERS_MAX {
            return Err(FetchFault::Failed(format!("a request may have {HEADERS_MAX} headers at most")));
        }
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            let (name, value) = read_header(name, value.expose())?;
            if headers.insert(&name, value).is_some() {
                return Err(FetchFault::Failed(format!("the header {name} is there twice")));
            }
        }
        Ok(Self { url, redirected_from: None, headers })
    }

    /// The next request when this one was answered with a redirect to `location`.
    pub(super) fn follow(mut self, location: &str, request: &FetchRequest) -> Result<Self, FetchFault> {
        let refused = |why: &str| FetchFault::Failed(format!("GET {} was redirected {why}", self.shown()));
        let mut next = self.url.join(location).map_err(|_| refused("to something that is no URL"))?;
        next.set_fragment(None);
        if !is_http(&next) || !next.has_host() || has_credentials(&next) {
            return Err(refused("to something that is not asked: only http and https without a user name are"));
        }
        if self.url.scheme() == "https" && next.scheme() == "http" {
            return Err(refused("from https to plain http"));
        }
        if next.origin() != self.url.origin() {
            let token = request.external_token.expose();
            let is_kept = |name: &HeaderName, value: &HeaderValue| {
                PORTABLE_HEADERS.contains(name) && (token.is_empty() || !holds(value, token))
            };
            let kept = self.headers.iter().filter(|(name, value)| is_kept(name, value));
            self.headers = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        self.redirected_from = self.redirected_from.or_else(|| Some(shown(&self.url)));
        self.url = next;
        Ok(self)
    }

    /// Where the request goes, for errors. Of a redirect's target only the origin: a path that is
    /// signed is as good as a key.
    pub(super) fn shown(&self) -> String {
        match &self.redirected_from {
            None => shown(&self.url),
            Some(first) => format!("{first}, redirected to {}", self.url.origin().ascii_serialization()),
        }
    }

    /// The request for the client.
    pub(super) fn to_http(&self) -> Result<http::Request<Vec<u8>>, FetchFault> {
        let request = http::Request::get(self.url.as_str()).body(Vec::new());
        let mut request =
            request.map_err(|_| FetchFault::Failed(format!("GET {} could not be built", self.shown())))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// Whether the caller's token goes out with it.
    pub(super) fn carries(&self, token: &str) -> bool {
        let in_headers = || self.headers.values().any(|value| holds(value, token));
        !token.is_empty() && (self.url.as_str().contains(token) || in_headers())
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn holds(value: &HeaderValue, token: &str) -> bool {
    value.as_bytes().windows(token.len().max(1)).any(|window| window == token.as_bytes())
}

/// A header; errors do not show its value.
fn read_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), FetchFault> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let read_name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| FetchFault::Failed(format!("{shown:?} is not the name of a header")))?;
    if REFUSED_HEADERS.contains(&read_name) || read_name.as_str().starts_with("proxy-") {
        return Err(FetchFault::Failed(format!("the header {read_name} may not be set")));
    }
    // Letters beyond ASCII pass as UTF-8, control characters do not.
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        FetchFault::Failed(format!("the value of the header {read_name} has characters that headers may not have"))
    })?;
    value.set_sensitive(true);
    Ok((read_name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::model::secret::Secret;

    const TOKEN: &str = "gho_0123456789";

    fn request(url: &str, headers: &[(&str, &str)]) -> FetchRequest {
        FetchRequest {
            url: url.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
            external_token: Secret::new(TOKEN),
        }
    }

    fn refusal(url: &str, headers: &[(&str, &str)]) -> String {
        Hop::first(&request(url, headers)).unwrap_err().to_string()
    }

    #[test]
    fn only_what_http_can_send_is_sent() {
        for url in ["", "data.json", "file:///etc/passwd", "ftp://a.example/x", "s3://bucket/x", "https://"] {
            let error = refusal(url, &[]);
            assert_eq!(error, "headers are for http and https URLs only, and the URL is neither", "{url}");
        }
        assert!(refusal("https://me:secret@a.example/x", &[]).contains("user name or a password"));
        for (name, value, why) in [
            ("X-A", "a\r\nX-B: b", "the value of the header x-a has characters"),
            ("X-A\r\nX-B", "b", "is not the name of a header"),
            ("", "b", "is not the name of a header"),
            ("Host", "b", "the header host may not be set"),
            ("content-length", "3", "the header content-length may not be set"),
            ("Transfer-Encoding", "chunked", "the header transfer-encoding may not be set"),
            ("Connection", "X-A", "the header connection may not be set"),
            ("Proxy-Authorization", "Basic x", "the header proxy-authorization may not be set"),
        ] {
            let error = refusal("https://a.example/x", &[(name, value)]);
            assert!(error.contains(why) && !error.contains("X-B: b"), "{error}");
        }
        assert!(refusal("https://a.example/", &[("a", "1"), ("A", "2")]).contains("twice"));
        let many: Vec<String> = (0..=HEADERS_MAX).map(|number| format!("x-{number}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(refusal("https://a.example/", &many).contains("64 headers at most"));
    }

    fn followed(from: &str, location: &str) -> Result<Hop, String> {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", "Basic abc"),
            ("Cookie", "a=b"),
            ("X-Token", &bearer),
            ("X-Api-Key", "other key"),
            ("User-Agent", "MXCP"),
            ("Accept", TOKEN),
        ];
        let request = request(from, &headers);
        Hop::first(&request).unwrap().follow(location, &request).map_err(|fault| fault.to_string())
    }

    fn names(hop: &Hop) -> Vec<&str> {
        hop.headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn headers_stay_with_their_origin() {
        for location in ["/b?c#d", "b", "https://a.example/b", "https://a.example:443/b", "//a.example/"] {
            assert_eq!(names(&followed("https://a.example/a", location).unwrap()).len(), 6, "{location}");
        }
        for (from, location) in [
            ("https://a.example/a", "https://b.example/a"),
            ("https://a.example/a", "https://a.example:8443/a"),
            ("https://a.example/a", "https://a.example./a"),
            ("https://a.example/a", "https://x.a.example/a"),
            ("https://a.example/a", "//b.example/a"),
            ("http://a.example/a", "https://a.example/a"),
        ] {
            let hop = followed(from, location).unwrap();
            assert_eq!(names(&hop), ["user-agent"], "{from} {location}");
            assert!(!hop.carries(TOKEN));
        }
    }

    #[test]
    fn a_redirect_to_less_safety_is_refused() {
        for location in ["http://a.example/a", "file:///etc/passwd", "https://me:x@a.example/", "https://", "data:,x"] {
            let error = followed("https://a.example/a?key=1", location).unwrap_err();
            assert!(error.starts_with("GET https://a.example/a was redirected "), "{error}");
        }
    }

    #[test]
    fn it_is_known_whether_the_token_goes_out() {
        let carries = |url: &str, headers: &[(&str, &str)]| Hop::first(&request(url, headers)).unwrap().carries(TOKEN);
        assert!(carries("https://a.example/", &[("Authorization", "token gho_0123456789")]));
        assert!(carries("https://a.example/?access_token=gho_0123456789", &[]));
        assert!(!carries("https://a.example/", &[("Authorization", "Bearer other")]));
    }
}
