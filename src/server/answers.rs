//! Ready packets of one worker: found by their question, dropped when what they rest on has changed.
//!
//! Knows: a table of sets of four, found by a seeded hash of the question; that a packet is good only
//! until its first record expires and while every stamp that it rests on stands (`cache::stamps`); who
//! has to go when there is no room. It belongs to one thread: no lock, no reference count, nothing
//! that another thread can hold up. Does not know: what is in a packet (`wire::ready`), how answers
//! come about. Whatever is missing here is made anew from the per-hop cache, so dropping is always
//! right.
//!
//! A flood of names that are asked once does not get in: a packet is made when an answer came from
//! the cache alone, that is, when the name is asked for the second time. What does get in and is not
//! asked again goes first.
//!
//! Shown by: the tests below; `tests/ready.rs`.

use std::hash::{BuildHasher as _, RandomState};

use crate::cache::stamps::{Stamp, Stamps};
use crate::wire::ready::{Ask, Ready};

/// Packets in a set: what one look-up compares.
const WAYS: usize = 4;
/// Sets of an empty table; it doubles when packets have to go that are in use.
const FIRST_SETS: usize = 256;
/// Octets of a packet with its place and its share of empty places, for the size of the full table.
const TYPICAL_OCTETS: usize = 384;
/// Nanoseconds between two attempts to have a packet's hops refreshed ahead of their time.
const REFRESH_PAUSE: u64 = 1_000_000_000;

/// A packet and what it rests on.
pub struct Kept {
    /// The packet.
    pub ready: Ready,
    /// What it rests on.
    pub stamps: Box<[Stamp]>,
    /// From then on the long way is to be gone once, so that what expires soon is fetched anew, and what
    /// is used is known to be.
    pub refresh_at: u64,
    /// All that it rests on stood when so many changes had been made; `None`: nobody has looked.
    stood_at: Option<u64>,
}

impl Kept {
    /// To be used while all `stamps` stand.
    pub fn new(ready: Ready, stamps: Box<[Stamp]>, refresh_at: u64) -> Kept {
        Kept { ready, stamps, refresh_at, stood_at: None }
    }

    fn octets(&self) -> usize {
        size_of::<Slot>() + size_of::<Kept>() + self.ready.octets() + size_of_val(&*self.stamps)
    }
}

#[derive(Default)]
struct Slot {
    hash: u64,
    /// Asked for since it was last looked at for room.
    used: bool,
    kept: Option<Box<Kept>>,
}

/// A worker's ready packets.
pub struct Answers {
    sets: Vec<[Slot; WAYS]>,
    most_sets: usize,
    keys: RandomState,
    octets: usize,
    limit: usize,
    /// Where room is looked for next.
    hand: usize,
}

impl Answers {
    /// Empty, of at most `limit` octets. None are kept when that is nothing.
    pub fn new(limit: usize) -> Answers {
        let most = (limit / TYPICAL_OCTETS / WAYS).max(1).next_power_of_two();
        let sets = std::iter::repeat_with(Default::default).take(most.min(FIRST_SETS)).collect();
        Answers { sets, most_sets: most, keys: RandomState::new(), octets: 0, limit, hand: 0 }
    }

    /// The answer to `ask` if there is one that is good at the moment `now`.
    pub fn get(&mut self, ask: &Ask<'_>, now: u64, stamps: &Stamps) -> Option<&Ready> {
        let hash = self.keys.hash_one(ask.key());
        let index = hash as usize & (self.sets.len() - 1);
        let set = self.sets.get_mut(index)?;
        let slot = set.iter_mut().find(|slot| {
            slot.hash == hash && slot.kept.as_ref().is_some_and(|kept| kept.ready.answers(ask.key()))
        })?;
        let kept = slot.kept.as_mut()?;
        let changes = Some(stamps.changes());
        let stands = || kept.stood_at == changes || kept.stamps.iter().all(|stamp| stamps.stands(*stamp));
        if kept.ready.expires() <= now || !stands() {
            self.octets = self.octets.saturating_sub(kept.octets());
            slot.kept = None;
            return None;
        }
        kept.stood_at = changes;
        if kept.refresh_at <= now {
            kept.refresh_at = now.saturating_add(REFRESH_PAUSE);
            return None;
        }
        slot.used = true;
        slot.kept.as_ref().map(|kept| &kept.ready)
    }

    /// Keeps a packet for questions with this key.
    pub fn put(&mut self, key: &[u8], kept: Kept) {
        let octets = kept.octets();
        if octets > self.limit / 8 {
            return;
        }
        let hash = self.keys.hash_one(key);
        let slot = Slot { hash, used: false, kept: Some(Box::new(kept)) };
        if !self.place(slot, |old, ready| old.hash == hash && ready.answers(key))
            && self.sets.len() < self.most_sets
        {
            self.double();
        }
        self.octets += octets;
        while self.octets > self.limit {
            self.make_room();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Answers::new(self.limit);
    }

    /// Puts `new` into its set: over what it replaces, an empty place, or one not in use. `false`: all
    /// four were in use, and one had to go.
    fn place(&mut self, new: Slot, replaces: impl Fn(&Slot, &Ready) -> bool) -> bool {
        let index = new.hash as usize & (self.sets.len() - 1);
        let Some(set) = self.sets.get_mut(index) else { return true };
        let same = |slot: &Slot| slot.kept.as_ref().is_some_and(|kept| replaces(slot, &kept.ready));
        let found = (set.iter().position(same))
            .or_else(|| set.iter().position(|slot| slot.kept.is_none()))
            .or_else(|| set.iter().position(|slot| !slot.used));
        let fits = found.is_some();
        // Anyone of the four: the upper bits of the hash choose.
        let place = found.unwrap_or((new.hash >> 62) as usize % WAYS);
        if !fits {
            set.iter_mut().for_each(|slot| slot.used = false);
        }
        if let Some(slot) = set.get_mut(place) {
            let gone = slot.kept.as_ref().map_or(0, |kept| kept.octets());
            self.octets = self.octets.saturating_sub(gone);
            *slot = new;
        }
        fits
    }

    /// Twice as many sets, each packet in its new one.
    fn double(&mut self) {
        let count = self.sets.len() * 2;
        let old = std::mem::take(&mut self.sets);
        self.sets = std::iter::repeat_with(Default::default).take(count).collect();
        let octets = self.octets;
        for slot in old.into_iter().flatten().filter(|slot| slot.kept.is_some()) {
            self.place(slot, |_, _| false);
        }
        self.octets = octets;
    }

    /// Drops what is not in use from the next sets, and next time what was.
    fn make_room(&mut self) {
        self.hand = (self.hand + 1) & (self.sets.len() - 1);
        let Some(set) = self.sets.get_mut(self.hand) else { return };
        for slot in set {
            if std::mem::take(&mut slot.used) {
                continue;
            }
            if let Some(kept) = slot.kept.take() {
                self.octets = self.octets.saturating_sub(kept.octets());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rrset::{Question, RrType};
    use crate::wire::MessageWriter;
    use crate::wire::ready::Clock;

    fn packet(name: &str) -> Vec<u8> {
        let mut writer = MessageWriter::new(1, 0x0100, 512);
        writer.question(&Question::new(name.parse().unwrap(), RrType::A)).unwrap();
        writer.finish()
    }

    fn keep(answers: &mut Answers, name: &str, expires: u64, stamps: &[Stamp]) {
        let packet = packet(name);
        let ask = Ask::peek(&packet).unwrap();
        let ready = Ready::new(&packet, ask.key(), &[Clock { at: 0, expires }], false).unwrap();
        answers.put(ask.key(), Kept::new(ready, stamps.into(), u64::MAX));
    }

    fn has(answers: &mut Answers, name: &str, now: u64, stamps: &Stamps) -> bool {
        answers.get(&Ask::peek(&packet(name)).unwrap(), now, stamps).is_some()
    }

    fn counted(answers: &Answers) -> usize {
        answers.sets.iter().flatten().filter_map(|slot| slot.kept.as_ref()).map(|kept| kept.octets()).sum()
    }

    #[test]
    fn a_packet_dies_in_time_and_with_what_it_rests_on() {
        let (mut answers, stamps) = (Answers::new(1 << 20), Stamps::default());
        let name = "www.example.".parse().unwrap();
        keep(&mut answers, "www.example.", 100, &[stamps.of(&name, false)]);
        assert!(has(&mut answers, "WWW.example.", 99, &stamps));
        assert!(!has(&mut answers, "example.", 99, &stamps));
        assert!(!has(&mut answers, "www.example.", 100, &stamps), "expired");
        keep(&mut answers, "www.example.", 100, &[stamps.of(&name, false)]);
        assert!(has(&mut answers, "www.example.", 0, &stamps));
        stamps.change(&"other.".parse().unwrap(), true);
        assert!(has(&mut answers, "www.example.", 0, &stamps), "something else has changed");
        stamps.change(&name, false);
        assert!(!has(&mut answers, "www.example.", 0, &stamps), "replaced");
        assert_eq!((answers.octets, counted(&answers)), (0, 0));
    }

    #[test]
    fn one_asker_goes_the_long_way_before_it_expires() {
        let (mut answers, stamps) = (Answers::new(1 << 20), Stamps::default());
        keep(&mut answers, "a.", u64::MAX, &[]);
        for set in &mut answers.sets {
            set.iter_mut().filter_map(|slot| slot.kept.as_mut()).for_each(|kept| kept.refresh_at = 90);
        }
        assert!(has(&mut answers, "a.", 89, &stamps));
        assert!(!has(&mut answers, "a.", 90, &stamps), "this one");
        assert!(has(&mut answers, "a.", 91, &stamps), "nobody else");
        assert!(!has(&mut answers, "a.", 90 + REFRESH_PAUSE, &stamps), "unless it did not help");
    }

    #[test]
    fn it_keeps_within_its_octets_and_keeps_what_is_asked_for() {
        let (limit, stamps) = (1 << 18, Stamps::default());
        let mut answers = Answers::new(limit);
        let popular: Vec<String> = (0..100).map(|i| format!("popular{i}.example.")).collect();
        for name in &popular {
            keep(&mut answers, name, u64::MAX, &[]);
        }
        for i in 0..20_000 {
            keep(&mut answers, &format!("once{i}.example."), u64::MAX, &[]);
            assert!(answers.octets <= limit);
            if i % 50 == 0 {
                let asked = popular.iter().filter(|name| has(&mut answers, name, 0, &stamps)).count();
                assert!(asked > 0);
            }
        }
        assert_eq!(answers.octets, counted(&answers));
        let left = popular.iter().filter(|name| has(&mut answers, name, 0, &stamps)).count();
        assert!(left >= 90, "{left} of 100 popular names are left");
        answers.clear();
        assert_eq!(counted(&answers), 0);
    }

    #[test]
    fn none_are_kept_without_room() {
        let (mut answers, stamps) = (Answers::new(0), Stamps::default());
        keep(&mut answers, "a.", u64::MAX, &[]);
        assert!(!has(&mut answers, "a.", 0, &stamps));
    }
}
