//! Domain names in uncompressed wire form.
//!
//! Knows: RFC 1035 §3.1 (labels, 255 octets), RFC 4343 (case), RFC 4034 §6.1 (canonical order),
//! presentation form with escapes (RFC 1035 §5.1). Does not know: compression (the reader and
//! writer), IDNA. Shown by: the tests below and every scenario.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// Octets of the longest name, root label included (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 255;
/// Octets of the longest label (RFC 1035 §2.3.4).
pub const MAX_LABEL: usize = 63;
/// Labels of the longest name, the root label not counted.
pub const MAX_LABELS: usize = 127;

/// A fully qualified domain name. Case is kept; comparing, ordering and hashing ignore it.
/// Cloning is cheap (one reference count).
#[derive(Clone)]
pub struct Name(Arc<[u8]>);

/// Why octets or text are not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// More than 255 octets (RFC 1035 §2.3.4).
    TooLong,
    /// A label of more than 63 octets, or one that is not a plain label.
    BadLabel,
    /// An empty label inside the name.
    EmptyLabel,
    /// `\` at the end, or `\DDD` above 255.
    BadEscape,
    /// The octets end before the root label.
    Unterminated,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::TooLong => "longer than 255 octets",
            NameError::BadLabel => "a label is longer than 63 octets",
            NameError::EmptyLabel => "an empty label",
            NameError::BadEscape => "a broken escape",
            NameError::Unterminated => "ends before the root label",
        })
    }
}

impl std::error::Error for NameError {}

/// Octets of the uncompressed name at the start of `octets`; `None` when there is none.
pub fn wire_len(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let n = usize::from(*octets.get(at)?);
        at += 1 + n;
        if n > MAX_LABEL || at > MAX_NAME {
            return None;
        }
        if n == 0 {
            return Some(at);
        }
    }
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Name {
        Name(Arc::from(&[0u8][..]))
    }

    /// A name from exactly its uncompressed wire form.
    pub fn from_wire(wire: &[u8]) -> Result<Name, NameError> {
        if wire.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        let mut at = 0;
        loop {
            match wire.get(at) {
                None => return Err(NameError::Unterminated),
                Some(0) if at + 1 == wire.len() => return Ok(Name(Arc::from(wire))),
                Some(0) => return Err(NameError::EmptyLabel),
                Some(&n) if n as usize > MAX_LABEL => return Err(NameError::BadLabel),
                Some(&n) => at += 1 + n as usize,
            }
        }
    }

    /// For octets that the caller has just checked label by label.
    pub(crate) fn from_checked(wire: &[u8]) -> Name {
        debug_assert!(Name::from_wire(wire).is_ok());
        Name(Arc::from(wire))
    }

    /// The uncompressed wire form, root label included, case as received.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// Octets of the wire form.
    #[allow(clippy::len_without_is_empty)] // a name is never empty
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is this `.`?
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The labels from the leftmost on, without the root label.
    pub fn labels(&self) -> Labels<'_> {
        Labels(&self.0)
    }

    /// Number of labels, the root label not counted (RFC 4034 §3.1.3 counts this way too).
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        let first = *self.0.first()? as usize;
        if first == 0 {
            return None;
        }
        self.0.get(1 + first..).map(|rest| Name(Arc::from(rest)))
    }

    /// The rightmost `labels` labels of this name (all of it when it has no more).
    pub fn suffix(&self, labels: usize) -> Name {
        let skip = self.label_count().saturating_sub(labels);
        let mut rest: &[u8] = &self.0;
        for _ in 0..skip {
            rest = rest.get(1 + rest[0] as usize..).unwrap_or(&[0]);
        }
        if rest.len() == self.0.len() { self.clone() } else { Name(Arc::from(rest)) }
    }

    /// Is this name `other` or below it?
    pub fn is_at_or_below(&self, other: &Name) -> bool {
        let (long, short) = (&self.0, &other.0);
        let Some(cut) = long.len().checked_sub(short.len()) else { return false };
        if !long[cut..].eq_ignore_ascii_case(short) {
            return false;
        }
        // The octets match; they must also start at a label boundary.
        let mut at = 0;
        while at < cut {
            at += 1 + long[at] as usize;
        }
        at == cut
    }

    /// Is this name below `other` and not equal to it?
    pub fn is_below(&self, other: &Name) -> bool {
        self.0.len() > other.0.len() && self.is_at_or_below(other)
    }

    /// This name with the suffix `owner` replaced by `target` (DNAME, RFC 6672 §2.2).
    /// `None` when this name is not below `owner`; `Err` when the result is over 255 octets.
    pub fn replace_suffix(&self, owner: &Name, target: &Name) -> Option<Result<Name, NameError>> {
        if !self.is_below(owner) {
            return None;
        }
        let prefix = &self.0[..self.0.len() - owner.0.len()];
        if prefix.len() + target.0.len() > MAX_NAME {
            return Some(Err(NameError::TooLong));
        }
        let mut wire = Vec::with_capacity(prefix.len() + target.0.len());
        wire.extend_from_slice(prefix);
        wire.extend_from_slice(&target.0);
        Some(Ok(Name(Arc::from(wire))))
    }

    /// `label` put in front of this name.
    pub fn prepend(&self, label: &[u8]) -> Result<Name, NameError> {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > MAX_LABEL {
            return Err(NameError::BadLabel);
        }
        if self.0.len() + 1 + label.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        let mut wire = Vec::with_capacity(self.0.len() + 1 + label.len());
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
        wire.extend_from_slice(&self.0);
        Ok(Name(Arc::from(wire)))
    }

    /// The same name in lower case (RFC 4034 §6.2); shares the octets when it is already.
    pub fn to_lowercase(&self) -> Name {
        if self.0.iter().any(u8::is_ascii_uppercase) {
            // Length octets are at most 63 and thus never upper-case letters.
            Name(Arc::from(self.0.to_ascii_lowercase()))
        } else {
            self.clone()
        }
    }

    /// Equal also in case (0x20).
    pub fn eq_case(&self, other: &Name) -> bool {
        self.0 == other.0
    }

    /// Does the leftmost label say `*` (RFC 4592 §2.1.1)?
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }
}

/// The labels of a name, leftmost first. See [`Name::labels`].
#[derive(Clone)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let n = *self.0.first()? as usize;
        if n == 0 {
            return None;
        }
        let label = self.0.get(1..1 + n)?;
        self.0 = self.0.get(1 + n..)?;
        Some(label)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut lower = [0u8; MAX_NAME];
        let lower = &mut lower[..self.0.len()];
        lower.copy_from_slice(&self.0);
        lower.make_ascii_lowercase();
        state.write(lower);
    }
}

impl Ord for Name {
    /// Canonical order (RFC 4034 §6.1): by label from the right, as lower-case octets.
    fn cmp(&self, other: &Name) -> Ordering {
        let mut a: Vec<&[u8]> = self.labels().collect();
        let mut b: Vec<&[u8]> = other.labels().collect();
        a.reverse();
        b.reverse();
        let fold = |l: &[u8]| l.to_ascii_lowercase();
        for (x, y) in a.iter().zip(&b) {
            match fold(x).cmp(&fold(y)) {
                Ordering::Equal => {}
                other => return other,
            }
        }
        a.len().cmp(&b.len())
    }
}
impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Name {
    /// Presentation form with the final dot; anything that is not plain text is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &b in label {
                match b {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => write!(f, "\\{}", b as char)?,
                    0x21..=0x7e => write!(f, "{}", b as char)?,
                    _ => write!(f, "\\{b:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Name {
    type Err = NameError;
    /// Presentation form; a missing final dot is added.
    fn from_str(text: &str) -> Result<Name, NameError> {
        if text == "." {
            return Ok(Name::root());
        }
        if text.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        let mut wire = Vec::with_capacity(text.len() + 2);
        let mut label = Vec::new();
        let mut bytes = text.bytes().peekable();
        let mut ended = false;
        while let Some(b) = bytes.next() {
            ended = false;
            match b {
                b'.' => {
                    push_label(&mut wire, &label)?;
                    label.clear();
                    ended = true;
                }
                b'\\' => label.push(escaped(&mut bytes)?),
                b => label.push(b),
            }
        }
        if !ended {
            push_label(&mut wire, &label)?;
        }
        wire.push(0);
        if wire.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        Ok(Name(Arc::from(wire)))
    }
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(NameError::BadLabel);
    }
    wire.push(label.len() as u8);
    wire.extend_from_slice(label);
    Ok(())
}

fn escaped(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Result<u8, NameError> {
    let first = bytes.next().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(s: &str) -> Name {
        s.parse().unwrap()
    }

    #[test]
    fn presentation_round_trips() {
        for s in [".", "example.com.", "a\\.b.example.", "\\000\\255.x.", "*.w.example."] {
            assert_eq!(n(s).to_string(), s);
        }
        assert_eq!(n("example.com").to_string(), "example.com.");
        assert_eq!("a..b".parse::<Name>(), Err(NameError::EmptyLabel));
        assert_eq!("".parse::<Name>(), Err(NameError::EmptyLabel));
        assert_eq!("\\256.".parse::<Name>(), Err(NameError::BadEscape));
        assert_eq!("x".repeat(64).parse::<Name>(), Err(NameError::BadLabel));
        assert_eq!(format!("{}.", "a.".repeat(128)).parse::<Name>(), Err(NameError::EmptyLabel));
        assert_eq!("a.".repeat(128).parse::<Name>(), Err(NameError::TooLong));
        assert_eq!("a.".repeat(127).parse::<Name>().map(|n| n.label_count()), Ok(127));
    }

    #[test]
    fn comparing_ignores_case_and_respects_labels() {
        assert_eq!(n("WWW.Example."), n("www.eXample."));
        assert!(!n("WWW.").eq_case(&n("www.")));
        assert!(n("a.b.c.").is_at_or_below(&n("B.C.")));
        assert!(!n("ab.c.").is_at_or_below(&n("b.c.")));
        assert!(n("a.").is_at_or_below(&Name::root()));
        assert!(!n("a.").is_below(&n("A.")));
        // A length octet that looks like part of the other name must not match.
        let tricky = Name::from_wire(b"\x03a\x01b\x01c\x00").unwrap();
        assert!(!tricky.is_at_or_below(&n("b.c.")));
    }

    #[test]
    fn canonical_order_is_that_of_rfc_4034() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let mut shuffled: Vec<Name> = sorted.iter().rev().map(|s| n(s)).collect();
        shuffled.sort();
        assert_eq!(shuffled, sorted.iter().map(|s| n(s)).collect::<Vec<_>>());
    }

    #[test]
    fn suffixes_are_replaced_within_255_octets() {
        let q = n("x.y.old.example.");
        let moved = q.replace_suffix(&n("OLD.example."), &n("new.test.")).unwrap().unwrap();
        assert_eq!(moved.to_string(), "x.y.new.test.");
        assert!(n("old.example.").replace_suffix(&n("old.example."), &n("n.")).is_none());
        let long: Name = format!("{}z.", "a23456789.".repeat(25)).parse().unwrap();
        assert_eq!(n("xxxxxxx.o.").replace_suffix(&n("o."), &long), Some(Err(NameError::TooLong)));
        assert_eq!(n("a.b.c.").suffix(2), n("b.c."));
        assert_eq!(n("a.b.c.").suffix(9), n("a.b.c."));
        assert_eq!(n("a.").parent(), Some(Name::root()));
        assert_eq!(Name::root().parent(), None);
    }
}
