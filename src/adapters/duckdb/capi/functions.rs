//! The functions by which SQL asks who it runs for.
//!
//! A function registered in DuckDB belongs to the whole database, so one registration serves all
//! connections. Which connection a call comes from is known when the statement is bound: the
//! callback looks up that connection's slot and keeps it with the statement. When the statement
//! runs, on whichever of DuckDB's threads, the slot tells who is there at that moment. The
//! functions are volatile: without that, DuckDB computes them once and shows the answer to the next
//! user of the same prepared statement. One case is left: the argument of a table function is
//! computed when the statement is bound, and the plan keeps what was made of it. [`Activity`] lets
//! the session notice.

use super::{Connection, c_text, fetch_function};
use crate::adapters::duckdb::fetch::{Fetcher, Fetches};
use crate::adapters::duckdb::lock::Lock;
use crate::adapters::duckdb::look::KnownFunctions;
use duckdb::ffi;
use mxcp_actors::ports::sql_engine::SqlCaller;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

thread_local! {
    static ACTIVITY: Cell<Activity> = const { Cell::new(Activity { binds: 0, reads: 0 }) };
}

/// How often the functions were bound and read on this thread.
///
/// DuckDB binds on the thread that asks it to prepare or execute. A function that was bound and read
/// within one such call may have been read for the plan, which then holds the caller's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    binds: u64,
    reads: u64,
}

impl Activity {
    /// The counts so far.
    pub(crate) fn now() -> Self {
        ACTIVITY.get()
    }

    /// Whether a function was bound since.
    pub(crate) fn has_bound_since(self) -> bool {
        Self::now().binds > self.binds
    }

    /// Whether a plan made since may hold what a function answered.
    pub(crate) fn may_have_kept_since(self) -> bool {
        self.has_bound_since() && Self::now().reads > self.reads
    }

    fn count(change: impl FnOnce(&mut Self)) {
        let mut activity = ACTIVITY.get();
        change(&mut activity);
        ACTIVITY.set(activity);
    }
}

/// Who a connection works for right now, and what was fetched for them.
///
/// The locks are of this connection alone and held for the copy of a pointer.
#[derive(Debug, Default)]
pub(crate) struct CallerSlot {
    caller: Lock<Option<Arc<SqlCaller>>>,
    fetches: Lock<Option<Arc<Fetches>>>,
}

impl CallerSlot {
    /// Says who the connection works for from now on; nobody with `None`.
    pub(crate) fn set(&self, caller: Option<Arc<SqlCaller>>) {
        *self.caller.lock() = caller;
    }

    /// Lets the query send requests from now on; none with `None`, which closes the files of those
    /// that were sent.
    pub(crate) fn set_fetches(&self, fetches: Option<Arc<Fetches>>) {
        *self.fetches.lock() = fetches;
    }

    /// The requests that the query may send.
    pub(crate) fn fetches(&self) -> Option<Arc<Fetches>> {
        self.fetches.lock().clone()
    }

    fn get(&self) -> Option<Arc<SqlCaller>> {
        self.caller.lock().clone()
    }
}

/// The slots of all connections, by the connection's id, and what sends their requests.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    slots: Lock<HashMap<u64, Arc<CallerSlot>>>,
    fetcher: Option<Arc<dyn Fetcher>>,
    known_functions: KnownFunctions,
}

impl Callers {
    /// No connections yet; without `fetcher` no requests can be sent.
    pub(crate) fn new(fetcher: Option<Arc<dyn Fetcher>>) -> Self {
        Self { fetcher, ..Self::default() }
    }

    /// What SQL of strangers may call.
    pub(crate) fn known_functions(&self) -> &KnownFunctions {
        &self.known_functions
    }

    /// What sends requests.
    pub(crate) fn fetcher(&self) -> Option<Arc<dyn Fetcher>> {
        self.fetcher.clone()
    }

    /// Registers the functions in the database of `connection`.
    ///
    /// # Errors
    /// A message when DuckDB refuses.
    pub(crate) fn register(self: &Arc<Self>, connection: &Connection) -> Result<(), String> {
        for field in [Field::Username, Field::Email, Field::Provider, Field::ExternalToken] {
            register(connection, field, Arc::clone(self))?;
        }
        fetch_function::register(connection, Arc::clone(self))
    }

    /// Makes the slot of a new connection; to be done before anything is prepared on it.
    pub(crate) fn enter(&self, connection: u64) -> Arc<CallerSlot> {
        let slot = Arc::new(CallerSlot::default());
        self.slots.lock().insert(connection, Arc::clone(&slot));
        slot
    }

    /// Forgets a connection.
    pub(crate) fn leave(&self, connection: u64) {
        self.slots.lock().remove(&connection);
    }

    fn slot(&self, connection: u64) -> Option<Arc<CallerSlot>> {
        self.slots.lock().get(&connection).cloned()
    }
}

#[derive(Clone, Copy)]
enum Field {
    Username,
    Email,
    Provider,
    ExternalToken,
}

impl Field {
    fn function_name(self) -> &'static str {
        match self {
            Self::Username => "get_username",
            Self::Email => "get_user_email",
            Self::Provider => "get_user_provider",
            Self::ExternalToken => "get_user_external_token",
        }
    }

    fn read(self, caller: &SqlCaller) -> &str {
        match self {
            Self::Username => &caller.username,
            Self::Email => &caller.email,
            Self::Provider => &caller.provider,
            Self::ExternalToken => caller.external_token.expose(),
        }
    }
}

/// What a function keeps as long as the database is open.
pub(super) struct Registration {
    /// `None` for the function that fetches.
    field: Option<Field>,
    callers: Arc<Callers>,
}

impl Registration {
    /// For the function that fetches, in the form that DuckDB keeps.
    pub(super) fn of_fetching(callers: Arc<Callers>) -> *mut c_void {
        Box::into_raw(Box::new(Self { field: None, callers })).cast()
    }
}

fn register(connection: &Connection, field: Field, callers: Arc<Callers>) -> Result<(), String> {
    let name = c_text(field.function_name())?;
    let registration = Box::into_raw(Box::new(Registration { field: Some(field), callers }));
    // SAFETY: DuckDB copies name and type; it owns the registration from `set_extra_info` on and
    // frees it with `drop_registration`; the callbacks fit their purpose.
    let state = unsafe {
        let mut function = ffi::duckdb_create_scalar_function();
        ffi::duckdb_scalar_function_set_name(function, name.as_ptr());
        let mut text = ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR);
        ffi::duckdb_scalar_function_set_return_type(function, text);
        ffi::duckdb_destroy_logical_type(&raw mut text);
        ffi::duckdb_scalar_function_set_volatile(function);
        ffi::duckdb_scalar_function_set_extra_info(function, registration.cast(), Some(drop_registration));
        ffi::duckdb_scalar_function_set_bind(function, Some(bind));
        ffi::duckdb_scalar_function_set_function(function, Some(run));
        let state = ffi::duckdb_register_scalar_function(connection.raw(), function);
        ffi::duckdb_destroy_scalar_function(&raw mut function);
        state
    };
    if state == ffi::DuckDBSuccess {
        Ok(())
    } else {
        Err(format!("the SQL function {} cannot be registered", field.function_name()))
    }
}

/// Frees a [`Registration`].
pub(super) unsafe extern "C" fn drop_registration(data: *mut c_void) {
    // SAFETY: `register` made it with `Box::into_raw`, and DuckDB calls this once.
    drop(unsafe { Box::from_raw(data.cast::<Registration>()) });
}

/// Remembers the slot of the connection on which the statement is bound.
pub(super) unsafe extern "C" fn bind(info: ffi::duckdb_bind_info) {
    Activity::count(|activity| activity.binds += 1);
    let bound = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: DuckDB keeps `info` and the registration alive during the call.
        unsafe {
            let registration = ffi::duckdb_scalar_function_bind_get_extra_info(info).cast::<Registration>();
            let callers = registration.as_ref().map(|registration| &registration.callers)?;
            let slot = callers.slot(bound_connection(info)).unwrap_or_default();
            let data = Box::into_raw(Box::new(slot)).cast();
            ffi::duckdb_scalar_function_set_bind_data(info, data, Some(drop_slot));
            ffi::duckdb_scalar_function_set_bind_data_copy(info, Some(copy_slot));
        }
        Some(())
    }));
    if !matches!(bound, Ok(Some(()))) {
        // SAFETY: `info` is alive; the text is copied.
        unsafe { ffi::duckdb_scalar_function_bind_set_error(info, c"the caller cannot be told".as_ptr()) };
    }
}

/// # Safety
/// `info` is that of the bind callback in progress.
unsafe fn bound_connection(info: ffi::duckdb_bind_info) -> u64 {
    let mut context = ptr::null_mut();
    // SAFETY: promised by the caller; the context is destroyed after its one use.
    unsafe {
        ffi::duckdb_scalar_function_get_client_context(info, &raw mut context);
        let id = ffi::duckdb_client_context_get_connection_id(context);
        ffi::duckdb_destroy_client_context(&raw mut context);
        id
    }
}

/// Frees a slot kept by [`bind`].
unsafe extern "C" fn drop_slot(data: *mut c_void) {
    // SAFETY: `bind` or `copy_slot` made it with `Box::into_raw`, and DuckDB calls this once.
    drop(unsafe { Box::from_raw(data.cast::<Arc<CallerSlot>>()) });
}

/// Copies a slot when DuckDB copies the expression, as for a CTE used twice.
unsafe extern "C" fn copy_slot(data: *mut c_void) -> *mut c_void {
    // SAFETY: DuckDB passes what `bind` gave it.
    match unsafe { data.cast::<Arc<CallerSlot>>().as_ref() } {
        Some(slot) => Box::into_raw(Box::new(Arc::clone(slot))).cast(),
        None => ptr::null_mut(),
    }
}

/// Answers for all rows of a chunk at once.
unsafe extern "C" fn run(info: ffi::duckdb_function_info, _rows: ffi::duckdb_data_chunk, output: ffi::duckdb_vector) {
    Activity::count(|activity| activity.reads += 1);
    let answered = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: DuckDB keeps both pieces of data alive while the statement runs.
        let (field, slot) = unsafe {
            let registration = ffi::duckdb_scalar_function_get_extra_info(info).cast::<Registration>().as_ref();
            (registration?.field?, ffi::duckdb_scalar_function_get_bind_data(info).cast::<Arc<CallerSlot>>().as_ref()?)
        };
        let caller = slot.get();
        let text = caller.as_deref().map_or("", |caller| field.read(caller));
        // SAFETY: DuckDB copies the text into the value, and the value into the vector, which
        // becomes one value for all rows.
        unsafe {
            let mut value = ffi::duckdb_create_varchar_length(text.as_ptr().cast::<c_char>(), text.len() as u64);
            if value.is_null() {
                return None;
            }
            ffi::duckdb_vector_reference_value(output, value);
            ffi::duckdb_destroy_value(&raw mut value);
        }
        Some(())
    }));
    if !matches!(answered, Ok(Some(()))) {
        // SAFETY: `info` is alive; the text is copied.
        unsafe { ffi::duckdb_scalar_function_set_error(info, c"the caller cannot be told".as_ptr()) };
    }
}
