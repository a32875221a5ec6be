//! The daemon and its commands.

use clap::Parser as _;
use mxcp::cli::Arguments;
use std::process::ExitCode;

/// Serves DuckDB too: a program's `malloc` is also that of the libraries that it loads. A small
/// query is hundreds of small allocations, on which the system's allocator spends a third of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mxcp::cli::run(Arguments::parse())
}
