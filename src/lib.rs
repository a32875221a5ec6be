//! The edge of mxcp.

pub mod config;
