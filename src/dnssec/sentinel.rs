//! The root key sentinel (RFC 8509): whoever asks in the right words learns which root keys are
//! trusted here.

use crate::rrset::{Question, RrType};

const IS_TA: &[u8] = b"root-key-sentinel-is-ta-";
const NOT_TA: &[u8] = b"root-key-sentinel-not-ta-";
/// Digits of the key tag, zero-padded (RFC 8509 §2.1).
const TAG_DIGITS: usize = 5;

/// Is a secure answer to this question to be SERVFAIL, the root being trusted by keys with these
/// tags (RFC 8509 §2.2)?
pub fn turns_into_failure(question: &Question, trusted: &[u16]) -> bool {
    if !matches!(question.rtype, RrType::A | RrType::AAAA) {
        return false;
    }
    let Some(label) = question.name.labels().next() else { return false };
    let label = label.to_ascii_lowercase();
    let (tag, says_trusted) = match (label.strip_prefix(IS_TA), label.strip_prefix(NOT_TA)) {
        (Some(tag), _) => (tag, true),
        (_, Some(tag)) => (tag, false),
        _ => return false,
    };
    if tag.len() != TAG_DIGITS || !tag.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = tag.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let is_trusted = trusted.iter().any(|trusted| u32::from(*trusted) == number);
    says_trusted != is_trusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_words_count() {
        let asked = |name: &str, rtype| {
            turns_into_failure(&Question::new(name.parse().unwrap(), rtype), &[20326, 38])
        };
        assert!(!asked("root-key-sentinel-is-ta-20326.example.", RrType::A));
        assert!(asked("ROOT-key-sentinel-not-ta-20326.example.", RrType::AAAA));
        assert!(asked("root-key-sentinel-is-ta-04711.example.", RrType::A));
        assert!(!asked("root-key-sentinel-not-ta-04711.example.", RrType::A));
        assert!(!asked("root-key-sentinel-is-ta-00038.example.", RrType::A));
        assert!(!asked("root-key-sentinel-is-ta-38.example.", RrType::A));
        assert!(!asked("root-key-sentinel-is-ta-99999.example.", RrType::TXT));
        assert!(!asked("x.root-key-sentinel-is-ta-04711.example.", RrType::A));
    }
}
