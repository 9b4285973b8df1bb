//! POLICY: who may ask, and what is answered without asking anybody.
//!
//! Knows: the access list ([`acl`]), special-use names and locally served zones ([`local`]).
//! Deliberately does not know: where an answer goes, the cache, the network. Every function here is
//! synchronous and depends on its arguments alone.

pub mod acl;
pub mod local;
