//! Pending logins, codes and consents.

use super::locked;
use crate::model::grant::{AuthorizationCode, Consent, PendingLogin};
use crate::model::ids::ClientId;
use crate::model::secret::TokenHash;
use crate::model::timestamp::Timestamp;
use crate::ports::StoreResult;
use crate::ports::grant_store::{GrantStore, Redemption};
use std::collections::HashMap;
use std::sync::Mutex;

#[derive(Debug)]
struct CodeRow {
    code: AuthorizationCode,
    is_redeemed: bool,
}

#[derive(Debug, Default)]
struct Rows {
    logins: HashMap<TokenHash, PendingLogin>,
    codes: HashMap<TokenHash, CodeRow>,
    consents: HashMap<(TokenHash, ClientId), Vec<Consent>>,
}

/// Keeps grants in memory.
#[derive(Debug, Default)]
pub struct MemoryGrants {
    rows: Mutex<Rows>,
}

impl GrantStore for MemoryGrants {
    fn insert_login(&self, login: PendingLogin) -> StoreResult<'_, ()> {
        locked(&self.rows, |rows| {
            rows.logins.insert(login.handle_hash, login);
        })
    }

    fn find_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>> {
        locked(&self.rows, |rows| rows.logins.get(&handle).cloned())
    }

    fn take_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>> {
        locked(&self.rows, |rows| rows.logins.remove(&handle))
    }

    fn insert_code(&self, code: AuthorizationCode) -> StoreResult<'_, ()> {
        locked(&self.rows, |rows| {
            rows.codes.insert(code.hash, CodeRow { code, is_redeemed: false });
        })
    }

    fn redeem_code(&self, code: TokenHash) -> StoreResult<'_, Redemption> {
        locked(&self.rows, |rows| match rows.codes.get_mut(&code) {
            None => Redemption::Unknown,
            Some(row) => {
                let code = Box::new(row.code.clone());
                if std::mem::replace(&mut row.is_redeemed, true) {
                    Redemption::Repeated(code)
                } else {
                    Redemption::First(code)
                }
            }
        })
    }

    fn put_consent(&self, consent: Consent) -> StoreResult<'_, ()> {
        locked(&self.rows, |rows| {
            let given = rows.consents.entry((consent.browser_hash, consent.client_id.clone())).or_default();
            given.retain(|other| other.user_id != consent.user_id);
            given.push(consent);
        })
    }

    fn list_consents(&self, browser: TokenHash, client: ClientId) -> StoreResult<'_, Vec<Consent>> {
        locked(&self.rows, |rows| rows.consents.get(&(browser, client)).cloned().unwrap_or_default())
    }

    fn sweep_grants(&self, now: Timestamp, limit: usize) -> StoreResult<'_, usize> {
        locked(&self.rows, |rows| {
            let before = rows.count();
            let mut left = limit;
            let mut keep = |expires_at: Timestamp| {
                let is_swept = left > 0 && now >= expires_at;
                left -= usize::from(is_swept);
                !is_swept
            };
            rows.logins.retain(|_, login| keep(login.expires_at));
            rows.codes.retain(|_, row| keep(row.code.forget_at()));
            rows.consents.retain(|_, given| {
                given.retain(|consent| keep(consent.expires_at));
                !given.is_empty()
            });
            before.saturating_sub(rows.count())
        })
    }
}

impl Rows {
    fn count(&self) -> usize {
        self.logins.len() + self.codes.len() + self.consents.values().map(Vec::len).sum::<usize>()
    }
}
