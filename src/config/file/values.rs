//! Single values: what TOML says into what a setting holds, within bounds.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

use super::{MAX_FILE, Value};
use crate::config::anchors::{self, MAX_ANCHORS};
use crate::config::settings::{DNS_PORT, Kind, MAX_ADDRESSES, MAX_NETWORKS, MAX_TEXT, MAX_ZONES};
use crate::config::{AnchorRecord, show};
use crate::wire::Name;
use crate::{files, idn};

/// A value that a setting does not take.
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    /// `None`: it is not what the setting's kind expects, which says all.
    pub(super) what: Option<String>,
}

impl Wrong {
    pub(super) fn unexpected(value: &Value<'_>) -> Wrong {
        Wrong { span: value.span(), what: None }
    }

    pub(super) fn because(value: &Value<'_>, what: impl Into<String>) -> Wrong {
        Wrong { span: value.span(), what: Some(what.into()) }
    }
}

/// Units of sizes, in octets.
pub(in crate::config) const SIZES: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
/// Units of durations, in milliseconds.
pub(in crate::config) const PERIODS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Kind {
    /// What a value must be, for messages and the reference.
    pub fn expected(&self) -> String {
        let sized = |most: usize, what: &str| format!("a list of {what}, at most {most}");
        match self {
            Kind::Flag { .. } => "true or false".to_owned(),
            Kind::Number { bounds, why, .. } => {
                format!("an integer from {} to {} ({why})", bounds.start(), bounds.end())
            }
            Kind::Size { bounds, why, .. } => {
                let (from, to) = (show::size(*bounds.start()), show::size(*bounds.end()));
                format!("octets, or text with a unit as in \"256MiB\", from {from} to {to} ({why})")
            }
            Kind::Period { bounds, why, .. } => {
                let (from, to) = (show::period(*bounds.start()), show::period(*bounds.end()));
                format!("text with a unit as in \"500ms\", \"5s\" or \"5m\", from {from} to {to} ({why})")
            }
            Kind::Filter { .. } => "a level, or tracing's filter syntax, as text".to_owned(),
            Kind::Text { .. } => format!("text of 1 to {MAX_TEXT} octets"),
            Kind::Path { .. } | Kind::Hints { .. } => "a path, as text".to_owned(),
            Kind::Sockets { .. } => {
                format!(
                    "a list of 1 to {MAX_ADDRESSES} addresses with ports, each once and none beside one that it is \
                     in, as in \"127.0.0.1:53\" or \"[::1]:53\""
                )
            }
            Kind::Addresses { .. } => sized(MAX_ADDRESSES, "addresses without ports, as in \"192.0.2.1\""),
            Kind::Networks { .. } => {
                sized(MAX_NETWORKS, "networks or addresses, as in \"192.0.2.0/24\" or \"2001:db8::1\"")
            }
            Kind::Zone { .. } => "a domain name in any script, as text".to_owned(),
            Kind::Servers { .. } => {
                format!(
                    "a list of 1 to {MAX_ADDRESSES} unicast addresses, each once, as in \"192.0.2.53\", \
                     \"192.0.2.54:5353\" or \"[2001:db8::1]:53\""
                )
            }
            Kind::Zones { .. } => sized(MAX_ZONES, "domain names in any script, each once"),
            Kind::Anchors { .. } => sized(
                MAX_ANCHORS,
                "DS or DNSKEY records, each as text with owner, type and RDATA (TTL and class may stand as well)",
            ),
            Kind::AnchorFile { .. } => {
                "the path of a master file with DS or DNSKEY records, as text".to_owned()
            }
            Kind::Either { words: [a, b], .. } => format!("\"{a}\" or \"{b}\""),
        }
    }
}

pub(super) fn flag(value: &Value<'_>) -> Result<bool, Wrong> {
    value.get_ref().as_bool().ok_or(Wrong::unexpected(value))
}

pub(super) fn number(value: &Value<'_>, bounds: &RangeInclusive<u64>) -> Result<u64, Wrong> {
    let number = value.get_ref().as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
    number.filter(|n| bounds.contains(n)).ok_or(Wrong::unexpected(value))
}

pub(super) fn size(value: &Value<'_>, bounds: &RangeInclusive<u64>) -> Result<u64, Wrong> {
    let Some(text) = value.get_ref().as_str() else { return number(value, bounds) };
    with_unit(text, &SIZES).filter(|n| bounds.contains(n)).ok_or(Wrong::unexpected(value))
}

pub(super) fn period(value: &Value<'_>, bounds: &RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let millis = value.get_ref().as_str().and_then(|text| with_unit(text, &PERIODS));
    millis.map(Duration::from_millis).filter(|d| bounds.contains(d)).ok_or(Wrong::unexpected(value))
}

/// A whole number and its unit, perhaps with blank space between.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let &(_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn string<'v>(value: &'v Value<'_>) -> Result<&'v str, Wrong> {
    value.get_ref().as_str().ok_or(Wrong::unexpected(value))
}

pub(super) fn text(value: &Value<'_>) -> Result<String, Wrong> {
    let text = string(value)?;
    let fits = (1..=MAX_TEXT).contains(&text.len());
    fits.then(|| text.to_owned()).ok_or(Wrong::unexpected(value))
}

pub(super) fn filter(value: &Value<'_>) -> Result<String, Wrong> {
    let text = string(value)?;
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(e) => Err(Wrong::because(value, format!("expected a level, or tracing's filter syntax: {e}"))),
    }
}

/// A path; a relative one starts at the folder of the configuration file.
pub(super) fn path(value: &Value<'_>, file: &Path) -> Result<PathBuf, Wrong> {
    let text = string(value)?;
    if text.is_empty() || text.contains('\0') {
        return Err(Wrong::unexpected(value));
    }
    Ok(file.parent().map_or_else(|| PathBuf::from(text), |folder| folder.join(text)))
}

/// A list of texts, each read by `read`, which says what is wrong if it knows better than the setting's kind;
/// every wrong one is told.
fn list<T: PartialEq>(
    value: &Value<'_>,
    count: RangeInclusive<usize>,
    read: impl Fn(&str) -> Result<T, Option<String>>,
) -> Result<Vec<T>, Vec<Wrong>> {
    let DeValue::Array(items) = value.get_ref() else { return Err(vec![Wrong::unexpected(value)]) };
    if !count.contains(&items.len()) {
        return Err(vec![Wrong::unexpected(value)]);
    }
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for item in items.iter() {
        match item.get_ref().as_str().ok_or(None).and_then(&read) {
            Ok(read) if good.contains(&read) => {
                wrong.push(Wrong::because(item, "expected each entry once: remove the second"));
            }
            Ok(read) => good.push(read),
            Err(what) => wrong.push(Wrong { span: item.span(), what }),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(wrong) }
}

pub(super) fn sockets(value: &Value<'_>) -> Result<Vec<SocketAddr>, Vec<Wrong>> {
    let sockets = list(value, 1..=MAX_ADDRESSES, |text| {
        text.parse().ok().filter(|s: &SocketAddr| !s.ip().is_multicast()).ok_or(None)
    })?;
    let items = value.get_ref().as_array().into_iter().flat_map(|items| items.iter());
    let wrong: Vec<Wrong> = items
        .zip(&sockets)
        .enumerate()
        .filter_map(|(at, (item, address))| {
            let (any, one) = sockets.iter().take(at).find_map(|other| one_in_other(address, other))?;
            let what = format!("{any} has {one} in it: expected one of them, or another port");
            Some(Wrong::because(item, what))
        })
        .collect();
    if wrong.is_empty() { Ok(sockets) } else { Err(wrong) }
}

/// Of two addresses the one that stands for all of its family, when the other is one of them: the system lets
/// nobody have both. IPv4 is nowhere in `[::]`, as listeners are opened.
fn one_in_other<'a>(a: &'a SocketAddr, b: &'a SocketAddr) -> Option<(&'a SocketAddr, &'a SocketAddr)> {
    let same_port = a.port() == b.port() && a.port() != 0 && a.is_ipv4() == b.is_ipv4();
    match (a.ip().is_unspecified(), b.ip().is_unspecified()) {
        (true, false) if same_port => Some((a, b)),
        (false, true) if same_port => Some((b, a)),
        _ => None,
    }
}

pub(super) fn addresses(value: &Value<'_>) -> Result<Vec<IpAddr>, Vec<Wrong>> {
    list(value, 0..=MAX_ADDRESSES, |text| {
        text.parse().ok().filter(|a: &IpAddr| !a.is_multicast()).ok_or(None)
    })
}

pub(super) fn networks(value: &Value<'_>) -> Result<Vec<IpNet>, Vec<Wrong>> {
    list(value, 0..=MAX_NETWORKS, |text| {
        let network = text.parse::<IpNet>().ok();
        // Host bits mean nothing in a network.
        network.map(|n| n.trunc()).or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).ok_or(None)
    })
}

pub(super) fn zone(value: &Value<'_>) -> Result<Name, Vec<Wrong>> {
    let text = string(value).map_err(|wrong| vec![wrong])?;
    name(text).map_err(|what| vec![Wrong::because(value, what)])
}

/// A name in any script. Blank space is nearly always a slip, and such a name would silently match nothing.
fn name(text: &str) -> Result<Name, String> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("expected a domain name: blank space in a label is written as \\032".to_owned());
    }
    idn::parse(text).map_err(|e| format!("expected a domain name: {e}"))
}

pub(super) fn zones(value: &Value<'_>) -> Result<Vec<Name>, Vec<Wrong>> {
    list(value, 0..=MAX_ZONES, |text| name(text).map_err(Some))
}

/// Is it the second of two words?
pub(super) fn either(value: &Value<'_>, words: &[&str; 2]) -> Result<bool, Wrong> {
    let text = string(value)?;
    let at = words.iter().position(|word| *word == text);
    at.map(|at| at == 1).ok_or(Wrong::unexpected(value))
}

/// A list of texts, each a record in presentation form.
pub(super) fn anchors(value: &Value<'_>) -> Result<Vec<AnchorRecord>, Vec<Wrong>> {
    let DeValue::Array(items) = value.get_ref() else { return Err(vec![Wrong::unexpected(value)]) };
    if items.len() > MAX_ANCHORS {
        return Err(vec![Wrong::unexpected(value)]);
    }
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for item in items.iter() {
        let Some(text) = item.get_ref().as_str() else {
            wrong.push(Wrong::unexpected(item));
            continue;
        };
        // Master files know no scripts: such an owner would be octets that no zone is called by.
        if text.split_whitespace().next().is_some_and(|owner| !owner.is_ascii()) {
            let what =
                "expected a DS or DNSKEY record, its owner as A-labels (xn--…) where it is in another script";
            wrong.push(Wrong::because(item, what));
            continue;
        }
        match anchors::read(text, "record") {
            Ok(read) if read.is_empty() => {
                wrong.push(Wrong::because(item, "expected a DS or DNSKEY record, as text"));
            }
            Ok(read) => good.extend(read),
            Err(what) => wrong.push(Wrong::because(item, format!("expected a DS or DNSKEY record: {what}"))),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(wrong) }
}

pub(super) fn servers(value: &Value<'_>) -> Result<Vec<SocketAddr>, Vec<Wrong>> {
    let server = |text: &str| {
        let plain = |t: &str| t.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, DNS_PORT));
        let bracketed = || text.strip_prefix('[')?.strip_suffix(']').and_then(plain);
        let server = text.parse().ok().or_else(|| plain(text)).or_else(bracketed)?;
        let ip = server.ip();
        let unicast = !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::from([255; 4]);
        (unicast && server.port() != 0).then_some(server)
    };
    list(value, 1..=MAX_ADDRESSES, |text| server(text).ok_or(None))
}

/// What becomes of a pipe, or of a device, where a file is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pipes {
    /// It is waited for, as in `cnamed serve --config <(make-config)`: nothing is served yet.
    Awaited,
    /// It is not even opened for longer than a look: somebody is served, or is to be heard.
    Refused,
}

/// The text of a file of at most [`MAX_FILE`] octets; the error names the path.
pub(super) fn read_file(path: &Path, pipes: Pipes) -> Result<String, String> {
    let shown = path.display();
    let opened = match pipes {
        Pipes::Awaited => File::open(path).map(Some),
        Pipes::Refused => files::open(path),
    };
    let file = opened.map_err(|e| format!("cannot open {shown}: {e}"))?.ok_or_else(|| {
        format!(
            "cannot open {shown}: it is no regular file, and only a start waits for a pipe or a device: put a file \
             there, or restart"
        )
    })?;
    let mut octets = Vec::new();
    let read = file.take(MAX_FILE + 1).read_to_end(&mut octets);
    read.map_err(|e| format!("cannot read {shown}: {e}"))?;
    if octets.len() as u64 > MAX_FILE {
        return Err(format!("{shown} is larger than {MAX_FILE} octets"));
    }
    String::from_utf8(octets).map_err(|_| format!("{shown} is not UTF-8 text"))
}
