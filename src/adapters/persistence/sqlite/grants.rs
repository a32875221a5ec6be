//! Pending logins, codes and consents.

use super::{SqliteStore, execute, limit, query, query_first};
use crate::adapters::persistence::records::{code_place, consent_place, consent_row, login_place};
use mxcp_actors::model::grant::{AuthorizationCode, Consent, PendingLogin};
use mxcp_actors::model::ids::{ClientId, UserId};
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::grant_store::{GrantStore, Redemption};
use mxcp_actors::ports::{StoreError, StoreResult};

/// Each is removed by what is over first, up to a limit.
const SWEEPS: [&str; 3] = [
    "DELETE FROM pending_logins WHERE handle_hash IN (
         SELECT handle_hash FROM pending_logins WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
    "DELETE FROM authorization_codes WHERE code_hash IN (
         SELECT code_hash FROM authorization_codes WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2)",
    "DELETE FROM consents WHERE (browser_hash, client_id, user_hash) IN (
         SELECT browser_hash, client_id, user_hash FROM consents WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
];

impl SqliteStore {
    fn open_login(&self, handle: TokenHash, sealed: Option<Vec<u8>>) -> Result<Option<PendingLogin>, StoreError> {
        sealed.map(|sealed| self.sealer.open(login_place(&handle), sealed)).transpose()
    }

    fn open_consent(
        &self,
        browser: TokenHash,
        client: &ClientId,
        row: (Vec<u8>, Vec<u8>),
    ) -> Result<Consent, StoreError> {
        let (user_hash, sealed) = row;
        let row = consent_row(&browser, client, &user_hash);
        self.sealer.open(consent_place(&row), sealed)
    }

    fn user_hash(&self, user: &UserId) -> Vec<u8> {
        self.users.hash(user)
    }
}

impl GrantStore for SqliteStore {
    fn insert_login(&self, login: PendingLogin) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let sealed = self.sealer.seal(login_place(&login.handle_hash), &login)?;
            self.write(move |database| {
                let sql =
                    "INSERT OR REPLACE INTO pending_logins (handle_hash, expires_at, sealed_login) VALUES (?1, ?2, ?3)";
                execute(database, sql, (login.handle_hash.as_bytes(), login.expires_at.as_micros(), sealed)).map(drop)
            })
            .await
        })
    }

    fn find_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>> {
        Box::pin(async move {
            let sql = "SELECT sealed_login FROM pending_logins WHERE handle_hash = ?1";
            let sealed = self.read(move |database| query_first(database, sql, [handle.as_bytes()], |row| row.get(0)));
            self.open_login(handle, sealed.await?)
        })
    }

    fn take_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>> {
        Box::pin(async move {
            let sql = "DELETE FROM pending_logins WHERE handle_hash = ?1 RETURNING sealed_login";
            let sealed = self.write(move |database| query_first(database, sql, [handle.as_bytes()], |row| row.get(0)));
            self.open_login(handle, sealed.await?)
        })
    }

    fn insert_code(&self, code: AuthorizationCode) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let sealed = self.sealer.seal(code_place(&code.hash), &code)?;
            self.write(move |database| {
                let sql = "INSERT INTO authorization_codes (code_hash, forget_at, sealed_code) VALUES (?1, ?2, ?3)";
                execute(database, sql, (code.hash.as_bytes(), code.forget_at().as_micros(), sealed)).map(drop)
            })
            .await
        })
    }

    fn redeem_code(&self, code: TokenHash) -> StoreResult<'_, Redemption> {
        Box::pin(async move {
            let redeemed = self.write(move |database| {
                let mark = "UPDATE authorization_codes SET is_redeemed = 1 WHERE code_hash = ?1 AND is_redeemed = 0";
                let is_first = execute(database, mark, [code.as_bytes()])? == 1;
                let find = "SELECT sealed_code FROM authorization_codes WHERE code_hash = ?1";
                let sealed = query_first(database, find, [code.as_bytes()], |row| row.get(0))?;
                Ok((is_first, sealed))
            });
            Ok(match redeemed.await? {
                (_, None) => Redemption::Unknown,
                (true, Some(sealed)) => Redemption::First(Box::new(self.sealer.open(code_place(&code), sealed)?)),
                (false, Some(sealed)) => Redemption::Repeated(Box::new(self.sealer.open(code_place(&code), sealed)?)),
            })
        })
    }

    fn put_consent(&self, consent: Consent) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let user_hash = self.user_hash(&consent.user_id);
            let row = consent_row(&consent.browser_hash, &consent.client_id, &user_hash);
            let sealed = self.sealer.seal(consent_place(&row), &consent)?;
            self.write(move |database| {
                let sql =
                    "INSERT OR REPLACE INTO consents (browser_hash, client_id, user_hash, expires_at, sealed_consent)
                           VALUES (?1, ?2, ?3, ?4, ?5)";
                let (browser, client) = (consent.browser_hash.as_bytes(), consent.client_id.as_str());
                execute(database, sql, (browser, client, user_hash, consent.expires_at.as_micros(), sealed)).map(drop)
            })
            .await
        })
    }

    fn list_consents(&self, browser: TokenHash, client: ClientId) -> StoreResult<'_, Vec<Consent>> {
        Box::pin(async move {
            let id = client.as_str().to_owned();
            let rows = self.read(move |database| {
                let sql = "SELECT user_hash, sealed_consent FROM consents WHERE browser_hash = ?1 AND client_id = ?2";
                query(database, sql, (browser.as_bytes(), id), |row| Ok((row.get(0)?, row.get(1)?)))
            });
            rows.await?.into_iter().map(|row| self.open_consent(browser, &client, row)).collect()
        })
    }

    fn sweep_grants(&self, now: Timestamp, rows: usize) -> StoreResult<'_, usize> {
        self.write(move |database| {
            SWEEPS.iter().try_fold(0, |swept, sql| {
                let left = limit(rows.saturating_sub(swept));
                Ok(swept + execute(database, sql, (now.as_micros(), left))?)
            })
        })
    }
}
