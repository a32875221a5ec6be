//! What a request asks for.

use super::McpState;
use super::answer::Answer;
use super::documents::Documents;
use super::envelope::{MessageId, Params};
use super::error::Fault;
use super::raw_json::RawJson;
use super::revision::Era;
use super::subscription::Subscription;
use super::{reads, tools};
use actix_web::web::Data;
use futures_util::future::LocalBoxFuture;
use mxcp_actors::mcp_sessions::McpSession;
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::model::principal::Principal;
use mxcp_actors::tool_calls::{CallTool, CallToolError, CatalogEntry, ToolResult};
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
    /// What the caller's token does not allow.
    BeyondScopes(Arc<CatalogEntry>),
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
            (_, "tools/call") => self.call(EndpointKind::Tool),
            (_, "resources/read") if documents.listings().has(EndpointKind::Resource) => {
                self.call(EndpointKind::Resource)
            }
            (_, "prompts/get") if documents.listings().has(EndpointKind::Prompt) => self.call(EndpointKind::Prompt),
            (Era::Modern, "server/discover") => ready(documents.discovery()),
            (Era::Modern, "subscriptions/listen") => {
                Subscription::read(self.id, self.params, documents).map(Outcome::Subscription)
            }
            (Era::Legacy, "ping") => ready("{}"),
            (Era::Legacy, "initialize") => {
                let requested =
                    self.params.protocol_version.and_then(RawJson::text).ok_or_else(|| {
                        Fault::InvalidParams("params.protocolVersion is missing or no string".to_owned())
                    })?;
                let (revision, result) = documents.initialized(&requested);
                Ok(Outcome::Initialize(Answer::result_json(&self.id, result), revision))
            }
            (era, method) => match documents.listings().of(method, era, self.principal) {
                Some(listing) => self.whole_list().and_then(|()| ready(&listing)),
                None => Err(Fault::UnknownMethod(method.to_owned())),
            },
        }
    }

    /// Every list is one page.
    fn whole_list(&self) -> Result<(), Fault> {
        match self.params.cursor {
            None => Ok(()),
            Some(_) => Err(Fault::InvalidParams("the cursor is not one of this server".to_owned())),
        }
    }

    /// What is called: the name, or of a resource the URI.
    fn subject(&self, kind: EndpointKind) -> Result<String, Fault> {
        let (member, key) = match kind {
            EndpointKind::Tool | EndpointKind::Prompt => (self.params.name, "name"),
            EndpointKind::Resource => (self.params.uri, "uri"),
        };
        let subject = member.and_then(RawJson::text).map(String::from);
        subject.ok_or_else(|| Fault::InvalidParams(format!("params.{key} is missing or no string")))
    }

    fn call(self, kind: EndpointKind) -> Result<Outcome, Fault> {
        let name = self.subject(kind)?;
        if let Some(entry) = self.state.tools.catalog().beyond_scopes(kind, &name, self.principal) {
            return Ok(Outcome::BeyondScopes(Arc::clone(entry)));
        }
        let arguments = if kind == EndpointKind::Resource { None } else { self.params.arguments };
        let call = CallTool {
            principal: Arc::clone(self.principal),
            kind,
            name: name.clone(),
            arguments: read_arguments(arguments)?,
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
            let documents = &state.shared.documents;
            let answer = match kind {
                EndpointKind::Tool => tools::render(&name, &outcome, era, documents).map(|it| Answer::result(&id, &it)),
                EndpointKind::Resource => read(&name, &outcome, era, documents).map(|it| Answer::result(&id, &it)),
                EndpointKind::Prompt => use_prompt(&outcome, era, documents).map(|it| Answer::result(&id, &it)),
            };
            answer.unwrap_or_else(|fault| Answer::fault(Some(&id), &fault, era))
        })))
    }
}

fn read_arguments(json: Option<RawJson<'_>>) -> Result<Map<String, Value>, Fault> {
    match json {
        None => Ok(Map::new()),
        // Some clients write out what they leave out.
        Some(json) => serde_json::from_str::<Option<Map<String, Value>>>(json.get())
            .map(Option::unwrap_or_default)
            .map_err(|_| Fault::InvalidParams("params.arguments must be an object".to_owned())),
    }
}

fn read<'a>(
    uri: &'a str,
    outcome: &'a Result<ToolResult, CallToolError>,
    era: Era,
    documents: &'a Documents,
) -> Result<reads::ReadResource<'a>, Fault> {
    let result = outcome.as_ref().map_err(Fault::of_read)?;
    reads::contents(uri, result, era, documents).map_err(|error| {
        tracing::error!(%error, "the contents of a resource could not be written as a text");
        Fault::Failed("the contents could not be written as a text".to_owned())
    })
}

fn use_prompt<'a>(
    outcome: &'a Result<ToolResult, CallToolError>,
    era: Era,
    documents: &'a Documents,
) -> Result<reads::UsedPrompt<'a>, Fault> {
    let result = outcome.as_ref().map_err(Fault::of_read)?;
    Ok(reads::messages(result, era, documents))
}
