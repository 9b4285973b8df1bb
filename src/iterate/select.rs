//! Which server next: the fastest that is in good standing, now and then another.
//!
//! Knows: round-trip times, standing, what was tried already. Does not know: how to ask. Shown by:
//! `tests/scenarios/walk_three_*`; `../shared/attacks` dead, loss.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cache::crowds::{Standing, Whose};
use crate::cache::servers::Known;
use crate::wire::Name;
use crate::world::Rng;

/// A server nobody has asked yet ranks as if its round trip took something up to this.
pub const UNKNOWN_RTT: Duration = Duration::from_millis(100);
/// One choice in so many goes to another server than the best, so that news is noticed.
pub const EXPLORE_ONE_IN: usize = 16;
/// Exchanges with one server for one question of one zone.
pub const MAX_TRIES: u8 = 6;
/// Exchanges with a server that nobody has heard from yet, or lately.
pub const MAX_TRIES_UNKNOWN: u8 = 4;

/// An address that may be asked.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Where.
    pub address: SocketAddr,
    /// What is known of it; of one that was never asked, nothing.
    pub known: Option<Known>,
    /// The name server it belongs to.
    pub name: Option<Name>,
    /// Exchanges begun.
    pub tries: u8,
    /// Exchanges under way.
    pub under_way: u8,
    /// It answered, and it was of no use.
    pub flawed: bool,
    /// Those who wait for it, once it was asked.
    pub crowd: Option<Whose>,
    /// They are many and wait in vain; as remembered when another was last looked for.
    pub overrun: bool,
    /// Something came from it already: asking again would not help.
    pub heard: Arc<AtomicBool>,
    /// As remembered when the zone was turned to.
    pub standing: Standing,
    /// As remembered, if it ever answered.
    pub srtt: Option<Duration>,
}

impl Candidate {
    fn tries_allowed(&self) -> u8 {
        match (self.standing, self.srtt) {
            (Standing::Silent, _) => 0,
            (Standing::Probe, _) => 1,
            (Standing::Quiet, _) | (_, None) => MAX_TRIES_UNKNOWN,
            _ => MAX_TRIES,
        }
    }

    fn may_be_asked(&self) -> bool {
        !self.flawed
            && self.tries < self.tries_allowed()
            && !(self.overrun && self.tries > 0)
            && (self.under_way == 0 || !self.heard.load(Ordering::Relaxed))
    }

    fn score(&self, rng: &Rng) -> (u8, Standing, Duration) {
        let rtt = self
            .srtt
            .unwrap_or_else(|| Duration::from_micros(rng.below(UNKNOWN_RTT.as_micros() as usize) as u64));
        (self.tries, self.standing, rtt)
    }
}

/// The index of the server to ask next: first those asked least, of these the best.
pub fn next(candidates: &[Candidate], rng: &Rng) -> Option<usize> {
    let mut ranked: Vec<_> = candidates
        .iter()
        .enumerate()
        .filter(|(_, c)| c.may_be_asked())
        .map(|(i, c)| (c.score(rng), i))
        .collect();
    ranked.sort();
    let best = ranked.first()?;
    let peers: Vec<_> = ranked.iter().filter(|(s, _)| (s.0, s.1) == (best.0.0, best.0.1)).collect();
    if peers.len() > 1 && rng.below(EXPLORE_ONE_IN) == 0 {
        return peers.get(1 + rng.below(peers.len() - 1)).map(|(_, i)| *i);
    }
    Some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(last: u8, srtt: Option<u64>, standing: Standing) -> Candidate {
        Candidate {
            known: None,
            address: SocketAddr::from(([192, 0, 2, last], 53)),
            name: None,
            tries: 0,
            under_way: 0,
            flawed: false,
            crowd: None,
            overrun: false,
            heard: Arc::default(),
            standing,
            srtt: srtt.map(Duration::from_millis),
        }
    }

    #[test]
    fn the_fastest_mostly_and_never_the_silent() {
        let rng = Rng::seeded(1);
        let all = [
            candidate(1, Some(200), Standing::Good),
            candidate(2, Some(1), Standing::Good),
            candidate(3, Some(1), Standing::Silent),
            candidate(4, Some(0), Standing::Lame),
        ];
        let mut count = [0; 4];
        for _ in 0..1600 {
            count[next(&all, &rng).unwrap()] += 1;
        }
        assert!(count[1] > 1400 && count[0] > 50 && count[2] == 0 && count[3] == 0, "{count:?}");
        assert_eq!(next(&all[2..3], &rng), None);
    }

    #[test]
    fn each_is_asked_once_before_one_is_asked_twice() {
        let rng = Rng::seeded(1);
        let mut all = vec![candidate(1, Some(1), Standing::Good), candidate(2, None, Standing::Good)];
        all[0].tries = 1;
        assert_eq!(next(&all, &rng), Some(1));
        all[1].tries = MAX_TRIES_UNKNOWN;
        assert_eq!(next(&all, &rng), Some(0));
        all[0].overrun = true;
        assert_eq!(next(&all, &rng), None, "who is overrun is not asked twice");
        all[0].tries = 0;
        assert_eq!(next(&all, &rng), Some(0), "but once");
        (all[0].tries, all[0].overrun) = (1, false);
        all[0].under_way = 1;
        all[0].heard.store(true, Ordering::Relaxed);
        assert_eq!(next(&all, &rng), None);
    }
}
