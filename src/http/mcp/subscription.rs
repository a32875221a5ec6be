//! `subscriptions/listen`: the stream on which a client hears of changes (MCP 2026-07-28,
//! subscriptions).
//!
//! The acknowledgement names what the client will hear of, which is what it asks for and the
//! server declares. Today that is nothing, since tools change only with a restart; the stream is
//! kept open all the same, because a client whose subscription ends at once opens the next one
//! at once. When the server stops the stream ends with a result, which tells the client that
//! this was meant. When its token ends there is none: the client tries again, is challenged, and
//! comes back with a new token.

use super::answer::{Answer, COMMENT, event, event_stream};
use super::documents::Documents;
use super::envelope::{MessageId, Params};
use super::error::Fault;
use super::open_stream::{OpenStream, Sign};
use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::ready;
use futures_util::stream::{once, unfold};
use rmcp::model::{MetaObject, ResultType, SubscriptionFilter};
use serde::Serialize;

/// A subscription that is about to begin.
#[derive(Debug)]
pub(super) struct Subscription {
    id: MessageId,
    honored: SubscriptionFilter,
}

#[derive(Serialize)]
struct Acknowledgement<'a> {
    jsonrpc: &'static str,
    method: &'static str,
    params: AcknowledgementParams<'a>,
}

#[derive(Serialize)]
struct AcknowledgementParams<'a> {
    #[serde(rename = "_meta")]
    meta: SubscriptionMeta<'a>,
    notifications: &'a SubscriptionFilter,
}

/// The last message of a subscription, as [`rmcp::model::SubscriptionsListenResult`] has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Closing<'a> {
    result_type: ResultType,
    #[serde(rename = "_meta")]
    meta: SubscriptionMeta<'a>,
}

/// Which subscription a message belongs to: the identifier of the request that began it, spelt
/// as it came.
#[derive(Serialize)]
struct SubscriptionMeta<'a> {
    #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
    id: &'a MessageId,
    #[serde(flatten)]
    server: Option<&'a MetaObject>,
}

impl Subscription {
    /// Reads what a client wants to hear of.
    ///
    /// # Errors
    /// When it does not say so.
    pub(super) fn read(id: MessageId, params: &Params<'_>, documents: &Documents) -> Result<Self, Fault> {
        let asked = params.notifications.and_then(|json| serde_json::from_str::<SubscriptionFilter>(json.get()).ok());
        let asked = asked.ok_or_else(|| {
            let text = "params.notifications is missing, or not an object of true, false and lists of URIs";
            Fault::InvalidParams(text.to_owned())
        })?;
        Ok(Self { id, honored: documents.honored(&asked) })
    }

    /// The stream: the acknowledgement, signs of life, and a result when the server stops.
    pub(super) fn respond(self, stream: OpenStream) -> HttpResponse {
        let acknowledgement = once(ready(Ok(self.acknowledgement())));
        let rest = unfold(Some((self, stream)), |open| async {
            let (subscription, stream) = open?;
            match stream.next_sign().await {
                Sign::Quiet => Some((Ok(COMMENT), Some((subscription, stream)))),
                Sign::Refused => None,
                Sign::Stopping => {
                    let closing = subscription.closing(&stream.state().shared.documents);
                    Some((Ok(closing.into_event()), None))
                }
            }
        });
        event_stream(acknowledgement.chain(rest))
    }

    fn acknowledgement(&self) -> Bytes {
        let acknowledgement = Acknowledgement {
            jsonrpc: "2.0",
            method: "notifications/subscriptions/acknowledged",
            params: AcknowledgementParams {
                meta: SubscriptionMeta { id: &self.id, server: None },
                notifications: &self.honored,
            },
        };
        // Texts and plain data always serialize.
        event(&serde_json::to_vec(&acknowledgement).unwrap_or_default())
    }

    fn closing(&self, documents: &Documents) -> Answer {
        let meta = SubscriptionMeta { id: &self.id, server: Some(documents.server_meta()) };
        Answer::result(&self.id, &Closing { result_type: ResultType::COMPLETE, meta })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::mcp::raw_json::RawJson;
    use rmcp::model::{
        RequestId, SubscriptionsAcknowledgedNotificationParams, SubscriptionsListenResult,
        SubscriptionsListenResultMeta,
    };
    use serde_json::{Value, json};

    fn subscription(id: &str) -> Subscription {
        let id = MessageId::parse(RawJson::parse(id.as_bytes()).unwrap()).unwrap();
        Subscription { id, honored: SubscriptionFilter::builder().tools_list_changed().build() }
    }

    fn data(event: &Bytes) -> Value {
        let text = std::str::from_utf8(event).unwrap();
        serde_json::from_str(text.strip_prefix("event: message\ndata: ").unwrap().strip_suffix("\n\n").unwrap())
            .unwrap()
    }

    #[test]
    fn the_acknowledgement_is_what_the_vocabulary_says() {
        let message = data(&subscription("\"listen-1\"").acknowledgement());
        assert_eq!(message["method"], "notifications/subscriptions/acknowledged");
        assert!(message.get("id").is_none(), "a notification has no identifier: {message}");
        let params: SubscriptionsAcknowledgedNotificationParams =
            serde_json::from_value(message["params"].clone()).unwrap();
        assert_eq!(params.meta.unwrap().subscription_id(), Some(RequestId::String("listen-1".into())));
        assert_eq!(message["params"]["notifications"], json!({"toolsListChanged": true}));
    }

    #[test]
    fn the_end_is_what_the_vocabulary_says() {
        let documents = Documents::new(&mxcp_actors::tool_calls::ToolCatalog::default(), None).unwrap();
        let message = data(&subscription("7").closing(&documents).into_event());
        assert_eq!(message["id"], 7);
        let result: SubscriptionsListenResult = serde_json::from_value(message["result"].clone()).unwrap();
        let known = SubscriptionsListenResultMeta::new(RequestId::Number(7));
        assert_eq!(result.meta.subscription_id(), known.subscription_id());
        assert_eq!(result.meta.server_info().unwrap().name, "mxcp");
        assert_eq!(result.result_type, ResultType::COMPLETE);
    }

    #[test]
    fn an_identifier_beyond_all_number_types_is_repeated_as_it_came() {
        let event = subscription("123456789012345678901234567890").acknowledgement();
        let text = std::str::from_utf8(&event).unwrap();
        assert!(text.contains("subscriptionId\":123456789012345678901234567890}"), "{text}");
    }
}
