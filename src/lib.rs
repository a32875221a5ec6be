//! The edge of mxcp.

pub mod http;
