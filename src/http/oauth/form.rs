//! Parameters of queries and forms (RFC 6749 section 3.1 and 3.2): none twice, empty is absent.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};
use mxcp_actors::model::secret::Secret;

/// Parameters in the order in which they came.
#[derive(Debug, Default)]
pub(in crate::http) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query or the body of a form.
    pub(in crate::http) fn parse(text: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(text).filter(|(_, value)| !value.is_empty());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// Reads the body of a form.
    ///
    /// # Errors
    /// When the body is said to be something else.
    pub(in crate::http) fn of_form(request: &HttpRequest, body: &[u8]) -> Result<Self, OAuthError> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Self::parse(body));
        }
        let text = "the body must be application/x-www-form-urlencoded";
        Err(OAuthError::new(OAuthErrorCode::InvalidRequest, text))
    }

    /// The first value of that name.
    pub(in crate::http) fn first(&self, name: &str) -> Option<String> {
        self.all(name).next().map(str::to_owned)
    }

    /// The first value of that name, as a secret.
    pub(in crate::http) fn secret(&self, name: &str) -> Option<Secret> {
        self.all(name).next().map(Secret::new)
    }

    /// Every value of that name.
    pub(in crate::http) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Names that were given more than once, except `resource`, which may be (RFC 8707).
    pub(in crate::http) fn repeated(&self) -> Vec<String> {
        let mut repeated: Vec<String> = Vec::new();
        for (at, (name, _)) in self.0.iter().enumerate() {
            let came_before = self.0.iter().take(at).any(|(other, _)| other == name);
            if came_before && name != "resource" && !repeated.contains(name) {
                repeated.push(name.clone());
            }
        }
        repeated
    }

    /// # Errors
    /// When a parameter was given more than once.
    pub(in crate::http) fn check_unique(&self) -> Result<(), OAuthError> {
        match self.repeated().first() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
                let text = format!("the parameter {name} was given more than once");
                Err(OAuthError::new(OAuthErrorCode::InvalidRequest, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_parameter_is_absent_and_only_resource_may_repeat() {
        let parameters = Parameters::parse(b"a=1&b=&resource=x&resource=y&c=2&a=3&c=4&a=5");
        assert_eq!(parameters.first("b"), None);
        assert_eq!(parameters.all("resource").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(parameters.repeated(), ["a", "c"]);
        assert!(parameters.check_unique().is_err());
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(Parameters::parse(b"a=%ff%fe&%80=x").all("a").count(), 1);
    }
}
