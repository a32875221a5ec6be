//! Sealing every record anew, a batch at a time.
//!
//! sled writes what changes to the end of its log: what was sealed with the old key stays in
//! the files until sled needs the room.

use super::layout::{Parts, Space, Span};
use super::open::{Opened, SledMarks, open_marks};
use crate::adapters::persistence::error::PersistenceError;
use crate::adapters::persistence::files::{self, StoreLock};
use crate::adapters::persistence::lane::Engine as _;
use crate::adapters::persistence::records::{
    code_place, consent_place, consent_row, login_place, session_place, upstream_place,
};
use crate::adapters::persistence::rotation::Resealable;
use crate::adapters::persistence::seal::{Place, Sealer, UnsealError, key_id};
use crate::adapters::persistence::vault::Marks;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::ports::StoreError;
use std::path::{Path, PathBuf};

/// How many records a batch looks at: enough to make its sync cheap, few enough that a killed
/// command has little to do again.
const RECORDS_PER_STEP: usize = 1_000;

/// Everything that is sealed, but for what the vault keeps itself.
const SPACES: [Space; 5] = [Space::Sessions, Space::UpstreamTokens, Space::Logins, Space::Codes, Space::Consents];

/// A store that nobody else uses meanwhile.
struct SledResealing {
    marks: SledMarks,
    path: PathBuf,
    /// What of which of [`SPACES`] was not looked at yet.
    left: Vec<Span>,
    // Released last.
    _lock: StoreLock,
}

/// Opens the store at `path`, which must be there, to seal its records anew.
///
/// # Errors
/// Why it cannot be used, with what to do.
pub(in crate::adapters::persistence) fn open_for_resealing(
    path: &Path,
) -> Result<Box<dyn Resealable>, PersistenceError> {
    files::prepare_folder_of(path)?;
    let lock = StoreLock::take(path)?;
    let Opened { marks, is_new, .. } = open_marks(path)?;
    if is_new {
        return Err(PersistenceError::NothingKept(path.to_owned()));
    }
    let left = SPACES.iter().rev().map(|space| space.all()).collect();
    Ok(Box::new(SledResealing { marks, path: path.to_owned(), left, _lock: lock }))
}

impl SledResealing {
    /// Seals the next records of `span`; `None` is left of it when there are no more.
    fn reseal_some(&self, span: &Span, sealer: &Sealer) -> Result<(u64, Option<Span>), StoreError> {
        let mut writer = self.marks.0.borrow_mut();
        let entries = writer.scan(span, RECORDS_PER_STEP)?;
        // The next key is the last one with a zero behind it.
        let left = entries.last().map(|(last, _)| Span { from: [&last[..], &[0]].concat(), to: span.to.clone() });
        let mut resealed = 0;
        for (key, value) in entries {
            if let Some(anew) = reseal(&key, &value, sealer)? {
                writer.put(key, anew);
                resealed += 1;
            }
        }
        writer.commit()?;
        Ok((resealed, left))
    }
}

impl Resealable for SledResealing {
    fn marks(&self) -> Box<dyn Marks + '_> {
        Box::new(&self.marks)
    }

    fn step(&mut self, sealer: &Sealer) -> Result<Option<u64>, PersistenceError> {
        let Some(span) = self.left.pop() else { return Ok(None) };
        let damaged = |error: StoreError| PersistenceError::Damaged { path: self.path.clone(), detail: error.detail };
        let (resealed, left) = self.reseal_some(&span, sealer).map_err(damaged)?;
        self.left.extend(left);
        Ok(Some(resealed))
    }

    fn finish(&mut self) -> Result<(), PersistenceError> {
        Ok(())
    }
}

/// The value of `key` with its record under the first key; `None` when it is already.
fn reseal(key: &[u8], value: &[u8], sealer: &Sealer) -> Result<Option<Vec<u8>>, StoreError> {
    let (beside, record) = split(key, value)?;
    if key_id(record) == sealer.key_ids().next() {
        return Ok(None);
    }
    let anew = with_place(key, |place| {
        let failed = |error: UnsealError| StoreError { detail: format!("a record of {}: {error}", place.table) };
        let plain = sealer.open_bytes(place, record.to_vec()).map_err(failed)?;
        sealer.seal_bytes(place, &plain)
    })?;
    Ok(Some([beside, &anew].concat()))
}

/// What of a value is not sealed, and what is: always its end.
fn split<'a>(key: &[u8], value: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), StoreError> {
    let mut parts = Parts::of_value(value);
    match space_of(key) {
        Some(Space::Sessions) => {
            parts.time()?;
            parts.time()?;
            parts.framed()?;
            parts.framed()?;
            parts.framed()?;
        }
        Some(Space::UpstreamTokens) => {
            parts.framed()?;
        }
        Some(Space::Codes) => {
            parts.time()?;
            parts.flag()?;
        }
        _ => {
            parts.time()?;
        }
    }
    Ok(value.split_at(value.len().saturating_sub(parts.rest().len())))
}

/// Where the record of `key` belongs.
fn with_place<T>(key: &[u8], use_it: impl FnOnce(Place<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut parts = Parts::of_key(key);
    match space_of(key) {
        Some(Space::Sessions) => use_it(session_place(&parts.text()?)),
        Some(Space::UpstreamTokens) => use_it(upstream_place(&parts.text()?)),
        Some(Space::Logins) => use_it(login_place(&parts.hash()?)),
        Some(Space::Codes) => use_it(code_place(&parts.hash()?)),
        _ => {
            let browser = parts.hash()?;
            let client = ClientId::new(Parts::of_value(parts.framed()?).text()?);
            use_it(consent_place(&consent_row(&browser, &client, parts.rest())))
        }
    }
}

fn space_of(key: &[u8]) -> Option<Space> {
    SPACES.into_iter().find(|space| key.first() == Some(&(*space as u8)))
}
