//! What clients say of themselves as JSON (RFC 7591 section 2), whether they register or publish
//! a document. How they prove themselves differs between the two, and is not read here.

use super::client::GrantType;
use super::redirect_uri::{RedirectUri, RedirectUriError};
use super::scope::ScopeSet;
use serde_json::{Map, Value};

/// The most redirect URIs that one client may have.
const REDIRECT_URIS_MAX: usize = 20;
/// The longest text that is read.
const TEXT_BYTES_MAX: usize = 2_000;

/// What is wrong with a field, in words for whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataFault {
    /// It is of another kind.
    #[error("{0} must be {1}")]
    WrongKind(&'static str, &'static str),
    /// It is a text that nobody needs so long.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// There is no redirect URI.
    #[error("redirect_uris must hold at least one URI")]
    NoRedirectUris,
    /// There are too many.
    #[error("redirect_uris may hold at most {REDIRECT_URIS_MAX} URIs")]
    TooManyRedirectUris,
    /// One of them cannot be used.
    #[error("redirect_uris, entry {0}, {1}")]
    RedirectUri(usize, RedirectUriError),
    /// The client does not ask for codes, and there is nothing else.
    #[error("response_types must include code")]
    NoCode,
    /// A scope holds a character that no scope has.
    #[error("scope holds a forbidden character")]
    Scope,
}

/// The fields. Those that are not known are ignored (RFC 7591 section 2); null is as good as none.
#[derive(Clone, Debug)]
pub struct MetadataFields(Map<String, Value>);

impl MetadataFields {
    /// The fields of a JSON object; `None` when `body` is none.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Some(Self(fields)),
            _ => None,
        }
    }

    /// All of them, as they were sent.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A text.
    ///
    /// # Errors
    /// When it is something else, or too long.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, MetadataFault> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text)),
            Some(Value::String(_)) => Err(MetadataFault::TooLong(name)),
            Some(_) => Err(MetadataFault::WrongKind(name, "a string")),
        }
    }

    /// `redirect_uris`, of which there is at least one.
    ///
    /// # Errors
    /// When there are none or too many, or one cannot be used.
    pub fn redirect_uris(&self) -> Result<Vec<RedirectUri>, MetadataFault> {
        let uris = self.texts("redirect_uris")?.unwrap_or_default();
        if uris.is_empty() {
            return Err(MetadataFault::NoRedirectUris);
        }
        if uris.len() > REDIRECT_URIS_MAX {
            return Err(MetadataFault::TooManyRedirectUris);
        }
        let parse = |(at, uri): (usize, &str)| {
            RedirectUri::parse(uri).map_err(|error| MetadataFault::RedirectUri(at + 1, error))
        };
        uris.into_iter().enumerate().map(parse).collect()
    }

    /// Only codes: a client that also asks for something else gets codes, one that does not ask
    /// for codes is refused.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_response_types(&self) -> Result<(), MetadataFault> {
        match self.texts("response_types")? {
            Some(types) if !types.contains(&"code") => Err(MetadataFault::NoCode),
            Some(_) | None => Ok(()),
        }
    }

    /// `grant_types`; the default is `authorization_code` alone. Those that do not exist here are
    /// left out.
    ///
    /// # Errors
    /// When it is no list of texts.
    pub fn grant_types(&self) -> Result<Vec<GrantType>, MetadataFault> {
        let Some(asked) = self.texts("grant_types")? else { return Ok(vec![GrantType::AuthorizationCode]) };
        Ok(GrantType::ALL.into_iter().filter(|grant| asked.contains(&grant.as_str())).collect())
    }

    /// `scope`.
    ///
    /// # Errors
    /// When it is no scope.
    pub fn scope(&self) -> Result<Option<ScopeSet>, MetadataFault> {
        self.text("scope")?.map(|scope| ScopeSet::parse(scope).ok_or(MetadataFault::Scope)).transpose()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn texts(&self, name: &'static str) -> Result<Option<Vec<&str>>, MetadataFault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let texts = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
        texts.map(Some).ok_or(MetadataFault::WrongKind(name, "a list of strings"))
    }
}
