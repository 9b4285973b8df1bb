//! One test program; each module states what it shows.

// Functions beside the tests may fail loudly as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod config;
