//! HTTP in: routes, who may use them, and the MCP endpoint. Must not decide anything that an
//! actor owns: a handler reads, asks once, and writes.

pub mod auth;
pub mod cors;
pub mod host_guard;
pub mod mcp;
pub mod request_id;
