//! What a look-up has read, so that what was made from it can tell whether it still stands.
//!
//! Knows: a number for each name, in a table of fixed size, which changes whenever something is
//! stored for or taken from that name. A ready packet (`answers`) keeps the numbers of every name
//! that the look-ups behind it consulted, present or absent, and is good only while all of them are
//! the same. Names share numbers when their hashes meet: then something dies too early, never too
//! late. There is nothing to register, to lock or to clean up. Does not know: what is stored, time.
//!
//! Each name has two numbers. `own` changes with every RRset or denial of the name; `cut` only with
//! what reaches below it, NXDOMAIN and DNAME, since a look-up consults those of all names above. A
//! number that is still 0 also says that there is nothing to look for, which spares most look-ups of a
//! name that nobody has asked for before.
//!
//! Shown by: `tests/ready.rs`, over random histories.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::wire::Name;
use crate::wire::name::MAX_NAME;

/// Numbers in the table: 512 KiB. A packet that rests on nine of them dies by accident once in 14 s
/// when 1,000 names a second are stored, and is then made anew from its hops.
const SLOTS: usize = 1 << 17;

/// A number as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stamp {
    pub slot: u32,
    pub value: u32,
}

impl Stamp {
    /// Has nothing ever been stored under this number? Then there is no need to look.
    pub fn is_blank(self) -> bool {
        self.value == 0
    }
}

/// The numbers of all names.
pub struct Stamps {
    slots: Box<[AtomicU32]>,
    /// Counts changes of any.
    changes: AtomicU64,
    /// Counts changes of the rules by which names are looked up.
    era: AtomicU64,
    keys: RandomState,
}

impl Default for Stamps {
    fn default() -> Stamps {
        // Copied as a block: the tests make some ten thousand of these.
        let slots = Box::new([const { AtomicU32::new(0) }; SLOTS]);
        Stamps { slots, changes: AtomicU64::new(0), era: AtomicU64::new(0), keys: RandomState::new() }
    }
}

impl Stamps {
    /// The number of `name`, to be taken before what it stands for is looked up. `below`: the one
    /// that changes with what reaches below the name.
    pub fn of(&self, name: &Name, below: bool) -> Stamp {
        self.of_wire(name.as_wire(), below)
    }

    /// The same for a name in wire form.
    pub fn of_wire(&self, name: &[u8], below: bool) -> Stamp {
        let (own, cut) = self.places(name);
        let slot = if below { cut } else { own };
        Stamp { slot, value: self.value(slot) }
    }

    /// How often any of them has changed. What stood when this was taken stands while it is the same: one
    /// place in memory is looked at instead of nine.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Is the number still the same?
    pub fn stands(&self, stamp: Stamp) -> bool {
        self.value(stamp.slot) == stamp.value
    }

    /// Something of this type has been stored for `name` or taken from it (which must be done by
    /// now: whoever sees the old number must not have seen the new data missing).
    pub fn change(&self, name: &Name, reaches_below: bool) {
        let (own, cut) = self.places(name.as_wire());
        self.add(own);
        if reaches_below {
            self.add(cut);
        }
        // Last: whoever sees this sees the others too.
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// See [`super::Cache::era`].
    pub fn era(&self) -> u64 {
        self.era.load(Ordering::SeqCst) // between storing something and forgetting all there is one order
    }

    /// See [`super::Cache::begin_era`].
    pub fn begin_era(&self) {
        self.era.fetch_add(1, Ordering::SeqCst);
    }

    /// Everything has changed.
    pub fn change_all(&self) {
        for slot in &self.slots {
            slot.fetch_add(1, Ordering::Release);
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    fn places(&self, name: &[u8]) -> (u32, u32) {
        let mut lower = [0; MAX_NAME];
        let lower = lower.get_mut(..name.len()).unwrap_or_default();
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase(); // length octets are no letters
        let mut hasher = self.keys.build_hasher();
        hasher.write(lower);
        let hash = hasher.finish();
        let within = |n: u64| (n as usize & (SLOTS - 1)) as u32;
        (within(hash), within(hash >> 32))
    }

    fn value(&self, slot: u32) -> u32 {
        self.slots.get(slot as usize).map_or(0, |n| n.load(Ordering::Acquire))
    }

    fn add(&self, slot: u32) {
        if let Some(n) = self.slots.get(slot as usize) {
            n.fetch_add(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_stands_until_its_name_changes() {
        let stamps = Stamps::default();
        let name: Name = "www.example.".parse().unwrap();
        let (own, below) = (stamps.of(&name, false), stamps.of(&name, true));
        assert!(stamps.stands(own) && stamps.stands(below));
        stamps.change(&"WWW.example.".parse().unwrap(), false);
        assert!(!stamps.stands(own) && stamps.stands(below));
        stamps.change(&name, true);
        assert!(!stamps.stands(below));
        let own = stamps.of(&name, false);
        stamps.change_all();
        assert!(!stamps.stands(own));
    }
}
