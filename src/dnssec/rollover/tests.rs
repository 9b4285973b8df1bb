use super::super::crypto::Policy;
use super::super::key::{REVOKED, ZONE_KEY};
use super::super::vectors::{NOW, Signer, budget, name, with_sigs};
use super::*;
use crate::rrset::{RrSet, RrType};

const TTL: u32 = 172_800;

/// A zone's keys by number: KSKs, of which some sign and some are revoked.
fn ksk(number: u8) -> Signer {
    Signer::new("example.", number, ZONE_KEY | SEP)
}

fn revoked(number: u8) -> Signer {
    Signer::new("example.", number, ZONE_KEY | SEP | REVOKED)
}

/// The DNSKEY set with `keys`, signed by `signers` at `now`.
fn set(keys: &[&Signer], signers: &[&Signer], now: u64) -> RrSet {
    let set = RrSet::new(name("example."), RrType::DNSKEY, TTL, keys.iter().map(|s| s.key.rdata.as_slice()));
    let sigs: Vec<Vec<u8>> = signers
        .iter()
        .map(|signer| {
            let mut fields = signer.fields(&set);
            (fields.inception, fields.expiration) = (now as u32 - 60, now as u32 + 20 * DAY as u32);
            signer.rrsig(&set, &fields)
        })
        .collect();
    with_sigs(&set, &sigs)
}

struct Story {
    point: TrustPoint,
    configured: Vec<Anchor>,
    now: u64,
}

impl Story {
    /// Key 1 is configured and has been seen.
    fn begin() -> Story {
        let configured = vec![Anchor::Dnskey(ksk(1).key)];
        let mut story = Story { point: TrustPoint::new(name("example.")), configured, now: NOW };
        assert_eq!(story.see(&[&ksk(1)], &[&ksk(1)]), Ok(()));
        assert_eq!(story.state(1), Some(State::Valid));
        story
    }

    fn see(&mut self, keys: &[&Signer], signers: &[&Signer]) -> Result<(), Reason> {
        let set = set(keys, signers, self.now);
        let ledger = budget();
        let (policy, checks) = (Policy::default(), ledger.checks());
        self.point.see(&set, &self.configured, Sight { now: self.now, policy: &policy, checks: &checks })
    }

    fn state(&self, number: u8) -> Option<State> {
        let key = ksk(number).key;
        self.point.keys.iter().find(|own| own.key == key).map(|own| own.state)
    }

    fn trusts(&self, number: u8) -> bool {
        self.point.trusted(&self.configured).contains(&Anchor::Dnskey(ksk(number).key))
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds;
    }
}

#[test]
fn a_new_key_is_trusted_once_it_was_there_for_its_hold_down_time() {
    let mut story = Story::begin();
    let both = [&ksk(1), &ksk(2)];
    story.see(&both, &[&ksk(1)]).unwrap();
    assert_eq!((story.state(2), story.trusts(2)), (Some(State::AddPend), false));
    story.wait(ADD_HOLD_DOWN - 1);
    story.see(&both, &[&ksk(1)]).unwrap();
    assert_eq!(story.state(2), Some(State::AddPend));
    // Time alone does nothing: the key must be seen again.
    story.wait(1);
    assert!(!story.trusts(2));
    story.see(&both, &[&ksk(1)]).unwrap();
    assert_eq!((story.state(2), story.trusts(2)), (Some(State::Valid), true));
    // From now on it vouches by itself.
    story.see(&both, &[&ksk(2)]).unwrap();
    assert!(story.see(&both, &[&ksk(3)]).is_err());
}

#[test]
fn a_pending_key_that_is_gone_begins_anew() {
    let mut story = Story::begin();
    story.see(&[&ksk(1), &ksk(2)], &[&ksk(1)]).unwrap();
    story.wait(20 * DAY);
    story.see(&[&ksk(1)], &[&ksk(1)]).unwrap();
    assert_eq!(story.state(2), None);
    story.wait(10 * DAY);
    story.see(&[&ksk(1), &ksk(2)], &[&ksk(1)]).unwrap();
    assert_eq!(story.state(2), Some(State::AddPend));
}

#[test]
fn what_nobody_trusted_has_signed_says_nothing() {
    let mut story = Story::begin();
    let before = story.point.keys.clone();
    assert!(story.see(&[&ksk(2)], &[&ksk(2)]).is_err());
    assert!(story.see(&[], &[]).is_err());
    // Nor does a revocation that the key itself has not signed.
    story.see(&[&ksk(1), &revoked(1)], &[&ksk(1)]).unwrap();
    assert_eq!(story.point.keys, before);
    assert_eq!(story.point.next, story.now + DAY);
}

#[test]
fn a_trusted_key_that_is_gone_stays_trusted_and_comes_back() {
    let mut story = Story::begin();
    story.configured.push(Anchor::Dnskey(ksk(2).key));
    story.see(&[&ksk(1), &ksk(2)], &[&ksk(1)]).unwrap();
    story.see(&[&ksk(1)], &[&ksk(1)]).unwrap();
    assert_eq!((story.state(2), story.trusts(2)), (Some(State::Missing), true));
    story.see(&[&ksk(1), &ksk(2)], &[&ksk(1)]).unwrap();
    assert_eq!(story.state(2), Some(State::Valid));
    // Missing to revoked.
    story.see(&[&ksk(1)], &[&ksk(1)]).unwrap();
    story.see(&[&ksk(1), &revoked(2)], &[&ksk(1), &revoked(2)]).unwrap();
    assert_eq!((story.state(2), story.trusts(2)), (Some(State::Revoked), false));
}

#[test]
fn a_revoked_key_is_never_trusted_again() {
    let mut story = Story::begin();
    story.configured.push(Anchor::Dnskey(ksk(2).key));
    // Key 2 was never seen before, and is revoked at first sight.
    story.see(&[&ksk(1), &revoked(2)], &[&ksk(1), &revoked(2)]).unwrap();
    assert_eq!((story.state(2), story.trusts(2)), (Some(State::Revoked), false));
    // It comes back as if nothing had been.
    story.see(&[&ksk(1), &ksk(2)], &[&ksk(1), &ksk(2)]).unwrap();
    assert_eq!((story.state(2), story.trusts(2)), (Some(State::Revoked), false));
    assert!(story.see(&[&ksk(2)], &[&ksk(2)]).is_err());
    // The remove hold-down runs from when the key was last seen revoked.
    story.wait(20 * DAY);
    story.see(&[&ksk(1), &revoked(2)], &[&ksk(1), &revoked(2)]).unwrap();
    story.wait(REMOVE_HOLD_DOWN - 1);
    story.see(&[&ksk(1)], &[&ksk(1)]).unwrap();
    assert_eq!(story.state(2), Some(State::Revoked));
    story.wait(1);
    story.see(&[&ksk(1)], &[&ksk(1)]).unwrap();
    assert_eq!(story.state(2), Some(State::Removed));
    story.see(&[&ksk(1), &ksk(2)], &[&ksk(1)]).unwrap();
    assert_eq!((story.state(2), story.trusts(2)), (Some(State::Removed), false));
}

#[test]
fn a_zone_whose_anchors_are_all_revoked_is_no_trust_point() {
    let mut story = Story::begin();
    story.see(&[&revoked(1)], &[&revoked(1)]).unwrap();
    assert_eq!(story.state(1), Some(State::Revoked));
    assert_eq!(story.point.trusted(&story.configured), []);
}

#[test]
fn a_pending_key_falls_with_all_who_vouched_for_it() {
    let mut story = Story::begin();
    story.configured.push(Anchor::Dnskey(ksk(2).key));
    let all = [&ksk(1), &ksk(2), &ksk(3)];
    // Key 1 alone has signed for key 3 when it came, as a thief of key 1 would.
    story.see(&all, &[&ksk(1)]).unwrap();
    assert_eq!(story.state(3), Some(State::AddPend));
    story.see(&[&revoked(1), &ksk(2), &ksk(3)], &[&revoked(1), &ksk(2)]).unwrap();
    // It begins anew, with key 2 as its voucher.
    let three = story.point.keys.iter().find(|own| own.key == ksk(3).key).unwrap();
    assert_eq!((three.state, &three.vouchers), (State::AddPend, &vec![ksk(2).key.tag]));
    // A key that two have signed for stands while one of them does.
    let mut story = Story::begin();
    story.configured.push(Anchor::Dnskey(ksk(2).key));
    story.see(&all, &[&ksk(1), &ksk(2)]).unwrap();
    story.wait(ADD_HOLD_DOWN);
    story.see(&[&revoked(1), &ksk(2), &ksk(3)], &[&revoked(1), &ksk(2)]).unwrap();
    assert_eq!(story.state(3), Some(State::Valid));
}

#[test]
fn only_zone_keys_with_the_sep_bit_are_taken_on() {
    let mut story = Story::begin();
    let (zsk, host) = (Signer::new("example.", 2, ZONE_KEY), Signer::new("example.", 3, SEP));
    story.see(&[&ksk(1), &zsk, &host], &[&ksk(1)]).unwrap();
    assert_eq!(story.point.keys.len(), 1);
    // And no more than there is room for.
    let many: Vec<Signer> = (4..60).map(ksk).collect();
    let first = ksk(1);
    let keys: Vec<&Signer> = [&first].into_iter().chain(&many).collect();
    story.see(&keys, &[&ksk(1)]).unwrap();
    assert_eq!(story.point.keys.len(), KEYS_KEPT);
}

#[test]
fn the_next_look_is_between_an_hour_and_fifteen_days_away() {
    let of = |original_ttl, expires_in| interval(&Verified { wildcard: None, expires_in, original_ttl });
    assert_eq!(of(172_800, 172_800), DAY);
    assert_eq!(of(172_800, 9_000), 4_500);
    assert_eq!(of(3_600, 3_600), HOUR);
    assert_eq!(of(u32::MAX, u32::MAX), 15 * DAY);
    let mut story = Story::begin();
    assert_eq!(story.point.next, story.now + DAY);
    // After a failure: an hour (RFC 5011 §2.3).
    assert!(story.see(&[], &[]).is_err());
    assert_eq!(story.point.next, story.now + HOUR);
}

#[test]
fn the_text_keeps_everything_and_damage_is_noticed() {
    let mut story = Story::begin();
    story.configured.push(Anchor::Dnskey(ksk(2).key));
    story.see(&[&ksk(1), &revoked(2), &ksk(3)], &[&ksk(1), &revoked(2)]).unwrap();
    let points = [story.point, TrustPoint::new(name("."))];
    let text = write(&points);
    assert_eq!(read(&text).as_deref(), Ok(&points[..]), "{text}");
    assert_eq!(read(&write(&[])), Ok(Vec::new()));
    // Whatever is cut off, not a part of it is believed.
    for end in 0..text.len() - 1 {
        assert!(read(&text[..end]).is_err(), "{end}");
    }
    assert!(read(&text.replace("revoked", "forgiven")).unwrap_err().contains("line 5"), "{text}");
    assert!(read(&text.replace("zone example.", "zone example.org.")).is_err());
}
