//! The edge of mxcp.

pub mod adapters;
pub mod cli;
pub mod config;
pub mod http;
pub mod wiring;
