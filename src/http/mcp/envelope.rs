//! JSON-RPC 2.0 as MCP uses it: one message per POST, read once, without copying its parts.

use super::error::Fault;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A message that a client may send. Its parts borrow from the body.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// Wants an answer.
    Request {
        /// To be repeated in the answer.
        id: MessageId,
        /// What to do.
        method: Cow<'a, str>,
        /// With what.
        params: Params<'a>,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: Cow<'a, str>,
        /// The details.
        params: Params<'a>,
    },
}

/// The identifier of a request: the JSON text of a string or a whole number, sent back as it
/// came, so that `1` stays `1` and `"1"` stays `"1"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MessageId(Box<str>);

impl MessageId {
    /// The identifier as JSON.
    pub(super) fn as_json(&self) -> &str {
        &self.0
    }

    /// Takes a string or a whole number; `None` for anything else, null included.
    pub(super) fn parse(json: &RawValue) -> Option<Self> {
        let text = json.get();
        let is_whole_number = || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        (text.starts_with('"') || is_whole_number()).then(|| Self(text.into()))
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}

/// What methods of this server look at. Everything is kept as JSON text: a part of the wrong
/// type is the fault of the method that needs it, not of the message.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params<'a> {
    #[serde(rename = "_meta", borrow)]
    pub(super) meta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) uri: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) protocol_version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) notifications: Option<&'a RawValue>,
}

/// The members of a message, whatever kind it is.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    // A null identifier must be told from none, so `Option` alone does not do.
    #[serde(default, borrow, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Why a body is no message, and the identifier if that could be read.
pub(super) type BadMessage = (Option<MessageId>, Fault);

impl<'a> Message<'a> {
    /// Reads the body of a POST.
    ///
    /// # Errors
    /// When it is not one request or notification.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, BadMessage> {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => {}
            Some(b'[') => return Err((None, not_a_message("batches are not supported; send one message per POST"))),
            Some(_) | None => return Err((None, Fault::NotJson)),
        }
        let members: Members<'a> = serde_json::from_slice(body).map_err(|error| {
            let fault = if error.is_data() { not_a_message("a member is given twice") } else { Fault::NotJson };
            (None, fault)
        })?;
        let id = members.id.and_then(MessageId::parse);
        Self::from_members(&members, id.clone()).map_err(|fault| (id, fault))
    }

    fn from_members(members: &Members<'a>, id: Option<MessageId>) -> Result<Self, Fault> {
        if members.jsonrpc.is_none_or(|version| version.get() != "\"2.0\"") {
            return Err(not_a_message("the member jsonrpc must be \"2.0\""));
        }
        if members.result.is_some() || members.error.is_some() {
            return Err(not_a_message("this server asks nothing of clients, so it takes no answers"));
        }
        let method = members.method.ok_or_else(|| not_a_message("the member method is missing"))?;
        let method = text(method).ok_or_else(|| not_a_message("the member method must be a string"))?;
        let params = match members.params {
            None => Params::default(),
            Some(json) if json.get().starts_with('{') => serde_json::from_str(json.get())
                .map_err(|_| Fault::MalformedParams("a member of params is given twice".to_owned()))?,
            Some(_) => return Err(Fault::MalformedParams("params must be an object".to_owned())),
        };
        match id {
            Some(id) => Ok(Self::Request { id, method, params }),
            None if members.id.is_none() => Ok(Self::Notification { method, params }),
            None => Err(not_a_message("the member id must be a string or a whole number")),
        }
    }
}

fn not_a_message(why: &'static str) -> Fault {
    Fault::NotAMessage(why)
}

/// The text of a JSON string, borrowed where it has no escapes; `None` for any other value.
pub(super) fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let inner = json.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(json.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(body: &str) -> (Option<String>, Fault) {
        let (id, fault) = Message::parse(body.as_bytes()).unwrap_err();
        (id.map(|id| id.as_json().to_owned()), fault)
    }

    #[test]
    fn an_identifier_keeps_its_type_and_spelling() {
        for id in ["1", "-7", "\"1\"", "\"a\\u00e9\"", "12345678901234567890"] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let Message::Request { id: read, method, .. } = Message::parse(body.as_bytes()).unwrap() else { panic!() };
            assert_eq!((read.as_json(), method.as_ref()), (id, "ping"));
        }
    }

    #[test]
    fn null_fractions_and_lists_are_no_identifiers() {
        for id in ["null", "1.5", "1e3", "true", "[1]", "{}"] {
            let (read, fault) = fault_of(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
            assert!(read.is_none(), "{id}");
            assert!(matches!(fault, Fault::NotAMessage(_)), "{id}: {fault:?}");
        }
    }

    #[test]
    fn a_message_without_identifier_is_a_notification() {
        let message = Message::parse(br#" {"jsonrpc":"2.0","method":"notifications/initialized"}"#).unwrap();
        assert!(matches!(message, Message::Notification { .. }));
    }

    #[test]
    fn what_is_no_message_is_told_from_what_is_no_json() {
        assert!(matches!(fault_of("").1, Fault::NotJson));
        assert!(matches!(fault_of("nonsense").1, Fault::NotJson));
        assert!(matches!(fault_of(r#"{"jsonrpc":"2.0","#).1, Fault::NotJson));
        assert!(matches!(fault_of("[]").1, Fault::NotAMessage(_)));
        assert!(matches!(fault_of(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#).1, Fault::NotAMessage(_)));
        assert!(matches!(fault_of(r#"{"jsonrpc":"2.0","id":1,"result":null}"#).1, Fault::NotAMessage(_)));
        assert!(matches!(fault_of(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#).1, Fault::NotAMessage(_)));
    }

    #[test]
    fn a_fault_behind_the_identifier_names_it() {
        let (id, fault) = fault_of(r#"{"jsonrpc":"2.0","id":"x","method":"ping","params":[1]}"#);
        assert_eq!(id.as_deref(), Some("\"x\""));
        assert!(matches!(fault, Fault::MalformedParams(_)), "{fault:?}");
    }
}
