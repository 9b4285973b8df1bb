//! cnamed: a recursive caching DNS resolver that follows alias chains and shows its work.

pub mod config;
pub mod lab;
pub mod master;
pub mod rrset;
pub mod server;
pub mod wire;
pub mod world;
