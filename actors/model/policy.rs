//! Policy rules as they are written, and what comes of them.

use serde::{Deserialize, Serialize};

/// What a rule does when its condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyAction {
    /// Refuse the call, or withhold the response.
    Deny,
    /// Remove the named fields from the response.
    FilterFields,
    /// Replace the named fields of the response by `"****"`.
    MaskFields,
    /// Remove every field whose definition says `sensitive: true`.
    FilterSensitiveFields,
}

impl PolicyAction {
    /// The name in YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::FilterFields => "filter_fields",
            Self::MaskFields => "mask_fields",
            Self::FilterSensitiveFields => "filter_sensitive_fields",
        }
    }
}

/// Which list a rule stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyTarget {
    /// `policies.input`.
    Input,
    /// `policies.output`.
    Output,
}

impl PolicyTarget {
    /// The key of the list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    /// What conditions in a profile's list may name. No parameter is among them, so that none can
    /// stand in for `endpoint`.
    #[must_use]
    pub fn variables_of_profile(self) -> Vec<&'static str> {
        match self {
            Self::Input => vec!["user", "endpoint"],
            Self::Output => vec!["user", "endpoint", "response"],
        }
    }

    /// What conditions in the list may name, at an endpoint with these parameters.
    #[must_use]
    pub fn variables(self, parameters: &[String]) -> Vec<&str> {
        let mut names = vec!["user"];
        match self {
            Self::Input => names.extend(parameters.iter().map(String::as_str).filter(|name| *name != "user")),
            Self::Output => names.push("response"),
        }
        names
    }
}

/// One rule, as written in an endpoint's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRule {
    /// A CEL expression over `user` and the parameters, or over `user` and `response`; in a profile's
    /// rules over `user`, `endpoint` and, on output, `response`.
    pub condition: String,
    /// What to do when it holds.
    pub action: PolicyAction,
    /// What the caller is told.
    pub reason: Option<String>,
    /// The fields to filter or mask.
    pub fields: Vec<String>,
}

/// The rules of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySet {
    /// Judged before the call, in order.
    pub input: Vec<PolicyRule>,
    /// Judged on the response, in order.
    pub output: Vec<PolicyRule>,
}

impl PolicySet {
    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.input.is_empty() && self.output.is_empty()
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What the caller is told.
    pub reason: String,
    /// What the operator should know beyond it, such as why a condition could not be evaluated.
    pub detail: Option<String>,
}

/// What the rules made of a call or a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Set when the call is refused or the response withheld.
    pub denial: Option<Denial>,
    /// The rules that were looked at, such as `input[0]: user.role != 'admin'`.
    pub evaluated: Vec<String>,
    /// The action that changed the response last, if one did.
    pub modified_by: Option<PolicyAction>,
}
