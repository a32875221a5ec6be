//! A call, from its arguments to its audited result.

use super::arguments::ConvertedArguments;
use super::catalog::{CatalogEntry, ToolCatalog};
use super::messages::{CallTool, CallToolError, ToolResult};
use super::shown_tokens::ShownTokens;
use crate::audit_log::AuditLogHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus, OperationType, PolicyDecision};
use crate::model::endpoint::{EndpointForm, EndpointKind, SQL_ARGUMENT, SqlSource};
use crate::model::json_depth::{DEPTH_MAX, is_within};
use crate::model::policy::{Denial, Verdict};
use crate::model::principal::Principal;
use crate::model::secret::Secret;
use crate::model::sql_value::{SqlRows, SqlValue};
use crate::policy::{PolicyError, PolicyHandle};
use crate::ports::clock::Clock;
use crate::ports::sql_engine::{SqlAccess, SqlCaller, SqlEngine, SqlError, SqlQuery};
use crate::token_refresh::TokenRefreshHandle;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How many characters of a name are recorded that no tool has. Names of tools may have that many
/// (MCP 2025-11-25, tools, tool names).
const NAME_MAX: usize = 128;

/// What a call needs.
#[derive(Clone, Debug)]
pub(crate) struct ToolCaller {
    pub(crate) catalog: Arc<ToolCatalog>,
    pub(crate) policy: PolicyHandle,
    pub(crate) token_refresh: TokenRefreshHandle,
    pub(crate) audit_log: AuditLogHandle,
    pub(crate) sql_engine: Arc<dyn SqlEngine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) query_deadline: Duration,
    pub(crate) query_rows_max: usize,
}

/// What the audit log is told of a call, and what it must not be told.
#[derive(Debug, Default)]
struct Trail {
    tokens: ShownTokens,
    evaluated: Vec<String>,
    decision: Option<PolicyDecision>,
    reason: Option<String>,
}

impl ToolCaller {
    /// Makes the call and records it, whatever comes of it. A result that could not be recorded
    /// is not given out.
    pub(super) async fn call_tool(
        &self,
        call: CallTool,
        caller_gone: oneshot::Receiver<()>,
    ) -> Result<ToolResult, CallToolError> {
        self.audit_log.ensure_writable().await?;
        let started = self.clock.now();
        let caller = audit_caller(&call);
        let Some((entry, arguments)) = self.catalog.resolve(call.kind, &call.name, call.arguments) else {
            self.record_unknown(call.kind, &call.name, caller).await?;
            return Err(CallToolError::unknown(call.kind, call.name));
        };
        let sensitive = entry.parameters.sensitive_texts(&arguments);
        let input = entry.parameters.redacted(arguments.clone());
        let mut trail = Trail::default();
        let mut outcome = tokio::select! {
            outcome = self.run(&entry, (&call.principal, call.external_token), arguments, &mut trail) => outcome.map(Arc::new),
            _ = caller_gone => Err(CallToolError::Cancelled),
        };
        if let Err(CallToolError::WrongResult(text)) = &mut outcome {
            *text = trail.tokens.cover(std::mem::take(text));
        }
        let Trail { tokens, evaluated, decision, reason } = trail;
        let cover = |text: String| tokens.cover(sensitive.cover(text));
        let event = AuditEvent {
            operation_type: operation_type(call.kind),
            operation_name: entry.name.to_string(),
            status: if outcome.is_ok() { OperationStatus::Success } else { OperationStatus::Error },
            caller,
            duration: self.clock.now().since(started),
            input: Some(input),
            output: outcome
                .as_ref()
                .ok()
                .and_then(|value| recorded(&entry, value))
                .map(|value| tokens.covered(sensitive.covered(value))),
            // The caller knows what they sent; the log must not learn it from an error.
            error: outcome.as_ref().err().map(|error| cover(error.to_string())),
            policies_evaluated: evaluated,
            policy_decision: decision,
            policy_reason: reason.map(cover),
        };
        self.audit_log.record(event).await?;
        outcome.map(|value| ToolResult { value, entry })
    }

    /// Records a call of an endpoint that does not exist. Its arguments are left out: nobody knows
    /// what in them is sensitive.
    async fn record_unknown(&self, kind: EndpointKind, name: &str, caller: AuditCaller) -> Result<(), CallToolError> {
        let name = recordable(kind, name);
        let event = AuditEvent {
            operation_type: operation_type(kind),
            operation_name: name.clone(),
            status: OperationStatus::Error,
            caller,
            duration: Duration::ZERO,
            input: None,
            output: None,
            error: Some(CallToolError::unknown(kind, name).to_string()),
            policies_evaluated: Vec::new(),
            policy_decision: None,
            policy_reason: None,
        };
        self.audit_log.record(event).await?;
        Ok(())
    }

    async fn run(
        &self,
        entry: &CatalogEntry,
        (principal, external_token): (&Arc<Principal>, Option<Secret>),
        arguments: Map<String, Value>,
        trail: &mut Trail,
    ) -> Result<Value, CallToolError> {
        let arguments =
            entry.parameters.convert(arguments).map_err(|error| CallToolError::InvalidArguments(error.to_string()))?;
        let ConvertedArguments { json, sql } = arguments;
        if let Some(prompt) = &entry.prompt {
            self.judge_input(entry, principal, json.clone(), trail).await?;
            let messages = prompt.render(&json).map_err(CallToolError::Prompt)?;
            return self.judge_output(entry, principal, messages, trail).await;
        }
        self.judge_input(entry, principal, json, trail).await?;
        let (sql, arguments, access) = statement(entry, sql);
        let query = SqlQuery {
            sql,
            arguments,
            access,
            caller: Arc::new(self.sql_caller(entry, principal, external_token).await?),
            deadline: self.query_deadline,
            row_limit: self.query_rows_max,
        };
        let rows = if entry.definition.needs_external_token {
            self.query_with_token(query, principal, &mut trail.tokens).await
        } else {
            self.sql_engine.query(query).await.map_err(CallToolError::Sql)
        };
        let rows = rows.map_err(|error| self.without_data(entry, error))?;
        let value = entry.result.shape(rows).map_err(CallToolError::WrongResult)?;
        entry.result.check(&value).map_err(CallToolError::WrongResult)?;
        self.judge_output(entry, principal, value, trail).await
    }

    /// An error without what the database says of the data, where rules or marks cover some of it: an
    /// error goes past them, and `CAST` names in it what it could not convert.
    fn without_data(&self, entry: &CatalogEntry, error: CallToolError) -> CallToolError {
        match error {
            CallToolError::Sql(SqlError::Failed(text))
                if entry.result.is_sensitive() || self.policy.judges_output(&entry.name) =>
            {
                let class = text.split_once(':').map(|(class, _)| class).filter(|class| is_error_class(class));
                let class = class.unwrap_or("the query failed");
                let text = format!("{class}; the rest is withheld, because it may hold what is covered in results");
                CallToolError::Sql(SqlError::Failed(text))
            }
            other => other,
        }
    }

    /// Runs a query. When a provider's API does not take the caller's token, once more with another:
    /// some providers do not say how long a token lives, and any may end one early. The engine says
    /// so only when the query has changed nothing.
    async fn query_with_token(
        &self,
        query: SqlQuery,
        principal: &Principal,
        shown: &mut ShownTokens,
    ) -> Result<SqlRows, CallToolError> {
        shown.add(&query.caller.external_token);
        let refused = match self.sql_engine.query(query.clone()).await {
            Err(error @ SqlError::TokenRefused(_)) => CallToolError::Sql(error),
            outcome => return outcome.map_err(CallToolError::Sql),
        };
        let Some(session) = &principal.session_id else { return Err(refused) };
        let token = query.caller.external_token.clone();
        let replaced = self.token_refresh.replace_token(session.clone(), token).await;
        let Some(external_token) = replaced.map_err(CallToolError::ExternalToken)? else { return Err(refused) };
        shown.add(&external_token);
        let caller = Arc::new(SqlCaller { external_token, ..SqlCaller::clone(&query.caller) });
        self.sql_engine.query(SqlQuery { caller, ..query }).await.map_err(CallToolError::Sql)
    }

    async fn judge_input(
        &self,
        entry: &CatalogEntry,
        principal: &Arc<Principal>,
        arguments: Map<String, Value>,
        trail: &mut Trail,
    ) -> Result<(), CallToolError> {
        if !self.policy.judges_input(&entry.name) {
            return Ok(());
        }
        let judged =
            self.policy.decide_input(Arc::clone(&entry.name), Arc::clone(principal), Arc::new(arguments)).await;
        trail.note(judged.map_err(no_verdict)?).map_err(CallToolError::Denied)
    }

    async fn judge_output(
        &self,
        entry: &CatalogEntry,
        principal: &Arc<Principal>,
        value: Value,
        trail: &mut Trail,
    ) -> Result<Value, CallToolError> {
        if !self.policy.judges_output(&entry.name) {
            return Ok(value);
        }
        let judged = self.policy.decide_output(Arc::clone(&entry.name), Arc::clone(principal), value).await;
        let judged = judged.map_err(no_verdict)?;
        trail.note(judged.verdict).map_err(CallToolError::Withheld)?;
        Ok(judged.response)
    }

    /// Who the SQL sees. The provider's token is fetched only for SQL that asks for it.
    async fn sql_caller(
        &self,
        entry: &CatalogEntry,
        principal: &Principal,
        external_token: Option<Secret>,
    ) -> Result<SqlCaller, CallToolError> {
        let Some(user) = &principal.user else { return Ok(SqlCaller::default()) };
        let external_token = match (&principal.session_id, external_token) {
            _ if !entry.definition.needs_external_token => Secret::default(),
            (_, Some(token)) => token,
            (Some(session), None) => {
                let token = self.token_refresh.fresh_token(session.clone()).await;
                token.map_err(CallToolError::ExternalToken)?.unwrap_or_default()
            }
            (None, None) => Secret::default(),
        };
        Ok(SqlCaller {
            username: user.username.clone(),
            email: user.email.clone().unwrap_or_default(),
            provider: user.provider.clone(),
            external_token,
        })
    }
}

impl Trail {
    /// Takes a verdict into the record; the error is the reason for the caller.
    fn note(&mut self, verdict: Verdict) -> Result<(), String> {
        self.evaluated.extend(verdict.evaluated);
        if let Some(Denial { reason, detail }) = verdict.denial {
            self.decision = Some(PolicyDecision::Deny);
            self.reason = Some(detail.unwrap_or_else(|| reason.clone()));
            return Err(reason);
        }
        if let Some(action) = verdict.modified_by {
            self.decision = Some(PolicyDecision::Warn);
            self.reason = Some(format!("the response was changed by {}", action.as_str()));
        } else if self.decision.is_none() {
            self.decision = Some(PolicyDecision::Allow);
        }
        Ok(())
    }
}

/// What is run: the endpoint's own SQL, or that of the caller, which is an argument then.
fn statement(
    entry: &CatalogEntry,
    mut arguments: Vec<(String, SqlValue)>,
) -> (Arc<str>, Vec<(String, SqlValue)>, SqlAccess) {
    if entry.definition.form != EndpointForm::SqlTool(SqlSource::Argument) {
        return (Arc::clone(&entry.definition.sql), arguments, SqlAccess::Full);
    }
    let sql = arguments.iter().position(|(name, _)| name == SQL_ARGUMENT).map(|at| arguments.swap_remove(at).1);
    let sql = if let Some(SqlValue::Text(sql)) = sql { Arc::from(sql) } else { Arc::default() };
    (sql, arguments, SqlAccess::Look)
}

/// Whether this is DuckDB's name for a kind of error, such as `Conversion Error`.
fn is_error_class(text: &str) -> bool {
    text.len() <= 40 && text.ends_with(" Error") && text.chars().all(|sign| sign.is_ascii_alphabetic() || sign == ' ')
}

/// What is written down of a result. Nobody knows what in the rows of a built-in tool is sensitive.
fn recorded(entry: &CatalogEntry, value: &Arc<Value>) -> Option<Arc<Value>> {
    match entry.definition.form {
        EndpointForm::SqlTool(_) => None,
        EndpointForm::Tool | EndpointForm::Resource(_) | EndpointForm::Prompt(_) => {
            let value = entry.result.redacted(value);
            // Whoever reads the log could not read a line that goes deeper.
            let is_readable = is_within(&value, DEPTH_MAX);
            Some(if is_readable { value } else { Arc::new(Value::String(value.to_string())) })
        }
    }
}

const fn operation_type(kind: EndpointKind) -> OperationType {
    match kind {
        EndpointKind::Tool => OperationType::Tool,
        EndpointKind::Resource => OperationType::Resource,
        EndpointKind::Prompt => OperationType::Prompt,
    }
}

/// What is recorded of a name that no endpoint has. A URI holds arguments, so only its scheme is.
fn recordable(kind: EndpointKind, name: &str) -> String {
    match (kind, name.split_once(':')) {
        (EndpointKind::Resource, Some((scheme, _))) => format!("{}:…", shortened(scheme)),
        (EndpointKind::Resource, None) => "…".to_owned(),
        (EndpointKind::Tool | EndpointKind::Prompt, _) => shortened(name),
    }
}

/// The beginning of a name that somebody made up, and `…` for all that names of tools cannot hold:
/// who reads the log must not take it for another, nor a program for something to run.
fn shortened(name: &str) -> String {
    let mut clean = String::new();
    for (at, character) in name.chars().enumerate() {
        let is_possible = character.is_ascii_alphanumeric() || "_-.".contains(character);
        if is_possible && at < NAME_MAX {
            clean.push(character);
        } else if !clean.ends_with('…') {
            clean.push('…');
        }
        if at >= NAME_MAX {
            break;
        }
    }
    if clean.is_empty() { "…".to_owned() } else { clean }
}

fn no_verdict(error: PolicyError) -> CallToolError {
    match error {
        PolicyError::Unavailable(unavailable) => CallToolError::Unavailable(unavailable),
    }
}

fn audit_caller(call: &CallTool) -> AuditCaller {
    AuditCaller {
        caller_type: call.caller_type.to_owned(),
        user_id: call.principal.user.as_ref().map(|user| user.id.to_string()),
        client_id: call.principal.client_id.clone(),
        session_id: call.principal.session_id.clone(),
        trace_id: call.trace_id.clone(),
        request_id: None,
    }
}
