//! One test program; each module states what it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod binary;
mod config;
mod docs;
mod lab;
mod layers;
mod scenario;
mod sockets;
mod trace_text;
mod wire;
