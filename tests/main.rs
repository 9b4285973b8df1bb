//! One test program; each module states what it shows.

mod config;
mod lab;
mod scenario;
mod sockets;
mod wire;
