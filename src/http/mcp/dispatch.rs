//! What a request asks for.

use super::McpState;
use super::answer::Answer;
use super::envelope::{MessageId, Params, text};
use super::error::Fault;
use super::revision::Era;
use super::subscription::Subscription;
use super::tools;
use actix_web::web::Data;
use futures_util::future::LocalBoxFuture;
use mxcp_actors::mcp_sessions::McpSession;
use mxcp_actors::model::principal::Principal;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::tool_calls::CallTool;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A request whose headers, revision and session are in order.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) state: &'a Data<McpState>,
    pub(super) principal: &'a Arc<Principal>,
    pub(super) session: Option<Arc<McpSession>>,
    pub(super) era: Era,
    pub(super) id: MessageId,
    pub(super) method: &'a str,
    pub(super) params: &'a Params<'a>,
    pub(super) trace_id: Option<String>,
}

/// What becomes of a request.
pub(super) enum Outcome {
    /// The answer is there.
    Ready(Answer),
    /// The answer of a handshake, and the revision that it agrees on.
    Initialize(Answer, &'static str),
    /// A call that takes its time.
    Call(LocalBoxFuture<'static, Answer>),
    /// The caller's token does not allow it.
    MissingScopes {
        /// What they called.
        operation: String,
        /// What it needs, beyond what everything needs.
        needed: ScopeSet,
    },
    /// A stream that stays open.
    Subscription(Subscription),
}

impl Request<'_> {
    /// Does what the method says.
    ///
    /// # Errors
    /// When there is no such method in this era, or its parameters make no sense.
    pub(super) fn dispatch(self) -> Result<Outcome, Fault> {
        let documents = &self.state.shared.documents;
        let ready = |result: &str| Ok(Outcome::Ready(Answer::result_json(&self.id, result)));
        match (self.era, self.method) {
            (_, "tools/call") => self.call_tool(),
            (_, "tools/list") => match self.params.cursor {
                None => ready(&documents.tools(self.era, self.principal)),
                Some(_) => Err(Fault::InvalidParams("the cursor is not one of this server".to_owned())),
            },
            (Era::Modern, "server/discover") => ready(documents.discovery()),
            (Era::Modern, "subscriptions/listen") => {
                Subscription::read(self.id, self.params, documents).map(Outcome::Subscription)
            }
            (Era::Legacy, "ping") => ready("{}"),
            (Era::Legacy, "initialize") => {
                let requested =
                    self.params.protocol_version.and_then(text).ok_or_else(|| {
                        Fault::InvalidParams("params.protocolVersion is missing or no string".to_owned())
                    })?;
                let (revision, result) = documents.initialized(&requested);
                Ok(Outcome::Initialize(Answer::result_json(&self.id, result), revision))
            }
            (_, method) => Err(Fault::UnknownMethod(method.to_owned())),
        }
    }

    fn call_tool(self) -> Result<Outcome, Fault> {
        let name = self.params.name.and_then(text).map(String::from);
        let name = name.ok_or_else(|| Fault::InvalidParams("params.name is missing or no string".to_owned()))?;
        if let Some(needed) = self.state.tools.catalog().missing_scopes(&name, self.principal) {
            let needed = needed.clone();
            return Ok(Outcome::MissingScopes { operation: name, needed });
        }
        let call = CallTool {
            principal: Arc::clone(self.principal),
            name: name.clone(),
            arguments: arguments(self.params.arguments)?,
            caller_type: "http",
            trace_id: self.trace_id,
            external_token: None,
        };
        let (state, id, era) = (Data::clone(self.state), self.id, self.era);
        let sessions = state.shared.sessions.as_ref();
        let in_flight =
            self.session.and_then(|session| sessions.map(|sessions| sessions.begin_call(&session, id.as_json())));
        Ok(Outcome::Call(Box::pin(async move {
            let outcome = match in_flight {
                None => state.tools.call_tool(call).await,
                Some(mut in_flight) => tokio::select! {
                    outcome = state.tools.call_tool(call) => outcome,
                    () = in_flight.cancelled() => return Answer::none(),
                },
            };
            match tools::render(&name, &outcome, era, &state.shared.documents) {
                Ok(result) => Answer::result(&id, &result),
                Err(fault) => Answer::fault(Some(&id), &fault, era),
            }
        })))
    }
}

fn arguments(json: Option<&RawValue>) -> Result<Map<String, Value>, Fault> {
    match json {
        None => Ok(Map::new()),
        // Some clients write out what they leave out.
        Some(json) => serde_json::from_str::<Option<Map<String, Value>>>(json.get())
            .map(Option::unwrap_or_default)
            .map_err(|_| Fault::InvalidParams("params.arguments must be an object".to_owned())),
    }
}
