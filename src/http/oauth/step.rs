//! From the next step of a login to what the browser gets.

use crate::http::AppState;
use crate::http::cookies::Cookies;
use crate::http::pages::{Pages, redirect};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use mxcp_actors::authorization::{BrowserStep, NextStep};

/// Renders a step, and sets the cookies that it brings.
pub(in crate::http) fn render(state: &AppState, step: &BrowserStep) -> HttpResponse {
    let mut answer = show(&state.pages, &state.cookies, &step.next);
    if let Some(browser) = &step.browser {
        state.cookies.set_browser(&mut answer, browser);
    }
    answer
}

fn show(pages: &Pages, cookies: &Cookies, next: &NextStep) -> HttpResponse {
    match next {
        NextStep::Consent(prompt) => pages.consent(prompt),
        NextStep::Choice(prompt) => pages.choice(prompt),
        NextStep::Password(prompt) => {
            // A wrong password is not a success, but the page is the same. Not 401, which would
            // have to name an authentication scheme (RFC 9110 section 15.5.2).
            let status = if prompt.message.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK };
            pages.password(prompt, status)
        }
        NextStep::ToProvider { url } | NextStep::ToClient { url } => redirect(url),
        NextStep::SignedIn { session } => {
            let mut answer = redirect("/");
            cookies.set_session(&mut answer, session);
            answer
        }
    }
}
