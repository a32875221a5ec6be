//! Our two cookies: one names the browser, one is its session on our own pages.
//!
//! Both are random secrets of which only hashes are kept, so they need no signature. Over
//! https they are `__Host-` cookies; over plain http, which is for this machine only, browsers
//! and libraries would not send a Secure cookie back, so there they go without.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::model::secret::Secret;

/// The browser is known as long as its approvals are remembered.
const BROWSER_DAYS: i64 = 90;
/// As long as a session on our own pages lasts.
const SESSION_HOURS: i64 = 12;

/// The cookies of this server.
#[derive(Clone, Debug)]
pub struct Cookies {
    is_secure: bool,
    browser: &'static str,
    session: &'static str,
}

impl Cookies {
    /// The cookies of a server with that base URL.
    #[must_use]
    pub fn new(base_url: &str) -> Self {
        if base_url.starts_with("https://") {
            Self { is_secure: true, browser: "__Host-mxcp-browser", session: "__Host-mxcp-session" }
        } else {
            Self { is_secure: false, browser: "mxcp-browser", session: "mxcp-session" }
        }
    }

    pub(super) fn browser(&self, request: &HttpRequest) -> Option<Secret> {
        read(request, self.browser)
    }

    pub(super) fn session(&self, request: &HttpRequest) -> Option<Secret> {
        read(request, self.session)
    }

    pub(super) fn set_browser(&self, answer: &mut HttpResponse, value: &Secret) {
        self.set(answer, self.browser, value.expose(), Duration::days(BROWSER_DAYS));
    }

    pub(super) fn set_session(&self, answer: &mut HttpResponse, value: &Secret) {
        self.set(answer, self.session, value.expose(), Duration::hours(SESSION_HOURS));
    }

    pub(super) fn forget_session(&self, answer: &mut HttpResponse) {
        self.set(answer, self.session, "", Duration::ZERO);
    }

    fn set(&self, answer: &mut HttpResponse, name: &'static str, value: &str, max_age: Duration) {
        let cookie = Cookie::build(name, value)
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            // Lax, because the way back from the identity provider comes from another site.
            .same_site(SameSite::Lax)
            .max_age(max_age)
            .finish();
        // Fails only for a name or value that a header cannot hold; ours are base64url.
        if let Err(error) = answer.add_cookie(&cookie) {
            tracing::error!(%error, "a cookie could not be set");
        }
    }
}

fn read(request: &HttpRequest, name: &str) -> Option<Secret> {
    request.cookie(name).map(|cookie| Secret::new(cookie.value())).filter(|value| !value.is_empty())
}
