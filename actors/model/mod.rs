//! The vocabulary: plain data, and rules about one value.
//!
//! Owns the words that every other part speaks in. Must not know mailboxes,
//! async code, HTTP, SQL, files or the time of day: a rule that needs the time
//! takes it as an argument.

pub mod allowed_target;
pub mod audit_event;
pub mod audit_filter;
pub mod audit_stats;
pub mod client;
pub mod client_assertion;
pub mod client_document;
pub mod client_id_url;
pub mod client_keys;
pub mod client_metadata;
pub mod endpoint;
pub mod field_name;
pub mod grant;
pub mod host_pattern;
pub mod ids;
pub mod json_depth;
pub mod loopback;
pub mod oauth_error;
pub mod pkce;
pub mod policy;
pub mod principal;
pub mod redirect_uri;
pub mod resource;
pub mod schema;
pub mod scope;
pub mod scope_hierarchy;
pub mod secret;
pub mod session;
pub mod signing_key;
pub mod sql_value;
pub mod timestamp;
pub mod token;
pub mod tool;
pub mod uri_template;
