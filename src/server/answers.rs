//! Ready packets of one worker: found by their question, dropped when what they rest on has changed.
//!
//! Knows: a table of sets of five, found by a seeded hash of the question; that a packet is good only
//! until its first record expires and while every stamp that it rests on stands (`cache::stamps`); that
//! the per-hop cache has to hear of what is asked for; who has to go when there is no room. It belongs
//! to one thread: no lock, no reference count, nothing that another thread can hold up. Does not know:
//! what is in a packet (`wire::ready`), how answers come about. Whatever is missing here is made anew
//! from the per-hop cache, so dropping is always right.
//!
//! A hit reads as few cache lines as it can, since the kernel needs them for its own: one of the table,
//! and those of one block that holds all that there is of a packet (docs/decisions/0011).
//!
//! A flood of names that are asked once does not get in: a packet is made when an answer came from
//! the cache alone, that is, when the name is asked for the second time. What does get in and is not
//! asked again goes first.
//!
//! Shown by: the tests below; `tests/ready.rs`.

use std::hash::{BuildHasher as _, RandomState};

use thin_vec::ThinVec;

use crate::cache::blocks::Place;
use crate::cache::scratch::Rested;
use crate::cache::stamps::{Stamp, Stamps};
use crate::wire::ready::{Ask, Ready};

/// Packets in a set, so that it is one cache line.
const WAYS: usize = 5;
/// Sets of an empty table; it doubles when packets have to go that are in use.
const FIRST_SETS: usize = 256;
/// The table grows only when it is fuller than this, in percent; before, two full sets are bad luck.
const FULL: usize = 40;
/// Octets of a packet with its place and its share of empty places, for the size of the full table.
const TYPICAL_OCTETS: usize = 256;
/// Nanoseconds between two attempts to have a packet's hops refreshed ahead of their time.
pub const REFRESH_PAUSE: u64 = crate::resolver::REFRESH_PAUSE.as_nanos() as u64;
/// Nanoseconds after which the per-hop cache is told once that what a packet was made from is asked for,
/// so that it keeps it; if it minds by then, else as soon as it does.
const TOUCH_EVERY: u64 = 8_000_000_000;

/// A packet and what goes with it, in one block:
///
/// ```text
/// refresh at 8 │ touch at 8 │ stood at 8 │ octets of the packet 2 │ stamps 2 │ packet │ stamps, 8 each │ places, 8 each
/// ```
///
/// *Refresh at*: from then on the long way is to be gone once, so that what expires soon is fetched
/// anew. *Touch at*: from then on the cache is to be told. *Stood at*: all that it rests on stood when so
/// many changes had been made; `u64::MAX`: nobody has looked.
#[derive(Default)]
pub struct Kept(ThinVec<u8>);

const REFRESH_AT: usize = 0;
const TOUCH_AT: usize = 8;
const STOOD_AT: usize = 16;
const HEAD: usize = 28;
/// A block's own length and capacity, before it.
const BLOCK_OVERHEAD: usize = 16;

impl Kept {
    /// A packet as [`Ready::pack`] made it, to be used while what it rests on stands.
    pub fn new(packet: &[u8], rested: &Rested, refresh_at: u64, now: u64) -> Kept {
        let (stamps, places) = (&rested.stamps, &rested.places);
        let mut block = ThinVec::with_capacity(HEAD + packet.len() + 8 * (stamps.len() + places.len()));
        block.extend_from_slice(&refresh_at.to_ne_bytes());
        block.extend_from_slice(&now.saturating_add(TOUCH_EVERY).to_ne_bytes());
        block.extend_from_slice(&u64::MAX.to_ne_bytes());
        block.extend_from_slice(&(packet.len() as u16).to_ne_bytes());
        block.extend_from_slice(&(stamps.len() as u16).to_ne_bytes());
        block.extend_from_slice(packet);
        for stamp in stamps {
            block.extend_from_slice(&stamp.slot.to_ne_bytes());
            block.extend_from_slice(&stamp.value.to_ne_bytes());
        }
        for place in places {
            block.extend_from_slice(&place.0.to_ne_bytes());
        }
        Kept(block)
    }

    fn number(&self, at: usize) -> u64 {
        self.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |n| u64::from_ne_bytes(*n))
    }

    fn set_number(&mut self, at: usize, number: u64) {
        if let Some(octets) = self.0.get_mut(at..).and_then(|b| b.first_chunk_mut()) {
            *octets = number.to_ne_bytes();
        }
    }

    /// Where the stamps begin and end.
    fn bounds(&self) -> (usize, usize) {
        let short = |at: usize| {
            let octets = self.0.get(at..).and_then(|b| b.first_chunk());
            octets.map_or(0, |n| usize::from(u16::from_ne_bytes(*n)))
        };
        let stamps = HEAD + short(HEAD - 4);
        (stamps, stamps + 8 * short(HEAD - 2))
    }

    /// The packet.
    pub fn ready(&self) -> Ready<'_> {
        Ready::of(self.0.get(HEAD..self.bounds().0).unwrap_or_default())
    }

    fn stamps(&self) -> impl Iterator<Item = Stamp> {
        let (start, end) = self.bounds();
        let all = self.0.get(start..end).unwrap_or_default().as_chunks::<8>().0;
        all.iter().map(|[a, b, c, d, e, f, g, h]| Stamp {
            slot: u32::from_ne_bytes([*a, *b, *c, *d]),
            value: u32::from_ne_bytes([*e, *f, *g, *h]),
        })
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let all = self.0.get(self.bounds().1..).unwrap_or_default().as_chunks::<8>().0;
        all.iter().map(|octets| Place(u64::from_ne_bytes(*octets)))
    }

    /// Does all that it rests on stand?
    fn stands(&mut self, stamps: &Stamps) -> bool {
        let changes = stamps.changes();
        if self.number(STOOD_AT) == changes {
            return true;
        }
        let stands = self.stamps().all(|stamp| stamps.stands(stamp));
        if stands {
            self.set_number(STOOD_AT, changes);
        }
        stands
    }

    /// Does what was to be done `at` when it was time, if `done` says so; the next time is after a `pause`.
    fn do_in_time(&mut self, at: usize, now: u64, pause: u64, done: impl FnOnce(&Kept) -> bool) -> bool {
        let done = self.number(at) <= now && done(self);
        if done {
            self.set_number(at, now.saturating_add(pause));
        }
        done
    }

    fn octets(&self) -> usize {
        BLOCK_OVERHEAD + self.0.len()
    }
}

/// One cache line.
#[derive(Default)]
#[repr(align(64))]
struct Set {
    /// 0: nothing is there. Else 31 bits of the hash, and [`USED`].
    marks: [u32; WAYS],
    kept: [Kept; WAYS],
}

const _: () = assert!(size_of::<Set>() == 64);

/// Asked for since it was last looked at for room.
const USED: u32 = 1 << 31;

impl Set {
    fn position(&self, is: impl Fn(u32, &Kept) -> bool) -> Option<usize> {
        self.marks.iter().zip(&self.kept).position(|(mark, kept)| is(*mark, kept))
    }

    /// Where the packet is that answers `key`.
    fn find(&self, hash: u32, key: &[u8]) -> Option<usize> {
        self.position(|mark, kept| mark & !USED == hash && kept.ready().answers(key))
    }

    /// Puts something in a place; how many octets were there?
    fn replace(&mut self, way: usize, mark: u32, kept: Kept) -> usize {
        let Some((old_mark, old)) = self.marks.get_mut(way).zip(self.kept.get_mut(way)) else { return 0 };
        let gone = if *old_mark == 0 { 0 } else { old.octets() };
        (*old_mark, *old) = (mark, kept);
        gone
    }

    fn not_in_use(&mut self) {
        self.marks.iter_mut().for_each(|mark| *mark &= !USED);
    }
}

/// A worker's ready packets.
pub struct Answers {
    sets: Vec<Set>,
    most_sets: usize,
    keys: RandomState,
    kept: usize,
    /// Of what is kept, without the table.
    octets: usize,
    limit: usize,
    /// Where room is looked for next.
    hand: usize,
}

impl Answers {
    /// Empty, of at most `limit` octets. None are kept when that is nothing.
    pub fn new(limit: usize) -> Answers {
        let most = (limit / TYPICAL_OCTETS * 100 / FULL / WAYS).max(1);
        let most_sets = 1 << most.ilog2();
        let sets = std::iter::repeat_with(Default::default).take(most_sets.min(FIRST_SETS)).collect();
        Answers { sets, most_sets, keys: RandomState::new(), kept: 0, octets: 0, limit, hand: 0 }
    }

    /// The answer to `ask` if there is one that is good at the moment `now`. From time to time `touch` is told
    /// what it was made from; `false` from it: that was not needed, so it is asked again next time.
    pub fn get(
        &mut self,
        ask: &Ask<'_>,
        now: u64,
        stamps: &Stamps,
        touch: impl FnOnce(&mut dyn Iterator<Item = Place>) -> bool,
    ) -> Option<Ready<'_>> {
        let hash = self.hash(ask.key());
        let (index, way) = self.find(hash, ask.key())?;
        let Set { marks, kept } = self.sets.get_mut(index)?;
        let (mark, kept) = marks.get_mut(way).zip(kept.get_mut(way))?;
        if kept.ready().expires() <= now || !kept.stands(stamps) {
            self.octets = self.octets.saturating_sub(kept.octets());
            self.kept = self.kept.saturating_sub(1);
            (*mark, *kept) = (0, Kept::default());
            return None;
        }
        if kept.do_in_time(REFRESH_AT, now, REFRESH_PAUSE, |_| true) {
            return None;
        }
        kept.do_in_time(TOUCH_AT, now, TOUCH_EVERY, |kept| touch(&mut kept.places()));
        *mark |= USED;
        Some(kept.ready())
    }

    /// Keeps a packet for questions with this key.
    pub fn put(&mut self, key: &[u8], kept: Kept) {
        let octets = kept.octets();
        if octets > self.limit / 8 {
            return;
        }
        let hash = self.hash(key);
        if self.find(hash, key).is_none()
            && self.room(hash).is_none()
            && self.kept * 100 > self.sets.len() * WAYS * FULL
            && self.sets.len() < self.most_sets
        {
            self.double();
        }
        let (index, way) =
            self.find(hash, key).or_else(|| self.room(hash)).unwrap_or_else(|| self.victim(hash));
        self.replace(index, way, hash, kept);
        while self.octets + size_of_val(&*self.sets) > self.limit && self.kept > 0 {
            self.make_room();
        }
    }

    /// 31 bits of it, not all zero.
    fn hash(&self, key: &[u8]) -> u32 {
        (self.keys.hash_one(key) as u32 & !USED).max(1)
    }

    /// The two sets where a packet can be: the first if there was room.
    fn homes(&self, hash: u32) -> [usize; 2] {
        /// 2^64 / golden ratio: the upper half of a product with it depends on all bits.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let mask = self.sets.len() - 1;
        let other = u64::from(hash).wrapping_mul(SPREAD) >> 32;
        [hash as usize & mask, other as usize & mask]
    }

    fn find(&self, hash: u32, key: &[u8]) -> Option<(usize, usize)> {
        self.homes(hash).into_iter().find_map(|index| Some((index, self.sets.get(index)?.find(hash, key)?)))
    }

    /// An empty place, or one not in use.
    fn room(&self, hash: u32) -> Option<(usize, usize)> {
        let position = |is: fn(u32) -> bool| {
            let homes = self.homes(hash).into_iter();
            homes
                .filter_map(|i| Some((i, self.sets.get(i)?)))
                .find_map(|(index, set)| Some((index, set.position(|mark, _| is(mark))?)))
        };
        position(|mark| mark == 0).or_else(|| position(|mark| mark & USED == 0))
    }

    /// Where all are in use, anyone.
    fn victim(&mut self, hash: u32) -> (usize, usize) {
        let index = self.homes(hash)[0];
        if let Some(set) = self.sets.get_mut(index) {
            set.not_in_use();
        }
        (index, (hash >> 24) as usize % WAYS)
    }

    fn replace(&mut self, index: usize, way: usize, mark: u32, kept: Kept) {
        let Some(set) = self.sets.get_mut(index) else { return };
        self.octets += kept.octets();
        let gone = set.replace(way, mark, kept);
        self.octets = self.octets.saturating_sub(gone);
        self.kept += usize::from(gone == 0);
    }

    /// Twice as many sets, each packet in its new one.
    fn double(&mut self) {
        let count = self.sets.len() * 2;
        let old = std::mem::take(&mut self.sets);
        self.sets = std::iter::repeat_with(Default::default).take(count).collect();
        (self.kept, self.octets) = (0, 0);
        for Set { marks, kept } in old {
            for (mark, kept) in marks.into_iter().zip(kept).filter(|(mark, _)| *mark != 0) {
                let hash = mark & !USED;
                let (index, way) = self.room(hash).unwrap_or_else(|| self.victim(hash));
                self.replace(index, way, mark, kept);
            }
        }
    }

    /// Drops what is not in use from the next set, and next time what was.
    fn make_room(&mut self) {
        self.hand = (self.hand + 1) & (self.sets.len() - 1);
        let Some(set) = self.sets.get_mut(self.hand) else { return };
        for way in 0..WAYS {
            if set.marks.get(way).is_some_and(|mark| *mark != 0 && mark & USED == 0) {
                self.octets = self.octets.saturating_sub(set.replace(way, 0, Kept::default()));
                self.kept = self.kept.saturating_sub(1);
            }
        }
        set.not_in_use();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rrset::{Question, RrType};
    use crate::wire::ready::Clock;
    use crate::wire::{MessageWriter, Name};
    use crate::world::Rng;

    fn packet(name: &str) -> Vec<u8> {
        let mut writer = MessageWriter::new(1, 0x0100, 512);
        writer.question(&Question::new(name.parse().unwrap(), RrType::A)).unwrap();
        writer.finish()
    }

    fn keep(answers: &mut Answers, name: &str, expires: u64, stamps: &[Stamp]) {
        let rested = Rested { stamps: stamps.into(), places: Vec::new() };
        keep_until(answers, name, expires, &rested, u64::MAX);
    }

    fn keep_until(answers: &mut Answers, name: &str, expires: u64, rested: &Rested, refresh_at: u64) {
        let packet = packet(name);
        let ask = Ask::peek(&packet).unwrap();
        let block = Ready::pack(&packet, ask.key(), &[Clock { at: 0, expires }], false).unwrap();
        answers.put(ask.key(), Kept::new(&block, rested, refresh_at, 0));
    }

    fn has(answers: &mut Answers, name: &str, now: u64, stamps: &Stamps) -> bool {
        answers.get(&Ask::peek(&packet(name)).unwrap(), now, stamps, |_| false).is_some()
    }

    /// Octets and packets.
    fn counted(answers: &Answers) -> (usize, usize) {
        let all = answers.sets.iter().flat_map(|set| set.marks.iter().zip(&set.kept));
        let kept: Vec<usize> = all.filter(|(mark, _)| **mark != 0).map(|(_, kept)| kept.octets()).collect();
        (kept.iter().sum(), kept.len())
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
        assert_eq!(((answers.octets, answers.kept), counted(&answers)), ((0, 0), (0, 0)));
    }

    #[test]
    fn one_asker_goes_the_long_way_before_it_expires() {
        let (mut answers, stamps) = (Answers::new(1 << 20), Stamps::default());
        keep_until(&mut answers, "a.", u64::MAX, &Rested::default(), 90);
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
            assert!(answers.octets + size_of_val(&*answers.sets) <= limit);
            if i % 50 == 0 {
                let asked = popular.iter().filter(|name| has(&mut answers, name, 0, &stamps)).count();
                assert!(asked > 0);
            }
        }
        assert_eq!((answers.octets, answers.kept), counted(&answers));
        let left = popular.iter().filter(|name| has(&mut answers, name, 0, &stamps)).count();
        assert!(left >= 90, "{left} of 100 popular names are left");
    }

    #[test]
    fn the_cache_is_told_now_and_then() {
        let (mut answers, stamps) = (Answers::new(1 << 20), Stamps::default());
        let rested =
            Rested { stamps: vec![stamps.of(&Name::root(), false)], places: vec![Place(7), Place(8)] };
        keep_until(&mut answers, "a.", u64::MAX, &rested, u64::MAX);
        let packet = packet("a.");
        let ask = Ask::peek(&packet).unwrap();
        let mut told = |now, minded| {
            let mut told = Vec::new();
            let touch = |places: &mut dyn Iterator<Item = Place>| {
                told.extend(places.map(|place| place.0));
                minded
            };
            assert!(answers.get(&ask, now, &stamps, touch).is_some());
            told
        };
        assert_eq!(told(TOUCH_EVERY - 1, true), [0; 0]);
        assert_eq!(told(TOUCH_EVERY, false), [7, 8]);
        assert_eq!(told(TOUCH_EVERY + 1, true), [7, 8], "it was not minded before");
        assert_eq!(told(2 * TOUCH_EVERY, true), [0; 0]);
        assert_eq!(told(3 * TOUCH_EVERY, true), [7, 8]);
    }

    #[test]
    fn a_table_that_has_grown_has_all_and_is_well_filled() {
        let (mut answers, stamps) = (Answers::new(1 << 24), Stamps::default());
        for i in 0..10_000 {
            let name = format!("name{i}.example.");
            keep(&mut answers, &name, u64::MAX, &[]);
            assert!(has(&mut answers, &name, 0, &stamps));
        }
        let left =
            (0..10_000).filter(|i| has(&mut answers, &format!("name{i}.example."), 0, &stamps)).count();
        assert!(left > 9_950, "{left} of 10000");
        assert_eq!((answers.octets, answers.kept), counted(&answers));
        assert!(answers.sets.len() <= 8_192, "{} sets", answers.sets.len());
    }

    /// What is counted is what is there, what is found is what was put there last, and nothing is found twice,
    /// whatever the limit and however often everything is thrown about.
    #[test]
    fn what_is_counted_is_there_over_random_histories() {
        use std::collections::HashMap;

        let rng = Rng::seeded(7);
        let names: Vec<String> = (0..3_000).map(|i| format!("{i}.example.")).collect();
        for limit in [0, 1, 500, 1_000, 4_096, 20_000, 1 << 17, 1 << 20] {
            let (mut answers, stamps) = (Answers::new(limit), Stamps::default());
            let mut model: HashMap<usize, (u64, u64)> = HashMap::new(); // the last one put: expiry, change
            let mut changes: HashMap<usize, u64> = HashMap::new();
            let mut now = 0;
            // In the largest most are there at once and in use: more than the first table has places for.
            let large = limit >= 1 << 20;
            let longest = if large { 200_000 } else { 20_000 };
            for _ in 0..30_000 {
                let which = if rng.below(2) == 0 { rng.below(50) } else { rng.below(3_000) };
                let name = &names[which];
                let parsed: Name = name.parse().unwrap();
                match rng.below(16) {
                    0..6 => {
                        let expires = now + 1 + rng.below(longest) as u64;
                        let extra = vec![Stamp { slot: 0, value: 0 }; rng.below(60)];
                        let mut rested = vec![stamps.of(&parsed, false)];
                        rested.extend(extra.iter().filter(|s| stamps.stands(**s)));
                        let places = (0..rng.below(20) as u64).map(Place).collect();
                        let rested = Rested { stamps: rested, places };
                        let besides = BLOCK_OVERHEAD + HEAD + 14 + 10 + packet(name).len();
                        let octets = besides + 8 * (rested.stamps.len() + rested.places.len());
                        keep_until(&mut answers, name, expires, &rested, u64::MAX);
                        let _in_use = large && has(&mut answers, name, now, &stamps);
                        if octets <= limit / 8 {
                            model.insert(which, (expires, changes.get(&which).copied().unwrap_or(0)));
                        }
                    }
                    6..14 => {
                        if has(&mut answers, name, now, &stamps) {
                            let (expires, change) = model[&which];
                            assert!(expires > now, "stale");
                            assert_eq!(change, changes.get(&which).copied().unwrap_or(0), "replaced");
                            let request = packet(name);
                            let ask = Ask::peek(&request).unwrap();
                            let ready = answers.get(&ask, now, &stamps, |_| false).unwrap();
                            assert_eq!(ready.expires(), expires, "not the last one");
                        }
                    }
                    14 => {
                        stamps.change(&parsed, false);
                        *changes.entry(which).or_default() += 1;
                    }
                    _ => now += rng.below(20) as u64,
                }
                assert_eq!((answers.octets, answers.kept), counted(&answers));
                assert!(answers.kept == 0 || answers.octets + size_of_val(&*answers.sets) <= limit);
            }
            let mut seen = std::collections::HashSet::new();
            for set in &answers.sets {
                for (mark, kept) in set.marks.iter().zip(&set.kept).filter(|(mark, _)| **mark != 0) {
                    assert!(seen.insert(kept.0[HEAD + 14 + 12..HEAD + 14 + 30].to_vec()), "twice, {mark}");
                }
            }
            assert!(!large || answers.sets.len() > FIRST_SETS, "the table has not grown");
        }
    }

    #[test]
    fn none_are_kept_without_room() {
        let (mut answers, stamps) = (Answers::new(0), Stamps::default());
        keep(&mut answers, "a.", u64::MAX, &[]);
        assert!(!has(&mut answers, "a.", 0, &stamps));
    }
}
