//! Trust points as text: one key to a line, as a master file has it behind what is known of it.
//!
//! Knows: the layout, and that whatever is not understood makes the whole worthless: what was revoked
//! must not become trusted because a line was lost. Shown by: the tests of `rollover`.

use std::fmt::Write as _;

use super::{KEYS_KEPT, State, Tracked, TrustPoint};
use crate::config::anchors;
use crate::dnssec::key::Key;
use crate::master::rdata_to_text;
use crate::rrset::RrType;

const HEAD: &str = "cnamed trust anchor state 1";
const REMARK: &str =
    "; RFC 5011. Written by cnamed. Remove this file to begin again with the anchors of the configuration.";
/// Ends the text: what was cut short is noticed.
const END: &str = "end";
/// In the place of an empty list.
const NOBODY: &str = "-";

const WORDS: [(State, &str); 5] = [
    (State::AddPend, "pending"),
    (State::Valid, "valid"),
    (State::Missing, "missing"),
    (State::Revoked, "revoked"),
    (State::Removed, "removed"),
];

/// All of it, for [`read()`].
pub fn write(points: &[TrustPoint]) -> String {
    let mut out = format!("{HEAD}\n{REMARK}\n");
    for point in points {
        let _ = writeln!(out, "zone {} next {}", point.zone, point.next);
        for own in &point.keys {
            let word = WORDS.iter().find(|(state, _)| *state == own.state).map_or("", |(_, word)| word);
            let tags: Vec<String> = own.vouchers.iter().map(u16::to_string).collect();
            let tags = if tags.is_empty() { NOBODY.to_owned() } else { tags.join(",") };
            let key = rdata_to_text(RrType::DNSKEY, &own.key.rdata);
            let _ = writeln!(out, "{word} {} {} {tags} {} DNSKEY {key}", own.since, own.due, point.zone);
        }
    }
    out + END + "\n"
}

/// What [`write()`] wrote.
///
/// # Errors
/// Says which line is not understood.
pub fn read(text: &str) -> Result<Vec<TrustPoint>, String> {
    let mut points: Vec<TrustPoint> = Vec::new();
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with(';'));
    if lines.next().is_none_or(|(_, line)| line != HEAD) {
        return Err(format!("expected `{HEAD}` in the first line"));
    }
    for (at, line) in lines {
        if line == END {
            return Ok(points);
        }
        let known = match line.strip_prefix("zone ") {
            Some(rest) => point(rest).map(|point| points.push(point)),
            None => points.last_mut().and_then(|point| tracked(line, point)),
        };
        known.ok_or_else(|| format!("line {} is not understood", at + 1))?;
    }
    Err(format!("the last line, `{END}`, is missing"))
}

fn point(rest: &str) -> Option<TrustPoint> {
    let (zone, next) = rest.split_once(" next ")?;
    Some(TrustPoint { next: next.parse().ok()?, ..TrustPoint::new(zone.parse().ok()?) })
}

fn tracked(line: &str, point: &mut TrustPoint) -> Option<()> {
    let mut words = line.splitn(5, ' ');
    let word = words.next()?;
    let (state, _) = WORDS.iter().find(|(_, known)| *known == word)?;
    let (since, due) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let vouchers = match words.next()? {
        NOBODY => Vec::new(),
        tags => tags.split(',').map(str::parse).collect::<Result<_, _>>().ok()?,
    };
    let records = anchors::read(words.next()?, "").ok()?;
    let [record] = records.as_slice() else { return None };
    let fits = record.zone == point.zone && record.rtype == RrType::DNSKEY;
    if !fits || point.keys.len() >= KEYS_KEPT {
        return None;
    }
    let key = Key::from_rdata(&record.rdata)?;
    point.keys.push(Tracked { key, state: *state, since, due, vouchers });
    Some(())
}
