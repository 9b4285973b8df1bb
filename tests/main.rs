//! One test program; each module states what it shows.

mod lab;
mod scenario;
mod wire;
