//! Which of the old sessions go on here, and as what.

use super::old::{Field, OldSession};
use super::{AdoptedSession, NewHome};
use crate::adapters::upstream::oidc::user_of_claims;
use crate::adapters::upstream::salesforce;
use mxcp_actors::model::client::{Client, GrantType};
use mxcp_actors::model::ids::{SessionId, UserId};
use mxcp_actors::model::principal::User;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::session::{Session, SessionKind};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::{AccessTokenRecord, RefreshTokenRecord, UpstreamTokens};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A provider at which people sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleOf {
    /// Its name.
    pub provider: String,
    /// Whether it describes people by the claims of OpenID Connect.
    pub has_openid_claims: bool,
}

/// What the Python product noted of a person.
#[derive(Deserialize)]
struct OldUser {
    user_id: String,
    username: String,
    email: Option<String>,
    name: Option<String>,
    raw_profile: Option<Map<String, Value>>,
    #[serde(default)]
    provider_scopes_granted: Vec<String>,
}

/// When a session and its tokens end.
#[derive(Clone, Copy, Debug)]
struct Ends {
    access: Timestamp,
    refresh: Option<Timestamp>,
    session: Timestamp,
}

/// Sessions to be added, and how many are not, by the reason.
pub(super) fn convert(
    old: Vec<OldSession>,
    home: &NewHome,
    moved_clients: &[Client],
    now: Timestamp,
) -> (Vec<AdoptedSession>, BTreeMap<String, usize>) {
    let may_refresh = |client: &&Client| client.may_use(GrantType::RefreshToken);
    let clients: Vec<&Client> = moved_clients.iter().chain(&home.configured_clients).filter(may_refresh).collect();
    let (mut moved, mut left_out) = (Vec::new(), BTreeMap::new());
    for session in old {
        match convert_one(session, home, &clients, now) {
            Ok(session) => moved.push(session),
            Err(reason) => *left_out.entry(reason).or_default() += 1,
        }
    }
    (moved, left_out)
}

fn convert_one(old: OldSession, home: &NewHome, clients: &[&Client], now: Timestamp) -> Result<AdoptedSession, String> {
    let Some(people) = home.people.iter().find(|people| people.provider == old.provider) else {
        return Err(format!("signed in at {}, which is not a provider that is configured", old.provider));
    };
    let created_at = timestamp(old.created_at).ok_or("damaged")?.min(now);
    let ends = ends(&old, created_at, home, now)?;
    let user: OldUser = serde_json::from_str(old.user_info.expose()).map_err(|_| "damaged")?;
    let upstream_scopes = user.provider_scopes_granted.iter().cloned().collect();
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let access_hash = TokenHash::from_hex(&old.access_token_hash).ok_or("damaged")?;
    let refresh_hash = old.refresh_token_hash.as_deref().map(|hash| TokenHash::from_hex(hash).ok_or("damaged"));
    let refresh_hash = refresh_hash.transpose()?;
    if !is_plain(&old.id) {
        return Err("damaged".to_owned());
    }
    let mut session = Session {
        id: SessionId::new(old.id),
        kind: SessionKind::Unclaimed,
        user: describe(people, user),
        scopes: home.default_scopes.clone(),
        resource: home.resource.clone(),
        upstream: upstream(
            old.upstream_access_token,
            old.upstream_refresh_token,
            old.upstream_expires_at,
            upstream_scopes,
        )?,
        created_at,
        idle_expires_at: ends.access,
        expires_at: ends.session,
    };
    let mut refresh = None;
    if let (Some(hash), Some(expires_at)) = (refresh_hash, ends.refresh)
        && find_client(&mut session, clients)
    {
        session.idle_expires_at = expires_at;
        refresh = Some(RefreshTokenRecord { hash, session_id: session.id.clone(), expires_at, rotation: None });
    }
    if session.is_expired(now) {
        return Err(EXPIRED.to_owned());
    }
    let access = AccessTokenRecord {
        hash: access_hash,
        session_id: session.id.clone(),
        scopes: session.scopes.clone(),
        expires_at: ends.access.min(session.idle_expires_at),
    };
    Ok(AdoptedSession { session, access, refresh })
}

const EXPIRED: &str = "expired";

/// Binds the session to the one client that can be meant; false when there is none at all.
fn find_client(session: &mut Session, clients: &[&Client]) -> bool {
    let mut possible = clients.iter().filter(|client| session.may_be_claimed_by(client));
    let (first, second) = (possible.next(), possible.next());
    if let (Some(only), None) = (first, second) {
        let id = only.id.clone();
        session.claim(id);
    }
    first.is_some()
}

/// Until when the session would have lived there, and at most as long as one that began here.
fn ends(old: &OldSession, created_at: Timestamp, home: &NewHome, now: Timestamp) -> Result<Ends, String> {
    let lifetimes = &home.lifetimes;
    let limit = |at: Option<f64>, ours: Timestamp| match at {
        // What had no end there has one here.
        None => Ok(ours),
        Some(at) => timestamp(at).map(|at| at.min(ours)).ok_or("damaged"),
    };
    let session = created_at + lifetimes.refresh_token_max;
    let access = limit(old.access_expires_at, now + lifetimes.access_token)?.min(session);
    // The Python product refreshes only what it can refresh at the provider.
    let is_refreshable = access > now || !matches!(old.upstream_refresh_token, Field::Absent);
    let refresh = limit(old.refresh_expires_at, created_at + lifetimes.refresh_token_idle)?.min(session);
    let refresh = (is_refreshable && refresh > now).then_some(refresh);
    if access <= now && refresh.is_none() {
        return Err(EXPIRED.to_owned());
    }
    Ok(Ends { access, refresh, session })
}

/// The person, described as a sign-in of today would.
fn describe(people: &PeopleOf, old: OldUser) -> User {
    let (provider, claims) = (people.provider.as_str(), old.raw_profile.unwrap_or_default());
    if people.has_openid_claims && !claims.is_empty() {
        return user_of_claims(provider, &old.user_id, claims);
    }
    let claims = Value::Object(claims);
    // The Python product left the organization out of the identity.
    if provider == salesforce::NAME
        && let Some(user) = salesforce::described_before(&old.user_id, &claims)
    {
        return user;
    }
    User {
        id: UserId::of(provider, &old.user_id),
        provider: provider.to_owned(),
        subject: old.user_id,
        username: old.username,
        email: old.email,
        // Nobody noted whether it was.
        email_verified: false,
        name: old.name,
        role: None,
        permissions: Vec::new(),
        groups: Vec::new(),
        capabilities: Vec::new(),
        claims,
    }
}

fn upstream(
    access: Field,
    refresh: Field,
    expires_at: Option<f64>,
    scope: ScopeSet,
) -> Result<Option<UpstreamTokens>, String> {
    let (access, refresh_token) = match (access, refresh) {
        (Field::Locked, _) | (_, Field::Locked) => return Err("cannot be decrypted".to_owned()),
        (Field::Absent, _) => return Ok(None),
        (Field::Present(access), Field::Present(refresh)) => (access, Some(refresh)),
        (Field::Present(access), Field::Absent) => (access, None),
    };
    Ok(Some(UpstreamTokens { access_token: access, refresh_token, expires_at: expires_at.and_then(timestamp), scope }))
}

/// The furthest time that is taken for one: the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// A time from seconds since 1970.
pub(super) fn timestamp(seconds: f64) -> Option<Timestamp> {
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it was looked at that it fits")]
    let micros = (seconds * 1e6) as i64;
    Some(Timestamp::from_micros(micros))
}
