//! From master files and `servers.toml` to a world; every mistake with its file and line.
//!
//! Knows: which file is which zone (`root.zone` is the root, any other file's name is its origin),
//! and that a zone is served at the addresses of its NS names unless `servers.toml` says otherwise.
//! Does not know: what the servers answer. Shown by: `tests/lab.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::error::{LabError, ROOT, SERVERS};
use super::server::{Follow, Mode, Server};
use super::zone::Zone;
use super::{Site, World};
use crate::config::Hint;
use crate::files;
use crate::master;
use crate::rrset::RrType;
use crate::wire::Name;
use crate::world::Rng;

/// A file's text.
pub(super) struct File {
    /// As errors name it.
    pub shown: String,
    /// As `servers.toml` names it.
    pub stem: String,
    pub text: String,
}

impl File {
    fn read(path: &Path) -> Result<File, LabError> {
        let no_file = || io::Error::other("is no regular file: put one there, or take this one away");
        let text = files::open(path)
            .and_then(|file| io::read_to_string(file.ok_or_else(no_file)?))
            .map_err(|error| LabError::Read { path: path.to_owned(), error })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(File { shown: path.display().to_string(), stem, text })
    }

    /// The line, counted from 1, in which an octet stands.
    fn line_at(&self, octet: usize) -> usize {
        1 + self.text.bytes().take(octet).filter(|b| *b == b'\n').count()
    }

    fn wrong(&self, span: Option<Range<usize>>, what: String) -> LabError {
        let line = self.line_at(span.map_or(0, |span| span.start));
        LabError::Servers { file: self.shown.clone(), line, what }
    }
}

/// The zone files of a folder, in the order of their names, and its `servers.toml`.
pub(super) fn folder(folder: &Path) -> Result<(Vec<File>, Option<File>), LabError> {
    let unreadable = |error| LabError::Read { path: folder.to_owned(), error };
    let mut zones = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|e| e == "zone") {
            zones.push(File::read(&path)?);
        }
    }
    zones.sort_by(|a, b| a.stem.cmp(&b.stem));
    let servers = folder.join(SERVERS);
    let servers = if servers.exists() { Some(File::read(&servers)?) } else { None };
    Ok((zones, servers))
}

/// `servers.toml`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Servers {
    #[serde(default)]
    server: Vec<Entry>,
}

/// One `[[server]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    addresses: Vec<Spanned<IpAddr>>,
    /// File names without `.zone`; absent: the zones whose NS names have these addresses.
    zones: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    follow: Follow,
    #[serde(default = "yes")]
    cookies: bool,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    loss_percent: u8,
}

fn yes() -> bool {
    true
}

type Zones = BTreeMap<String, Arc<Zone>>;
type Addresses = HashMap<Name, BTreeSet<IpAddr>>;

/// The world of these files.
pub(super) fn world(files: Vec<File>, servers: Option<File>) -> Result<World, LabError> {
    let mut zones = Zones::new();
    for file in &files {
        let origin = if file.stem == ROOT { Ok(Name::root()) } else { file.stem.parse() };
        let origin = origin.map_err(|_| LabError::FileName { file: file.shown.clone() })?;
        let records = master::parse(&file.text, &origin, &file.shown).map_err(LabError::Master)?;
        zones.insert(file.stem.clone(), Arc::new(Zone::new(records, &file.shown)?));
    }
    let mut addresses = Addresses::new();
    for set in zones.values().flat_map(|zone| zone.addresses()) {
        addresses.entry(set.owner.clone()).or_default().extend(set.addresses());
    }
    let entries = match &servers {
        Some(file) => entries(file, &zones)?,
        None => Vec::new(),
    };
    let root = zones.values().find(|zone| zone.apex().is_root());
    let hints = root.map(|root| hints(root, &addresses)).unwrap_or_default();
    let (Some(root), false) = (root, hints.is_empty()) else {
        return Err(LabError::NoRoot { files: files.len() });
    };
    let mut sites = sites(&entries, &zones, &addresses)?;
    for site in sites.values_mut() {
        site.server.root = root.stored(&Name::root(), RrType::NS).cloned();
    }
    for file in &files {
        let served = |zone: &Arc<Zone>| {
            sites
                .values()
                .any(|site| site.server.zones.get(zone.apex()).is_some_and(|z| Arc::ptr_eq(z, zone)))
        };
        if let Some(zone) = zones.get(&file.stem).filter(|zone| !served(zone)) {
            return Err(LabError::NoServer { file: file.shown.clone(), zone: zone.apex().clone() });
        }
    }
    Ok(World { sites, zones, hints, rng: Rng::os() })
}

/// The servers of `servers.toml`, each address at most once and each zone known.
fn entries(file: &File, zones: &Zones) -> Result<Vec<Entry>, LabError> {
    let servers: Servers =
        toml::from_str(&file.text).map_err(|e| file.wrong(e.span(), e.message().to_owned()))?;
    let mut seen = BTreeSet::new();
    for entry in &servers.server {
        for address in &entry.addresses {
            if !seen.insert(*address.get_ref()) {
                let what = format!("{} has an entry already: merge the two", address.get_ref());
                return Err(file.wrong(Some(address.span()), what));
            }
        }
        for zone in entry.zones.iter().flatten() {
            if !zones.contains_key(zone.get_ref()) {
                let what = format!("no file {}.zone: name zones by their files", zone.get_ref());
                return Err(file.wrong(Some(zone.span()), what));
            }
        }
        if entry.loss_percent > 100 {
            let what = format!("loss-percent = {}: expected 0 to 100", entry.loss_percent);
            return Err(file.wrong(entry.addresses.first().map(Spanned::span), what));
        }
    }
    Ok(servers.server)
}

/// Who serves what: zones named in an entry there and nowhere else, the others where the addresses
/// of their NS names lead, unless that address has its own list.
fn sites(entries: &[Entry], zones: &Zones, addresses: &Addresses) -> Result<HashMap<IpAddr, Site>, LabError> {
    let mut sites = HashMap::new();
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut listed: BTreeSet<IpAddr> = BTreeSet::new();
    for entry in entries {
        for address in entry.addresses.iter().map(Spanned::get_ref) {
            sites.insert(*address, site(entry));
            for stem in entry.zones.iter().flatten().map(Spanned::get_ref) {
                placed.insert(stem);
                add(&mut sites, *address, zones.get(stem))?;
            }
            if entry.zones.is_some() {
                listed.insert(*address);
            }
        }
    }
    for (stem, zone) in zones.iter().filter(|(stem, _)| !placed.contains(stem.as_str())) {
        let names = zone.stored(zone.apex(), RrType::NS).into_iter().flat_map(|ns| ns.targets());
        let found: BTreeSet<IpAddr> =
            names.filter_map(|name| addresses.get(&name)).flatten().copied().collect();
        for address in found.difference(&listed) {
            add(&mut sites, *address, zones.get(stem))?;
        }
    }
    Ok(sites)
}

fn site(entry: &Entry) -> Site {
    let server = Server::new([], entry.mode, entry.follow, entry.cookies);
    Site { server, delay: Duration::from_millis(entry.delay_ms), loss_percent: entry.loss_percent }
}

/// Puts `zone` on the server at `address`, which is a correct one if nothing was said of it.
fn add(sites: &mut HashMap<IpAddr, Site>, address: IpAddr, zone: Option<&Arc<Zone>>) -> Result<(), LabError> {
    let Some(zone) = zone else { return Ok(()) };
    let server = Server::new([], Mode::default(), Follow::default(), true);
    let site = sites.entry(address).or_insert(Site { server, delay: Duration::ZERO, loss_percent: 0 });
    match site.server.zones.insert(zone.apex().clone(), zone.clone()) {
        Some(other) if !Arc::ptr_eq(&other, zone) => {
            Err(LabError::TwoVersions { address, zone: zone.apex().clone() })
        }
        _ => Ok(()),
    }
}

/// The root's servers that have addresses.
fn hints(root: &Zone, addresses: &Addresses) -> Vec<Hint> {
    let names = root.stored(&Name::root(), RrType::NS).into_iter().flat_map(|ns| ns.targets());
    let hint = |name: Name| {
        let addresses = addresses.get(&name)?.iter().copied().collect();
        Some(Hint { name, addresses })
    };
    names.filter_map(hint).collect()
}
