//! Telling from its bytes alone that a line cannot match, which is much cheaper than reading it.
//!
//! What passes may still not match. Only texts that every writer of the log spells alike are
//! looked for: those that JSON may escape are left to the reader.

use memchr::memmem::Finder;
use mxcp_actors::model::audit_filter::{AuditFilter, AuditName};
use serde::Serialize;

/// Texts of which a line must contain one from each group.
#[derive(Debug)]
pub(super) struct Sieve {
    groups: Vec<Vec<Finder<'static>>>,
}

impl Sieve {
    /// The sieve for `filter`.
    pub(super) fn of(filter: &AuditFilter) -> Self {
        let groups = [
            group(&filter.names, name_part),
            group(&filter.users, |user| literal(user)),
            group(&filter.clients, |client| literal(client)),
            group(&filter.sessions, |session| literal(session)),
            group(&filter.traces, |trace| literal(trace)),
            pairs("operation_type", &filter.kinds),
            pairs("policy_decision", &filter.policies),
            pairs("operation_status", &filter.statuses),
        ];
        Self { groups: groups.into_iter().flatten().collect() }
    }

    /// Whether `line` may match.
    pub(super) fn lets_pass(&self, line: &[u8]) -> bool {
        self.groups.iter().all(|group| group.iter().any(|text| text.find(line).is_some()))
    }
}

/// One text for each wanted value; nothing when there is a value that says nothing about bytes.
fn group<T>(wanted: &[T], text: impl Fn(&T) -> Option<String>) -> Option<Vec<Finder<'static>>> {
    let texts: Vec<String> = wanted.iter().map(text).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| texts.iter().map(|text| Finder::new(text).into_owned()).collect())
}

/// A key with each of the values, with and without the space that some writers put between.
fn pairs<T: Serialize>(key: &str, wanted: &[T]) -> Option<Vec<Finder<'static>>> {
    let values: Vec<String> = wanted.iter().map(|value| serde_json::to_string(value).ok()).collect::<Option<_>>()?;
    let texts = values.iter().flat_map(|value| [format!("\"{key}\":{value}"), format!("\"{key}\": {value}")]);
    (!values.is_empty()).then(|| texts.map(|text| Finder::new(&text).into_owned()).collect())
}

/// What must stand in every line in which `name` is meant.
fn name_part(name: &AuditName) -> Option<String> {
    match name {
        AuditName::Tool(name) | AuditName::Resource(name) | AuditName::Prompt(name) | AuditName::Any(name) => {
            literal(name)
        }
        AuditName::Event(pattern) => literal(pattern.split('*').max_by_key(|part| part.len()).unwrap_or_default()),
    }
}

/// `text`, if it stands in JSON as it is, whoever wrote it.
fn literal(text: &str) -> Option<String> {
    let is_plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !b"\"\\/<>&'".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::model::audit_event::{OperationStatus, OperationType};

    const LINE: &[u8] = br#"{"operation_type":"auth","operation_name":"auth.login_failed","operation_status": "error","user_id":"a\u00e4"}"#;

    fn passes(filter: &AuditFilter) -> bool {
        Sieve::of(filter).lets_pass(LINE)
    }

    #[test]
    fn a_line_without_what_is_looked_for_is_kept_back() {
        let named = |name| AuditFilter { names: vec![name], ..AuditFilter::default() };
        assert!(passes(&AuditFilter::default()));
        assert!(passes(&named(AuditName::Event("l*_failed".to_owned()))));
        assert!(!passes(&named(AuditName::Tool("revenue".to_owned()))));
        assert!(passes(&AuditFilter { statuses: vec![OperationStatus::Error], ..AuditFilter::default() }));
        assert!(!passes(&AuditFilter { statuses: vec![OperationStatus::Success], ..AuditFilter::default() }));
        let kinds = vec![OperationType::Tool, OperationType::Auth];
        assert!(passes(&AuditFilter { kinds, ..AuditFilter::default() }), "one of several is enough");
        assert!(!passes(&AuditFilter { clients: vec!["app".to_owned()], ..AuditFilter::default() }));
    }

    #[test]
    fn texts_that_json_may_escape_keep_nothing_back() {
        for user in ["aä", "a\"b", "a/b", ""] {
            assert!(passes(&AuditFilter { users: vec![user.to_owned()], ..AuditFilter::default() }), "{user}");
        }
        let names = vec![AuditName::Event("*".to_owned()), AuditName::Tool("revenue".to_owned())];
        assert!(passes(&AuditFilter { names, ..AuditFilter::default() }), "one that says nothing lets all pass");
    }
}
