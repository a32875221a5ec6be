//! A restart that nobody notices: the service manager holds the socket, the store holds the sessions.

use crate::common::{OAuthClient, Setup, TestApp, Tokens};
use crate::daemon_process::Serving;
use std::cell::Cell;
use std::net::TcpListener;

/// How many call at a time.
const CALLERS: usize = 4;
/// How many calls each makes before the restart is asked for, and after it.
const CALLS: u32 = 10;

#[tokio::test]
async fn while_the_daemon_restarts_no_connection_is_refused_and_nobody_is_logged_out() {
    let project = Setup::default().with_persistence("sqlite").write();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let app = TestApp::outside(project, listener.local_addr().unwrap().port());
    let serving = Serving::start(app.project(), &listener);
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;

    // Each call has a connection of its own.
    let (calls_before, is_restarted) = (Cell::new(0), Cell::new(false));
    let callers = (0..CALLERS).map(|_| async {
        let mut calls_after = 0;
        while calls_after < CALLS {
            let was_restarted = is_restarted.get();
            assert!(app.whoami(&tokens.access).await.contains("ada"));
            if was_restarted {
                calls_after += 1;
            }
            calls_before.set(calls_before.get() + 1);
        }
    });
    let restart = async {
        while calls_before.get() < CALLS {
            tokio::task::yield_now().await;
        }
        let stopped = tokio::task::spawn_blocking(move || serving.terminate()).await;
        stopped.unwrap();
        let again = Serving::start(app.project(), &listener);
        is_restarted.set(true);
        again
    };
    let (again, _) = futures_util::future::join(restart, futures_util::future::join_all(callers)).await;
    let next = Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
    assert!(app.whoami(&next.access).await.contains("ada"));
    again.terminate();
}
