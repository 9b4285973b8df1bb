//! One test program; each module states what it shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod binary;
mod config;
mod docs;
mod lab;
mod layers;
mod persist;
mod scenario;
mod sockets;
mod trace_text;
mod wire;
