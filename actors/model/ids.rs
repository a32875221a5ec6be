//! One newtype per kind of identifier, so that no two can be swapped.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text that is already known to be such an identifier.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id! {
    /// An OAuth client (RFC 6749 section 2.2). Public, not a secret.
    ClientId
}
string_id! {
    /// One signed-in session: names it in the audit log. Not a secret; knowing it grants nothing.
    SessionId
}
string_id! {
    /// A person, as `provider:subject`. Two providers never share one, whatever the e-mail.
    UserId
}

impl UserId {
    /// The identity of `subject` at `provider` (OpenID Connect Core section 5.7).
    #[must_use]
    pub fn of(provider: &str, subject: &str) -> Self {
        Self(format!("{provider}:{subject}"))
    }

    /// Whether this is somebody of that provider.
    #[must_use]
    pub fn is_of(&self, provider: &str) -> bool {
        self.0.strip_prefix(provider).is_some_and(|rest| rest.starts_with(':'))
    }
}
