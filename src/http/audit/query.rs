//! Filters as the query of a URL: `?event=login*&status=error`. Names as the options of `mxcp log`,
//! or as the Python product has them (`operation_status`, `start_time`).

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

/// The most that may be passed over in front of them: they have to be read all the same.
const OFFSET_MAX: usize = 10_000;

/// What every record is called by the Python product's programs.
const SCHEMA: &str = "mxcp.endpoints";

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

    /// The same of a list that can be turned over: also tells how many records it passes over
    /// (`offset`).
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_page(text: &str) -> Result<(Self, usize), QueryError> {
        let (mut offset, mut rest) = (0, Serializer::new(String::new()));
        for (name, value) in parse(text.as_bytes()) {
            if name != "offset" {
                rest.append_pair(&name, &value);
            } else if !value.is_empty() {
                let number = value.parse().ok().filter(|offset| *offset <= OFFSET_MAX);
                offset = number.ok_or_else(|| QueryError::Invalid(name.into_owned()))?;
            }
        }
        Ok((Self::parse(&rest.finish())?, offset))
    }

    fn add(&mut self, name: &str, value: String) -> Result<(), QueryError> {
        let filter = &mut self.filter;
        let invalid = || QueryError::Invalid(name.to_owned());
        let time = |text: &str| Timestamp::parse_rfc3339(text).ok_or_else(invalid);
        match name {
            "tool" => filter.names.push(AuditName::Tool(value)),
            "resource" => filter.names.push(AuditName::Resource(value)),
            "prompt" => filter.names.push(AuditName::Prompt(value)),
            "event" => filter.names.push(AuditName::event(&value)),
            "operation_name" => filter.names.push(AuditName::Any(value)),
            "schema_name" if value == SCHEMA => {}
            "schema_name" => return Err(invalid()),
            "type" | "operation_type" => filter.kinds.push(word(value).ok_or_else(invalid)?),
            "policy" => filter.policies.push(word(value).ok_or_else(invalid)?),
            "status" | "operation_status" => filter.statuses.push(word(value).ok_or_else(invalid)?),
            "user" | "user_id" => filter.users.push(value),
            "client" => filter.clients.push(value),
            "session" => filter.sessions.push(value),
            "trace" | "trace_id" => filter.traces.push(value),
            "since" | "start_time" => filter.since = Some(time(&value)?),
            "until" | "end_time" => filter.until = Some(time(&value)?),
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
                AuditName::Any(name) => text.append_pair("operation_name", name),
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
                    AuditName::Any("n".to_owned()),
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

    #[test]
    fn the_names_of_the_python_product_mean_the_same() {
        let theirs = "schema_name=mxcp.endpoints&start_time=2026-11-23T10:00:00Z&end_time=2026-11-23T11:00:00Z\
            &operation_type=tool&operation_status=error&user_id=ada&trace_id=t&limit=3&offset=6&operation_name=n";
        let ours =
            "since=2026-11-23T10:00:00Z&until=2026-11-23T11:00:00Z&type=tool&status=error&user=ada&trace=t&limit=3";
        let (found, offset) = AuditQuery::parse_page(theirs).unwrap();
        let mut expected = AuditQuery::parse(ours).unwrap();
        expected.filter.names.push(AuditName::Any("n".to_owned()));
        assert_eq!((found, offset), (expected, 6));
        assert_eq!(
            AuditQuery::parse("offset=1"),
            Err(QueryError::Unknown("offset".to_owned())),
            "a stream has no pages"
        );
        for (text, name) in [("offset=10001", "offset"), ("schema_name=x", "schema_name")] {
            assert_eq!(AuditQuery::parse_page(text), Err(QueryError::Invalid(name.to_owned())), "{text}");
        }
    }
}
