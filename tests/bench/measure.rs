//! The run: rounds of all loads in turn, and what comes out of them.

use super::http::{Connection, Request};
use super::load::{Load, Target};
use super::process::{Holdings, Running, holdings};
use super::project::{LARGE, Project, SMALL, Tool};
use super::queries::QueryCosts;
use super::report::{self, Aim, Line};
use super::{baseline, daemon, kept, login};
use anyhow::ensure;
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;

/// Odd, so that there is a middle one.
const ROUNDS: usize = 3;
const STARTS: usize = 7;
const CALLS: usize = 16_000;
const REFUSALS: usize = 48_000;
const LARGE_CALLS: usize = 1_600;
const QUERIES: usize = 30_000;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    /// Calls, refusals, size and start.
    Calls,
    /// Keeping state.
    Kept,
}

/// What one round gave.
#[derive(Clone, Copy, Debug)]
struct Round {
    static_answer: Load,
    modern: Load,
    legacy: Load,
    large: Load,
    refusal: Load,
    query: QueryCosts,
}

/// Measures and prints some tables.
///
/// # Errors
/// When something fails that was to be measured.
pub(crate) fn run(out: &mut dyn Write, tables: &[Table]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for table in tables {
        let lines = match table {
            Table::Calls => runtime.block_on(measure())?,
            Table::Kept => runtime.block_on(kept::measure())?,
        };
        report::print(out, &lines)?;
    }
    Ok(())
}

async fn measure() -> anyhow::Result<Vec<Line>> {
    let project = Project::create()?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(daemon::time_to_first_answer(&project).await?.as_secs_f64() * 1e3);
    }
    let daemon = daemon::start(&project)?;
    let idle = holdings(daemon.id())?;
    let token = login::log_in(daemon.address, &project).await?;
    let answer = check(daemon.address, &token).await?;
    let answers = baseline::start_answers(answer.len())?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(&daemon, &answers, &token).await?);
    }
    let loaded = holdings(daemon.id())?;
    Ok(lines(&rounds, &starts, idle, loaded))
}

/// Makes sure that what is measured is the right answer.
async fn check(address: SocketAddr, token: &str) -> anyhow::Result<String> {
    let mut connection = Connection::open(address).await?;
    let (status, legacy) = connection.fetch(&legacy_call(address, token)).await?;
    ensure!(status == 200 && answer_of(&legacy) == Some(42), "a legacy call gave {status}: {legacy}");
    let (status, modern) = connection.fetch(&modern_call(address, token, SMALL)).await?;
    ensure!(status == 200 && answer_of(&modern) == Some(42), "a call gave {status}: {modern}");
    Ok(modern)
}

fn answer_of(message: &str) -> Option<i64> {
    serde_json::from_str::<Value>(message).ok()?.pointer("/result/structuredContent/result")?.as_i64()
}

async fn round(daemon: &Running, answers: &Running, token: &str) -> anyhow::Result<Round> {
    let at = |process: &Running, request: Request, status: u16| Target {
        address: process.address,
        process: process.id(),
        request,
        status,
    };
    let wrong_token = "x".repeat(token.len());
    Ok(Round {
        static_answer: at(answers, modern_call(answers.address, token, SMALL), 200).load(CALLS).await?,
        modern: at(daemon, modern_call(daemon.address, token, SMALL), 200).load(CALLS).await?,
        large: at(daemon, modern_call(daemon.address, token, LARGE), 200).load(LARGE_CALLS).await?,
        query: baseline::time_queries(QUERIES)?,
        legacy: at(daemon, legacy_call(daemon.address, token), 200).load(CALLS).await?,
        refusal: at(daemon, modern_call(daemon.address, &wrong_token, SMALL), 401).load(REFUSALS).await?,
    })
}

pub(crate) fn modern_call(address: SocketAddr, token: &str, tool: Tool) -> Request {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool.name,
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    }});
    let headers = [
        ("Authorization", &*format!("Bearer {token}")),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", tool.name),
    ];
    Request::post(address, "/mcp", &headers, &body.to_string())
}

fn legacy_call(address: SocketAddr, token: &str) -> Request {
    let params = json!({"name": SMALL.name, "arguments": {}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let headers = [("Authorization", &*format!("Bearer {token}")), ("MCP-Protocol-Version", "2025-11-25")];
    Request::post(address, "/mcp", &headers, &body.to_string())
}

fn lines(rounds: &[Round], starts: &[f64], idle: Holdings, loaded: Holdings) -> Vec<Line> {
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let line = |what, figure, unit, aim| Line { what, figure, unit, aim };
    let plain = |what, figure: fn(&Round) -> f64, unit| line(what, of(figure), unit, Aim::None);
    vec![
        line(
            "CPU of a call : CPU of its query with the duckdb crate",
            of(|r| r.modern.cpu_micros / r.query.with_crate),
            "",
            Aim::Below(2.0),
        ),
        plain("CPU of a call : CPU of its query with the C API", |r| r.modern.cpu_micros / r.query.with_c_api, ""),
        plain("CPU of a call with 1000 rows : CPU of its query", |r| r.large.cpu_micros / r.query.large, ""),
        plain("CPU of a call : CPU of a static answer", |r| r.modern.cpu_micros / r.static_answer.cpu_micros, ""),
        plain("calls : static answers, in the same time", |r| r.modern.per_second / r.static_answer.per_second, ""),
        plain("CPU of a legacy call : CPU of a call", |r| r.legacy.cpu_micros / r.modern.cpu_micros, ""),
        plain("CPU of a refusal : CPU of a static answer", |r| r.refusal.cpu_micros / r.static_answer.cpu_micros, ""),
        plain("call", |r| r.modern.per_second, "/s"),
        plain("  CPU", |r| r.modern.cpu_micros, "us"),
        plain("  half within", |r| r.modern.median_millis, "ms"),
        line("  99 of 100 within", of(|r| r.modern.slow_millis), "ms", Aim::Below(5.0)),
        plain("legacy call", |r| r.legacy.per_second, "/s"),
        plain("  CPU", |r| r.legacy.cpu_micros, "us"),
        line("  99 of 100 within", of(|r| r.legacy.slow_millis), "ms", Aim::Below(5.0)),
        plain("call with 1000 rows", |r| r.large.per_second, "/s"),
        plain("  CPU", |r| r.large.cpu_micros, "us"),
        line("refusal of a wrong token", of(|r| r.refusal.per_second), "/s", Aim::Above(60_000.0)),
        plain("  CPU", |r| r.refusal.cpu_micros, "us"),
        plain("  in a second of the daemon's CPU", |r| 1e6 / r.refusal.cpu_micros, ""),
        plain("static answer", |r| r.static_answer.per_second, "/s"),
        plain("  CPU", |r| r.static_answer.cpu_micros, "us"),
        plain("query with the duckdb crate, CPU", |r| r.query.with_crate, "us"),
        plain("query with 1000 rows with the duckdb crate, CPU", |r| r.query.large, "us"),
        plain("query with the C API, CPU", |r| r.query.with_c_api, "us"),
        line("memory when idle", idle.resident, "MiB", Aim::Below(60.0)),
        line("  not of files", idle.anonymous, "MiB", Aim::None),
        line("memory after the load", loaded.resident, "MiB", Aim::None),
        line("  not of files", loaded.anonymous, "MiB", Aim::None),
        line("threads when idle", idle.threads, "", Aim::None),
        line("threads after the load", loaded.threads, "", Aim::None),
        line("from start to first answer", median(starts.to_vec()), "ms", Aim::Below(150.0)),
    ]
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
