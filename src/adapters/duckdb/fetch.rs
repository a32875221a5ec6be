//! What the calls of one query fetch over HTTP.

use super::http_calls::CallNote;
use super::job::JobControl;
use super::lock::Lock;
use super::memory_file::MemoryFile;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::sql_engine::{SqlCaller, SqlError};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// The SQL function that stands in rewritten calls: URL, headers as JSON and a note about the call.
pub(super) const FETCH_FUNCTION: &str = "__mxcp_fetch";

/// The most requests of one query.
const REQUESTS_MAX: usize = 100;

/// Anything shorter is no secret, and might be part of a word.
pub(super) const SECRET_LENGTH_MIN: usize = 8;

/// Headers that say nothing about who asks.
const HARMLESS_HEADERS: [&str; 4] = ["accept", "accept-language", "accept-encoding", "user-agent"];

/// How DuckDB begins to say that a function does not take what it is given.
const NO_FUNCTION: &str = "Binder Error: No function matches";

/// Sends the requests of queries. It blocks: queries have threads of their own.
pub trait Fetcher: Send + Sync + fmt::Debug {
    /// Sends a GET request and returns the body of the answer. `is_cancelled` says whether anybody
    /// still waits, and is asked often.
    ///
    /// # Errors
    /// When there is no answer, or not one with a status of success.
    fn fetch(&self, request: FetchRequest, is_cancelled: &dyn Fn() -> bool) -> Result<Fetched, FetchFault>;

    /// The most bytes that one query may fetch in all.
    fn bytes_max(&self) -> usize;
}

/// One request.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Where, as the SQL says it.
    pub url: String,
    /// Names and values, as the SQL says them.
    pub headers: Vec<(String, Secret)>,
    /// The caller's token at the provider, which may be in URL and headers; empty without one.
    pub external_token: Secret,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The body.
    pub body: Vec<u8>,
    /// The URL for showing: without what may be secret in it.
    pub shown_url: String,
}

/// Why there is no answer. The texts are for the caller, and hold no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// The other side refused the caller's token.
    #[error("{0}")]
    TokenRefused(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
    /// Nobody waits any more.
    #[error("the query was interrupted")]
    Cancelled,
}

/// The requests of one query and what they brought, which is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Fetches {
    fetcher: Option<Arc<dyn Fetcher>>,
    caller: Arc<SqlCaller>,
    control: Arc<JobControl>,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts the statements of the text.
    statement: usize,
    answers: Vec<Answer>,
    bytes: usize,
    /// What no error may show.
    secrets: Vec<Secret>,
    /// The first thing that went wrong.
    fault: Option<SqlError>,
}

/// What one request brought.
#[derive(Debug)]
struct Answer {
    statement: usize,
    call: usize,
    url: String,
    headers: Secret,
    shown_url: String,
    file: MemoryFile,
}

impl Fetches {
    /// Begins a query for `caller`; `secrets` are texts that errors must not show.
    pub(super) fn new(
        fetcher: Option<Arc<dyn Fetcher>>,
        caller: Arc<SqlCaller>,
        control: Arc<JobControl>,
        secrets: &[String],
    ) -> Self {
        let mut state = State::default();
        secrets.iter().for_each(|text| state.hide(text));
        state.hide(caller.external_token.expose());
        Self { fetcher, caller, control, state: Lock::new(state) }
    }

    /// The path of what a call reads.
    ///
    /// DuckDB asks twice for a statement without parameters, when it prepares and when it runs it,
    /// and once for each place that a common table expression is put in; the answer is that of the
    /// first time, without a request.
    ///
    /// # Errors
    /// A text for DuckDB; [`Self::explain`] gives the better one.
    pub(super) fn path_of(
        &self,
        url: Option<&str>,
        headers: Option<&str>,
        note: Option<&str>,
    ) -> Result<String, String> {
        self.answer(url, headers, note).map_err(|error| {
            let text = error.to_string();
            self.state.lock().fault.get_or_insert(error);
            text
        })
    }

    /// The next statement of the text begins.
    pub(super) fn next_statement(&self) {
        self.state.lock().statement += 1;
    }

    /// The error of the query: that of a request if one failed, else DuckDB's without what it
    /// quotes of the rewritten text, with URLs for paths, and without secrets.
    pub(super) fn explain(&self, error: SqlError) -> SqlError {
        let mut state = self.state.lock();
        match (error, state.fault.take()) {
            (SqlError::Failed(_), Some(fault)) => match fault {
                SqlError::Failed(text) => SqlError::Failed(state.redacted(text)),
                SqlError::TokenRefused(text) => SqlError::TokenRefused(state.redacted(text)),
                other => other,
            },
            // Only a URL of another type keeps the function from being found.
            (SqlError::Failed(text), None) if text.contains(FETCH_FUNCTION) && text.starts_with(NO_FUNCTION) => {
                let text = "the first argument of a call with headers must be a text, or a list of texts in brackets";
                SqlError::Failed(text.to_owned())
            }
            (SqlError::Failed(text), None) => {
                let text = text.split("\n\nLINE ").next().unwrap_or_default().trim_end();
                SqlError::Failed(state.redacted(state.with_urls(text)))
            }
            (other, _) => other,
        }
    }

    fn answer(&self, url: Option<&str>, headers: Option<&str>, note: Option<&str>) -> Result<String, SqlError> {
        let note = note.and_then(CallNote::parse).ok_or_else(not_for_people)?;
        let failed = |text: String| SqlError::Failed(format!("{}: {text}", note.reader));
        let url = url.ok_or_else(|| failed("the URL is NULL".to_owned()))?;
        let headers_text = headers.ok_or_else(|| failed("headers is NULL".to_owned()))?;
        let headers = read_headers(headers_text).map_err(failed)?;
        if let Some(path) = self.state.lock().prepare(&note, url, headers_text, &headers) {
            return Ok(path);
        }
        if self.state.lock().answers.len() >= REQUESTS_MAX {
            return Err(failed(format!("a query may send {REQUESTS_MAX} requests at most")));
        }
        let fetched = self.fetch(url, headers)?;
        if !note.has_compression {
            refuse_compressed(&note, &fetched)?;
        }
        self.keep(&note, url, headers_text, fetched)
    }

    fn fetch(&self, url: &str, headers: Vec<(String, Secret)>) -> Result<Fetched, SqlError> {
        let Some(fetcher) = &self.fetcher else {
            return Err(SqlError::Failed("calls with headers cannot be made here".to_owned()));
        };
        let external_token = self.caller.external_token.clone();
        let request = FetchRequest { url: url.to_owned(), headers, external_token };
        fetcher.fetch(request, &|| self.control.is_cancelled()).map_err(|fault| match fault {
            FetchFault::TokenRefused(text) => SqlError::TokenRefused(text),
            FetchFault::Failed(text) => SqlError::Failed(text),
            FetchFault::Cancelled => SqlError::Failed(fault.to_string()),
        })
    }

    fn keep(&self, note: &CallNote, url: &str, headers: &str, fetched: Fetched) -> Result<String, SqlError> {
        let Fetched { body, shown_url } = fetched;
        let bytes_max = self.fetcher.as_ref().map_or(0, |fetcher| fetcher.bytes_max());
        let mut state = self.state.lock();
        state.bytes += body.len();
        if state.bytes > bytes_max {
            let text = format!("the answers to this query are larger than {bytes_max} bytes together");
            return Err(SqlError::Failed(text));
        }
        let file = MemoryFile::new(&body)
            .map_err(|error| SqlError::Failed(format!("the answer of {shown_url} cannot be kept: {error}")))?;
        let path = file.path().to_owned();
        let (url, headers) = (url.to_owned(), Secret::new(headers));
        let (statement, call) = (state.statement, note.number);
        state.answers.push(Answer { statement, call, url, headers, shown_url, file });
        Ok(path)
    }
}

impl State {
    /// Remembers what errors must not show, and looks for an answer that is there already.
    fn prepare(
        &mut self,
        note: &CallNote,
        url: &str,
        headers_text: &str,
        headers: &[(String, Secret)],
    ) -> Option<String> {
        let is_same = |answer: &&Answer| {
            // A header may be another one each time it is computed, as one with `uuid()` is.
            let is_alike = answer.statement == self.statement || answer.headers.expose() == headers_text;
            answer.call == note.number && answer.url == url && is_alike
        };
        if let Some(answer) = self.answers.iter().find(is_same) {
            return Some(answer.file.path().to_owned());
        }
        let is_harmless = |name: &str| HARMLESS_HEADERS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless));
        for (_, value) in headers.iter().filter(|(name, _)| !is_harmless(name)) {
            self.hide(value.expose());
            // What follows the name of a scheme, as in `Bearer …`.
            if let Some((_, credentials)) = value.expose().split_once(' ') {
                self.hide(credentials);
            }
        }
        None
    }

    fn hide(&mut self, text: &str) {
        if text.len() >= SECRET_LENGTH_MIN {
            self.secrets.push(Secret::new(text));
            // Of two the longer one goes first, so that nothing is left of it.
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        }
    }

    fn redacted(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.expose(), "[redacted]"))
    }

    /// `text` with the URLs of answers instead of their paths.
    fn with_urls(&self, text: &str) -> String {
        let mut answers: Vec<(&str, &str)> =
            self.answers.iter().map(|answer| (answer.file.path(), answer.shown_url.as_str())).collect();
        // One path may begin with another.
        answers.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        answers.iter().fold(text.to_owned(), |text, (path, url)| text.replace(path, url))
    }
}

/// Somebody has called the function by hand.
fn not_for_people() -> SqlError {
    SqlError::Failed(format!("{FETCH_FUNCTION} is not to be called; give headers to a function that reads files"))
}

fn read_headers(text: &str) -> Result<Vec<(String, Secret)>, String> {
    // The parser's own error could quote the text.
    let headers: Map<String, Value> = serde_json::from_str(text)
        .map_err(|_| "headers must be a MAP of texts, such as MAP {'Accept': 'application/json'}".to_owned())?;
    let read = |(name, value)| match value {
        Value::String(value) => Ok((name, Secret::new(value))),
        Value::Number(_) | Value::Bool(_) => Ok((name, Secret::new(value.to_string()))),
        Value::Null => Err(format!("the header {name:?} is NULL")),
        Value::Array(_) | Value::Object(_) => Err(format!("the header {name:?} is not a text")),
    };
    headers.into_iter().map(read).collect()
}

/// DuckDB tells compression by a file's name, which an answer does not have.
fn refuse_compressed(note: &CallNote, fetched: &Fetched) -> Result<(), SqlError> {
    let can_decompress = ["read_json", "read_ndjson", "read_csv"].iter().any(|reader| note.reader.starts_with(reader));
    let compression = match fetched.body.as_slice() {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        _ => return Ok(()),
    };
    if !can_decompress {
        return Ok(());
    }
    Err(SqlError::Failed(format!(
        "{} is compressed with {compression}; add compression = '{compression}' to {}",
        fetched.shown_url, note.reader
    )))
}
