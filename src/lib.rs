//! cnamed: a recursive caching DNS resolver that follows alias chains and shows its work.

pub mod budget;
pub mod cache;
pub mod chain;
pub mod cli;
pub mod config;
pub mod dnssec;
pub mod failure;
pub mod idn;
pub mod iterate;
pub mod lab;
pub mod lint;
pub mod master;
pub mod policy;
pub mod render;
pub mod replace;
pub mod request;
pub mod resolver;
pub mod respond;
pub mod rrset;
pub mod security;
pub mod server;
pub mod trace;
pub mod trust;
pub mod upstream;
pub mod wire;
pub mod world;
