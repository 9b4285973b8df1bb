//! cnamed: a recursive caching DNS resolver that follows alias chains and shows its work.

pub mod config;
pub mod master;
pub mod policy;
pub mod rrset;
pub mod server;
pub mod upstream;
pub mod wire;
pub mod world;
