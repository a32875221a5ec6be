-- Times are microseconds since 1970 in UTC. Hashes are SHA-256. Columns named sealed_* are
-- encrypted; what they say of a person can be read by the daemon alone.

CREATE TABLE schema_migrations (
    version INTEGER PRIMARY KEY,
    applied_at INTEGER NOT NULL
) STRICT;

-- What is needed to read the other tables.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Clients that registered themselves. What they say of themselves is public.
CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    issued_at INTEGER NOT NULL,
    is_used INTEGER NOT NULL DEFAULT 0,
    registration TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX unused_clients ON clients (issued_at) WHERE is_used = 0;

CREATE TABLE pending_logins (
    handle_hash BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    sealed_login BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_logins_by_expiry ON pending_logins (expires_at);

-- A code stays after it was redeemed, so that a second attempt is known as one.
CREATE TABLE authorization_codes (
    code_hash BLOB PRIMARY KEY,
    forget_at INTEGER NOT NULL,
    is_redeemed INTEGER NOT NULL DEFAULT 0,
    sealed_code BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX authorization_codes_by_expiry ON authorization_codes (forget_at);

CREATE TABLE consents (
    browser_hash BLOB NOT NULL,
    client_id TEXT NOT NULL,
    user_hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    sealed_consent BLOB NOT NULL,
    PRIMARY KEY (browser_hash, client_id, user_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_expiry ON consents (expires_at);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_hash BLOB NOT NULL,
    client_id TEXT,
    cookie_hash BLOB UNIQUE,
    idle_expires_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- When the provider's access token ends, where it can be refreshed.
    refresh_due_at INTEGER,
    sealed_session BLOB NOT NULL,
    sealed_upstream_tokens BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_hash);
CREATE INDEX sessions_by_client ON sessions (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX sessions_by_expiry ON sessions (min(idle_expires_at, expires_at));
CREATE INDEX sessions_by_refresh ON sessions (refresh_due_at) WHERE refresh_due_at IS NOT NULL;

CREATE TABLE access_tokens (
    token_hash BLOB PRIMARY KEY,
    session_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_by_session ON access_tokens (session_id);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);

-- A refresh token stays after it was used, until it would have ended.
CREATE TABLE refresh_tokens (
    token_hash BLOB PRIMARY KEY,
    session_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    -- How it was replaced, as JSON; holds no token.
    rotation TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
