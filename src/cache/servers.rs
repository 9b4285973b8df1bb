//! What is known of each server's address: round-trip time, silence, EDNS, cookies, lameness.
//!
//! Knows: the smoothed RTT of RFC 6298, which servers are quiet, for which zones a server was of no use lately. Does not
//! know: which server to ask (`iterate::select`). Shown by: `tests/scenarios/walk_three_*`, `walk_server_that_drops_*`;
//! `../shared/attacks` dead, loss, edns.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::blocks;
use super::crowds::{Crowd, Standing};
use crate::wire::Name;
use crate::world::lock;

/// Shortest wait before another server is asked too.
pub const MIN_PATIENCE: Duration = Duration::from_millis(40);
/// Longest wait before another server is asked too.
pub const MAX_PATIENCE: Duration = Duration::from_millis(400);
/// The wait for a server that nobody has asked yet: three dead servers out of four cost under a
/// second.
pub const UNKNOWN_PATIENCE: Duration = Duration::from_millis(280);
/// Longest wait before the same server is asked once more.
pub const MAX_REPEAT: Duration = Duration::from_millis(1_000);
/// The same for a server that nobody has asked yet: it may only be slow.
pub const UNKNOWN_REPEAT: Duration = Duration::from_millis(450);
/// How long a reply may take of one who has to ask others.
const FORWARDER_PATIENCE: Duration = Duration::from_millis(1_500);
/// So many exchanges in a row without a reply, and none for [`QUIET_FOR`], make a server quiet.
pub const QUIET_STREAK: u32 = 4;
/// See [`QUIET_STREAK`].
pub const QUIET_FOR: Duration = Duration::from_secs(2);
/// A quiet server comes last; so often one question goes there as if it were not, or nobody would notice that it is back.
pub const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// A lame server comes last for its zone for so long.
pub const LAME_FOR: Duration = Duration::from_secs(60);
/// Zones remembered per server as lame.
pub const LAME_ZONES: usize = 16;
/// EDNS is tried again after so long at a server that refused it.
pub const PLAIN_FOR: Duration = Duration::from_secs(900);
/// 0x20 is tried again after so long at a server that did not echo case.
pub const NO_CASE_FOR: Duration = Duration::from_secs(3600);

/// No cookie is sent for so long to a server that did not answer with one (RFC 9018 §3).
pub const NO_COOKIE_FOR: Duration = Duration::from_secs(300);

/// How a server has behaved.
#[derive(Debug, Default)]
pub struct Server {
    srtt: Option<Duration>,
    /// What the round trip takes at least, where only silence is known; the first reply corrects it.
    guess: Option<Duration>,
    rttvar: Duration,
    streak: u32,
    last_reply: Option<Instant>,
    first_silence: Option<Instant>,
    /// Quiet, and until when nobody looks whether it still is.
    quiet_until: Option<Instant>,
    /// Those who wait for it, whatever the zone.
    crowd: Crowd,
    plain_until: Option<Instant>,
    no_case_until: Option<Instant>,
    /// The cookie that it was last seen with: ours, 8 octets, and its part, 8–32 octets (RFC 7873 §4.2).
    pub cookie: Option<Vec<u8>>,
    no_cookie_until: Option<Instant>,
    /// Which of our client cookies it is sent: another one after each pause.
    pub cookie_generation: u32,
    /// Hashes of zones, and until when: names would take twenty times as much, and who delegates to it
    /// chooses them.
    lame: Vec<(u64, Instant)>,
}

/// Nobody without the seed can look for two zones of one hash.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Server {
    /// A reply came after `rtt` (RFC 6298 §2).
    pub fn replied(&mut self, rtt: Duration, now: Instant) {
        match self.srtt {
            None => (self.srtt, self.rttvar) = (Some(rtt), rtt / 2),
            Some(srtt) => {
                self.rttvar = (self.rttvar * 3 + srtt.abs_diff(rtt)) / 4;
                self.srtt = Some((srtt * 7 + rtt) / 8);
            }
        }
        self.guess = None;
        self.streak = 0;
        self.last_reply = Some(now);
        self.first_silence = None;
        self.quiet_until = None;
    }

    /// A question leaves for the first time that is not one of many for its zone.
    pub fn asked(&mut self, is_forwarder: bool, now: Instant) {
        let patience = if is_forwarder { FORWARDER_PATIENCE } else { self.repeat_patience() };
        self.crowd.thin_out(now, patience);
        self.crowd.asked(now, patience);
        if self.quiet_until.is_some() {
            self.quiet_until = Some(now + LOOK_AGAIN);
        }
    }

    /// Something came, be it of no use.
    pub fn heard(&mut self, now: Instant) {
        self.crowd.heard(now);
    }

    /// No reply came.
    pub fn was_silent(&mut self, now: Instant) {
        self.streak = self.streak.saturating_add(1);
        let since = *self.first_silence.get_or_insert(now);
        let quiet = self.last_reply.map_or(since, |reply| reply.max(since));
        if self.streak >= QUIET_STREAK && now.duration_since(quiet) >= QUIET_FOR {
            self.quiet_until.get_or_insert(now + LOOK_AGAIN);
        }
    }

    /// Another server answered while this one was still waited for. Of a server that has answered
    /// before, a datagram was lost: that says nothing about its round-trip time.
    pub fn was_slow(&mut self, waited: Duration, now: Instant) {
        if self.srtt.is_none() {
            self.guess = Some(waited * 2);
        }
        self.was_silent(now);
    }

    /// Every exchange of a whole attempt at a zone came to nothing: quiet at once. Not more than that: there are servers
    /// that drop what they do not like, be it a type, a name, or a zone that somebody else has delegated to them.
    pub fn gave_up(&mut self, now: Instant) {
        if self.streak > 0 && self.last_reply.is_none_or(|reply| now.duration_since(reply) >= QUIET_FOR) {
            self.quiet_until.get_or_insert(now + LOOK_AGAIN);
        }
    }

    /// How long to wait before another server is asked too.
    pub fn patience(&self) -> Duration {
        match self.srtt {
            None => UNKNOWN_PATIENCE,
            Some(srtt) => (srtt + self.rttvar * 4).clamp(MIN_PATIENCE, MAX_PATIENCE),
        }
    }

    /// How long to wait before this same server is asked once more.
    pub fn repeat_patience(&self) -> Duration {
        match self.srtt {
            None => UNKNOWN_REPEAT,
            Some(srtt) => (srtt + self.rttvar * 4).clamp(MIN_PATIENCE, MAX_REPEAT),
        }
    }

    /// Smoothed round-trip time, or what it is guessed to be; `None`: nobody has asked.
    pub fn srtt(&self) -> Option<Duration> {
        self.srtt.or(self.guess)
    }

    /// How it may be used for `zone`.
    pub fn standing(&self, zone: &Name, now: Instant) -> Standing {
        let own = match self.quiet_until {
            Some(until) if now < until => Standing::Quiet,
            _ if self.is_lame(zone, now) => Standing::Lame,
            _ => Standing::Good,
        };
        own.max(self.crowd.standing(now))
    }

    fn is_lame(&self, zone: &Name, now: Instant) -> bool {
        if self.lame.is_empty() {
            return false;
        }
        let zone = SEED.hash_one(zone);
        self.lame.iter().any(|(z, until)| *z == zone && now < *until)
    }

    /// It was of no use for `zone`.
    pub fn mark_lame(&mut self, zone: &Name, now: Instant) {
        let zone = SEED.hash_one(zone);
        self.lame.retain(|(z, until)| *z != zone && now < *until);
        if self.lame.len() == LAME_ZONES {
            self.lame.remove(0);
        }
        self.lame.push((zone, now + LAME_FOR));
    }

    /// May EDNS be spoken to it?
    pub fn speaks_edns(&self, now: Instant) -> bool {
        self.plain_until.is_none_or(|until| now >= until)
    }

    /// It answers without EDNS only.
    pub fn mark_plain(&mut self, now: Instant) {
        self.plain_until = Some(now + PLAIN_FOR);
    }

    /// May a cookie be sent to it?
    pub fn takes_cookies(&self, now: Instant) -> bool {
        self.no_cookie_until.is_none_or(|until| now >= until)
    }

    /// It was sent a cookie and answered without one: not the same again (RFC 9018 §3).
    pub fn mark_cookieless(&mut self, now: Instant) {
        self.cookie = None;
        self.no_cookie_until = Some(now + NO_COOKIE_FOR);
        self.cookie_generation = self.cookie_generation.wrapping_add(1);
    }

    /// Does it echo the case of the question?
    pub fn keeps_case(&self, now: Instant) -> bool {
        self.no_case_until.is_none_or(|until| now >= until)
    }

    /// Over TCP too its echo had another case.
    pub fn mark_caseless(&mut self, now: Instant) {
        self.no_case_until = Some(now + NO_CASE_FOR);
    }
}

/// What is known of one server, shared by all who deal with it.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<Mutex<Server>>);

impl Known {
    /// Looks at it, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut Server) -> T) -> T {
        look(&mut lock(&self.0))
    }
}

/// What the state grows by is counted from the start: a cookie and four lame zones. All sixteen take 288
/// octets more.
const GROWTH: u32 = 32 + 96;

/// Servers by address and port.
pub struct Servers(moka::sync::Cache<SocketAddr, Known>);

impl Servers {
    /// At most so many octets.
    pub fn new(octets: u64) -> Servers {
        Servers(super::lru(octets, |_: &SocketAddr, _: &Known| {
            blocks::OVERHEAD + blocks::allocated(size_of::<Mutex<Server>>()) + GROWTH
        }))
    }

    /// What is known of a server, if it was ever asked.
    pub fn get(&self, server: SocketAddr) -> Option<Known> {
        self.0.get(&server)
    }

    /// The same of one that is to be asked now; to be kept while it is dealt with.
    pub fn known(&self, server: SocketAddr) -> Known {
        self.get(server).unwrap_or_else(|| {
            let fresh = Known::default();
            self.0.insert(server, fresh.clone());
            fresh
        })
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lossy_server_is_not_quiet_and_a_dead_one_is() {
        let zone: Name = "z.".parse().unwrap();
        let start = Instant::now();
        let mut lossy = Server::default();
        for i in 0..100u64 {
            let now = start + Duration::from_millis(i * 100);
            if i % 5 == 0 {
                lossy.replied(Duration::from_millis(1), now)
            } else {
                lossy.was_silent(now)
            }
            assert_eq!(lossy.standing(&zone, now), Standing::Good);
        }
        let mut dead = Server::default();
        for i in 0..QUIET_STREAK + 1 {
            dead.was_silent(start + Duration::from_secs(u64::from(i)));
        }
        let now = start + Duration::from_secs(u64::from(QUIET_STREAK));
        assert_eq!(dead.standing(&zone, now), Standing::Quiet);
        let later = now + LOOK_AGAIN;
        assert_eq!(dead.standing(&zone, later), Standing::Good, "somebody looks again");
        dead.asked(false, later);
        assert_eq!(dead.standing(&zone, later), Standing::Quiet, "and nobody else");
        dead.replied(Duration::from_millis(5), later);
        assert_eq!(dead.standing(&zone, later), Standing::Good);
    }

    #[test]
    fn who_is_asked_very_often_in_vain_is_silent_for_all_zones() {
        let (mut server, now) = (Server::default(), Instant::now());
        let standing = |server: &Server, at| server.standing(&"other.".parse().unwrap(), at);
        for i in 0..900 {
            assert_eq!(standing(&server, now + Duration::from_millis(i)), Standing::Good);
            server.asked(false, now + Duration::from_millis(i));
        }
        let later = now + Duration::from_millis(1_100);
        server.asked(false, later);
        assert_eq!(standing(&server, later), Standing::Silent);
        server.heard(later);
        assert_eq!(standing(&server, later), Standing::Good);
        for i in 0..2_000 {
            let now = later + Duration::from_millis(20 * i);
            server.asked(false, now);
            assert_eq!(standing(&server, now), Standing::Good, "fifty a second are few");
        }
        let much_later = later + Duration::from_secs(60);
        for i in 0..2_500 {
            server.asked(false, much_later + Duration::from_millis(i));
        }
        let mut now = much_later + Duration::from_millis(2_500);
        assert_eq!(standing(&server, now), Standing::Silent);
        while standing(&server, now) != Standing::Good && now < much_later + Duration::from_secs(20) {
            now += Duration::from_millis(100);
            server.asked(false, now);
        }
        assert!(now < much_later + Duration::from_secs(10), "a few keep it silent");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_lame_for_the_last_zones_and_for_a_while() {
        let mut server = Server::default();
        let now = Instant::now();
        let zone = |i: usize| format!("Zone{i}.example.").parse::<Name>().unwrap();
        (0..=LAME_ZONES).for_each(|i| server.mark_lame(&zone(i), now));
        let standing = |text: &str, at: Instant| server.standing(&text.parse().unwrap(), at);
        assert_eq!(standing("zone16.EXAMPLE.", now), Standing::Lame);
        assert_eq!(standing("zone1.example.", now), Standing::Lame);
        assert_eq!(standing("zone0.example.", now), Standing::Good, "the oldest is forgotten");
        assert_eq!(standing("zone17.example.", now), Standing::Good);
        assert_eq!(standing("zone16.example.", now + LAME_FOR), Standing::Good);
    }

    #[test]
    fn patience_follows_the_round_trip_time() {
        let mut server = Server::default();
        assert_eq!(server.patience(), UNKNOWN_PATIENCE);
        let now = Instant::now();
        server.replied(Duration::from_micros(100), now);
        assert_eq!(server.patience(), MIN_PATIENCE);
        for _ in 0..50 {
            server.replied(Duration::from_millis(900), now);
        }
        assert_eq!(server.patience(), MAX_PATIENCE);
    }

    #[test]
    fn the_first_reply_corrects_what_a_lost_datagram_made_believe() {
        let mut server = Server::default();
        let now = Instant::now();
        server.was_slow(UNKNOWN_PATIENCE, now);
        assert_eq!(server.srtt(), Some(UNKNOWN_PATIENCE * 2), "ranks behind those that answer");
        assert_eq!(server.patience(), UNKNOWN_PATIENCE);
        server.replied(Duration::from_millis(1), now);
        assert_eq!((server.srtt(), server.patience()), (Some(Duration::from_millis(1)), MIN_PATIENCE));
    }
}
