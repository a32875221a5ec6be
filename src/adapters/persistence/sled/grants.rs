//! Pending logins, codes and consents.

use super::SledStore;
use super::engine::Writer;
use super::layout::{Parts, Space, framed, sortable};
use crate::adapters::persistence::records::{code_place, consent_place, consent_row, login_place};
use mxcp_actors::model::grant::{AuthorizationCode, Consent, PendingLogin};
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::grant_store::{GrantStore, Redemption};
use mxcp_actors::ports::{StoreError, StoreResult};
use sled::IVec;

/// What is over first is swept first.
const SWEEPS: [(Space, Space); 3] = [
    (Space::LoginsByExpiry, Space::Logins),
    (Space::CodesByExpiry, Space::Codes),
    (Space::ConsentsByExpiry, Space::Consents),
];

impl SledStore {
    fn open_login(&self, handle: TokenHash, value: Option<IVec>) -> Result<Option<PendingLogin>, StoreError> {
        let Some(value) = value else { return Ok(None) };
        let mut parts = Parts::of_value(&value);
        parts.time()?;
        self.sealer.open(login_place(&handle), parts.rest().to_vec()).map(Some)
    }

    fn open_code(&self, code: &TokenHash, sealed: Vec<u8>) -> Result<Box<AuthorizationCode>, StoreError> {
        self.sealer.open(code_place(code), sealed).map(Box::new)
    }
}

impl GrantStore for SledStore {
    fn insert_login(&self, login: PendingLogin) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let sealed = self.sealer.seal(login_place(&login.handle_hash), &login)?;
            self.write(move |writer| {
                let (hash, ends) = (login.handle_hash, sortable(login.expires_at));
                take_login(writer, hash)?;
                writer.put(Space::LoginsByExpiry.key(&[&ends, hash.as_bytes()]), &[]);
                writer.put(Space::Logins.key(&[hash.as_bytes()]), [&ends[..], &sealed].concat());
                Ok(())
            })
            .await
        })
    }

    fn find_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>> {
        Box::pin(async move {
            let found = self.read(move |view| view.get(&Space::Logins.key(&[handle.as_bytes()])));
            self.open_login(handle, found.await?)
        })
    }

    fn take_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>> {
        Box::pin(async move {
            let taken = self.write(move |writer| take_login(writer, handle));
            self.open_login(handle, taken.await?)
        })
    }

    fn insert_code(&self, code: AuthorizationCode) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let sealed = self.sealer.seal(code_place(&code.hash), &code)?;
            self.write(move |writer| {
                let (hash, ends) = (code.hash.as_bytes(), sortable(code.forget_at()));
                writer.put_new(Space::Codes.key(&[hash]), [&ends[..], &[0], &sealed].concat())?;
                writer.put(Space::CodesByExpiry.key(&[&ends, hash]), &[]);
                Ok(())
            })
            .await
        })
    }

    fn redeem_code(&self, code: TokenHash) -> StoreResult<'_, Redemption> {
        Box::pin(async move {
            Ok(match self.write(move |writer| redeem(writer, code)).await? {
                None => Redemption::Unknown,
                Some((true, sealed)) => Redemption::First(self.open_code(&code, sealed)?),
                Some((false, sealed)) => Redemption::Repeated(self.open_code(&code, sealed)?),
            })
        })
    }

    fn put_consent(&self, consent: Consent) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let user_hash = self.users.hash(&consent.user_id);
            let row = consent_row(&consent.browser_hash, &consent.client_id, &user_hash);
            let sealed = self.sealer.seal(consent_place(&row), &consent)?;
            self.write(move |writer| {
                let (browser, client) = (consent.browser_hash, framed(consent.client_id.as_str().as_bytes()));
                let name: [&[u8]; 3] = [browser.as_bytes(), &client, &user_hash];
                let ends = sortable(consent.expires_at);
                if let Some(earlier) = writer.take(Space::Consents.key(&name))? {
                    let ended = sortable(Parts::of_value(&earlier).time()?);
                    writer.remove(Space::ConsentsByExpiry.key(&[&ended, &name.concat()]));
                }
                writer.put(Space::ConsentsByExpiry.key(&[&ends, &name.concat()]), &[]);
                writer.put(Space::Consents.key(&name), [&ends[..], &sealed].concat());
                Ok(())
            })
            .await
        })
    }

    fn list_consents(&self, browser: TokenHash, client: ClientId) -> StoreResult<'_, Vec<Consent>> {
        Box::pin(async move {
            let of_client = framed(client.as_str().as_bytes());
            let rows =
                self.read(move |view| view.scan(&Space::Consents.under(&[browser.as_bytes(), &of_client]), usize::MAX));
            let open = |(key, value): (IVec, IVec)| {
                let mut name = Parts::of_key(&key);
                name.hash()?;
                name.framed()?;
                let row = consent_row(&browser, &client, name.rest());
                let mut parts = Parts::of_value(&value);
                parts.time()?;
                self.sealer.open(consent_place(&row), parts.rest().to_vec())
            };
            rows.await?.into_iter().map(open).collect()
        })
    }

    fn sweep_grants(&self, now: Timestamp, limit: usize) -> StoreResult<'_, usize> {
        self.write(move |writer| {
            let mut swept = 0_usize;
            for (by_expiry, space) in SWEEPS {
                for (key, _) in writer.scan(&by_expiry.until(now), limit.saturating_sub(swept))? {
                    let mut parts = Parts::of_key(&key);
                    parts.time()?;
                    writer.remove(space.key(&[parts.rest()]));
                    writer.remove(key);
                    swept += 1;
                }
            }
            Ok(swept)
        })
    }
}

/// Removes a login with what finds it, and gives what it was.
fn take_login(writer: &mut Writer, handle: TokenHash) -> Result<Option<IVec>, StoreError> {
    let Some(value) = writer.take(Space::Logins.key(&[handle.as_bytes()]))? else { return Ok(None) };
    let ends = sortable(Parts::of_value(&value).time()?);
    writer.remove(Space::LoginsByExpiry.key(&[&ends, handle.as_bytes()]));
    Ok(Some(value))
}

/// Whether it is the first time, and the sealed code.
fn redeem(writer: &mut Writer, code: TokenHash) -> Result<Option<(bool, Vec<u8>)>, StoreError> {
    let key = Space::Codes.key(&[code.as_bytes()]);
    let Some(value) = writer.get(&key)? else { return Ok(None) };
    let mut parts = Parts::of_value(&value);
    let (forget_at, is_redeemed) = (parts.time()?, parts.flag()?);
    let sealed = parts.rest().to_vec();
    if !is_redeemed {
        writer.put(key, [&sortable(forget_at)[..], &[1], &sealed].concat());
    }
    Ok(Some((!is_redeemed, sealed)))
}
