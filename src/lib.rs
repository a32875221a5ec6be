//! The edge of mxcp.
