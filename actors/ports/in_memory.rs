//! Stores without a disk.
