//! One test program; each module states what it shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod binary;
mod check;
mod client;
mod config;
mod cookies;
mod docs;
mod everything;
mod explain;
mod flood;
mod gate;
mod lab;
mod late;
mod layers;
mod mistakes;
mod mute;
mod nested;
mod persist;
mod properties;
mod ready;
mod reload;
mod replay;
mod scenario;
mod show;
mod sockets;
mod trace;
mod trace_text;
mod wire;
