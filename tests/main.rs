//! One test program; each module states what it shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod client;
mod config;
mod lab;
mod properties;
mod scenario;
mod sockets;
mod trace;
mod wire;
