//! cnamed: a recursive caching DNS resolver that follows alias chains and shows its work.

pub mod cli;
pub mod config;
pub mod master;
pub mod rrset;
pub mod server;
pub mod wire;
pub mod world;
