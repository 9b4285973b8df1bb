//! The type bit maps of NSEC and NSEC3 records: which types an owner has.
//!
//! Knows: RFC 4034 §4.1.2 (NSEC3 takes the same form, RFC 5155 §3.2.1). Does not know: what a bit
//! proves (`denial`). Shown by: the tests below.

use crate::rrset::RrType;

/// Octets of the longest window's bitmap (RFC 4034 §4.1.2).
const MAX_WINDOW: usize = 32;

/// A well-formed type bit map. At most 256 windows of 34 octets, so that looking is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitmap<'a>(&'a [u8]);

/// The windows of a bit map: number and octets. Ends early where the octets are malformed.
fn windows(octets: &[u8]) -> impl Iterator<Item = (u8, &[u8], &[u8])> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (&[window, len], tail) = rest.split_first_chunk::<2>()?;
        let bits = tail.get(..usize::from(len))?;
        rest = tail.get(usize::from(len)..)?;
        Some((window, bits, rest))
    })
}

impl<'a> Bitmap<'a> {
    /// The bit map that is all of `octets`; `None` when windows are out of order, repeated, empty,
    /// over 32 octets or cut short. No octets at all are the map of an empty non-terminal
    /// (RFC 5155 §3.2.1). Trailing zero octets, which RFC 4034 §4.1.2 forbids to write, say nothing
    /// and are let pass.
    pub fn parse(octets: &'a [u8]) -> Option<Bitmap<'a>> {
        let mut last: Option<u8> = None;
        let mut left = octets;
        for (window, bits, rest) in windows(octets) {
            if bits.is_empty() || bits.len() > MAX_WINDOW || last.is_some_and(|l| window <= l) {
                return None;
            }
            last = Some(window);
            left = rest;
        }
        left.is_empty().then_some(Bitmap(octets))
    }

    /// Is the bit of this type set?
    pub fn has(&self, rtype: RrType) -> bool {
        let [window, low] = rtype.0.to_be_bytes();
        windows(self.0)
            .find(|(w, ..)| *w == window)
            .and_then(|(_, bits, _)| bits.get(usize::from(low >> 3)))
            .is_some_and(|octet| octet & (0x80 >> (low & 7)) != 0)
    }

    /// Every type whose bit is set, in ascending order.
    pub fn types(self) -> impl Iterator<Item = RrType> + 'a {
        windows(self.0).flat_map(|(window, bits, _)| {
            (0u8..=255).take(bits.len() * 8).filter_map(move |low| {
                let set = bits.get(usize::from(low >> 3))? & (0x80 >> (low & 7)) != 0;
                set.then_some(RrType(u16::from_be_bytes([window, low])))
            })
        })
    }

    /// A zone cut seen from above: NS without SOA (RFC 6840 §4.1).
    pub fn is_delegation(&self) -> bool {
        self.has(RrType::NS) && !self.has(RrType::SOA)
    }
}

/// The wire form of a bit map, for tests that make records.
#[cfg(test)]
pub(super) fn write(types: &[RrType]) -> Vec<u8> {
    let mut windows: std::collections::BTreeMap<u8, Vec<u8>> = Default::default();
    for rtype in types {
        let [window, low] = rtype.0.to_be_bytes();
        let bits = windows.entry(window).or_default();
        let at = usize::from(low >> 3);
        if bits.len() <= at {
            bits.resize(at + 1, 0);
        }
        bits[at] |= 0x80 >> (low & 7);
    }
    windows.into_iter().flat_map(|(w, bits)| [vec![w, bits.len() as u8], bits].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 4034 §4.3: A MX RRSIG NSEC TYPE1234.
    fn example() -> Vec<u8> {
        [&[0, 6, 0x40, 1, 0, 0, 0, 3, 4, 27][..], &[0; 26], &[0x20]].concat()
    }

    #[test]
    fn the_example_of_rfc_4034() {
        let types = [RrType::A, RrType::MX, RrType::RRSIG, RrType::NSEC, RrType(1234)];
        let example = example();
        let map = Bitmap::parse(&example).unwrap();
        assert_eq!(map.types().collect::<Vec<_>>(), types);
        assert_eq!(write(&types), example);
        assert!(types.iter().all(|t| map.has(*t)));
        assert!(!map.has(RrType::NS) && !map.has(RrType(1235)) && !map.has(RrType(65535)));
    }

    #[test]
    fn malformed_maps_are_no_maps() {
        let whole: Vec<u8> = [vec![0, 32], vec![0xff; 32]].concat();
        assert_eq!(Bitmap::parse(&whole).map(|m| m.types().count()), Some(256));
        assert_eq!(Bitmap::parse(&[]).map(|m| m.types().count()), Some(0));
        for (bad, why) in [
            (vec![0], "half a window"),
            (vec![0, 0], "an empty window"),
            (vec![0, 2, 0x40], "cut short"),
            (vec![0, 1, 0x40, 0, 1, 0x20], "a window twice"),
            (vec![1, 1, 0x40, 0, 1, 0x40], "windows out of order"),
            (vec![0, 1, 0x40, 9], "an octet too many"),
            ([vec![0, 33], vec![0; 33]].concat(), "over 32 octets"),
        ] {
            assert_eq!(Bitmap::parse(&bad), None, "{why}");
        }
    }

    #[test]
    fn a_cut_is_ns_without_soa() {
        let is = |types: &[RrType]| Bitmap::parse(&write(types)).unwrap().is_delegation();
        assert!(is(&[RrType::NS, RrType::DS]));
        assert!(!is(&[RrType::NS, RrType::SOA]));
        assert!(!is(&[RrType::A]));
    }
}
