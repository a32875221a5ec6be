//! Filters as the query of a URL: `?event=login*&status=error`. Names as the options of `mxcp log`.

use mxcp_actors::model::audit_filter::{AuditFilter, AuditName};
use mxcp_actors::model::timestamp::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::form_urlencoded::{Serializer, parse};

/// The most conditions of one filter, and the longest.
const CONDITIONS_MAX: usize = 100;
const CONDITION_BYTES_MAX: usize = 1_000;

/// The most records that one answer holds.
const LIMIT_MAX: usize = 1_000;

/// What of the log is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Which records.
    pub filter: AuditFilter,
    /// How many of those that are there already.
    pub limit: Option<usize>,
}

/// Why a query is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A name that means nothing here.
    #[error("there is no parameter {0}")]
    Unknown(String),
    /// A value that means nothing.
    #[error("the value of {0} is not valid")]
    Invalid(String),
    /// More than anybody needs.
    #[error("at most {CONDITIONS_MAX} conditions of {CONDITION_BYTES_MAX} bytes each are possible")]
    TooMany,
}

impl AuditQuery {
    /// Reads the query of a URL. Empty parameters count as absent, as forms send them.
    ///
    /// # Errors
    /// When there is a parameter or a value that means nothing: a filter that shows more than was
    /// meant is worse than none.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for (at, (name, value)) in parse(text.as_bytes()).filter(|(_, value)| !value.is_empty()).enumerate() {
            if at >= CONDITIONS_MAX || value.len() > CONDITION_BYTES_MAX {
                return Err(QueryError::TooMany);
            }
            query.add(&name, value.into_owned())?;
        }
        Ok(query)
    }

    fn add(&mut self, name: &str, value: String) -> Result<(), QueryError> {
        let filter = &mut self.filter;
        let invalid = || QueryError::Invalid(name.to_owned());
        let time = |text: &str| Timestamp::parse_rfc3339(text).ok_or_else(invalid);
        match name {
            "tool" => filter.names.push(AuditName::Tool(value)),
            "resource" => filter.names.push(AuditName::Resource(value)),
            "prompt" => filter.names.push(AuditName::Prompt(value)),
            "event" => filter.names.push(AuditName::Event(value)),
            "type" => filter.kinds.push(word(value).ok_or_else(invalid)?),
            "policy" => filter.policies.push(word(value).ok_or_else(invalid)?),
            "status" => filter.statuses.push(word(value).ok_or_else(invalid)?),
            "user" => filter.users.push(value),
            "client" => filter.clients.push(value),
            "session" => filter.sessions.push(value),
            "trace" => filter.traces.push(value),
            "since" => filter.since = Some(time(&value)?),
            "until" => filter.until = Some(time(&value)?),
            "after" => filter.after = Some(value.parse().map_err(|_| invalid())?),
            "limit" => {
                self.limit = Some(value.parse().ok().filter(|limit| *limit <= LIMIT_MAX).ok_or_else(invalid)?);
            }
            _ => return Err(QueryError::Unknown(name.chars().filter(char::is_ascii_graphic).take(40).collect())),
        }
        Ok(())
    }

    /// The query that [`Self::parse`] reads. `up_to` cannot be asked for.
    #[must_use]
    pub fn to_text(&self) -> String {
        let AuditFilter {
            names, kinds, policies, statuses, users, clients, sessions, traces, since, until, after, ..
        } = &self.filter;
        let mut text = Serializer::new(String::new());
        for name in names {
            match name {
                AuditName::Tool(name) => text.append_pair("tool", name),
                AuditName::Resource(uri) => text.append_pair("resource", uri),
                AuditName::Prompt(name) => text.append_pair("prompt", name),
                AuditName::Event(pattern) => text.append_pair("event", pattern),
            };
        }
        append_words(&mut text, "type", kinds);
        append_words(&mut text, "policy", policies);
        append_words(&mut text, "status", statuses);
        for (name, values) in [("user", users), ("client", clients), ("session", sessions), ("trace", traces)] {
            text.extend_pairs(values.iter().map(|value| (name, value)));
        }
        let numbers = [("after", after.map(|after| after.to_string())), ("limit", self.limit.map(|n| n.to_string()))];
        let times = [("since", since.map(Timestamp::to_rfc3339)), ("until", until.map(Timestamp::to_rfc3339))];
        for (name, value) in times.into_iter().chain(numbers) {
            text.extend_pairs(value.map(|value| (name, value)));
        }
        text.finish()
    }
}

fn word<T: DeserializeOwned>(text: String) -> Option<T> {
    serde_json::from_value(Value::String(text)).ok()
}

fn append_words<T: Serialize>(text: &mut Serializer<'_, String>, name: &str, words: &[T]) {
    for word in words {
        text.append_pair(name, json!(word).as_str().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::model::audit_event::{OperationStatus, OperationType, PolicyDecision};

    #[test]
    fn what_is_written_is_read_again() {
        let texts = |text: &str| vec![text.to_owned(), "b&=+ ä".to_owned()];
        let query = AuditQuery {
            filter: AuditFilter {
                names: vec![
                    AuditName::Tool("t".to_owned()),
                    AuditName::Resource("item://{id}?a=b".to_owned()),
                    AuditName::Prompt("p".to_owned()),
                    AuditName::Event("login*".to_owned()),
                ],
                kinds: vec![OperationType::Auth, OperationType::Tool],
                policies: vec![PolicyDecision::Deny],
                statuses: vec![OperationStatus::Error],
                users: texts("local:ada"),
                clients: texts("c"),
                sessions: texts("s"),
                traces: texts("t"),
                since: Some(Timestamp::from_micros(1_795_428_000_000_001)),
                until: Some(Timestamp::from_secs(1_795_428_001)),
                after: Some(7),
                up_to: None,
            },
            limit: Some(3),
        };
        assert_eq!(AuditQuery::parse(&query.to_text()).unwrap(), query);
    }

    #[test]
    fn what_means_nothing_is_refused_and_what_is_empty_is_absent() {
        assert_eq!(AuditQuery::parse("user=&since=").unwrap(), AuditQuery::default());
        for (text, name) in [("type=x", "type"), ("since=1h", "since"), ("limit=1001", "limit"), ("after=-1", "after")]
        {
            assert_eq!(AuditQuery::parse(text), Err(QueryError::Invalid(name.to_owned())), "{text}");
        }
        assert_eq!(AuditQuery::parse("usr=ada"), Err(QueryError::Unknown("usr".to_owned())));
        assert_eq!(AuditQuery::parse(&"user=a&".repeat(101)), Err(QueryError::TooMany));
        assert_eq!(AuditQuery::parse(&format!("user={}", "a".repeat(1_001))), Err(QueryError::TooMany));
    }
}
