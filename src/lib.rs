//! The edge of mxcp.

pub mod adapters;
