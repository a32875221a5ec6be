//! The log's files as the audit log's store.

use super::AuditFileError;
use super::compress::compress;
use super::content::is_compressed;
use super::opening::{Opened, open_log};
use super::patience::Patience;
use super::reader::JsonlAuditReader;
use super::segments::{LogLock, Segments};
use super::writer::{Writer, WriterRules};
use super::{notices, retention};
use mxcp_actors::model::audit_event::{AuditEvent, AuditRecord, OnFailure};
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::model::audit_stats::AuditStats;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::audit_store::AuditStore;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::{StoreError, StoreResult};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};

/// How often it is looked for segments that are too old.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How many searches run at a time, so that those who watch leave the cores to those who call.
const SEARCHES_MAX: usize = 2;

/// How long one may take.
const SEARCH_TIME: Duration = Duration::from_mins(1);

/// How the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditFileSettings {
    /// A new file is begun when the current one has this many bytes.
    pub max_file_size: u64,
    /// Whether each day in UTC begins a file.
    pub is_daily: bool,
    /// Whether closed files are compressed.
    pub is_compressed: bool,
    /// How old a record becomes at least before its file is removed.
    pub retention: Duration,
    /// Whether a record is on the disk, and not only with the operating system, before its call
    /// is answered.
    pub is_strict: bool,
    /// What happens to calls that cannot be recorded.
    pub on_failure: OnFailure,
}

/// Keeps the audit log in files; see the module for their names.
///
/// The locks guard the current file between the two callers that may meet, an append and a
/// sync, and what is to be told; they are never held while waiting for anything.
#[derive(Debug)]
pub struct JsonlAuditStore {
    segments: Segments,
    settings: AuditFileSettings,
    clock: Arc<dyn Clock>,
    writer: Mutex<Writer>,
    upkeep: Mutex<Upkeep>,
    searches: Arc<Semaphore>,
    _lock: LogLock,
}

/// What the store remembers of its own doings.
#[derive(Debug)]
struct Upkeep {
    /// What no record tells of yet.
    notices: Vec<AuditEvent>,
    /// The notes on disk among them.
    notes: Vec<PathBuf>,
    retention_at: Option<Timestamp>,
}

impl JsonlAuditStore {
    /// Opens the log whose configured path is `path`, mends its end, and goes on after its last
    /// record. No file is begun before the first record.
    ///
    /// # Errors
    /// When the folder cannot be created, no file can be created in it, its files cannot be
    /// read, or another process writes the log.
    pub fn open(path: &Path, settings: AuditFileSettings, clock: Arc<dyn Clock>) -> Result<Self, AuditFileError> {
        let segments = Segments::new(path)?;
        segments.prepare()?;
        let lock = segments.lock()?;
        let Opened { tail, head, notices } = open_log(&segments)?;
        let AuditFileSettings { max_file_size, is_daily, is_strict, .. } = settings;
        let rules = WriterRules { max_file_size, is_daily, is_strict };
        let writer = Writer::new(segments.clone(), rules, Arc::clone(&clock), (tail, head));
        let upkeep = Upkeep { notices, notes: Vec::new(), retention_at: None };
        let (writer, upkeep) = (Mutex::new(writer), Mutex::new(upkeep));
        let searches = Arc::new(Semaphore::new(SEARCHES_MAX));
        Ok(Self { segments, settings, clock, writer, upkeep, searches, _lock: lock })
    }

    /// Runs `read` on the blocking pool, because a search may go through large files. It takes its
    /// turn, and ends when nobody waits for it any more.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&JsonlAuditReader) -> Result<T, AuditFileError> + Send + 'static,
    ) -> StoreResult<'_, T> {
        let reader = JsonlAuditReader::of(self.segments.clone());
        let searches = Arc::clone(&self.searches);
        Box::pin(async move {
            let turn = searches.acquire_owned().await.map_err(store_error)?;
            let (patience, _waiting) = Patience::for_time(SEARCH_TIME);
            let reader = reader.with_patience(patience);
            let read = move || {
                let _turn = turn;
                let outcome = read(&reader);
                for damage in reader.take_damage() {
                    tracing::warn!(damage, "something of the audit log cannot be read");
                }
                outcome
            };
            on_blocking_pool(read).await?.map_err(store_error)
        })
    }

    /// Whether it is time to look for segments that are too old.
    async fn is_retention_due(&self, now: Timestamp) -> bool {
        let mut upkeep = self.upkeep.lock().await;
        let is_due = upkeep.retention_at.is_none_or(|last| now >= last + RETENTION_INTERVAL || now < last);
        if is_due {
            upkeep.retention_at = Some(now);
        }
        is_due
    }
}

impl AuditStore for JsonlAuditStore {
    /// Writes in place: the audit log's thread serves nothing else, and a hop to another thread
    /// would cost more than the write. The records are then with the operating system, or, when
    /// the log is strict, on the disk; `sync` takes them to the disk.
    fn append(&self, records: Vec<Arc<AuditRecord>>) -> StoreResult<'_, ()> {
        Box::pin(async move { self.writer.lock().await.append(&records).map_err(store_error) })
    }

    fn last_sequence(&self) -> StoreResult<'_, u64> {
        Box::pin(async move { Ok(self.writer.lock().await.last_sequence()) })
    }

    fn read_newest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        self.read(move |reader| reader.read_newest_quietly(&filter, limit))
    }

    fn read_oldest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        self.read(move |reader| reader.read_oldest(&filter, limit))
    }

    fn count(&self, filter: AuditFilter) -> StoreResult<'_, AuditStats> {
        self.read(move |reader| reader.count(&filter))
    }

    fn sync(&self) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let unsynced = self.writer.lock().await.take_unsynced();
            let (unsynced, outcome) = on_blocking_pool(move || {
                let outcome = unsynced.sync();
                (unsynced, outcome)
            })
            .await?;
            if let Err(error) = outcome {
                self.writer.lock().await.put_back(unsynced);
                return Err(store_error(error));
            }
            Ok(())
        })
    }

    fn on_failure(&self) -> OnFailure {
        self.settings.on_failure
    }

    fn tend(&self) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let now = self.clock.now();
            let is_retention_due = self.is_retention_due(now).await;
            let (segments, settings) = (self.segments.clone(), self.settings);
            on_blocking_pool(move || {
                let _turn = segments.lock_upkeep()?;
                if is_retention_due {
                    remove_old(&segments, settings.retention, now)?;
                }
                if settings.is_compressed { compress_closed(&segments) } else { Ok(()) }
            })
            .await?
            .map_err(store_error)
        })
    }

    fn notices(&self) -> StoreResult<'_, Vec<AuditEvent>> {
        Box::pin(async move {
            let segments = self.segments.clone();
            let notes = on_blocking_pool(move || retention::notes(&segments)).await?.map_err(store_error)?;
            let mut upkeep = self.upkeep.lock().await;
            for (path, removed) in notes {
                if !upkeep.notes.contains(&path) {
                    upkeep.notices.push(notices::removed(&removed));
                    upkeep.notes.push(path);
                }
            }
            Ok(upkeep.notices.clone())
        })
    }

    fn forget_notices(&self) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let notes = {
                let mut upkeep = self.upkeep.lock().await;
                upkeep.notices.clear();
                std::mem::take(&mut upkeep.notes)
            };
            notes.iter().try_for_each(|note| remove_note(note)).map_err(store_error)?;
            if self.writer.lock().await.admit_head() { self.sync().await } else { Ok(()) }
        })
    }
}

fn remove_old(segments: &Segments, age: Duration, now: Timestamp) -> Result<(), AuditFileError> {
    let removed = retention::remove(segments, now - age, now)?;
    if !removed.segments.is_empty() {
        let (files, records) = (removed.segments.len(), removed.records());
        tracing::info!(files, records, "removed files of the audit log that were old enough");
    }
    Ok(())
}

fn remove_note(note: &Path) -> io::Result<()> {
    match fs::remove_file(note) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Compresses every segment but the newest, which is being written or mended at the next start,
/// and the single file of older versions. One that fails does not keep back the others.
fn compress_closed(segments: &Segments) -> Result<(), AuditFileError> {
    let is_plain_segment = |path: &PathBuf| !is_compressed(path) && segments.begun_at(path).is_some();
    for path in segments.newest_first()?.into_iter().skip(1).filter(is_plain_segment) {
        if let Err(error) = compress(&path, segments.folder()) {
            tracing::error!(file = %path.display(), %error, "a file of the audit log could not be compressed");
        }
    }
    Ok(())
}

async fn on_blocking_pool<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(store_error)
}

fn store_error(error: impl std::fmt::Display) -> StoreError {
    StoreError { detail: error.to_string() }
}
