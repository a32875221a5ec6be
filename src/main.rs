//! The daemon and its commands.

use clap::Parser as _;
use mxcp::cli::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    mxcp::cli::run(Arguments::parse())
}
