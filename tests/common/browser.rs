//! A small browser: it keeps cookies, asks for HTML, and follows redirects one hop at a time,
//! so that a test sees every hop.

use super::html::{self, Form};
use super::{Pairs, TestApp};
use reqwest::{Client, RequestBuilder, Response};
use std::collections::BTreeMap;
use url::Url;

/// A browser of one person.
pub(crate) struct Browser {
    http: Client,
    /// By host and name, as cookies know no ports.
    jar: BTreeMap<(String, String), String>,
}

/// What the browser shows, or was told.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(app: &TestApp) -> Self {
        Self { http: app.http.clone(), jar: BTreeMap::new() }
    }

    /// Opens a URL and does not follow where it leads.
    pub(crate) async fn open(&mut self, url: impl AsRef<str>) -> Page {
        let url = Url::parse(url.as_ref()).unwrap();
        let request = self.http.get(url.clone());
        self.send(url, request).await
    }

    /// Fills in the page's only form and presses a button.
    pub(crate) async fn submit(&mut self, page: &Page, button: &str, values: &[(&str, &str)]) -> Page {
        let form = page.form();
        assert_eq!(form.method, "post");
        self.post(page.url.join(&form.action).unwrap().as_str(), &form.filled(button, values)).await
    }

    /// Posts a form.
    pub(crate) async fn post(&mut self, url: &str, form: &Pairs) -> Page {
        let url = Url::parse(url).unwrap();
        let request = self.http.post(url.clone()).form(form);
        self.send(url, request).await
    }

    async fn send(&mut self, url: Url, request: RequestBuilder) -> Page {
        let host = url.host_str().unwrap().to_owned();
        let cookies: Vec<String> = self
            .jar
            .iter()
            .filter(|((of, _), _)| *of == host)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let mut request = request.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let response = request.send().await.unwrap();
        self.keep_cookies(&host, &response);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Page { url, status, headers, body: response.text().await.unwrap() }
    }

    fn keep_cookies(&mut self, host: &str, response: &Response) {
        for line in response.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let key = (host.to_owned(), name.to_owned());
            if line.contains("Max-Age=0") {
                self.jar.remove(&key);
            } else {
                self.jar.insert(key, value.to_owned());
            }
        }
    }

    /// The value of a cookie, whichever host set it.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.iter().find(|((_, other), _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Forgets a cookie.
    pub(crate) fn forget(&mut self, name: &str) {
        self.jar.retain(|(_, other), _| other != name);
    }
}

impl Page {
    /// The only form of the page.
    pub(crate) fn form(&self) -> Form {
        let mut forms = html::forms(&self.body);
        assert_eq!(forms.len(), 1, "{} shows {}", self.url, self.body);
        forms.remove(0)
    }

    /// Where the page leads; it must be a redirect that makes a GET of whatever came before.
    pub(crate) fn location(&self) -> Url {
        assert_eq!(self.status, 303, "{} answered {}", self.url, self.body);
        self.url.join(self.headers["location"].to_str().unwrap()).unwrap()
    }

    /// The text of the page, without what its characters stand for in HTML.
    pub(crate) fn text(&self) -> String {
        html::unescape(&self.body)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Fails unless this is a page of ours that explains an error and leads nowhere.
    pub(crate) fn assert_error_page(&self, status: u16) {
        assert_eq!(self.status, status, "{} shows {}", self.url, self.body);
        assert!(self.headers.get("location").is_none(), "{:?}", self.headers);
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8", "{}", self.body);
        assert!(self.body.contains("<h1>"), "{}", self.body);
    }
}

/// The cookies that an answer sets, by name, with their attributes.
pub(crate) fn set_cookies(headers: &reqwest::header::HeaderMap) -> Vec<String> {
    headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}
