//! What a call costs: a table of figures taken in one run, each beside a baseline or an aim.
//!
//! Absolute speeds differ from machine to machine and from hour to hour; how a call compares
//! with a static answer and with its bare query does not. So rounds of all loads take turns, and
//! a figure is the median of its rounds. The daemon is the real binary with a real login and its
//! audit log on; the baselines are processes of their own, so that nobody's CPU time is counted
//! for somebody else. Everything listens on loopback, is bounded in count and in time, and ends
//! with the run.

mod baseline;
mod daemon;
mod http;
mod kept;
mod load;
mod login;
mod measure;
mod process;
mod project;
mod queries;
mod report;

use measure::Table;
use std::process::ExitCode;

fn main() -> ExitCode {
    // `cargo bench` adds options of its own; the first other word names a part to play.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let outcome = match words.next().as_deref() {
        None => measure::run(&mut std::io::stdout(), &[Table::Calls, Table::Kept]),
        Some("calls") => measure::run(&mut std::io::stdout(), &[Table::Calls]),
        Some("kept") => measure::run(&mut std::io::stdout(), &[Table::Kept]),
        Some(part) => baseline::play(part, &words.collect::<Vec<_>>()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}
