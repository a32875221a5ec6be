//! Tests of the whole daemon.

mod mcp_protocol;
