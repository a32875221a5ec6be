//! Which records a person wants to see.

use super::LogError;
use super::time_point::Bound;
use chrono::Local;
use clap::{Args, ValueEnum};
use mxcp_actors::model::audit_event::{OperationStatus, OperationType, PolicyDecision};
use mxcp_actors::model::audit_filter::{AuditFilter, AuditName};
use mxcp_actors::model::timestamp::Timestamp;

#[derive(Args, Clone, Debug)]
pub(super) struct FilterArgs {
    /// Show records of this tool; may be combined with others, and with --resource, --prompt and --event
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// Show records of this resource
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Show records of this prompt
    #[arg(long, value_name = "NAME")]
    prompt: Vec<String>,
    /// Show authentication events that begin like this (login, auth.token), or match with * (*_failed)
    #[arg(long, value_name = "NAME")]
    event: Vec<String>,
    /// Show records of this kind
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<KindArg>,
    /// Show records with this decision of the policies; n/a shows all
    #[arg(long)]
    policy: Option<PolicyArg>,
    /// Show records of calls that ended like this
    #[arg(long)]
    status: Option<StatusArg>,
    /// Show records of this person: provider:subject, or the subject alone
    #[arg(long, value_name = "ID")]
    user: Vec<String>,
    /// Show records of this client
    #[arg(long, value_name = "ID")]
    client: Vec<String>,
    /// Show records of this session
    #[arg(long, value_name = "ID")]
    session: Vec<String>,
    /// Show records of this request
    #[arg(long, value_name = "ID")]
    trace: Vec<String>,
    /// Show records not older than this: 10s, 5m, 2h, 1d, a date, a local time, or one with an offset
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show records not younger than this
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// The kinds that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    /// Calls of tools.
    Tool,
    /// Reads of resources.
    Resource,
    /// Uses of prompts
    Prompt,
    /// Logins, tokens, clients and sessions.
    Auth,
}

/// The decisions that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyArg {
    /// Every rule let the call pass.
    Allow,
    /// A rule refused the call.
    Deny,
    /// A rule changed the response.
    Warn,
    /// Any decision, or none.
    #[value(name = "n/a")]
    Any,
}

/// The endings that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StatusArg {
    /// It worked.
    Success,
    /// It did not.
    Error,
}

impl FilterArgs {
    /// The filter, for somebody who asks at `now` on this machine's clock and in its time zone.
    pub(super) fn to_filter(&self, now: Timestamp) -> Result<AuditFilter, LogError> {
        Ok(AuditFilter {
            names: self.names(),
            kinds: self.kind.into_iter().map(kind).collect(),
            policies: self.policy.and_then(decision).into_iter().collect(),
            statuses: self.status.into_iter().map(status).collect(),
            users: self.user.clone(),
            clients: self.client.clone(),
            sessions: self.session.clone(),
            traces: self.trace.clone(),
            since: point(Bound::Since, self.since.as_deref(), now)?,
            until: point(Bound::Until, self.until.as_deref(), now)?,
            after: None,
            up_to: None,
        })
    }

    fn names(&self) -> Vec<AuditName> {
        let tools = self.tool.iter().cloned().map(AuditName::Tool);
        let resources = self.resource.iter().cloned().map(AuditName::Resource);
        let prompts = self.prompt.iter().cloned().map(AuditName::Prompt);
        let events = self.event.iter().map(|event| AuditName::event(event));
        tools.chain(resources).chain(prompts).chain(events).collect()
    }
}

/// Reads the value of `--limit`.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| "it must be a whole number from 1 on".to_owned())
}

fn point(bound: Bound, text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, LogError> {
    let read = |text: &str| bound.parse(text, now, &Local).ok_or_else(|| LogError::InvalidTime(text.to_owned()));
    text.map(read).transpose()
}

const fn kind(kind: KindArg) -> OperationType {
    match kind {
        KindArg::Tool => OperationType::Tool,
        KindArg::Resource => OperationType::Resource,
        KindArg::Prompt => OperationType::Prompt,
        KindArg::Auth => OperationType::Auth,
    }
}

const fn decision(policy: PolicyArg) -> Option<PolicyDecision> {
    match policy {
        PolicyArg::Allow => Some(PolicyDecision::Allow),
        PolicyArg::Deny => Some(PolicyDecision::Deny),
        PolicyArg::Warn => Some(PolicyDecision::Warn),
        PolicyArg::Any => None,
    }
}

const fn status(status: StatusArg) -> OperationStatus {
    match status {
        StatusArg::Success => OperationStatus::Success,
        StatusArg::Error => OperationStatus::Error,
    }
}
