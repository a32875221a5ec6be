-- Assertions that clients have used (RFC 7523), until they are over, so that each works once.
CREATE TABLE used_assertions (
    client_id TEXT NOT NULL,
    id_hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, id_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_assertions_by_client_and_expiry ON used_assertions (client_id, expires_at);
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
