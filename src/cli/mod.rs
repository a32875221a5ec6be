//! The commands.

pub mod json_output;
pub mod log;
