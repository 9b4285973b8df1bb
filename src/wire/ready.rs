//! HOT PATH: peeking at a question, and answers that only need their blanks filled in.
//!
//! Knows: the shape of a plain query (one question, at most EDNS with a cookie), read without
//! allocating; anything odd is none and goes the long way (`reader`). A [`Ready`] packet is a
//! finished answer in one block, without OPT: its ID, its AD bit, the letter case of its question and
//! each record's TTL are written when it leaves, every TTL by its own RRset's clock. Deliberately
//! does not know: what the answer rests on (`cache::stamps`), where it is kept (`server::answers`).
//!
//! RFC 1035 §4.1, RFC 6891 §6.1, RFC 7873 §4. Shown by: the tests below; `tests/ready.rs` compares it
//! with the long way over random histories.

use super::name::{MAX_LABEL, MAX_NAME};
use super::reader::Header;

/// Octets of OPT without options (RFC 6891 §6.1.2).
pub const OPT_OCTETS: usize = 11;
/// Octets of a ready packet's message: what fits the largest UDP answer anybody is given in practice.
pub const MAX_MESSAGE: usize = 4_096;
/// Octets of the longest key: name, type, what the client wants.
const MAX_KEY: usize = MAX_NAME + 3;
const OPT: [u8; 2] = [0, 41];
const CLASS_IN: [u8; 2] = [0, 1];
const OPTION_COOKIE: [u8; 2] = [0, 10];
const DO: u8 = 0x80;
const NANOS: u64 = 1_000_000_000;

/// A plain question, as it lies in its packet.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Of the request.
    pub id: [u8; 2],
    flags: u16,
    /// In the case of the request, with the root label.
    name: &'a [u8],
    key: [u8; MAX_KEY],
    key_octets: usize,
    /// Absent: plain DNS.
    pub edns: Option<AskEdns<'a>>,
}

/// EDNS of a plain question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskEdns<'a> {
    /// As sent.
    pub udp_size: u16,
    /// It wants DNSSEC records.
    pub dnssec_ok: bool,
    /// The COOKIE option's octets, of any length.
    pub cookie: Option<&'a [u8]>,
}

impl<'a> Ask<'a> {
    /// The question in `packet`, if all of that is plain: a query with RD and at most AD and CD, of
    /// class IN, nothing behind it but one OPT of version 0 with at most one option, a cookie.
    pub fn peek(packet: &'a [u8]) -> Option<Ask<'a>> {
        let (head, rest) = packet.split_first_chunk::<{ Header::OCTETS }>()?;
        let [id0, id1, flags0, flags1, 0, 1, 0, 0, 0, 0, 0, additional @ (0 | 1)] = *head else {
            return None;
        };
        let flags = u16::from_be_bytes([flags0, flags1]);
        if flags & !(Header::AD | Header::CD) != Header::RD {
            return None;
        }
        let name = rest.get(..plain_name(rest)?)?;
        let (question, rest) = rest.get(name.len()..)?.split_first_chunk::<4>()?;
        let (rtype, class) = question.split_at(2);
        if class != CLASS_IN {
            return None;
        }
        let edns = match additional {
            0 if rest.is_empty() => None,
            1 => Some(AskEdns::peek(rest)?),
            _ => return None,
        };
        let mut key = [0; MAX_KEY];
        let (lower, variant) = key.get_mut(..name.len() + 3)?.split_at_mut(name.len());
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase(); // length octets are no letters
        let wants = u8::from(edns.is_some_and(|e| e.dnssec_ok)) | u8::from(flags & Header::CD != 0) << 1;
        variant.copy_from_slice(&[*rtype.first()?, *rtype.last()?, wants]);
        Some(Ask { id: [id0, id1], flags, name, key, key_octets: name.len() + 3, edns })
    }

    /// What answers it may be kept under: name in lower case, type, DO and CD.
    pub fn key(&self) -> &[u8] {
        self.key.get(..self.key_octets).unwrap_or_default()
    }

    /// RFC 6840 §5.7: AD or DO asks for the verdict; with CD there is none.
    fn wants_verdict(&self) -> bool {
        let asks = self.flags & Header::AD != 0 || self.edns.is_some_and(|e| e.dnssec_ok);
        asks && self.flags & Header::CD == 0
    }
}

impl<'a> AskEdns<'a> {
    fn peek(opt: &'a [u8]) -> Option<AskEdns<'a>> {
        let (head, options) = opt.split_first_chunk::<OPT_OCTETS>()?;
        let [0, t0, t1, size0, size1, 0, 0, flags, 0, octets0, octets1] = *head else { return None };
        if [t0, t1] != OPT || flags & !DO != 0 {
            return None;
        }
        if usize::from(u16::from_be_bytes([octets0, octets1])) != options.len() {
            return None;
        }
        let cookie = match options.split_first_chunk::<4>() {
            None if options.is_empty() => None,
            Some(([c0, c1, n0, n1], value))
                if [*c0, *c1] == OPTION_COOKIE
                    && usize::from(u16::from_be_bytes([*n0, *n1])) == value.len() =>
            {
                Some(value)
            }
            _ => return None,
        };
        let udp_size = u16::from_be_bytes([size0, size1]);
        Some(AskEdns { udp_size, dnssec_ok: flags & DO != 0, cookie })
    }
}

/// Octets of the uncompressed name that `octets` begin with.
fn plain_name(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let n = usize::from(*octets.get(at)?);
        at += n + 1;
        if n == 0 {
            return Some(at);
        }
        if n > MAX_LABEL || at >= MAX_NAME {
            return None;
        }
    }
}

/// When one record's TTL has run down, and where that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Offset of the TTL in the message.
    pub at: u16,
    /// Nanoseconds on the clock of whoever keeps the packet.
    pub expires: u64,
}

/// What goes into the OPT of an answer.
#[derive(Clone, Copy)]
pub struct OptOut<'a> {
    /// What we take ourselves.
    pub udp_size: u16,
    /// The whole COOKIE option value, when the client sent its part.
    pub cookie: Option<&'a [u8]>,
}

/// A finished answer but for what differs from one client and moment to the next, as it lies in a block
/// of octets: a head of fixed size, the message, ten octets for each clock.
#[derive(Clone, Copy)]
pub struct Ready<'a>(&'a [u8]);

/// Expiry (8), key octets besides the name (3), secure (1), octets of the message (2).
const HEAD: usize = 14;
const CLOCK: usize = 10;

impl<'a> Ready<'a> {
    /// The block for a whole answer without OPT, to `key`'s question, and the clock of each of its
    /// records. `None`: too large to be kept, or no record that says for how long it may be.
    pub fn pack(message: &[u8], key: &[u8], clocks: &[Clock], secure: bool) -> Option<Vec<u8>> {
        let expires = clocks.iter().map(|clock| clock.expires).min()?;
        let variant = key.last_chunk::<3>()?;
        if message.len() > MAX_MESSAGE || message.len() < Header::OCTETS + key.len() - 3 {
            return None;
        }
        let mut block = Vec::with_capacity(HEAD + message.len() + CLOCK * clocks.len());
        block.extend_from_slice(&expires.to_ne_bytes());
        block.extend_from_slice(variant);
        block.push(u8::from(secure));
        block.extend_from_slice(&u16::try_from(message.len()).ok()?.to_ne_bytes());
        block.extend_from_slice(message);
        for clock in clocks {
            block.extend_from_slice(&clock.at.to_ne_bytes());
            block.extend_from_slice(&clock.expires.to_ne_bytes());
        }
        Some(block)
    }

    /// What [`Ready::pack`] made, nothing behind it.
    pub fn of(block: &'a [u8]) -> Ready<'a> {
        Ready(block)
    }

    /// When the first of its records has run down.
    pub fn expires(self) -> u64 {
        self.0.first_chunk::<8>().map_or(0, |n| u64::from_ne_bytes(*n))
    }

    /// Is it the answer to this question?
    pub fn answers(self, key: &[u8]) -> bool {
        let Some((name, variant)) = key.split_last_chunk::<3>() else { return false };
        const NAME: usize = HEAD + Header::OCTETS;
        self.0.get(8..11) == Some(variant) && self.0.get(NAME..NAME + name.len()) == Some(name)
    }

    /// The message, and the clocks behind it.
    fn parts(self) -> (&'a [u8], &'a [[u8; CLOCK]]) {
        let octets = self.0.get(12..HEAD).and_then(|n| n.first_chunk::<2>());
        let octets = octets.map_or(0, |n| usize::from(u16::from_ne_bytes(*n)));
        let (message, clocks) =
            self.0.get(HEAD..).and_then(|b| b.split_at_checked(octets)).unwrap_or_default();
        (message, clocks.as_chunks().0)
    }

    /// Appends the answer to `ask` at the moment `now`; `false`, and nothing: it would be longer than
    /// `limit` octets. It must answer the question and not have expired.
    pub fn write(
        self,
        ask: &Ask<'_>,
        opt: Option<OptOut<'_>>,
        limit: usize,
        now: u64,
        out: &mut Vec<u8>,
    ) -> bool {
        let (message, clocks) = self.parts();
        let opt_octets = opt.map_or(0, |o| OPT_OCTETS + o.cookie.map_or(0, |c| 4 + c.len()));
        if message.len() + opt_octets > limit {
            return false;
        }
        let start = out.len();
        out.extend_from_slice(message);
        if let Some(answer) = out.get_mut(start..) {
            self.fill_in(answer, clocks, ask, now);
            if opt.is_some()
                && let Some([high, low]) = answer.get_mut(10..12)
            {
                [*high, *low] = (u16::from_be_bytes([*high, *low]) + 1).to_be_bytes();
            }
        }
        if let Some(opt) = opt {
            write_opt(&opt, ask, out);
        }
        true
    }

    fn fill_in(self, answer: &mut [u8], clocks: &[[u8; CLOCK]], ask: &Ask<'_>, now: u64) {
        if let Some(id) = answer.first_chunk_mut::<2>() {
            *id = ask.id;
        }
        if self.0.get(11) == Some(&1)
            && ask.wants_verdict()
            && let Some(flags) = answer.get_mut(3)
        {
            *flags |= Header::AD as u8;
        }
        let name = Header::OCTETS..Header::OCTETS + ask.name.len();
        if let Some(echo) = answer.get_mut(name) {
            echo.copy_from_slice(ask.name);
        }
        let (mut last, mut ttl) = (0, [0; 4]);
        for [a, b, expires @ ..] in clocks {
            let (a, b, expires) = (*a, *b, *expires);
            let expires = u64::from_ne_bytes(expires);
            if expires != last {
                (last, ttl) = (expires, seconds_left(expires, now).to_be_bytes());
            }
            let at = usize::from(u16::from_ne_bytes([a, b]));
            if let Some(field) = answer.get_mut(at..at + 4) {
                field.copy_from_slice(&ttl);
            }
        }
    }
}

/// Whole seconds begun: what is left of a TTL counted down from the moment it was stored.
fn seconds_left(expires: u64, now: u64) -> u32 {
    u32::try_from(expires.saturating_sub(now).div_ceil(NANOS)).unwrap_or(u32::MAX)
}

fn write_opt(opt: &OptOut<'_>, ask: &Ask<'_>, out: &mut Vec<u8>) {
    let flags = if ask.edns.is_some_and(|e| e.dnssec_ok) { DO } else { 0 };
    let [size0, size1] = opt.udp_size.to_be_bytes();
    let octets = opt.cookie.map_or(0, |cookie| 4 + cookie.len() as u16);
    let [octets0, octets1] = octets.to_be_bytes();
    out.extend_from_slice(&[0, OPT[0], OPT[1], size0, size1, 0, 0, flags, 0, octets0, octets1]);
    if let Some(cookie) = opt.cookie {
        let [n0, n1] = (cookie.len() as u16).to_be_bytes();
        out.extend_from_slice(&[OPTION_COOKIE[0], OPTION_COOKIE[1], n0, n1]);
        out.extend_from_slice(cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rrset::{Question, RrSet, RrType};
    use crate::wire::reader::Section;
    use crate::wire::{Message, MessageWriter, Name};

    type Options<'a> = &'a [(u16, Vec<u8>)];

    fn query(name: &str, flags: u16, edns: Option<(u16, Options<'_>)>) -> Vec<u8> {
        let mut writer = MessageWriter::new(0x1234, flags, 512);
        writer.question(&Question::new(name.parse().unwrap(), RrType::A)).unwrap();
        if let Some((flags, options)) = edns {
            writer.opt(1232, 0, flags, options).unwrap();
        }
        writer.finish()
    }

    #[test]
    fn plain_questions_are_read_and_odd_ones_are_not() {
        let packet = query("WWW.Example.", 0x0120, Some((0x8000, &[(10, vec![7; 8])])));
        let ask = Ask::peek(&packet).unwrap();
        assert_eq!(ask.key(), b"\x03www\x07example\x00\x00\x01\x01");
        let edns = ask.edns.unwrap();
        assert_eq!((edns.udp_size, edns.dnssec_ok, edns.cookie), (1232, true, Some(&[7u8; 8][..])));
        assert_eq!(Ask::peek(&query(".", 0x0110, None)).unwrap().key(), b"\x00\x00\x01\x02");

        for flags in [0x8100, 0x0000, 0x0900, 0x0300, 0x0140, 0x0500] {
            assert!(Ask::peek(&query("a.", flags, None)).is_none(), "{flags:#06x}");
        }
        assert!(Ask::peek(&query("a.", 0x0100, Some((0, &[(8, vec![0; 4])])))).is_none(), "another option");
        let two = [(10, vec![0; 8]), (10, vec![0; 8])];
        assert!(Ask::peek(&query("a.", 0x0100, Some((0, &two)))).is_none(), "two options");
        assert!(Ask::peek(&query("a.", 0x0100, Some((0x4000, &[])))).is_none(), "an unknown flag");
        let plain = query("a.", 0x0100, None);
        for end in 0..plain.len() {
            assert!(Ask::peek(&plain[..end]).is_none(), "cut at {end}");
        }
        assert!(Ask::peek(&[&plain[..], &[0]].concat()).is_none(), "something behind it");
        let mut chaos = plain.clone();
        *chaos.last_mut().unwrap() = 3;
        assert!(Ask::peek(&chaos).is_none(), "another class");
        let mut pointed = plain;
        pointed[12] = 0xc0;
        assert!(Ask::peek(&pointed).is_none(), "a compressed question");
    }

    #[test]
    fn names_of_every_length_are_read() {
        let label = "a".repeat(62);
        let long: Name = format!("{label}.{label}.{label}.{label}.a.").parse().unwrap();
        assert_eq!(long.len(), MAX_NAME);
        let packet = query(&long.to_string(), 0x0100, None);
        assert_eq!(Ask::peek(&packet).unwrap().key().len(), MAX_KEY);
        let mut longer = packet[..12 + 254].to_vec();
        longer.extend_from_slice(b"\x01a\x00\x00\x01\x00\x01");
        assert!(Ask::peek(&longer).is_none());
    }

    #[test]
    fn blanks_are_filled_in() {
        let question = Question::new("www.example.".parse().unwrap(), RrType::A);
        let mut writer = MessageWriter::new(0, 0x8180, 512);
        writer.question(&question).unwrap();
        let set = RrSet::new(question.name.clone(), RrType::A, 0, [&[192, 0, 2, 1][..], &[192, 0, 2, 2]]);
        writer.rrset(Section::Answer, &set.owner, set.rtype, set.class, 77, &set.rdata).unwrap();
        let clocks: Vec<Clock> =
            writer.ttls().iter().map(|at| Clock { at: *at, expires: 10 * NANOS }).collect();
        assert_eq!(clocks.len(), 2);
        let packet = query("wWw.example.", 0x0120, Some((0, &[])));
        let ask = Ask::peek(&packet).unwrap();
        let block = Ready::pack(&writer.finish(), ask.key(), &clocks, true).unwrap();
        let ready = Ready::of(&block);
        assert!(ready.answers(ask.key()) && !ready.answers(b"\x03www\x07example\x00\x00\x1c\x00"));
        assert_eq!(ready.expires(), 10 * NANOS);

        let mut out = b"before".to_vec();
        let opt = Some(OptOut { udp_size: 1232, cookie: Some(&[9; 24]) });
        assert!(ready.write(&ask, opt, 512, 3 * NANOS + 1, &mut out));
        let message = Message::parse(&out[6..]).unwrap();
        assert_eq!((message.header().id, message.header().flags), (0x1234, 0x81a0));
        assert!(message.question().unwrap().name.eq_case(&"wWw.example.".parse().unwrap()));
        assert!(message.section(Section::Answer).all(|r| r.ttl() == 7));
        assert_eq!(message.edns().unwrap().option(10), Some(&[9u8; 24][..]));
        let octets = out.len() - 6;
        assert!(!ready.write(&ask, opt, octets - 1, 0, &mut out), "it does not fit");
        assert_eq!(out.len() - 6, octets);
    }
}
