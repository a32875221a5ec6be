//! JSON-RPC 2.0 as MCP uses it: one message per POST, read once, without copying its parts.

use super::error::Fault;
use super::raw_json::{NoMembers, RawJson};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
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
    pub(super) fn parse(json: RawJson<'_>) -> Option<Self> {
        let text = json.get();
        let is_whole_number = || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        (text.starts_with('"') || is_whole_number()).then(|| Self(text.into()))
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(number) = self.0.parse::<i128>() {
            return serializer.serialize_i128(number);
        }
        let text: String = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

/// What methods of this server look at. Everything is kept as JSON text: a part of the wrong
/// type is the fault of the method that needs it, not of the message.
#[derive(Debug, Default)]
pub(super) struct Params<'a> {
    pub(super) meta: Option<RawJson<'a>>,
    pub(super) name: Option<RawJson<'a>>,
    pub(super) uri: Option<RawJson<'a>>,
    pub(super) arguments: Option<RawJson<'a>>,
    pub(super) cursor: Option<RawJson<'a>>,
    pub(super) protocol_version: Option<RawJson<'a>>,
    pub(super) request_id: Option<RawJson<'a>>,
    pub(super) notifications: Option<RawJson<'a>>,
}

impl<'a> Params<'a> {
    /// # Errors
    /// When they are no object, or have one of these members twice.
    fn read(json: RawJson<'a>) -> Result<Self, Fault> {
        let names = ["_meta", "name", "uri", "arguments", "cursor", "protocolVersion", "requestId", "notifications"];
        let members = json.members(names).map_err(|why| {
            Fault::MalformedParams(match why {
                NoMembers::NotAnObject => "params must be an object".to_owned(),
                NoMembers::Repeated => "a member of params is given twice".to_owned(),
            })
        })?;
        // Some clients write out what they leave out.
        let [meta, name, uri, arguments, cursor, protocol_version, request_id, notifications] =
            members.map(|member| member.and_then(RawJson::unless_null));
        Ok(Self { meta, name, uri, arguments, cursor, protocol_version, request_id, notifications })
    }
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
        let json = RawJson::parse(body).map_err(|fault| (None, fault))?;
        let members = json.members(["jsonrpc", "id", "method", "params", "result", "error"]);
        let members = members.map_err(|_| (None, not_a_message("a member is given twice")))?;
        let [_, id, ..] = members;
        let id = id.and_then(MessageId::parse);
        Self::from_members(members, id.clone()).map_err(|fault| (id, fault))
    }

    fn from_members(
        [version, given_id, method, params, result, error]: [Option<RawJson<'a>>; 6],
        id: Option<MessageId>,
    ) -> Result<Self, Fault> {
        if version.is_none_or(|version| version.get() != "\"2.0\"") {
            return Err(not_a_message("the member jsonrpc must be \"2.0\""));
        }
        if result.is_some() || error.is_some() {
            return Err(not_a_message("this server asks nothing of clients, so it takes no answers"));
        }
        let method = method.ok_or_else(|| not_a_message("the member method is missing"))?;
        let method = method.text().ok_or_else(|| not_a_message("the member method must be a string"))?;
        let params = params.and_then(RawJson::unless_null).map_or_else(|| Ok(Params::default()), Params::read)?;
        match id {
            Some(id) => Ok(Self::Request { id, method, params }),
            // A null identifier is told from none.
            None if given_id.is_none() => Ok(Self::Notification { method, params }),
            None => Err(not_a_message("the member id must be a string or a whole number")),
        }
    }
}

fn not_a_message(why: &'static str) -> Fault {
    Fault::NotAMessage(why)
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
