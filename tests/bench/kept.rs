//! What keeping state costs: changes per second by how many come at once, and a start with many
//! sessions in the store.

use super::daemon;
use super::http::Connection;
use super::load::Target;
use super::measure::modern_call;
use super::process::{Running, holdings};
use super::project::{Project, SMALL, USERNAME};
use super::report::{Aim, Line};
use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use mxcp::adapters::persistence::{KeySource, PersistenceSettings, StoreKind, Stores, Surroundings, key_file_of};
use mxcp::adapters::system::{SystemClock, SystemEntropy};
use mxcp_actors::model::ids::{SessionId, UserId};
use mxcp_actors::model::principal::User;
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::session::Session;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::Rotation;
use mxcp_actors::ports::StoreError;
use mxcp_actors::ports::clock::Clock as _;
use mxcp_actors::ports::session_store::TokenChange;
use mxcp_actors::testkit::samples;
use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Sessions in the store of the large start.
const SESSIONS: usize = 100_000;
/// How many changes are made for a figure.
const CHANGES: usize = 1_500;
/// How many come at once: alone, and as on a busy server.
const AT_ONCE: [usize; 3] = [1, 16, 64];
const SYNCS: u32 = 300;
const CALLS: usize = 8_000;
const DAY: Duration = Duration::from_hours(24);

/// Measures all.
///
/// # Errors
/// When something fails that was to be measured.
pub(crate) async fn measure() -> anyhow::Result<Vec<Line>> {
    let mut lines = changes().await?;
    lines.extend(start_with_sessions().await?);
    Ok(lines)
}

fn line(what: &'static str, figure: f64, unit: &'static str) -> Line {
    Line { what, figure, unit, aim: Aim::None }
}

fn open(path: &Path) -> anyhow::Result<Stores> {
    let surroundings = Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) };
    let keys = KeySource::File(key_file_of(path));
    Ok(Stores::open(&PersistenceSettings { kind: StoreKind::Sqlite, path: path.to_owned(), keys }, &surroundings)?)
}

/// Changes per second, by how many come at once.
async fn changes() -> anyhow::Result<Vec<Line>> {
    let folder = tempfile::TempDir::new()?;
    let stores = &open(&folder.path().join("oauth.db"))?;
    let mut lines = vec![line("write and fsync of 4 KiB, one after the other", syncs_per_second(folder.path())?, "/s")];
    let names = [
        ["registrations, one at a time", "  16 at once", "  64 at once"],
        ["logins (7 changes), one at a time", "  16 at once", "  64 at once"],
        ["refreshes, one at a time", "  16 at once", "  64 at once"],
    ];
    let [registrations, logins, refreshes] = names;
    for (what, at_once) in registrations.into_iter().zip(AT_ONCE) {
        lines.push(line(what, rate(at_once, CHANGES, |n| register(stores, format!("{at_once}-{n}"))).await?, "/s"));
    }
    for (what, at_once) in logins.into_iter().zip(AT_ONCE) {
        lines.push(line(what, rate(at_once, CHANGES / 5, |n| log_in(stores, format!("{at_once}-{n}"))).await?, "/s"));
    }
    for (what, at_once) in refreshes.into_iter().zip(AT_ONCE) {
        // Each is the next in the line of its own session.
        let sessions = CHANGES / 5;
        lines.push(line(what, rate(at_once, sessions, |n| refresh(stores, format!("{at_once}-{n}"))).await?, "/s"));
    }
    Ok(lines)
}

fn syncs_per_second(folder: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(folder.join("syncs"))?;
    let started = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
    }
    Ok(f64::from(SYNCS) / started.elapsed().as_secs_f64())
}

/// Does `count` things, `at_once` at a time, and tells how many per second.
async fn rate<F: Future<Output = Result<(), StoreError>>>(
    at_once: usize,
    count: usize,
    act: impl Fn(usize) -> F,
) -> anyhow::Result<f64> {
    let started = Instant::now();
    let lanes = (0..at_once).map(|lane| {
        let act = &act;
        async move {
            for number in (lane..count).step_by(at_once) {
                act(number).await?;
            }
            Ok::<(), StoreError>(())
        }
    });
    try_join_all(lanes).await?;
    Ok(f64::from(u32::try_from(count)?) / started.elapsed().as_secs_f64())
}

async fn register(stores: &Stores, name: String) -> Result<(), StoreError> {
    stores.clients.insert_client(samples::client(&name)).await
}

/// What a login changes, in the order in which it does.
async fn log_in(stores: &Stores, name: String) -> Result<(), StoreError> {
    let soon = SystemClock.now() + Duration::from_mins(5);
    stores.grants.insert_login(samples::pending_login(&name, soon)).await?;
    stores.grants.take_login(TokenHash::of(&name)).await?;
    stores.grants.put_consent(samples::consent("ada", soon)).await?;
    stores.grants.insert_code(samples::code(&name, &name, soon)).await?;
    stores.grants.redeem_code(TokenHash::of(&name)).await?;
    stores.sessions.insert_session(samples::session(&name, "ada", SystemClock.now())).await?;
    stores.sessions.change_tokens(SessionId::new(&name), tokens(&name, "", None)).await?;
    Ok(())
}

async fn refresh(stores: &Stores, name: String) -> Result<(), StoreError> {
    let is_applied = stores.sessions.change_tokens(SessionId::new(&name), tokens(&name, "next", Some(""))).await?;
    if is_applied { Ok(()) } else { Err(StoreError { detail: format!("{name} was not refreshed") }) }
}

/// New tokens, in place of those of `used`.
fn tokens(session: &str, name: &str, used: Option<&str>) -> TokenChange {
    let end = SystemClock.now() + DAY;
    let rotation = Rotation {
        rotated_at: SystemClock.now(),
        salt: "c2FsdA".to_owned(),
        scopes: samples::scopes("mxcp:access"),
        access_expires_at: end,
        is_claim: false,
    };
    TokenChange {
        rotated: used.map(|used| (TokenHash::of(&format!("refresh-{session}-{used}")), rotation)),
        access: samples::access_token(&access_token(session, name), session, end),
        refresh: Some(samples::refresh_token(&format!("refresh-{session}-{name}"), session, end)),
        idle_expires_at: end,
        claimed_by: None,
    }
}

fn access_token(session: &str, name: &str) -> String {
    format!("access-{session}-{name}")
}

/// How a daemon with many sessions compares with one without any.
async fn start_with_sessions() -> anyhow::Result<Vec<Line>> {
    let (empty, full) = (Project::create_kept()?, Project::create_kept()?);
    // A port of its own for each, because tokens are bound to the address.
    let start = |project: &Project| daemon::start(project);
    let (port, folder) = (start(&full)?.address, full.folder().join("kept"));
    fill(&folder.join("oauth.db"), port).await?;
    let mut starts = (Vec::new(), Vec::new());
    for _ in 0..3 {
        starts.0.push(daemon::time_to_first_answer(&empty).await?.as_secs_f64() * 1e3);
        starts.1.push(daemon::time_to_first_answer(&full).await?.as_secs_f64() * 1e3);
    }
    let middle = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let (without, with) = (start(&empty)?, daemon::start_at(&full, port.port())?);
    let memory = (holdings(without.id())?.resident, holdings(with.id())?.resident);
    let cost = |daemon: &Running, token: &str, status: u16| {
        let request = modern_call(daemon.address, token, SMALL);
        Target { address: daemon.address, process: daemon.id(), request, status }
    };
    let token = access_token("s-77777", "");
    let mut connection = Connection::open(with.address).await?;
    let (status, text) = connection.fetch(&modern_call(with.address, &token, SMALL)).await?;
    ensure!(status == 200, "a stored session does not work: {status}: {text}");
    let wrong = "x".repeat(43);
    let refusals = (
        cost(&without, &wrong, 401).load(CALLS).await?.cpu_micros,
        cost(&with, &wrong, 401).load(CALLS).await?.cpu_micros,
    );
    let call = cost(&with, &token, 200).load(CALLS).await?;
    Ok(vec![
        line("start with an empty store", middle(starts.0), "ms"),
        Line { what: "start with 100,000 sessions", figure: middle(starts.1), unit: "ms", aim: Aim::Below(500.0) },
        line("memory when idle, empty store", memory.0, "MiB"),
        Line { what: "  more with 100,000 sessions", figure: memory.1 - memory.0, unit: "MiB", aim: Aim::Below(150.0) },
        line("CPU of a refusal with 100,000 sessions : with none", refusals.1 / refusals.0, ""),
        line("call of one of 100,000 sessions, CPU", call.cpu_micros, "us"),
    ])
}

/// Puts the sessions into a store, as if their people had logged in at `address`.
async fn fill(path: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let stores = open(path)?;
    let resource = Resource::parse(&format!("http://{address}/mcp")).context("an address that is no URL")?;
    let now = SystemClock.now();
    let sessions = (0..SESSIONS).map(|number| stored(&format!("s-{number}"), now, &resource));
    let mut sessions = sessions.peekable();
    while sessions.peek().is_some() {
        let some: Vec<Session> = sessions.by_ref().take(2_000).collect();
        let ids: Vec<SessionId> = some.iter().map(|session| session.id.clone()).collect();
        try_join_all(some.into_iter().map(|session| stores.sessions.insert_session(session))).await?;
        let given = ids.into_iter().map(|id| {
            let change = tokens(id.as_str(), "", None);
            stores.sessions.change_tokens(id, change)
        });
        try_join_all(given).await?;
    }
    Ok(())
}

fn stored(id: &str, now: Timestamp, resource: &Resource) -> Session {
    let session = samples::session(id, USERNAME, now);
    let user = User {
        id: UserId::of("local", USERNAME),
        provider: "local".to_owned(),
        subject: USERNAME.to_owned(),
        ..session.user
    };
    Session {
        user,
        scopes: samples::scopes("mxcp:access"),
        resource: resource.clone(),
        idle_expires_at: now + DAY,
        expires_at: now + DAY,
        ..session
    }
}
