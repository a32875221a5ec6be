//! The audit log over HTTP: live streams of it, for local programs and for people whose role lets
//! them see it, and the page for those.
//!
//! Filters are applied here, so that what somebody did not ask for does not travel.

mod events;
mod live;
mod query;
mod viewer;

pub use query::{AuditQuery, QueryError};
pub use viewer::AuditViewing;

pub(super) use events::{StreamWish, respond};
pub(super) use live::{LiveError, LiveLog, Start};
pub(super) use viewer::{events as viewer_events, page as viewer_page};
