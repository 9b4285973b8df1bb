//! Questions that wait for one server of one zone in vain, many at a time.
//!
//! A flood of names that nobody has asked for before, below a zone whose server says nothing (water
//! torture), must not be answered with a flood: each of its questions would be repeated, and would wait for
//! as long as one may. Nor may it make the server's other zones suffer, which have nothing to do with it, unless it
//! comes below zones without number: `servers` counts with the same rules what waits for a server whatever the zone.
//!
//! Knows: how many have been asked since anything came, for a table's worth of servers and zones; when that
//! is no loss any more. Does not know: round-trip times, which server to ask (`iterate::select`). A table
//! of fixed size, found by a seeded hash: of two in one place the one that is asked more stays. What is
//! forgotten costs a repeat. Shown by: the tests below, `tests/mute.rs`; `../shared/attacks` torture.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::Name;
use crate::world::lock;

/// So many who wait, for longer than one reply may take, are overrun: one asks again for all.
const OVERRUN: u32 = 64;
/// So many, and for [`MUTE_FOR`], make the server silent for the zone.
const MUTE: u32 = 256;
/// See [`MUTE`]. The longest round trips, by satellite, take 700 ms.
const MUTE_FOR: Duration = Duration::from_secs(1);
/// The same where something came within [`LATELY`]: a server that drops some names answers others.
const MUTE_FOR_HEARD: Duration = Duration::from_secs(2);
/// See [`MUTE_FOR_HEARD`].
const LATELY: Duration = Duration::from_secs(10);
/// While it is silent one question goes there so often.
const PROBE: Duration = Duration::from_secs(1);
/// Nobody waits any more for what was asked so long ago.
const FORGOTTEN: Duration = Duration::from_secs(3);
/// Places for a server and a zone, of 120 octets: floods come below a few.
const PLACES: usize = 1_024;

/// How a server may be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Answers, or nobody knows yet.
    Good,
    /// Useless for this zone lately.
    Lame,
    /// Has not answered lately, whatever it was asked: comes last.
    Quiet,
    /// Many wait for it in vain; may be tried once now.
    Probe,
    /// Many wait for it in vain; not yet again.
    Silent,
}

/// A server and a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose(u64);

/// Those who wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crowd {
    /// Asked since anything came.
    count: u32,
    /// When the first and the last of them was asked.
    since: Option<Instant>,
    last: Option<Instant>,
    heard: Option<Instant>,
    /// When the next may ask for all.
    repeat_at: Option<Instant>,
    /// Silent; and when the next question may go there.
    probe_at: Option<Instant>,
}

impl Crowd {
    fn waits_for(&self, now: Instant) -> Duration {
        self.since.map(|since| now.duration_since(since)).unwrap_or_default()
    }

    fn is_over(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.duration_since(last) >= FORGOTTEN)
    }

    fn is_overrun(&self, now: Instant, patience: Duration) -> bool {
        self.count >= OVERRUN && !self.is_over(now) && self.waits_for(now) >= patience
    }

    /// How long many must have waited until the server counts as silent.
    fn mute_for(&self, now: Instant, patience: Duration) -> Duration {
        let lately = self.heard.is_some_and(|heard| now.duration_since(heard) < LATELY);
        let mute_for = if lately { MUTE_FOR_HEARD } else { MUTE_FOR };
        mute_for.max(2 * patience)
    }

    /// Lets go of who has waited for long, and of a silence that was: so that it takes so many in a short time, again
    /// and again.
    pub fn thin_out(&mut self, now: Instant, patience: Duration) {
        let (waits, long) = (self.waits_for(now), self.mute_for(now, patience));
        if self.probe_at.is_some() && waits >= 4 * long {
            *self = Crowd { heard: self.heard, ..Crowd::default() };
        } else if self.probe_at.is_none() && waits >= 2 * long {
            self.count /= 2;
            self.since = now.checked_sub(long);
        }
    }

    /// A question leaves. `patience`: how long its reply may take.
    pub fn asked(&mut self, now: Instant, patience: Duration) {
        if self.is_over(now) {
            *self = Crowd { heard: self.heard, ..Crowd::default() };
        }
        self.count = self.count.saturating_add(1);
        (self.since, self.last) = (self.since.or(Some(now)), Some(now));
        let long = self.waits_for(now) >= self.mute_for(now, patience);
        let is_mute = self.probe_at.is_some() || (self.count >= MUTE && long);
        if is_mute && self.probe_at.is_none_or(|at| now >= at) {
            self.probe_at = Some(now + PROBE);
        }
    }

    /// Something came, be it of no use.
    pub fn heard(&mut self, now: Instant) {
        *self = Crowd { heard: Some(now), ..Crowd::default() };
    }

    /// How the server may be used, as far as this is known.
    pub fn standing(&self, now: Instant) -> Standing {
        match self.probe_at.filter(|_| !self.is_over(now)) {
            Some(at) if now < at => Standing::Silent,
            Some(_) => Standing::Probe,
            None => Standing::Good,
        }
    }
}

/// All of them.
pub struct Crowds {
    places: Vec<Mutex<Option<(Whose, Crowd)>>>,
    keys: RandomState,
    base: Instant,
    /// Milliseconds after `base` from which no server is silent any more; mostly none is, and then nobody looks.
    none_from: AtomicU64,
}

impl Default for Crowds {
    fn default() -> Crowds {
        let places = std::iter::repeat_with(Mutex::default).take(PLACES).collect();
        Crowds { places, keys: RandomState::new(), base: Instant::now(), none_from: AtomicU64::new(0) }
    }
}

impl Crowds {
    /// The server, for the zone.
    pub fn whose(&self, server: SocketAddr, zone: &Name) -> Whose {
        Whose(self.keys.hash_one((server, zone)))
    }

    fn with<T>(&self, whose: Whose, look: impl FnOnce(&mut Option<(Whose, Crowd)>) -> T) -> Option<T> {
        self.places.get(whose.0 as usize % PLACES).map(|place| look(&mut lock(place)))
    }

    /// The same where the crowd is this one.
    fn with_mine<T>(&self, whose: Whose, look: impl FnOnce(&mut Crowd) -> T) -> Option<T> {
        let mine = |place: &mut Option<(Whose, Crowd)>| {
            place.as_mut().filter(|(of, _)| *of == whose).map(|(_, crowd)| look(crowd))
        };
        self.with(whose, mine).flatten()
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.base).as_millis()).unwrap_or(u64::MAX)
    }

    /// A question leaves. `patience`: how long its reply may take. Is it one of many that wait in vain?
    pub fn asked(&self, whose: Whose, now: Instant, patience: Duration) -> bool {
        self.with(whose, |place| {
            let (of, crowd) = place.get_or_insert_with(|| (whose, Crowd::default()));
            if *of != whose {
                crowd.count = crowd.count.saturating_sub(1);
                if crowd.count > 0 && !crowd.is_over(now) {
                    return false;
                }
                (*of, *crowd) = (whose, Crowd::default());
            }
            crowd.asked(now, patience);
            if let Some(at) = crowd.probe_at {
                self.none_from.fetch_max(self.millis(at + FORGOTTEN), Ordering::Relaxed);
            }
            crowd.is_overrun(now, patience)
        })
        .unwrap_or(false)
    }

    /// Something came for the zone, be it of no use.
    pub fn heard(&self, whose: Whose, now: Instant) {
        self.with_mine(whose, |crowd| crowd.heard(now));
    }

    /// Do so many wait, and for longer than a reply may take, that it is no loss?
    pub fn is_overrun(&self, whose: Whose, now: Instant, patience: Duration) -> bool {
        self.with_mine(whose, |crowd| crowd.is_overrun(now, patience)).unwrap_or(false)
    }

    /// May one of those who wait ask again? Where many were lost at once and nobody new asks, nothing else
    /// would find out that the server is there.
    pub fn may_ask_for_all(&self, whose: Whose, now: Instant, patience: Duration) -> bool {
        let may = |crowd: &mut Crowd| {
            if !crowd.is_overrun(now, patience) {
                return true;
            }
            let may = crowd.repeat_at.is_none_or(|at| now >= at);
            if may {
                crowd.repeat_at = Some(now + patience);
            }
            may
        };
        self.with_mine(whose, may).unwrap_or(true)
    }

    /// How the server may be used for the zone, as far as this is known.
    pub fn standing(&self, server: SocketAddr, zone: &Name, now: Instant) -> Standing {
        if self.millis(now) >= self.none_from.load(Ordering::Relaxed) {
            return Standing::Good;
        }
        self.standing_of(self.whose(server, zone), now)
    }

    /// The same.
    pub fn standing_of(&self, whose: Whose, now: Instant) -> Standing {
        self.with_mine(whose, |crowd| crowd.standing(now)).unwrap_or(Standing::Good)
    }
}

const _: () = assert!(size_of::<Mutex<Option<(Whose, Crowd)>>>() <= 120);

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(40);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    struct Of {
        crowds: Crowds,
        server: SocketAddr,
        zone: Name,
    }

    impl Of {
        fn new() -> Of {
            Of {
                crowds: Crowds::default(),
                server: SocketAddr::from(([192, 0, 2, 1], 53)),
                zone: "z.".parse().unwrap(),
            }
        }

        fn whose(&self) -> Whose {
            self.crowds.whose(self.server, &self.zone)
        }

        fn asked(&self, times: u32, now: Instant) {
            (0..times).for_each(|_| _ = self.crowds.asked(self.whose(), now, PATIENCE));
        }

        fn is_overrun(&self, now: Instant) -> bool {
            self.crowds.is_overrun(self.whose(), now, PATIENCE)
        }

        fn standing(&self, now: Instant) -> Standing {
            self.crowds.standing(self.server, &self.zone, now)
        }
    }

    #[test]
    fn many_unanswered_questions_are_no_loss() {
        let (of, start) = (Of::new(), Instant::now());
        of.asked(OVERRUN, start);
        assert!(!of.is_overrun(start + PATIENCE / 2), "the reply to the first may be on its way");
        assert!(of.is_overrun(start + PATIENCE));
        assert!(of.crowds.asked(of.whose(), start + PATIENCE, PATIENCE));
        of.crowds.heard(of.whose(), start + PATIENCE);
        assert!(!of.is_overrun(start + PATIENCE));
    }

    #[test]
    fn one_asks_for_all() {
        let (of, start) = (Of::new(), Instant::now());
        of.asked(OVERRUN, start);
        let now = start + PATIENCE;
        let may = |now| of.crowds.may_ask_for_all(of.whose(), now, PATIENCE);
        assert!(may(now) && !may(now) && !may(now + PATIENCE / 2) && may(now + PATIENCE));
        of.crowds.heard(of.whose(), now);
        assert!(may(now) && may(now), "it is there again");
    }

    #[test]
    fn more_make_it_silent_for_the_zone_until_it_is_heard() {
        let (of, start) = (Of::new(), Instant::now());
        of.asked(MUTE, start);
        assert_eq!(of.standing(start), Standing::Good);
        let now = start + MUTE_FOR;
        of.asked(1, now);
        assert_eq!(of.standing(now), Standing::Silent);
        assert_eq!(of.crowds.standing(of.server, &"other.".parse().unwrap(), now), Standing::Good);
        assert_eq!(of.standing(now + PROBE), Standing::Probe);
        of.asked(1, now + PROBE);
        assert_eq!(of.standing(now + PROBE), Standing::Silent, "one at a time");
        of.crowds.heard(of.whose(), now + PROBE);
        assert_eq!(of.standing(now + PROBE), Standing::Good);
        of.asked(MUTE, now + PROBE);
        of.asked(1, now + PROBE + MUTE_FOR);
        assert_eq!(of.standing(now + PROBE + MUTE_FOR), Standing::Good, "it answers some");
        of.asked(1, now + PROBE + MUTE_FOR_HEARD);
        assert_eq!(of.standing(now + PROBE + MUTE_FOR_HEARD), Standing::Silent);
    }

    #[test]
    fn what_nobody_waits_for_is_forgotten() {
        let (of, start) = (Of::new(), Instant::now());
        of.asked(1, start);
        let later = start + Duration::from_secs(3_600);
        of.asked(MUTE - 1, later);
        assert!(!of.is_overrun(later + PATIENCE / 2));
        assert_eq!(of.standing(later), Standing::Good);
        of.asked(1, later + MUTE_FOR);
        assert_eq!(of.standing(later + MUTE_FOR), Standing::Silent);
        assert_eq!(of.standing(later + MUTE_FOR + FORGOTTEN), Standing::Good);
    }

    #[test]
    fn of_two_in_one_place_the_busier_stays() {
        let (of, start) = (Of::new(), Instant::now());
        let other = Whose(of.whose().0 ^ (1 << 63)); // in the same place
        for n in 0..400 {
            of.asked(1, start + ms(n));
            if n % 4 == 0 {
                of.crowds.asked(other, start + ms(n), PATIENCE);
            }
        }
        assert!(of.is_overrun(start + ms(400)));
        assert!(!of.crowds.is_overrun(other, start + ms(400), PATIENCE));
        of.crowds.asked(other, start + FORGOTTEN + ms(400), PATIENCE);
        assert!(!of.is_overrun(start + FORGOTTEN + ms(400)));
    }
}
