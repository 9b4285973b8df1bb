//! Internationalised names (IDNA2008 by UTS #46): from what people write to what the DNS has, and back.
//!
//! Knows: A-labels and U-labels (RFC 5890 §2.3.2.1), which labels only look like an A-label (RFC 5890
//! §2.3.1). Deliberately does not know: which scripts may be mixed; a registry decides that. Text of
//! ASCII is taken as it stands, mistakes included, so that a broken name can be asked for. Shown by:
//! the tests below, `tests/check.rs`.

use std::fmt;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use crate::wire::Name;
use crate::wire::name::NameError;

/// What every A-label begins with (RFC 5890 §2.3.2.5), in any case.
const ACE_PREFIX: &[u8] = b"xn--";

/// Why a text is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdnError {
    /// Characters, or an order of characters, that no label may have (RFC 5891 §5.4).
    NotIdna,
    /// No domain name in any script.
    Name(NameError),
}

impl fmt::Display for IdnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdnError::NotIdna => f.write_str("it has characters that no label may have (RFC 5891 §5.4)"),
            IdnError::Name(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for IdnError {}

/// The name that a person means who writes `text`, in any script.
pub fn parse(text: &str) -> Result<Name, IdnError> {
    if text.is_ascii() {
        return text.parse().map_err(IdnError::Name);
    }
    // No character of ASCII is denied: `_` stands in names of services, `\` escapes.
    let (deny, hyphens, length) = (AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore);
    let ascii = Uts46::new().to_ascii(text.as_bytes(), deny, hyphens, length);
    ascii.map_err(|_| IdnError::NotIdna)?.parse().map_err(IdnError::Name)
}

/// `name` with its A-labels in their own script; `None` when it has none.
pub fn in_own_script(name: &Name) -> Option<String> {
    let mut found = false;
    let mut text = String::new();
    for (label, shown) in name.labels().zip(labels_shown(name)) {
        match u_label(label) {
            Some(own) => {
                found = true;
                text.push_str(&own);
            }
            None => text.push_str(&shown),
        }
        text.push('.');
    }
    found.then_some(text)
}

/// The labels of `name` that are no IDNA labels though they look like some, as text: an `xn--` that
/// nothing decodes to, and octets that belong into an A-label (RFC 5890 §2.3.1, §2.3.2.1).
pub fn invalid_labels(name: &Name) -> Vec<String> {
    let bad = |label: &[u8]| !label.is_ascii() || (is_tagged(label) && u_label(label).is_none());
    name.labels().zip(labels_shown(name)).filter(|(label, _)| bad(label)).map(|(_, shown)| shown).collect()
}

fn is_tagged(label: &[u8]) -> bool {
    label.get(..ACE_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(ACE_PREFIX))
}

/// What an A-label stands for; `None` for every other label.
fn u_label(label: &[u8]) -> Option<String> {
    if !is_tagged(label) {
        return None;
    }
    let lower = label.to_ascii_lowercase();
    let (own, valid) = Uts46::new().to_unicode(&lower, AsciiDenyList::EMPTY, Hyphens::Check);
    // One that decodes to plain ASCII, or to what is written in another way, is none (the symmetry
    // of RFC 5890 §2.3.2.1).
    let back = Uts46::new().to_ascii(own.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Check, DnsLength::Ignore);
    let symmetric = back.is_ok_and(|back| back.as_bytes() == lower);
    (valid.is_ok() && !own.is_ascii() && symmetric).then(|| own.into_owned())
}

/// Each label in presentation form.
fn labels_shown(name: &Name) -> impl Iterator<Item = String> {
    name.labels().map(|label| {
        let alone = Name::root().prepend(label).unwrap_or_else(|_| Name::root());
        alone.to_string().trim_end_matches('.').to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_taken_in_any_script_and_shown_in_their_own() {
        for (written, wire, own) in [
            ("www.example", "www.example.", None),
            ("münchen.example", "xn--mnchen-3ya.example.", Some("münchen.example.")),
            ("MÜNCHEN.Example.", "xn--mnchen-3ya.example.", Some("münchen.example.")),
            ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example.", Some("münchen.example.")),
            ("faß.example", "xn--fa-hia.example.", Some("faß.example.")),
            (
                "_sip._tcp.日本語。example",
                "_sip._tcp.xn--wgv71a119e.example.",
                Some("_sip._tcp.日本語.example."),
            ),
            ("a\\.b.ü", "a\\.b.xn--tda.", Some("a\\.b.ü.")),
        ] {
            let name = parse(written).unwrap();
            assert_eq!(
                (name.to_string().as_str(), in_own_script(&name).as_deref()),
                (wire, own),
                "{written}"
            );
            assert!(invalid_labels(&name).is_empty(), "{written}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        assert_eq!(parse("a..b"), Err(IdnError::Name(NameError::EmptyLabel)));
        // A combining mark comes first; a character that is no letter; one that nobody has assigned.
        for written in ["\u{301}a.example", "a\u{2028}b.example", "\u{378}.example"] {
            assert_eq!(parse(written), Err(IdnError::NotIdna), "{written:?}");
        }
    }

    #[test]
    fn what_only_looks_like_an_a_label_is_found() {
        for (name, bad) in [
            ("xn--99999999.example.", &["xn--99999999"][..]),
            ("xn--.example.", &["xn--"]),
            ("xn--abc-.example.", &["xn--abc-"]), // decodes to `abc`, which needs no A-label
            ("a.XN--Mnchen-3YA.b.", &[]),
            ("r3---sn.example.", &[]), // reserved, and in wide use
            ("m\\195\\188nchen.xn--99999999.", &["m\\195\\188nchen", "xn--99999999"]),
            (".", &[]),
        ] {
            assert_eq!(invalid_labels(&n(name)), bad, "{name}");
        }
        // `Bücher` with a capital: punycode of what UTS #46 would have written in lower case.
        assert!(invalid_labels(&n("xn--Bcher-kva.example.")).is_empty());
    }
}
