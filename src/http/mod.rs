//! HTTP in: routes, who may use them, pages, OAuth's endpoints and the MCP endpoint. Must not
//! decide anything that an actor owns: a handler reads, asks once, and writes.

pub mod admin;
pub mod audit;
pub mod auth;
pub mod cookies;
pub mod cors;
pub mod handover;
pub mod host_guard;
pub mod mcp;
pub mod oauth;
pub mod pages;
pub mod plain_errors;
pub mod request_id;
mod root;
pub mod routes;
pub mod server;
mod state;

pub use state::{AppState, TokenSource};
