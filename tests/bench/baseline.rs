//! What calls are compared with: parts that this program plays in processes of their own.

use super::process::Running;
use super::queries::{self, QueryCosts};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, anyhow, ensure};
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Plays a part of this program: `answers <bytes>` or `queries <count>`.
///
/// # Errors
/// Whatever keeps it from playing.
pub(crate) fn play(part: &str, words: &[String]) -> anyhow::Result<()> {
    let number = words.first().ok_or_else(|| anyhow!("{part} needs a number"))?.parse::<usize>()?;
    match part {
        "answers" => serve_answers(number),
        "queries" => run_queries(number),
        _ => Err(anyhow!("there is no part {part}")),
    }
}

/// Starts a server whose answers are `length` bytes that never change.
///
/// # Errors
/// When it does not come up.
pub(crate) fn start_answers(length: usize) -> anyhow::Result<Running> {
    let mut command = Command::new(std::env::current_exe()?);
    Running::start(command.args(["answers", &length.to_string()]).stdin(Stdio::null()), |line| line.trim().parse().ok())
}

/// What the bare query costs, when `count` of them run in a row in a process that does nothing
/// else.
///
/// # Errors
/// When a query fails.
pub(crate) fn time_queries(count: usize) -> anyhow::Result<QueryCosts> {
    let output = Command::new(std::env::current_exe()?).args(["queries", &count.to_string()]).output()?;
    ensure!(output.status.success(), "the queries failed: {}", String::from_utf8_lossy(&output.stderr));
    let figures = String::from_utf8(output.stdout)?;
    let mut figures = figures.split_whitespace().map(str::parse);
    let mut next = || anyhow::Ok(figures.next().context("the queries told no time")??);
    Ok(QueryCosts { with_crate: next()?, with_c_api: next()?, large: next()? })
}

/// As many workers as the daemon has, which reads its requests to their end too.
fn serve_answers(length: usize) -> anyhow::Result<()> {
    let body = Bytes::from("x".repeat(length));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let app = move || {
        let body = body.clone();
        let answer = move |_: Bytes| {
            let json = HeaderValue::from_static("application/json");
            let answer = HttpResponse::Ok().insert_header((CONTENT_TYPE, json)).body(body.clone());
            std::future::ready(answer)
        };
        App::new().route("/mcp", web::post().to(answer))
    };
    let workers = std::thread::available_parallelism()?.get();
    let server = HttpServer::new(app).workers(workers).listen(listener)?.run();
    Ok(actix_web::rt::System::new().block_on(server)?)
}

fn run_queries(count: usize) -> anyhow::Result<()> {
    let costs = queries::run(count)?;
    writeln!(std::io::stdout(), "{} {} {}", costs.with_crate, costs.with_c_api, costs.large)?;
    Ok(())
}
