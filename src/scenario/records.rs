//! Records and questions as scenarios write them: loose master-file syntax.
//!
//! Knows: TTL and class in any order or left out, names that are absolute without their dot. Does
//! not know: sections.

use crate::master;
use crate::rrset::{Class, Question, RrType};
use crate::wire::Name;

use super::script::Rr;

/// TTL of a record that states none, as in Deckard.
const DEFAULT_TTL: u32 = 3600;

/// `name [class] type`
pub fn question(text: &str) -> Result<Question, String> {
    let record = record(text)?;
    match record.rdata.is_empty() {
        true => Ok(Question { name: record.owner, rtype: record.rtype, class: record.class }),
        false => Err(format!("`{text}` is more than a question")),
    }
}

/// `owner [ttl] [class] type [rdata]`; a name without its final dot is absolute all the same.
pub fn record(text: &str) -> Result<Rr, String> {
    let (owner, mut rest) = split_word(text);
    let owner: Name = owner.parse().map_err(|e| format!("`{owner}` is not a name: {e}"))?;
    let (mut ttl, mut class) = (DEFAULT_TTL, Class::IN);
    let rtype: RrType = loop {
        let (word, tail) = split_word(rest);
        rest = tail;
        match word {
            "IN" => class = Class::IN,
            "CH" => class = Class::CH,
            "ANY" if !tail.is_empty() => class = Class::ANY,
            _ => match word.parse() {
                Ok(seconds) => ttl = seconds,
                Err(_) => break word.parse().map_err(|e| format!("{e}"))?,
            },
        }
    };
    let rdata = match rest {
        "" => Vec::new(),
        text => master::rdata_from_text(rtype, &unfolded(rtype, text), &Name::root())
            .map_err(|e| format!("{rtype} `{text}`: {e}"))?,
    };
    Ok(Rr { owner, ttl, class, rtype, rdata })
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (text.get(..end).unwrap_or(""), text.get(end..).unwrap_or("").trim_start())
}

/// RDATA text without parentheses that stand alone, and with a DS algorithm as its number.
fn unfolded(rtype: RrType, text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().filter(|w| *w != "(" && *w != ")").collect();
    if rtype == RrType::DS
        && let Some(algorithm) = words.get_mut(1)
        && let Some((_, number)) = ALGORITHMS.iter().find(|(name, _)| name == algorithm)
    {
        *algorithm = number;
    }
    if text.contains('"') { text.to_owned() } else { words.join(" ") }
}

/// DNSSEC algorithms by mnemonic (the IANA registry).
const ALGORITHMS: [(&str, &str); 9] = [
    ("DSA", "3"),
    ("RSASHA1", "5"),
    ("RSASHA1-NSEC3-SHA1", "7"),
    ("RSASHA256", "8"),
    ("RSASHA512", "10"),
    ("ECDSAP256SHA256", "13"),
    ("ECDSAP384SHA384", "14"),
    ("ED25519", "15"),
    ("ED448", "16"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_loose_master_syntax() {
        let a = record("Fail.net\t20\tA\t1.1.1.1").unwrap();
        assert_eq!(
            (a.owner.to_string().as_str(), a.ttl, a.rdata.as_slice()),
            ("Fail.net.", 20, &[1, 1, 1, 1][..])
        );
        let soa = record("e. IN SOA ns1.e. b.e. 1 3600 300 ( 3600000 3600 )").unwrap();
        assert_eq!(soa.rdata.len(), 7 + 5 + 20);
        assert_eq!(record("e. 5 IN DS 1 RSASHA1 1 aa").unwrap().rdata, [0, 1, 5, 1, 0xaa]);
        assert_eq!(record("e. IN NULL").unwrap().rdata, Vec::<u8>::new());
        assert!(record("e. IN NOPE x").is_err());
    }
}
