//! What an entry of a script makes of a question: a reply and when it comes, or why there is none.
//!
//! Knows: what ADJUST does, to replies written as sections and to raw octets. Does not know: which
//! entry answers (`network`).

use std::io;
use std::time::Duration;

use crate::wire::{Header, Message, Name};

use super::message::{COOKIE, Got, Opt, encode};
use super::script::{Adjust, Entry, Template};

/// What a scripted reply takes.
pub const ROUND_TRIP: Duration = Duration::from_millis(1);
/// What servers say they take; dnspython's, and so Deckard's.
const SERVER_UDP_SIZE: u16 = 1232;
/// The server's half of a cookie (RFC 7873 §4.2).
const SERVER_COOKIE: [u8; 8] = *b"scenario";
/// Octets of the client's half (RFC 7873 §4.1).
pub(super) const CLIENT_COOKIE: usize = 8;

/// What happens to one query.
pub(super) enum Fate {
    /// A datagram or message comes.
    Reply { bytes: Vec<u8>, rtt: Duration, after: Duration, turn: Option<u32> },
    /// Nothing does.
    Silence,
    /// The system says that nothing will.
    Error { error: io::Error, after: Duration, turn: Option<u32> },
}

/// OPT of a reply: there when the query has one, with its DO (as Deckard does).
fn mirrored(query: &Got, entry: Option<&Entry>) -> Option<Opt> {
    let edns = query.edns.as_ref()?;
    let cookie = entry.filter(|e| e.adjust.cookie).and_then(|_| edns.option(COOKIE)).map(|client| {
        let both = client.iter().take(CLIENT_COOKIE).chain(&SERVER_COOKIE).copied().collect();
        (COOKIE, both)
    });
    Some(Opt { udp_size: SERVER_UDP_SIZE, dnssec_ok: edns.dnssec_ok, options: cookie.into_iter().collect() })
}

pub(super) fn fate_of(entry: &Entry, query: &Got) -> Fate {
    let adjust = &entry.adjust;
    if adjust.unreachable {
        let error = io::ErrorKind::NetworkUnreachable.into();
        return Fate::Error { error, after: Duration::ZERO, turn: None };
    }
    if adjust.do_not_answer {
        return Fate::Silence;
    }
    let rtt = adjust.rtt.unwrap_or(ROUND_TRIP + adjust.delay);
    let after = adjust.after.unwrap_or(rtt);
    let turn = adjust.turn;
    if let Some(error) = &entry.error {
        return Fate::Error { error: error.to_io(), after, turn };
    }
    if let Some(raw) = &entry.raw {
        return Fate::Reply { bytes: adjusted(raw, adjust, query), rtt, after, turn };
    }
    let own_id = query.header.id ^ 0x5a5a;
    let template = &entry.message;
    let mut question = template.question.clone();
    if let (true, Some(ours), Some(theirs)) = (adjust.copy_id, &mut question, &query.question) {
        ours.name = theirs.name.clone();
    }
    if adjust.copy_query {
        question = query.question.clone();
    }
    if let (true, Some(question)) = (adjust.wrong_case, &mut question) {
        question.name = other_case(&question.name);
    }
    let reply = Template {
        question,
        answer: template.answer.clone(),
        authority: template.authority.clone(),
        additional: template.additional.clone(),
        ..*template
    };
    let opt = if adjust.no_edns { None } else { mirrored(query, Some(entry)) };
    let id = if adjust.copy_id && !adjust.wrong_id { query.header.id } else { own_id };
    Fate::Reply { bytes: encode(id, &reply, opt.as_ref()), rtt, after, turn }
}

/// `name` with the case of every letter turned.
fn other_case(name: &Name) -> Name {
    let turned: Vec<u8> =
        name.as_wire().iter().map(|b| if b.is_ascii_alphabetic() { b ^ 0x20 } else { *b }).collect();
    Name::from_wire(&turned).unwrap_or_else(|_| name.clone())
}

/// Raw octets made a reply to this very query: ID, letter case and cookie are drawn anew each time.
fn adjusted(raw: &[u8], adjust: &Adjust, query: &Got) -> Vec<u8> {
    let mut bytes = raw.to_vec();
    let own = if adjust.wrong_id { query.header.id ^ 0x5a5a } else { query.header.id };
    if let (true, Some(id)) = (adjust.raw_id, bytes.first_chunk_mut()) {
        *id = own.to_be_bytes();
    }
    if let Some(asked) = query.question.as_ref().map(|question| &question.name)
        && let Some(echo) = bytes.get_mut(Header::OCTETS..Header::OCTETS + asked.as_wire().len())
        && echo.eq_ignore_ascii_case(asked.as_wire())
    {
        if adjust.copy_query {
            echo.copy_from_slice(asked.as_wire());
        } else if adjust.wrong_case && asked.as_wire().iter().any(u8::is_ascii_uppercase) {
            echo.copy_from_slice(other_case(asked).as_wire());
        }
    }
    if let Some(ours) = query.edns.as_ref().and_then(|edns| edns.option(COOKIE)).filter(|_| adjust.cookie)
        && let Some(place) = cookie_of(&bytes)
        && let (Some(echo), Some(ours)) =
            (bytes.get_mut(place..place + CLIENT_COOKIE), ours.get(..CLIENT_COOKIE))
    {
        echo.copy_from_slice(ours);
    }
    bytes
}

/// Where a message has the value of its cookie option.
fn cookie_of(bytes: &[u8]) -> Option<usize> {
    let message = Message::parse(bytes).ok()?;
    let value = message.edns()?.option(COOKIE).filter(|value| value.len() >= CLIENT_COOKIE)?;
    let option = [&COOKIE.to_be_bytes()[..], &u16::try_from(value.len()).ok()?.to_be_bytes(), value].concat();
    bytes.windows(option.len()).rposition(|window| window == option).map(|at| at + 4)
}

pub(super) fn servfail(query: &Got) -> Fate {
    let reply =
        Template { flags: Header::QR, rcode: 2, question: query.question.clone(), ..Template::default() };
    Fate::Reply {
        bytes: encode(query.header.id, &reply, mirrored(query, None).as_ref()),
        rtt: ROUND_TRIP,
        after: ROUND_TRIP,
        turn: None,
    }
}
