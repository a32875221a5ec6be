//! Which records of the audit log to show.

use super::audit_event::{AuditRecord, OperationStatus, OperationType, PolicyDecision};
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// What every name of an authentication event begins with.
const EVENT_PREFIX: &str = "auth.";

/// Which records to show. Conditions of different fields must all hold; of several values of one
/// field one must. An empty filter shows all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditFilter {
    /// What was called or happened.
    pub names: Vec<AuditName>,
    /// These kinds.
    pub kinds: Vec<OperationType>,
    /// These decisions.
    pub policies: Vec<PolicyDecision>,
    /// These statuses.
    pub statuses: Vec<OperationStatus>,
    /// These people, as `provider:subject` or the subject alone.
    pub users: Vec<String>,
    /// These clients.
    pub clients: Vec<String>,
    /// These sessions.
    pub sessions: Vec<String>,
    /// These requests, or logins.
    pub traces: Vec<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// Only records with a greater number.
    pub after: Option<u64>,
    /// Only records with that number or a smaller one.
    pub up_to: Option<u64>,
}

/// Something that may have been called or happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditName {
    /// The tool of that name.
    Tool(String),
    /// The resource of that URI, as its file writes it.
    Resource(String),
    /// The prompt of that name.
    Prompt(String),
    /// Authentication events whose name begins like this, with or without `auth.`; with a `*`,
    /// which stands for anything, the whole name must match. In small letters: see [`AuditName::event`].
    Event(String),
    /// Whatever has exactly that name.
    Any(String),
}

/// What of a record a filter looks at, so that a search need not build whole records.
#[derive(Clone, Copy, Debug)]
pub struct AuditView<'a> {
    /// Its number; zero when it has none.
    pub sequence: u64,
    /// When, RFC 3339.
    pub timestamp: &'a str,
    /// What kind of thing.
    pub operation_type: OperationType,
    /// The endpoint or the authentication event.
    pub operation_name: &'a str,
    /// Whether it worked.
    pub operation_status: OperationStatus,
    /// What the policies said.
    pub policy_decision: Option<PolicyDecision>,
    /// The person.
    pub user_id: Option<&'a str>,
    /// The client.
    pub client_id: Option<&'a str>,
    /// The session.
    pub session_id: Option<&'a str>,
    /// The request, or the login.
    pub trace_id: Option<&'a str>,
    /// The request, when it is a step of a login.
    pub request_id: Option<&'a str>,
}

impl AuditFilter {
    /// Whether `record` is to be shown.
    #[must_use]
    pub fn accepts(&self, record: &AuditRecord) -> bool {
        self.accepts_view(&AuditView::of(record))
    }

    /// Whether the record of that view is to be shown.
    #[must_use]
    pub fn accepts_view(&self, view: &AuditView<'_>) -> bool {
        is_any(&self.kinds, |kind| *kind == view.operation_type)
            && is_any(&self.statuses, |status| *status == view.operation_status)
            && is_any(&self.policies, |decision| Some(*decision) == view.policy_decision)
            && is_any(&self.names, |name| name.means(view))
            && is_any(&self.users, |user| view.user_id.is_some_and(|id| is_user(id, user)))
            && is_any(&self.clients, |client| view.client_id == Some(client))
            && is_any(&self.sessions, |session| view.session_id == Some(session))
            && is_any(&self.traces, |trace| view.trace_id == Some(trace) || view.request_id == Some(trace))
            && self.after.is_none_or(|after| view.sequence > after)
            && self.up_to.is_none_or(|up_to| view.sequence <= up_to)
            && self.is_in_time(view.timestamp)
    }

    fn is_in_time(&self, timestamp: &str) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        Timestamp::parse_rfc3339(timestamp)
            .is_some_and(|at| self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at <= until))
    }
}

impl AuditName {
    /// Events that `pattern` means, however it is spelled: their names are in small letters.
    #[must_use]
    pub fn event(pattern: &str) -> Self {
        Self::Event(pattern.to_ascii_lowercase())
    }

    fn means(&self, view: &AuditView<'_>) -> bool {
        let is_called = |kind, name: &str| view.operation_type == kind && view.operation_name == name;
        match self {
            Self::Tool(name) => is_called(OperationType::Tool, name),
            Self::Resource(uri) => is_called(OperationType::Resource, uri),
            Self::Prompt(name) => is_called(OperationType::Prompt, name),
            Self::Any(name) => view.operation_name == name,
            Self::Event(pattern) => {
                view.operation_type == OperationType::Auth && is_event(view.operation_name, pattern)
            }
        }
    }
}

impl<'a> AuditView<'a> {
    /// What a filter looks at of `record`.
    #[must_use]
    pub fn of(record: &'a AuditRecord) -> Self {
        Self {
            sequence: record.sequence,
            timestamp: &record.timestamp,
            operation_type: record.operation_type,
            operation_name: &record.operation_name,
            operation_status: record.operation_status,
            policy_decision: record.policy_decision,
            user_id: record.user_id.as_deref(),
            client_id: record.client_id.as_ref().map(super::ids::ClientId::as_str),
            session_id: record.session_id.as_ref().map(super::ids::SessionId::as_str),
            trace_id: record.trace_id.as_deref(),
            request_id: record.request_id(),
        }
    }
}

fn is_any<T>(wanted: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(holds)
}

/// Whether `user` means the person `id`. People seldom know their provider's name by heart.
fn is_user(id: &str, user: &str) -> bool {
    id == user || id.split_once(':').is_some_and(|(_, subject)| subject == user)
}

/// Whether `pattern` means the event `name`.
fn is_event(name: &str, pattern: &str) -> bool {
    let bare = name.strip_prefix(EVENT_PREFIX).unwrap_or(name);
    if pattern.contains('*') {
        return matches(name, pattern) || matches(bare, pattern);
    }
    name.starts_with(pattern) || bare.starts_with(pattern)
}

/// Whether `text` is as `pattern` says, in which `*` stands for anything.
fn matches(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    // Taking each part at its first place leaves the most for those after it.
    for part in between.split('*').filter(|part| !part.is_empty()) {
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit_event::{AuditCaller, AuditEvent};
    use crate::model::ids::{ClientId, SessionId};

    fn record(kind: OperationType, name: &str) -> AuditRecord {
        let caller = AuditCaller {
            caller_type: "http".to_owned(),
            user_id: Some("github:ada:1".to_owned()),
            client_id: Some(ClientId::new("app")),
            session_id: Some(SessionId::new("stay")),
            trace_id: Some("request".to_owned()),
            request_id: None,
        };
        let mut event = AuditEvent::auth(name, OperationStatus::Error, caller);
        event.operation_type = kind;
        event.policy_decision = Some(PolicyDecision::Deny);
        AuditRecord::of(event, 7, Timestamp::from_secs(100), "id".to_owned())
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn an_empty_filter_shows_all() {
        assert!(AuditFilter::default().accepts(&record(OperationType::Tool, "t")));
    }

    #[test]
    fn each_condition_must_hold_and_of_several_values_one() {
        let record = record(OperationType::Tool, "t");
        let all = AuditFilter {
            names: vec![AuditName::Prompt("p".to_owned()), AuditName::Tool("t".to_owned())],
            kinds: vec![OperationType::Auth, OperationType::Tool],
            policies: vec![PolicyDecision::Warn, PolicyDecision::Deny],
            statuses: vec![OperationStatus::Error],
            users: texts(&["x", "github:ada:1"]),
            clients: texts(&["x", "app"]),
            sessions: texts(&["stay"]),
            traces: texts(&["request"]),
            since: Some(Timestamp::from_secs(100)),
            until: Some(Timestamp::from_secs(100)),
            after: Some(6),
            up_to: Some(7),
        };
        assert!(all.accepts(&record));
        let other = || texts(&["other"]);
        let spoiled = [
            AuditFilter { names: vec![AuditName::Prompt("t".to_owned())], ..all.clone() },
            AuditFilter { kinds: vec![OperationType::Auth], ..all.clone() },
            AuditFilter { policies: vec![PolicyDecision::Allow], ..all.clone() },
            AuditFilter { statuses: vec![OperationStatus::Success], ..all.clone() },
            AuditFilter { users: other(), ..all.clone() },
            AuditFilter { clients: other(), ..all.clone() },
            AuditFilter { sessions: other(), ..all.clone() },
            AuditFilter { traces: other(), ..all.clone() },
            AuditFilter { since: Some(Timestamp::from_secs(101)), ..all.clone() },
            AuditFilter { until: Some(Timestamp::from_secs(99)), ..all.clone() },
            AuditFilter { after: Some(7), ..all.clone() },
            AuditFilter { up_to: Some(6), ..all.clone() },
        ];
        for filter in spoiled {
            assert!(!filter.accepts(&record), "{filter:?}");
        }
    }

    #[test]
    fn a_request_is_found_by_its_own_id_and_by_that_of_its_login() {
        let caller = AuditCaller { trace_id: Some("step".to_owned()), ..AuditCaller::default() };
        let record = |caller| {
            AuditRecord::of(
                AuditEvent::auth("auth.x", OperationStatus::Success, caller),
                1,
                Timestamp::from_secs(0),
                String::new(),
            )
        };
        let step = record(caller.clone().within(Some("login".to_owned())));
        assert_eq!((step.trace_id.as_deref(), step.request_id()), (Some("login"), Some("step")));
        for (trace, is_found) in [("login", true), ("step", true), ("other", false)] {
            let filter = AuditFilter { traces: texts(&[trace]), ..AuditFilter::default() };
            assert_eq!(filter.accepts(&step), is_found, "{trace}");
        }
        for longer in [None, Some("step".to_owned())] {
            let alone = record(caller.clone().within(longer));
            assert_eq!((alone.trace_id.as_deref(), alone.request_id()), (Some("step"), None));
        }
    }

    #[test]
    fn a_person_is_found_without_the_name_of_the_provider() {
        assert!(is_user("local:ada", "ada") && is_user("local:ada", "local:ada") && is_user("oidc:a:b", "a:b"));
        assert!(!is_user("local:ada", "local") && !is_user("local:ada", "ad") && !is_user("local:ada", "b"));
    }

    #[test]
    fn events_are_named_by_their_beginning_or_with_stars() {
        for pattern in ["auth.login", "login", "auth.", "auth.login_failed", "*failed", "auth.*_failed", "l*n_f*d", "*"]
        {
            assert!(is_event("auth.login_failed", pattern), "{pattern}");
        }
        for pattern in ["auth.token", "failed", "*login", "auth.*_refused", "a*b", "login*x*failed"] {
            assert!(!is_event("auth.login_failed", pattern), "{pattern}");
        }
        assert!(!matches("ab", "ab*b"), "a letter is not used twice");
    }

    #[test]
    fn an_event_is_no_tool_of_the_same_name() {
        let filter = AuditFilter { names: vec![AuditName::Event("login".to_owned())], ..AuditFilter::default() };
        assert!(!filter.accepts(&record(OperationType::Tool, "login")));
        assert!(filter.accepts(&record(OperationType::Auth, "auth.login_started")));
    }
    #[test]
    fn an_event_is_found_however_it_is_spelled_and_a_name_of_any_kind_as_it_is() {
        let record = record(OperationType::Auth, "auth.login_started");
        let is_accepted = |name| AuditFilter { names: vec![name], ..AuditFilter::default() }.accepts(&record);
        assert!(is_accepted(AuditName::event("Login")) && is_accepted(AuditName::event("*_STARTED")));
        assert!(is_accepted(AuditName::Any("auth.login_started".to_owned())));
        assert!(!is_accepted(AuditName::Any("auth.login".to_owned())));
    }
}
