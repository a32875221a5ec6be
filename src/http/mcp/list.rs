//! A list that shows each caller what they could call.

use super::revision::Era;
use mxcp_actors::model::principal::Principal;
use mxcp_actors::model::scope::ScopeSet;
use serde::Serialize;
use serde::ser::Error as _;
use std::borrow::Cow;

/// What is listed, rendered once, with what its callers need.
#[derive(Debug)]
pub(super) struct List {
    modern: Frame,
    legacy: Frame,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    needed: ScopeSet,
    json: String,
}

/// What a list is in one era: around its items, and with all of them.
#[derive(Debug)]
struct Frame {
    before: String,
    after: String,
    whole: String,
}

impl List {
    /// The list that `modern` and `legacy`, which are JSON and empty, are with `items` as their `key`.
    ///
    /// # Errors
    /// When something cannot be written as JSON.
    pub(super) fn new<T: Serialize>(
        key: &str,
        (modern, legacy): (&str, &str),
        items: impl Iterator<Item = (ScopeSet, T)>,
    ) -> Result<Self, serde_json::Error> {
        let item = |(needed, item)| Ok(Item { needed, json: serde_json::to_string(&item)? });
        let items = items.map(item).collect::<Result<Vec<_>, serde_json::Error>>()?;
        Ok(Self { modern: Frame::new(key, modern, &items)?, legacy: Frame::new(key, legacy, &items)?, items })
    }

    /// What `caller` can call, now or after a new login.
    pub(super) fn shown_to(&self, caller: &Principal, era: Era) -> Cow<'_, str> {
        let frame = match era {
            Era::Modern => &self.modern,
            Era::Legacy => &self.legacy,
        };
        if self.items.iter().all(|item| caller.could_hold(&item.needed)) {
            return Cow::Borrowed(&frame.whole);
        }
        Cow::Owned(frame.around(self.items.iter().filter(|item| caller.could_hold(&item.needed))))
    }
}

impl Frame {
    fn new(key: &str, empty: &str, items: &[Item]) -> Result<Self, serde_json::Error> {
        let place = format!("\"{key}\":[");
        let unexpected = || serde_json::Error::custom("a list is not written as expected");
        let (before, after) = empty.split_once(&format!("{place}]")).ok_or_else(unexpected)?;
        let mut frame = Self { before: format!("{before}{place}"), after: format!("]{after}"), whole: String::new() };
        frame.whole = frame.around(items.iter());
        Ok(frame)
    }

    fn around<'i>(&self, items: impl Iterator<Item = &'i Item>) -> String {
        let items: Vec<&str> = items.map(|item| item.json.as_str()).collect();
        [&self.before, items.join(",").as_str(), &self.after].concat()
    }
}

/// Renders a list of the vocabulary for both eras. Private to each caller, because what is listed
/// depends on who asks.
macro_rules! list {
    ($result:ident, $key:literal, $items:expr, $server:expr) => {{
        let mut empty = $result::with_all_items(Vec::new());
        empty.result_type = None;
        let legacy = serde_json::to_string(&empty)?;
        empty.result_type = $result::default().result_type;
        empty.meta = Some($server.clone());
        let empty =
            empty.with_ttl_ms($crate::http::mcp::documents::TTL_MS).with_cache_scope(rmcp::model::CacheScope::Private);
        $crate::http::mcp::list::List::new($key, (&serde_json::to_string(&empty)?, &legacy), $items)?
    }};
}

pub(super) use list;

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::model::scope_hierarchy::Reach;

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn everybody_is_shown_what_they_could_call() {
        let items = [("", "a"), ("read", "b"), ("read write", "c")];
        let items = items.into_iter().map(|(needed, item)| (scopes(needed), item));
        let list = List::new("xs", (r#"{"xs":[],"m":1}"#, r#"{"xs":[]}"#), items).unwrap();
        let shown = |reach: Reach, era| list.shown_to(&Principal { reach, ..Principal::anonymous() }, era).into_owned();
        assert_eq!(shown(Reach::Everything, Era::Modern), r#"{"xs":["a","b","c"],"m":1}"#);
        assert_eq!(shown(Reach::Only(scopes("read")), Era::Modern), r#"{"xs":["a","b"],"m":1}"#);
        assert_eq!(shown(Reach::Only(scopes("write")), Era::Legacy), r#"{"xs":["a"]}"#);
    }

    #[test]
    fn a_list_that_looks_otherwise_is_an_error_and_not_a_list_without_scopes() {
        assert!(List::new("xs", (r#"{"ys":[]}"#, r#"{"xs":[]}"#), std::iter::empty::<(ScopeSet, u8)>()).is_err());
    }
}
