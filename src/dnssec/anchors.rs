//! Which keys need no proof, and where nothing is to be proven.
//!
//! Knows: trust anchors of any zones (RFC 4033 §2, RFC 4035 §5), negative ones (RFC 7646), which of
//! both a name is under. Deliberately does not know: where they were written (`config::anchors`
//! reads them and has those of the root compiled in), RFC 5011's states.
//!
//! Shown by: the tests below and `tests/scenarios/dnssec_*`.

use super::Reason;
use super::crypto::Policy;
use super::keys::{Anchor, Ds, Key};
use crate::config::{AnchorRecord, Dnssec, anchors};
use crate::rrset::RrType;
use crate::wire::Name;

/// DS and DNSKEY records in presentation form, as [`anchors::read`] reads them.
pub fn parse(text: &str, file: &str) -> Result<Vec<(Name, Anchor)>, String> {
    Ok(anchors::read(text, file)?.iter().filter_map(anchor).collect())
}

/// `None` for RDATA that is too short, which the configuration does not let through.
fn anchor(record: &AnchorRecord) -> Option<(Name, Anchor)> {
    let anchor = match record.rtype {
        RrType::DS => Anchor::Ds(Ds::from_rdata(&record.rdata)?),
        RrType::DNSKEY => Anchor::Dnskey(Key::from_rdata(&record.rdata)?),
        _ => return None,
    };
    Some((record.zone.clone(), anchor))
}

/// Trust anchors by zone, and negative ones.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TrustAnchors {
    /// Each zone once, those with the most labels first.
    zones: Vec<(Name, Vec<Anchor>)>,
    negative: Vec<Name>,
}

impl TrustAnchors {
    /// The anchors of a configuration. With validation off they stay as they are: whether to look at
    /// them is the caller's.
    pub fn of(config: &Dnssec) -> TrustAnchors {
        TrustAnchors::new(config.anchors.iter().filter_map(anchor), &config.negative)
    }

    /// From each anchor with its zone.
    pub fn new(anchors: impl IntoIterator<Item = (Name, Anchor)>, negative: &[Name]) -> TrustAnchors {
        let mut zones: Vec<(Name, Vec<Anchor>)> = Vec::new();
        for (zone, anchor) in anchors {
            match zones.iter_mut().find(|(known, _)| *known == zone) {
                Some((_, list)) if list.contains(&anchor) => {}
                Some((_, list)) => list.push(anchor),
                None => zones.push((zone, vec![anchor])),
            }
        }
        zones.sort_by_key(|(zone, _)| std::cmp::Reverse(zone.label_count()));
        TrustAnchors { zones, negative: negative.to_vec() }
    }

    /// The zone at or above `name` from which a chain of trust to it starts, and its anchors, usable
    /// or not. `None`: there is none, or a negative one is as close (RFC 7646 §2: at the same name it
    /// wins): everything there is insecure.
    pub fn closest(&self, name: &Name) -> Option<(&Name, &[Anchor])> {
        let (zone, anchors) = self.closest_positive(name)?;
        let is_switched_off = self.negative_labels(name).is_some_and(|n| n >= zone.label_count());
        (!is_switched_off).then_some((zone, anchors))
    }

    /// The anchors of exactly this zone, usable or not, negative ones left out of account.
    pub fn at(&self, zone: &Name) -> Option<&[Anchor]> {
        self.zones.iter().find(|(known, _)| known == zone).map(|(_, anchors)| anchors.as_slice())
    }

    /// The zones that have anchors.
    pub fn zones(&self) -> impl Iterator<Item = &Name> {
        self.zones.iter().map(|(zone, _)| zone)
    }

    /// Is `name` at or below a negative anchor, with no trust anchor closer to it?
    pub fn is_negative(&self, name: &Name) -> bool {
        let positive = self.closest_positive(name).map(|(zone, _)| zone.label_count());
        self.negative_labels(name).is_some_and(|negative| positive.is_none_or(|labels| negative >= labels))
    }

    /// Zones whose anchors are all of no use: everything below them fails closed, with this reason
    /// (EDE 1 or 2). To be told at start. Those that a negative anchor switches off are left out.
    pub fn unusable(&self, policy: &Policy) -> Vec<(&Name, Reason)> {
        let active = self.zones.iter().filter(|(zone, _)| !self.is_negative(zone));
        active
            .filter_map(|(zone, anchors)| Anchor::usable(anchors, policy).err().map(|reason| (zone, reason)))
            .collect()
    }

    /// Every zone with its anchors, the deepest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &[Anchor])> {
        self.zones.iter().map(|(zone, anchors)| (zone, anchors.as_slice()))
    }

    /// Tags of the keys that the root is trusted by (RFC 8509).
    pub fn root_tags(&self) -> Vec<u16> {
        self.tags(&Name::root())
    }

    fn tags(&self, zone: &Name) -> Vec<u16> {
        let tag = |anchor: &Anchor| match anchor {
            Anchor::Ds(ds) => ds.tag,
            Anchor::Dnskey(key) => key.tag,
        };
        self.at(zone).unwrap_or_default().iter().map(tag).collect()
    }

    /// The name that tells `zone` which keys it is trusted by (RFC 8145 §5.1), with as many tags as
    /// have room in a label.
    pub fn key_tag_query(&self, zone: &Name) -> Option<Name> {
        /// Octets of `-` and four digits, after the three of `_ta`, in 63.
        const MOST: usize = 12;
        let mut tags = self.tags(zone);
        tags.sort_unstable();
        tags.dedup();
        if tags.is_empty() {
            return None;
        }
        let words: String = tags.iter().take(MOST).map(|tag| format!("-{tag:04x}")).collect();
        zone.prepend(format!("_ta{words}").as_bytes()).ok()
    }

    fn closest_positive(&self, name: &Name) -> Option<(&Name, &[Anchor])> {
        self.iter().find(|(zone, _)| name.is_at_or_below(zone))
    }

    /// Labels of the closest negative anchor at or above `name`.
    fn negative_labels(&self, name: &Name) -> Option<usize> {
        self.negative.iter().filter(|zone| name.is_at_or_below(zone)).map(Name::label_count).max()
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{key_tag, keys_of};
    use super::super::vectors::{find, name, sets};
    use super::*;
    use crate::config::Config;

    const STRICT: Policy = Policy { sha1: false };

    /// The root's keys as IANA publishes them.
    const ROOT: &str = include_str!("../../tests/dnssec/root.key");

    #[test]
    fn the_compiled_anchors_match_the_root_s_keys() {
        let anchors = TrustAnchors::of(&Config::default().dnssec);
        let (zone, trusted) = anchors.closest(&name("www.example.com.")).unwrap();
        assert!(zone.is_root());
        let root = sets(ROOT);
        let keys = keys_of(find(&root, ".", RrType::DNSKEY));
        assert_eq!(keys.iter().map(|key| key_tag(&key.rdata)).collect::<Vec<_>>(), [20_326, 38_696]);
        for key in &keys {
            let matching = trusted.iter().filter(|a| matches!(a, Anchor::Ds(ds) if ds.matches(zone, key)));
            assert_eq!(matching.count(), 1, "{}", key.tag);
        }
        assert!(anchors.unusable(&STRICT).is_empty());
        assert_eq!(parse(ROOT, "root.key").unwrap().len(), 2);
    }

    fn of(positive: &[&str], negative: &[&str]) -> TrustAnchors {
        let text: String = positive.iter().map(|zone| format!("{zone} DNSKEY 257 3 15 AAAA\n")).collect();
        let negative: Vec<Name> = negative.iter().map(|zone| name(zone)).collect();
        TrustAnchors::new(parse(&text, "x").unwrap(), &negative)
    }

    #[test]
    fn the_closest_anchor_counts() {
        let anchors = of(&[".", "b.example.", "example.", "x.test."], &[]);
        for (asked, zone) in [
            ("a.b.EXAMPLE.", "b.example."),
            ("b.example.", "b.example."),
            ("bb.example.", "example."),
            ("com.", "."),
        ] {
            assert_eq!(anchors.closest(&name(asked)).unwrap().0, &name(zone), "{asked}");
            assert!(!anchors.is_negative(&name(asked)));
        }
        assert_eq!(of(&["example."], &[]).closest(&name("com.")), None);
        assert!(!of(&["example."], &[]).is_negative(&name("com.")));
        assert!(anchors.at(&name("x.test.")).is_some() && anchors.at(&name("test.")).is_none());
    }

    #[test]
    fn key_tags_are_told_sorted_each_once_and_in_four_digits() {
        let ds =
            |tag: u16, digest: u8| Anchor::Ds(Ds { tag, algorithm: 8, digest_type: 2, digest: vec![digest] });
        let of = |zone: &str, anchors: &[Anchor]| {
            let zone = name(zone);
            let all = anchors.iter().map(|anchor| (zone.clone(), anchor.clone()));
            TrustAnchors::new(all, &[]).key_tag_query(&zone).map(|name| name.to_string())
        };
        // The example of RFC 8145 §5.1.
        let three = [ds(43_547, 1), ds(1_589, 1), ds(31_406, 1), ds(1_589, 2)];
        assert_eq!(of("example.com.", &three).as_deref(), Some("_ta-0635-7aae-aa1b.example.com."));
        assert_eq!(of(".", &[ds(17_476, 1)]).as_deref(), Some("_ta-4444."));
        let many: Vec<Anchor> = (0..40).map(|tag| ds(tag, 1)).collect();
        assert!(of(".", &many).unwrap().ends_with("-000b."));
        assert_eq!(of(".", &[]), None);
    }

    #[test]
    fn negative_anchors_hold_down_to_the_next_trust_anchor() {
        let anchors = of(&[".", "good.bad.example.", "same.example."], &["bad.example.", "same.example."]);
        for (asked, is_negative) in [
            ("example.", false),
            ("bad.example.", true),
            ("www.bad.example.", true),
            ("notbad.example.", false),
            ("good.bad.example.", false),
            ("www.good.bad.example.", false),
            ("same.example.", true),
            ("www.same.example.", true),
        ] {
            assert_eq!(anchors.is_negative(&name(asked)), is_negative, "{asked}");
            assert_eq!(anchors.closest(&name(asked)).is_none(), is_negative, "{asked}");
        }
    }

    #[test]
    fn anchors_that_nothing_supports_stay_and_are_told() {
        let text = "old.test. DS 1 3 2 0000000000000000000000000000000000000000000000000000000000000000\n\
                    odd.test. DS 1 8 3 AA\n\
                    off.test. DS 1 8 3 AA\n\
                    sha1.test. DNSKEY 257 3 7 AAAA\n\
                    both.test. DS 1 8 3 AA\nboth.test. DNSKEY 257 3 13 AAAA\n";
        let anchors = TrustAnchors::new(parse(text, "x").unwrap(), &[name("off.test.")]);
        let mut found: Vec<(String, Reason)> =
            anchors.unusable(&STRICT).into_iter().map(|(zone, reason)| (zone.to_string(), reason)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            ("odd.test.", Reason::UnsupportedDigest),
            ("old.test.", Reason::UnsupportedAlgorithm),
            ("sha1.test.", Reason::UnsupportedAlgorithm),
        ];
        assert_eq!(found, expected.map(|(zone, reason)| (zone.to_owned(), reason)));
        assert_eq!(anchors.unusable(&Policy { sha1: true }).len(), 2);
        assert_eq!(anchors.closest(&name("www.old.test.")).unwrap().0, &name("old.test."));
    }
}
