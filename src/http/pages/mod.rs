//! The pages that people see: plain HTML, rendered here, with one small style sheet in it.
//!
//! Every page forbids everything that it does not need (CSP), cannot be framed, is not stored,
//! and tells no other site where its reader came from.

mod connect;

use super::request_id::RequestId;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect::Snippet;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use mxcp_actors::authorization::{ChoicePrompt, ConsentPrompt, LoginOffer, PasswordPrompt, Visit};
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::scope_hierarchy::Reach;
use mxcp_actors::tool_calls::ToolCatalog;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("templates/style.css");
const SCRIPT: &str = include_str!("templates/copy.js");
const AUDIT_SCRIPT: &str = include_str!("templates/audit.js");

const TEMPLATES: [(&str, &str); 8] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("consent.html", include_str!("templates/consent.html")),
    ("choice.html", include_str!("templates/choice.html")),
    ("password.html", include_str!("templates/password.html")),
    ("home.html", include_str!("templates/home.html")),
    ("signed_out.html", include_str!("templates/signed_out.html")),
    ("audit.html", include_str!("templates/audit.html")),
    ("error.html", include_str!("templates/error.html")),
];

/// The compiled pages.
#[derive(Debug)]
pub struct Pages {
    templates: Environment<'static>,
    style_hash: String,
    script_hash: String,
    audit_script_hash: String,
    is_plain_http: bool,
}

/// What the home page says that is the same for everybody.
#[derive(Debug)]
pub struct Home {
    /// The project's name.
    pub project: String,
    /// The public base URL.
    pub base_url: String,
    tools: Vec<ToolLine>,
    snippets: Vec<Snippet>,
}

#[derive(Debug, Serialize)]
struct ToolLine {
    /// Everything that a caller of it needs.
    #[serde(skip)]
    needed: ScopeSet,
    name: String,
    description: Option<String>,
}

impl Home {
    /// Collects what there is to say.
    #[must_use]
    pub fn new(project: &str, base_url: &str, catalog: &ToolCatalog, required_scopes: &ScopeSet) -> Self {
        let tools = catalog.of_kind(EndpointKind::Tool).map(|entry| ToolLine {
            needed: required_scopes.union(&entry.definition.scopes),
            name: entry.definition.name.clone(),
            description: entry.definition.description.clone(),
        });
        Self {
            project: project.to_owned(),
            base_url: base_url.to_owned(),
            tools: tools.collect(),
            snippets: connect::snippets(project, &format!("{base_url}/mcp")),
        }
    }

    /// The tools that a client of somebody could call who can have `reach`.
    fn tools_within(&self, reach: &Reach) -> Vec<&ToolLine> {
        self.tools.iter().filter(|tool| reach.covers(&tool.needed)).collect()
    }
}

/// What an error page says.
#[derive(Debug)]
pub struct ErrorPage {
    /// The status.
    pub status: StatusCode,
    /// The headline.
    pub title: &'static str,
    /// What happened.
    pub message: String,
    /// What to do.
    pub advice: &'static str,
    /// The number to tell the operator.
    pub request_id: Option<RequestId>,
    /// When to try again.
    pub retry_after_secs: Option<u64>,
}

impl Pages {
    /// Compiles the pages of the project that is served at that base URL.
    ///
    /// # Errors
    /// When a template is wrong, which a test of this module would have shown.
    pub fn new(project: &str, base_url: &str) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        templates.add_filter("sentence", sentence);
        templates.add_global("project", project);
        // As safe strings: they stand in the page as they are, and their hashes allow just them.
        templates.add_global("style", Value::from_safe_string(STYLE.to_owned()));
        templates.add_global("audit_script", Value::from_safe_string(AUDIT_SCRIPT.to_owned()));
        templates.add_global("script", Value::from_safe_string(SCRIPT.to_owned()));
        Ok(Self {
            templates,
            style_hash: source_hash(STYLE),
            script_hash: source_hash(SCRIPT),
            audit_script_hash: source_hash(AUDIT_SCRIPT),
            is_plain_http: base_url.starts_with("http://"),
        })
    }

    /// Asks whether a client may act for the person.
    #[must_use]
    pub fn consent(&self, prompt: &ConsentPrompt) -> HttpResponse {
        let values = json!({
            "login": prompt.handle.expose(),
            "csrf": prompt.csrf.expose(),
            "client_name": prompt.client_name,
            "client_id": prompt.client_id,
            "client_host": prompt.client_host,
            "is_client_only_local": prompt.is_client_only_local,
            "destination": prompt.redirect_destination,
            "is_local": prompt.is_redirect_local,
            "scopes": prompt.scopes,
            "implied_scopes": prompt.implied_scopes,
            "withheld_scopes": prompt.withheld_scopes,
            "provider": prompt.provider_title,
            "provider_scopes": prompt.provider_scopes,
            "username": prompt.username,
        });
        self.page(StatusCode::OK, "consent.html", &values, Some(&prompt.redirect_scheme))
    }

    /// Asks where the person wants to sign in.
    #[must_use]
    pub fn choice(&self, prompt: &ChoicePrompt) -> HttpResponse {
        let offer = |offer: &LoginOffer| {
            json!({
                "name": offer.name,
                "title": offer.title,
                "scopes": offer.scopes,
                "was_used_before": offer.was_used_before,
            })
        };
        let values = json!({
            "login": prompt.handle.expose(),
            "csrf": prompt.csrf.expose(),
            "offers": prompt.offers.iter().map(offer).collect::<Vec<_>>(),
            "client_name": prompt.client_name,
        });
        // On from here it goes to a provider, also when no client waits for an answer.
        let scheme = prompt.redirect_scheme.as_deref().unwrap_or("https");
        self.page(StatusCode::OK, "choice.html", &values, Some(scheme))
    }

    /// Asks for a name and a password.
    #[must_use]
    pub fn password(&self, prompt: &PasswordPrompt, status: StatusCode) -> HttpResponse {
        let values = json!({
            "login": prompt.handle.expose(),
            "csrf": prompt.csrf.expose(),
            "message": prompt.message,
            "username": prompt.username,
            "client_name": prompt.client_name,
        });
        self.page(status, "password.html", &values, prompt.redirect_scheme.as_deref())
    }

    /// Says who is signed in.
    #[must_use]
    pub fn home(&self, home: &Home, visit: &Visit) -> HttpResponse {
        let user = &visit.user;
        let values = json!({
            "project": home.project,
            "tools": home.tools_within(&visit.reach),
            "snippets": home.snippets,
            "csrf": visit.csrf.expose(),
            "is_audit_viewer": visit.is_audit_viewer,
            "user": {
                "name": user.name.as_ref().unwrap_or(&user.username),
                "username": user.username,
                "email": user.email,
                "provider": user.provider,
                "role": user.role,
                "groups": user.groups,
                "permissions": user.permissions,
            },
        });
        self.page(StatusCode::OK, "home.html", &values, None)
    }

    /// The same on a server where nobody signs in.
    #[must_use]
    pub fn open_home(&self, home: &Home) -> HttpResponse {
        let values = json!({ "project": home.project, "tools": home.tools, "snippets": home.snippets });
        self.page(StatusCode::OK, "home.html", &values, None)
    }

    /// The same on a server that accepts the tokens of `issuer`. It cannot know its reader, so it
    /// does not say which tools there are.
    #[must_use]
    pub fn home_of_issuer(&self, home: &Home, issuer: &str) -> HttpResponse {
        let values = json!({ "project": home.project, "issuer": issuer, "snippets": home.snippets });
        self.page(StatusCode::OK, "home.html", &values, None)
    }

    /// Shows the audit log. Its script alone runs, and speaks with this server alone.
    #[must_use]
    pub fn audit(&self) -> HttpResponse {
        let policy = format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; form-action 'none'; \
             frame-ancestors 'none'; base-uri 'none'",
            self.style_hash, self.audit_script_hash
        );
        self.page_under(policy, StatusCode::OK, "audit.html", &json!({}))
    }

    /// Says that the person is signed out.
    #[must_use]
    pub fn signed_out(&self) -> HttpResponse {
        self.page(StatusCode::OK, "signed_out.html", &json!({}), None)
    }

    /// Says what went wrong.
    #[must_use]
    pub fn error(&self, page: &ErrorPage) -> HttpResponse {
        let values = json!({
            "title": page.title,
            "message": page.message,
            "advice": page.advice,
            "request_id": page.request_id.as_ref().map(RequestId::as_str),
        });
        let mut answer = self.page(page.status, "error.html", &values, None);
        if let Some(secs) = page.retry_after_secs {
            answer.headers_mut().insert(RETRY_AFTER, secs.into());
        }
        answer
    }

    fn page(
        &self,
        status: StatusCode,
        template: &str,
        values: &serde_json::Value,
        redirect_scheme: Option<&str>,
    ) -> HttpResponse {
        self.page_under(self.content_policy(redirect_scheme), status, template, values)
    }

    fn page_under(
        &self,
        policy: String,
        status: StatusCode,
        template: &str,
        values: &serde_json::Value,
    ) -> HttpResponse {
        let rendered =
            self.templates.get_template(template).and_then(|template| template.render(Value::from(Serde(values))));
        let html = rendered.unwrap_or_else(|error| {
            tracing::error!(%error, template, "a page could not be rendered");
            "<!doctype html><title>mxcp</title><p>This page could not be shown.</p>".to_owned()
        });
        HttpResponse::build(status)
            .insert_header(ContentType::html())
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((CONTENT_SECURITY_POLICY, policy))
            .insert_header((X_FRAME_OPTIONS, "DENY"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .body(html)
    }

    /// Browsers apply `form-action` to every redirect that follows a form, on to the provider
    /// and to the client, so their schemes must be in it.
    fn content_policy(&self, redirect_scheme: Option<&str>) -> String {
        let mut forms = String::from("'self'");
        if let Some(scheme) = redirect_scheme {
            forms.push_str(" https:");
            if scheme != "https" {
                forms.push(' ');
                forms.push_str(scheme);
                forms.push(':');
            }
            if self.is_plain_http && scheme != "http" {
                forms.push_str(" http:");
            }
        }
        format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; form-action {forms}; \
             frame-ancestors 'none'; base-uri 'none'",
            self.style_hash, self.script_hash
        )
    }
}

/// On to somewhere else, by GET whatever came before (RFC 9700 section 4.12).
#[must_use]
pub fn redirect(url: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, url))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// An error's text, which is lower case and has no full stop, as a sentence on a page. Names
/// such as `redirect_uri` stay as they are written.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut letters = text.chars();
    let first: String = match letters.next() {
        Some(first) if word.chars().all(char::is_alphabetic) => first.to_uppercase().collect(),
        first => first.into_iter().collect(),
    };
    let end = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

fn source_hash(source: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(source.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use mxcp_actors::model::secret::Secret;

    async fn text(answer: HttpResponse) -> String {
        String::from_utf8(to_bytes(answer.into_body()).await.unwrap().to_vec()).unwrap()
    }

    fn prompt(name: &str, scheme: &str) -> ConsentPrompt {
        ConsentPrompt {
            handle: Secret::new("handle"),
            csrf: Secret::new("csrf"),
            client_name: name.to_owned(),
            client_id: "id".to_owned(),
            client_host: None,
            is_client_only_local: false,
            redirect_destination: "app.example.com".to_owned(),
            redirect_scheme: scheme.to_owned(),
            is_redirect_local: false,
            scopes: vec!["mxcp:access".to_owned()],
            implied_scopes: Vec::new(),
            withheld_scopes: Vec::new(),
            provider_title: "GitHub".to_owned(),
            provider_scopes: vec!["read:user".to_owned()],
            username: None,
        }
    }

    #[actix_web::test]
    async fn a_name_cannot_become_markup() {
        let pages = Pages::new("shop", "https://mcp.example.com").unwrap();
        let html = text(pages.consent(&prompt("<script>alert(1)</script>", "https"))).await;
        assert!(!html.contains("<script>alert"));
        assert!(html.contains("&lt;script&gt;alert"));
    }

    #[test]
    fn the_text_of_an_error_becomes_a_sentence() {
        assert_eq!(sentence("the login is over; start again"), "The login is over; start again.");
        assert_eq!(sentence("redirect_uri is missing"), "redirect_uri is missing.");
        assert_eq!(sentence("GitHub did not answer."), "GitHub did not answer.");
        assert_eq!(sentence(""), "");
    }

    #[actix_web::test]
    async fn the_policy_allows_the_style_sheet_and_script_of_the_page_and_nothing_else() {
        let pages = Pages::new("shop", "https://mcp.example.com").unwrap();
        let answer = pages.consent(&prompt("App", "cursor"));
        let policy = answer.headers().get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("form-action 'self' https: cursor:;"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let html = text(answer).await;
        let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        assert!(policy.contains(&source_hash(style)), "the hash is that of what stands in the page");
    }
}
