//! The daemon is killed at random moments under load and started again: whatever it had
//! answered holds, nothing that was revoked or redeemed is alive again, and what was in flight
//! has happened whole or not at all.
//!
//! `MXCP_CRASH_ROUNDS` says how often it is killed (`make crash-test`).

use crate::common::{OAuthClient, Setup, TestApp, Tokens, oauth_error};
use crate::daemon_process::Serving;
use crate::persistence;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use tokio::sync::watch;

/// Enough for every run of the tests; hundreds are for `make crash-test`.
const ROUNDS_DEFAULT: u64 = 6;
/// How many people work at a time; more would be held to guess at a password together.
const WORKERS: usize = 4;
/// The most steps that are answered before the daemon is killed.
const STEPS_MAX: u64 = 60;
/// How many of each kind are remembered from round to round, so that a long run does not spend its
/// time on looking.
const REMEMBERED: usize = 40;

/// A number below `end` that nobody knows before.
fn random(end: u64) -> u64 {
    RandomState::new().build_hasher().finish() % end
}

/// Somebody who is signed in through a client.
#[derive(Clone)]
struct Login {
    client: OAuthClient,
    user: &'static str,
    tokens: Tokens,
}

/// What was answered, and what was asked without an answer.
#[derive(Default)]
struct Ledger {
    clients: Vec<OAuthClient>,
    live: Vec<Login>,
    dead: Vec<Login>,
    /// Redeemed, with what they gave.
    redeemed: Vec<(String, Login)>,
    /// Asked for and not answered yet.
    redeeming: Vec<(String, OAuthClient, &'static str)>,
    refreshing: Vec<Login>,
    revoking: Vec<Login>,
}

fn take_any<T>(from: &mut Vec<T>) -> Option<T> {
    let count = u64::try_from(from.len()).unwrap();
    (count > 0).then(|| from.swap_remove(usize::try_from(random(count)).unwrap()))
}

fn forget_oldest<T>(list: &mut Vec<T>) {
    list.drain(..list.len().saturating_sub(REMEMBERED));
}

/// One step of one person. What is asked is written down before, what is answered after.
async fn step(app: &TestApp, ledger: &RefCell<Ledger>) {
    let known = take_any(&mut ledger.borrow().clients.clone());
    match (random(10), known) {
        (0, _) | (_, None) => {
            let client = OAuthClient::register(app).await;
            ledger.borrow_mut().clients.push(client);
        }
        (1..=4, Some(client)) => sign_in(app, ledger, client).await,
        (5..=7, Some(_)) => {
            let Some(login) = take_any(&mut ledger.borrow_mut().live) else { return };
            ledger.borrow_mut().refreshing.push(login.clone());
            let next = refresh(app, &login).await;
            let mut ledger = ledger.borrow_mut();
            ledger.refreshing.retain(|other| other.tokens.refresh != login.tokens.refresh);
            ledger.live.push(next);
        }
        (_, Some(_)) => {
            let Some(login) = take_any(&mut ledger.borrow_mut().live) else { return };
            ledger.borrow_mut().revoking.push(login.clone());
            assert_eq!(login.client.revoke(app, &login.tokens.refresh).await.status(), 200);
            let mut ledger = ledger.borrow_mut();
            ledger.revoking.retain(|other| other.tokens.refresh != login.tokens.refresh);
            ledger.dead.push(login);
        }
    }
}

async fn sign_in(app: &TestApp, ledger: &RefCell<Ledger>, client: OAuthClient) {
    let user = if random(2) == 0 { "ada" } else { "ben" };
    let code = client.code(app, user).await;
    ledger.borrow_mut().redeeming.push((code.clone(), client.clone(), user));
    let tokens = Tokens::of(client.redeem(app, &code).await).await;
    let mut ledger = ledger.borrow_mut();
    ledger.redeeming.retain(|(other, ..)| *other != code);
    let login = Login { client, user, tokens };
    ledger.redeemed.push((code, login.clone()));
    ledger.live.push(login);
}

async fn refresh(app: &TestApp, login: &Login) -> Login {
    let tokens = Tokens::of(login.client.refresh(app, &login.tokens.refresh).await).await;
    Login { tokens, ..login.clone() }
}

async fn assert_is_live(app: &TestApp, login: &Login) {
    assert!(app.whoami(&login.tokens.access).await.contains(login.user), "the token of {} is dead", login.user);
}

async fn assert_is_dead(app: &TestApp, login: &Login) {
    assert_eq!(app.status_with(&login.tokens.access).await, 401, "a dead access token is alive again");
    let refused = login.client.refresh(app, &login.tokens.refresh).await;
    assert_eq!(oauth_error(refused).await, (400, "invalid_grant".to_owned()), "a dead refresh token is alive again");
}

/// Works until enough steps were answered, then kills the daemon; tells how many were.
async fn work_until_killed(app: &TestApp, ledger: &RefCell<Ledger>, serving: Serving) {
    let (kill, is_killed) = watch::channel(false);
    let (serving, left) = (Cell::new(Some(serving)), Cell::new(1 + random(STEPS_MAX)));
    let workers = (0..WORKERS).map(|_| async {
        let mut is_killed = is_killed.clone();
        loop {
            let outcome = tokio::select! {
                biased;
                _ = is_killed.changed() => return,
                outcome = AssertUnwindSafe(step(app, ledger)).catch_unwind() => outcome,
            };
            // What failed while the daemon lived is a failure; afterwards nobody can know.
            match outcome {
                Err(panic) if serving_is_up(&serving) => std::panic::resume_unwind(panic),
                Err(_) => return,
                Ok(()) => left.set(left.get().saturating_sub(1)),
            }
            if left.get() == 0
                && let Some(serving) = serving.take()
            {
                serving.kill();
                kill.send_replace(true);
            }
        }
    });
    join_all(workers).await;
}

fn serving_is_up(serving: &Cell<Option<Serving>>) -> bool {
    let process = serving.take();
    let is_up = process.is_some();
    serving.set(process);
    is_up
}

/// Looks whether everything that was answered holds, and settles what was not answered.
async fn check(app: &TestApp, ledger: &mut Ledger) {
    for client in &ledger.clients {
        let page = app.http.get(client.authorize_url(app, &[])).send().await.unwrap();
        assert_eq!(page.status(), 200, "a registered client is unknown");
    }
    for login in &ledger.live {
        assert_is_live(app, login).await;
    }
    for login in &ledger.dead {
        assert_is_dead(app, login).await;
    }
    // A client that got no answer asks again, and is not logged out for it.
    for login in std::mem::take(&mut ledger.refreshing) {
        let next = refresh(app, &login).await;
        assert_is_live(app, &next).await;
        ledger.live.push(next);
    }
    for login in std::mem::take(&mut ledger.revoking) {
        if app.status_with(&login.tokens.access).await == 200 {
            // It was not revoked, and so not in part either.
            ledger.live.push(refresh(app, &login).await);
        } else {
            assert_is_dead(app, &login).await;
            ledger.dead.push(login);
        }
    }
    for (code, client, user) in std::mem::take(&mut ledger.redeeming) {
        let response = client.redeem(app, &code).await;
        if response.status() == 200 {
            let login = Login { client, user, tokens: Tokens::of(response).await };
            assert_is_live(app, &login).await;
            ledger.redeemed.push((code, login.clone()));
            ledger.live.push(login);
        } else {
            assert_eq!(oauth_error(response).await, (400, "invalid_grant".to_owned()));
        }
    }
    check_a_replay(app, ledger).await;
    for list in [&mut ledger.live, &mut ledger.dead] {
        forget_oldest(list);
    }
    forget_oldest(&mut ledger.clients);
    forget_oldest(&mut ledger.redeemed);
}

/// A code that was redeemed is redeemed: another attempt fails, and ends what it gave.
async fn check_a_replay(app: &TestApp, ledger: &mut Ledger) {
    let Some((code, login)) = take_any(&mut ledger.redeemed) else { return };
    assert_eq!(oauth_error(login.client.redeem(app, &code).await).await, (400, "invalid_grant".to_owned()));
    assert_eq!(app.status_with(&login.tokens.access).await, 401);
    // The session may have gone on to other tokens, which are dead now too.
    let (mut live, mut ended) = (Vec::new(), Vec::new());
    for login in std::mem::take(&mut ledger.live) {
        let is_live = app.status_with(&login.tokens.access).await == 200;
        if is_live { &mut live } else { &mut ended }.push(login);
    }
    assert!(ended.len() <= 1, "a replay ends one session");
    ledger.live = live;
    ledger.dead.extend(ended);
}

#[tokio::test]
async fn whatever_was_answered_holds_after_the_daemon_was_killed() {
    let rounds = std::env::var("MXCP_CRASH_ROUNDS").map_or(ROUNDS_DEFAULT, |rounds| rounds.parse().unwrap());
    for kind in persistence::kinds() {
        let setup = Setup::default().with_persistence(kind).with_lifetime("refresh_grace", "1h");
        let project = setup.write();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let app = TestApp::outside(project, listener.local_addr().unwrap().port());
        let ledger = RefCell::default();
        for _ in 0..rounds {
            work_until_killed(&app, &ledger, Serving::start(app.project(), &listener)).await;
            let serving = Serving::start(app.project(), &listener);
            let mut settled = ledger.take();
            check(&app, &mut settled).await;
            ledger.replace(settled);
            serving.kill();
        }
    }
}
