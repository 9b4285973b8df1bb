//! Trust anchors that follow their zone's keys (RFC 5011), as values.
//!
//! Knows: the states of a key and what moves it from one to the next (RFC 5011 §4), the hold-down
//! times (§2.4), when to look again (§2.3), what becomes of a zone whose anchors are all revoked
//! (§5), and the text in which all of it outlives the process. Deliberately does not know: who
//! fetches the keys (`iterate::follow`), where the text is kept (`cli::anchors`).
//!
//! Shown by: the tests below, which walk the table of §4, and `tests/scenarios/dnssec_rollover_*`.

mod text;

use super::Reason;
use super::crypto::Policy;
use super::key::{Key, SEP};
use super::keys::{Anchor, ZoneKeys, establish, keys_of};
use super::verify::{Verified, verify};
use crate::budget::Checks;
use crate::rrset::{Rdatas, RrSet};
use crate::wire::Name;
pub use text::{read, write};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// A new key counts no sooner (RFC 5011 §2.4.1).
pub const ADD_HOLD_DOWN: u64 = 30 * DAY;
/// A revoked key that is gone for so long is past (RFC 5011 §2.4.2).
pub const REMOVE_HOLD_DOWN: u64 = 30 * DAY;
/// Keys kept of one zone (RFC 5011 §2.4.3 wants at least five): no zone can fill the file.
pub const KEYS_KEPT: usize = 32;

/// How a key of a trust point is seen (RFC 5011 §4.2); one in "Start" is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Seen, and not trusted before its hold-down time has passed.
    AddPend,
    /// Trusted.
    Valid,
    /// Trusted, but not among the zone's keys at present.
    Missing,
    /// Never to be trusted again.
    Revoked,
    /// The same, and no longer among the zone's keys.
    Removed,
}

/// One key of a trust point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// Without the revoke bit, also when it is revoked.
    pub key: Key,
    /// How it is seen.
    pub state: State,
    /// Seconds since 1970: since when; of a revoked key, when it was seen last.
    pub since: u64,
    /// Of a pending key: when its hold-down time ends.
    pub due: u64,
    /// Of a pending key: the tags of the trusted keys that had signed it when it was first seen.
    pub vouchers: Vec<u16>,
}

impl Tracked {
    fn new(key: &Key, state: State, now: u64) -> Tracked {
        Tracked { key: key.clone(), state, since: now, due: 0, vouchers: Vec::new() }
    }

    fn enter(&mut self, state: State, now: u64) {
        (self.state, self.since) = (state, now);
    }

    fn is_past(&self) -> bool {
        matches!(self.state, State::Revoked | State::Removed)
    }
}

/// A zone with trust anchors, and what has been seen of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPoint {
    /// The zone.
    pub zone: Name,
    /// Its keys with the SEP bit, in no order.
    pub keys: Vec<Tracked>,
    /// When to look again, in seconds since 1970.
    pub next: u64,
}

/// What the clock and the settings say while a DNSKEY set is looked at.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// Seconds since 1970.
    pub now: u64,
    /// Which algorithms count.
    pub policy: &'a Policy,
    /// What may be spent.
    pub checks: &'a Checks<'a>,
}

impl TrustPoint {
    /// Of which nothing has been seen yet.
    pub fn new(zone: Name) -> TrustPoint {
        TrustPoint { zone, keys: Vec::new(), next: 0 }
    }

    /// What the zone is trusted by: of the anchors that the operator configured those not revoked
    /// since, and the keys that were taken on. None: the trust point is deleted (RFC 5011 §5).
    pub fn trusted(&self, configured: &[Anchor]) -> Vec<Anchor> {
        let is_past = |anchor: &&Anchor| {
            self.keys.iter().any(|own| own.is_past() && anchor.matches(&self.zone, &own.key))
        };
        let mut trusted: Vec<Anchor> = configured.iter().filter(|anchor| !is_past(anchor)).cloned().collect();
        for own in self.keys.iter().filter(|own| matches!(own.state, State::Valid | State::Missing)) {
            let anchor = Anchor::Dnskey(own.key.clone());
            if !trusted.contains(&anchor) {
                trusted.push(anchor);
            }
        }
        trusted
    }

    /// Takes in a DNSKEY set as it was fetched, and says when to look again. The error is why it is
    /// not believed; a revocation counts all the same (RFC 5011 §2.1).
    pub fn see(&mut self, set: &RrSet, configured: &[Anchor], sight: Sight<'_>) -> Result<(), Reason> {
        let Sight { now, policy, checks } = sight;
        self.postpone(now);
        let keys = keys_of(set);
        self.revoke(set, &keys, configured, sight);
        let trusted = self.trusted(configured);
        if trusted.is_empty() {
            self.next = now + DAY;
            return Ok(());
        }
        let (_, verified) = establish(&self.zone, set, &trusted, now, policy, checks)?;
        self.next = now + interval(&verified);
        self.age(&keys, now);
        for key in keys.iter().filter(|key| key.flags & SEP != 0 && key.verifies(policy)) {
            self.meet(key, set, &trusted, (&verified, sight));
        }
        Ok(())
    }

    /// Nothing was seen: again in an hour (RFC 5011 §2.3).
    pub fn postpone(&mut self, now: u64) {
        self.next = now + HOUR;
    }

    /// RevBit: a key that has the revoke bit and has signed the set itself.
    fn revoke(&mut self, set: &RrSet, keys: &[Key], configured: &[Anchor], sight: Sight<'_>) {
        for key in keys.iter().filter(|key| key.is_zone_key() && key.is_revoked()) {
            let before = key.unrevoked();
            let known = self.keys.iter().position(|own| own.key == before);
            let is_trusted = match known.and_then(|at| self.keys.get_mut(at)) {
                Some(own) if own.is_past() => {
                    // Still there: its remove hold-down begins again.
                    own.since = if own.state == State::Revoked { sight.now } else { own.since };
                    continue;
                }
                Some(own) => own.state != State::AddPend,
                None => configured.iter().any(|anchor| anchor.matches(&self.zone, &before)),
            };
            let alone = ZoneKeys { zone: self.zone.clone(), keys: vec![key.clone()], set: Rdatas::empty() };
            if !is_trusted || verify(set, &alone, sight.now, sight.policy, sight.checks).is_err() {
                continue;
            }
            match known.and_then(|at| self.keys.get_mut(at)) {
                Some(own) => own.enter(State::Revoked, sight.now),
                None => self.keys.push(Tracked::new(&before, State::Revoked, sight.now)),
            }
        }
        // A new key is not taken on when all who vouched for it are revoked (RFC 5011 §2.2).
        let past: Vec<u16> = self.keys.iter().filter(|own| own.is_past()).map(|own| own.key.tag).collect();
        self.keys
            .retain(|own| own.state != State::AddPend || !own.vouchers.iter().all(|tag| past.contains(tag)));
    }

    /// KeyRem and RemTime: what has become of the keys that are not in this validated set.
    fn age(&mut self, keys: &[Key], now: u64) {
        let is_there = |own: &Tracked| keys.contains(&own.key);
        self.keys.retain(|own| own.state != State::AddPend || is_there(own));
        for own in self.keys.iter_mut().filter(|own| !keys.contains(&own.key)) {
            match own.state {
                State::Valid => own.enter(State::Missing, now),
                State::Revoked if now >= own.since + REMOVE_HOLD_DOWN => own.enter(State::Removed, now),
                _ => {}
            }
        }
    }

    /// KeyPres, AddTime and NewKey: a key with the SEP bit in a validated set.
    fn meet(&mut self, key: &Key, set: &RrSet, trusted: &[Anchor], seen: (&Verified, Sight<'_>)) {
        let (verified, sight) = seen;
        let now = sight.now;
        if let Some(own) = self.keys.iter_mut().find(|own| own.key == *key) {
            match own.state {
                State::Missing => own.enter(State::Valid, now),
                State::AddPend if now >= own.due => own.enter(State::Valid, now),
                _ => {}
            }
            return;
        }
        if self.keys.len() >= KEYS_KEPT {
            return;
        }
        if trusted.iter().any(|anchor| anchor.matches(&self.zone, key)) {
            self.keys.push(Tracked::new(key, State::Valid, now));
            return;
        }
        let due = now + ADD_HOLD_DOWN.max(u64::from(verified.original_ttl));
        let vouchers = self.vouchers(set, trusted, sight);
        self.keys.push(Tracked { due, vouchers, ..Tracked::new(key, State::AddPend, now) });
    }

    /// Tags of the trusted keys that have signed the set.
    fn vouchers(&self, set: &RrSet, trusted: &[Anchor], sight: Sight<'_>) -> Vec<u16> {
        let is_trusted = |key: &Key| trusted.iter().any(|anchor| anchor.matches(&self.zone, key));
        let has_signed = |key: &Key| {
            let alone = ZoneKeys { zone: self.zone.clone(), keys: vec![key.clone()], set: Rdatas::empty() };
            verify(set, &alone, sight.now, sight.policy, sight.checks).is_ok()
        };
        let keys = keys_of(set).into_iter().filter(|key| key.verifies(sight.policy) && is_trusted(key));
        keys.filter(has_signed).map(|key| key.tag).collect()
    }
}

/// Until the next look: half of the lesser of original TTL and what is left of the signature, within
/// an hour and 15 days (RFC 5011 §2.3).
fn interval(verified: &Verified) -> u64 {
    let least = verified.original_ttl.min(verified.expires_in);
    (u64::from(least) / 2).clamp(HOUR, 15 * DAY)
}

#[cfg(test)]
mod tests;
