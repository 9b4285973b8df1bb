//! PROOF: is an RRset what its zone says, and is a denial proven?
//!
//! Knows: RFC 4033–4035, 5155, 6840, 6672 §5.3, 9276, as rules on values: which keys a zone has
//! (`keys`), whether a signature covers an RRset (`verify`), what NSEC and NSEC3 records prove
//! (`denial`), which keys need no proof (`anchors`). Does not know: where records come from. It
//! never asks anybody; `iterate::validate` fetches what a proof needs, through the same cache.
//!
//! Shown by: `tests/scenarios/dnssec_*`.

pub mod aggressive;
pub mod anchors;
mod bitmap;
pub mod crypto;
pub mod denial;
mod key;
pub mod keys;
mod nsec;
mod nsec3;
pub mod rollover;
pub mod sentinel;
#[cfg(test)]
mod vectors;
pub mod verify;

pub use crate::security::{Reason, Security};

/// What a zone's keys are worth.
#[derive(Clone, Debug)]
pub enum Trust {
    /// These keys sign for the zone.
    Secure(std::sync::Arc<keys::ZoneKeys>),
    /// Proven to have no chain of trust; with the reason, when its DS records are of no use here.
    Insecure(Option<Reason>),
    /// Proven to be no zone of its own: the zone above is responsible.
    NoCut,
    /// Its chain of trust is broken.
    Bogus(Reason),
}

impl Trust {
    /// Octets it takes, about.
    pub fn octets(&self) -> u32 {
        match self {
            Trust::Secure(keys) => {
                // The library's form of a key takes about as much again, and its own frame.
                let each = |key: &keys::Key| 3 * key.rdata.len() + 400;
                (64 + keys.set.octets() + keys.keys.iter().map(each).sum::<usize>()) as u32
            }
            _ => 64,
        }
    }
}
