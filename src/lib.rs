//! The edge of mxcp.

pub mod adapters;
pub mod cli;
pub mod config;
pub mod http;
mod sql_text;
pub mod wiring;
