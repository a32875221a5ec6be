//! What is sealed of each record and where it belongs, whatever keeps it.

use super::seal::{Place, Sealer, UserIndex};
use mxcp_actors::model::ids::{ClientId, SessionId};
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::session::{Session, SessionKind};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::StoreError;
use std::num::NonZero;
use std::sync::mpsc::sync_channel;

/// The place of a login under way.
pub(super) fn login_place(handle: &TokenHash) -> Place<'_> {
    Place { table: "pending_logins", row: handle.as_bytes() }
}

/// The place of an authorization code.
pub(super) fn code_place(code: &TokenHash) -> Place<'_> {
    Place { table: "authorization_codes", row: code.as_bytes() }
}

/// What a consent is kept under, as one text.
pub(super) fn consent_row(browser: &TokenHash, client: &ClientId, user_hash: &[u8]) -> Vec<u8> {
    [browser.as_bytes(), user_hash, client.as_str().as_bytes()].concat()
}

/// The place of the consent with that [`consent_row`].
pub(super) fn consent_place(row: &[u8]) -> Place<'_> {
    Place { table: "consents", row }
}

/// The place of a session.
pub(super) fn session_place(id: &str) -> Place<'_> {
    Place { table: "sessions", row: id.as_bytes() }
}

/// The place of a provider's tokens.
pub(super) fn upstream_place(id: &str) -> Place<'_> {
    Place { table: "sessions.upstream", row: id.as_bytes() }
}

/// A provider's tokens, sealed.
#[derive(Debug)]
pub(super) struct SealedUpstream {
    /// The tokens.
    pub(super) sealed: Vec<u8>,
    /// When the provider's access token ends, where it can be refreshed.
    pub(super) refresh_due_at: Option<Timestamp>,
}

impl SealedUpstream {
    /// Seals the tokens of the session `id`.
    pub(super) fn seal(id: &SessionId, tokens: &UpstreamTokens, sealer: &Sealer) -> Result<Self, StoreError> {
        Ok(Self {
            sealed: sealer.seal(upstream_place(id.as_str()), tokens)?,
            refresh_due_at: tokens.refresh_token.as_ref().and(tokens.expires_at),
        })
    }
}

/// A session to be kept: sealed, and beside it what it is found by.
#[derive(Debug)]
pub(super) struct NewSession {
    /// Its identifier.
    pub(super) id: SessionId,
    /// Whose it is.
    pub(super) user_hash: Vec<u8>,
    /// The client that it is of.
    pub(super) client_id: Option<ClientId>,
    /// The cookie that it is of.
    pub(super) cookie_hash: Option<TokenHash>,
    /// When it ends unless it is used.
    pub(super) idle_expires_at: Timestamp,
    /// When it ends.
    pub(super) expires_at: Timestamp,
    /// All of it but the provider's tokens, which change on their own.
    pub(super) sealed_session: Vec<u8>,
    /// Those.
    pub(super) upstream: Option<SealedUpstream>,
}

impl NewSession {
    /// Seals `session`.
    pub(super) fn seal(session: Session, sealer: &Sealer, users: &UserIndex) -> Result<Self, StoreError> {
        let upstream = session.upstream.as_ref().map(|tokens| SealedUpstream::seal(&session.id, tokens, sealer));
        let upstream = upstream.transpose()?;
        let session = Session { upstream: None, ..session };
        Ok(Self {
            user_hash: users.hash(&session.user.id),
            client_id: session.client_id().cloned(),
            cookie_hash: match &session.kind {
                SessionKind::Browser { cookie_hash } => Some(*cookie_hash),
                SessionKind::Client { .. } | SessionKind::Unclaimed => None,
            },
            idle_expires_at: session.idle_expires_at,
            expires_at: session.expires_at,
            sealed_session: sealer.seal(session_place(session.id.as_str()), &session)?,
            id: session.id,
            upstream,
        })
    }
}

/// A session as it is kept.
#[derive(Debug)]
pub(super) struct SessionRow {
    /// Its identifier.
    pub(super) id: String,
    /// The client that it is of, which an unclaimed session has only once it was claimed.
    pub(super) client_id: Option<String>,
    /// When it ends unless it is used, which changes with every use.
    pub(super) idle_expires_at: Timestamp,
    /// All else but the provider's tokens.
    pub(super) sealed_session: Vec<u8>,
    /// Those.
    pub(super) sealed_upstream_tokens: Option<Vec<u8>>,
}

impl SessionRow {
    /// The session.
    pub(super) fn open(self, sealer: &Sealer) -> Result<Session, StoreError> {
        let mut session: Session = sealer.open(session_place(&self.id), self.sealed_session)?;
        session.idle_expires_at = self.idle_expires_at;
        if let Some(client) = self.client_id {
            session.claim(ClientId::new(client));
        }
        let upstream = self.sealed_upstream_tokens.map(|sealed| sealer.open(upstream_place(&self.id), sealed));
        session.upstream = upstream.transpose()?;
        Ok(session)
    }
}

/// How many rows a thread takes at a time.
const CHUNK: usize = 256;
/// How many chunks may wait for a thread, so that reading does not run far ahead.
const CHUNKS_WAITING: usize = 4;

/// Works on rows on all cores while `read` still reads them: the daemon waits for it at its start.
pub(super) fn on_all_cores<R: Send>(
    work: impl Fn(R) -> Result<(), StoreError> + Sync,
    read: impl FnOnce(&mut dyn FnMut(R)) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (cores, work) = (std::thread::available_parallelism().map_or(1, NonZero::get), &work);
    std::thread::scope(|scope| {
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..cores {
            let (queue, chunks) = sync_channel::<Vec<R>>(CHUNKS_WAITING);
            queues.push(queue);
            threads.push(scope.spawn(move || chunks.iter().flatten().try_for_each(work)));
        }
        let mut turns = queues.iter().cycle();
        let mut send = |chunk: Vec<R>| {
            // A thread that has ended says why when it is joined.
            let _is_taken = turns.next().is_some_and(|queue| queue.send(chunk).is_ok());
        };
        let mut chunk = Vec::with_capacity(CHUNK);
        let outcome = read(&mut |row| {
            chunk.push(row);
            if chunk.len() == CHUNK {
                send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)));
            }
        });
        send(chunk);
        drop(queues);
        let panicked = |_| StoreError { detail: "reading the sessions panicked".to_owned() };
        threads.into_iter().try_for_each(|thread| thread.join().map_err(panicked)?)?;
        outcome
    })
}
