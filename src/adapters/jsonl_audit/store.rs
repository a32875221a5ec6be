//! The log's files as the audit log's store.

use super::AuditFileError;
use super::reader::JsonlAuditReader;
use super::segments::Segments;
use super::writer::Writer;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::ports::audit_store::AuditStore;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::{StoreError, StoreResult};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Keeps the audit log in files; see the module for their names.
///
/// The lock guards the current file between the two callers that may meet, an append and a
/// sync; it is never held while waiting for anything.
#[derive(Debug)]
pub struct JsonlAuditStore {
    reader: JsonlAuditReader,
    writer: Mutex<Writer>,
}

impl JsonlAuditStore {
    /// Opens the log whose configured path is `path`. A new file is begun when the current one
    /// has `max_file_size` bytes; no file is created before the first record.
    ///
    /// # Errors
    /// When the folder cannot be created, or no file can be created in it.
    pub fn open(path: &Path, max_file_size: u64, clock: Arc<dyn Clock>) -> Result<Self, AuditFileError> {
        let segments = Segments::new(path)?;
        segments.prepare()?;
        let writer = Mutex::new(Writer::new(segments.clone(), max_file_size, clock));
        Ok(Self { reader: JsonlAuditReader::of(segments), writer })
    }

    /// Runs `read` on the blocking pool, because a search may go through large files.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&JsonlAuditReader) -> Result<T, AuditFileError> + Send + 'static,
    ) -> StoreResult<'_, T> {
        let reader = self.reader.clone();
        Box::pin(async move { on_blocking_pool(move || read(&reader)).await?.map_err(store_error) })
    }
}

impl AuditStore for JsonlAuditStore {
    /// Writes in place: the audit log's thread serves nothing else, and a hop to another thread
    /// would cost more than the write. The records are then with the operating system; `sync`
    /// takes them to the disk.
    fn append(&self, records: Vec<Arc<AuditRecord>>) -> StoreResult<'_, ()> {
        Box::pin(async move { self.writer.lock().await.append(&records).map_err(store_error) })
    }

    fn last_sequence(&self) -> StoreResult<'_, u64> {
        self.read(JsonlAuditReader::last_sequence)
    }

    fn read_newest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        self.read(move |reader| reader.read_newest_quietly(&filter, limit))
    }

    fn read_oldest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        self.read(move |reader| reader.read_oldest(&filter, limit))
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
}

async fn on_blocking_pool<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(store_error)
}

fn store_error(error: impl std::fmt::Display) -> StoreError {
    StoreError { detail: error.to_string() }
}
