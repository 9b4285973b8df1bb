//! TRUST: what of a server's reply is believed, and how much.
//!
//! Knows: bailiwick, lameness and RFC 2181 §5.4.1. Reads aliases through the rules of `chain`.
//! Does not know: where servers are, what is cached, signatures.

pub mod rank;
pub mod scrub;

pub use rank::Rank;
