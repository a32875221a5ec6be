//! What is peculiar to sled.
