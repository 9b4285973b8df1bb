//! UPSTREAM: questions to other servers.

pub mod cookies;
