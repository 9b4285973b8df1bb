//! The cache outside the process: `cache.file`.
//!
//! Knows: what of the cache is worth keeping over a restart (RRsets, denials, delegations), how old
//! it has become meanwhile, and how a file is written that is whole or not there. Does not know:
//! when (`cli::saver`), what an entry looks like (`record`).
//!
//! **The file** is a row of pages of [`PAGE`] octets, the last one shorter. Each begins with a head:
//! magic, version, wall clock at saving, the settings it depends on, a random nonce, checksum; then
//! records, none of which leaves its page: checksum, length, body. So damage costs what it hits and
//! nothing else: where the next page begins is known whatever stands in this one. The nonce keys the
//! checksums of the records, since RDATA is what strangers choose: nobody can put a record into a
//! TXT that would be read when a damaged length leads there. Whoever may write the file can write
//! what they like, hence mode 0600, which what clients asked for deserves anyway.
//!
//! **Time** (RFC 1035 §3.2.1, RFC 8767 §4): the process' own clock does not outlive it, so what
//! passed between saving and loading is read off the wall, rounded up. A wall clock that went back
//! says that nothing passed: nothing then lives longer than it had to live at saving.
//!
//! What a validator found out is not kept: what is read again is unchecked.
//!
//! Shown by: the tests below, `tests/persist.rs`.

mod record;

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use siphasher::sip::SipHasher13;
use tokio::time::Instant;

use super::Cache;
use super::entry::{Entry, Key, Terms};
use crate::config::Config;
use crate::security::Security;
use crate::trust::scrub::Proof;
use crate::{files, replace};
use record::Record;

/// No text begins like this, and no file that was carried in text mode.
const MAGIC: [u8; 8] = *b"\x8acname\r\n";
/// Of the layout of pages and records; another one is not read.
const VERSION: u32 = 3;
/// Octets of a page: a few sectors, so that damage is contained, and more than nearly all RRsets
/// take. A larger one (the answers of some 60 signed TXT records) is not kept.
pub const PAGE: usize = 8_192;
/// Magic, version, wall clock, settings, nonce, checksum.
const HEAD: usize = 8 + 4 + 8 + 8 + 16 + 8;
/// Checksum and length before a record's body.
const RECORD_HEAD: usize = 8 + 2;
/// Octets gathered before each write.
const WRITE_BUFFER: usize = 256 * 1024;
/// Added to the time that passed: both wall clocks were read in whole seconds.
const ROUNDED_UP: Duration = Duration::from_secs(1);

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Moment {
    pub now: Instant,
    /// Seconds since 1970.
    pub wall: u64,
}

/// Where the cache is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFile {
    path: PathBuf,
    /// Fingerprint of the settings without which the data would not be what they are.
    settings: u64,
    max_octets: u64,
}

/// What a file held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Records that are in the cache now.
    pub kept: u64,
    /// Records whose time was over.
    pub expired: u64,
    /// Places that were not what was written there once; what stood in them is left out.
    pub damaged: u64,
    /// Pages of another version, or written when other servers were asked; left out.
    pub others: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Saved {
    pub records: u64,
    pub octets: u64,
    /// Records larger than a page, or beyond `cache.max-memory`.
    pub left_out: u64,
}

/// Why a file is not read at all. It is not replaced either: it may be somebody's.
#[derive(Debug)]
pub enum LoadError {
    /// Nothing in it was written by us.
    Foreign(PathBuf),
    /// A directory, a device, a pipe.
    NotAFile(PathBuf),
    /// The system said no.
    Io(PathBuf, io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Foreign(path) => write!(
                f,
                "{} was not written by cnamed, or nothing of it is left: remove it, or correct cache.file",
                path.display()
            ),
            LoadError::NotAFile(path) => {
                write!(f, "{} is no regular file: correct cache.file", path.display())
            }
            LoadError::Io(path, reason) => {
                let path = path.display();
                write!(
                    f,
                    "cannot read {path}: {reason}. Give it to the user that cnamed runs as, remove it, or "
                )?;
                f.write_str("correct cache.file")
            }
        }
    }
}
impl std::error::Error for LoadError {}

/// Why nothing was saved; what was saved before still stands.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct SaveError {
    pub path: PathBuf,
    pub reason: io::Error,
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}. {}", self.path.display(), self.reason, remedy(&self.reason))
    }
}
impl std::error::Error for SaveError {}

fn remedy(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "Create the folder, or correct cache.file",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "Let the user that cnamed runs as write in that folder (with systemd: StateDirectory=), or \
             name a file elsewhere with cache.file"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "Make room, lower cache.max-memory, or name a file elsewhere with cache.file"
        }
        _ => "Correct cache.file, or remove it from the configuration",
    }
}

impl CacheFile {
    /// As the configuration says; `None`: the cache is not kept. `embedded`: are names resolved in a
    /// world of their own? What was learned there must not be told elsewhere, nor what was learned
    /// from other root, forward or stub servers.
    pub fn of(config: &Config, embedded: bool) -> Option<CacheFile> {
        let path = config.cache.file.clone()?;
        let origin = format!("{embedded} {:?} {:?}", config.resolver.hints, config.routes);
        let settings = SipHasher13::new().hash(origin.as_bytes());
        Some(CacheFile { path, settings, max_octets: config.cache.max_memory })
    }

    /// As configured.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts what the file holds into `cache`, which is empty. `Ok(None)`: there is no file.
    ///
    /// # Errors
    /// When it cannot be read, or is no such file. Damage is none.
    pub fn load(&self, cache: &Cache, at: Moment) -> Result<Option<Loaded>, LoadError> {
        let Some(file) = self.open()? else { return Ok(None) };
        match self.read(file, cache, at) {
            Ok(Some(loaded)) => Ok(Some(loaded)),
            Ok(None) => Err(LoadError::Foreign(self.path.clone())),
            Err(reason) => Err(LoadError::Io(self.path.clone(), reason)),
        }
    }

    /// Is there nothing at this place, or a file that [`CacheFile::load`] would read?
    ///
    /// # Errors
    /// As [`CacheFile::load`].
    pub fn may_be_replaced(&self) -> Result<(), LoadError> {
        let Some(file) = self.open()? else { return Ok(()) };
        match self.is_ours(&file) {
            Ok(true) => Ok(()),
            Ok(false) => Err(LoadError::Foreign(self.path.clone())),
            Err(reason) => Err(LoadError::Io(self.path.clone(), reason)),
        }
    }

    /// Is a page of it ours, or nothing in it? Nearly always the first page tells.
    fn is_ours(&self, file: &File) -> io::Result<bool> {
        let length = file.metadata()?.len().min(self.max_octets);
        for at in (0..length).step_by(PAGE) {
            let mut head = [0; HEAD];
            let there = usize::try_from(length - at).map_or(HEAD, |left| left.min(HEAD));
            let (read, _) = head.split_at_mut(there);
            file.read_exact_at(read, at)?;
            if is_our_page(at == 0, read) {
                return Ok(true);
            }
        }
        Ok(length == 0)
    }

    fn open(&self) -> Result<Option<File>, LoadError> {
        match files::open(&self.path) {
            Ok(Some(file)) => Ok(Some(file)),
            Ok(None) => Err(LoadError::NotAFile(self.path.clone())),
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(LoadError::Io(self.path.clone(), reason)),
        }
    }

    /// `None`: no page is ours, and something is there.
    fn read(&self, from: impl Read, cache: &Cache, at: Moment) -> io::Result<Option<Loaded>> {
        let mut from = from.take(self.max_octets);
        let mut page = Vec::with_capacity(PAGE);
        let mut reading = Reading { cache, at, loaded: Loaded::default(), seen: 0, end: None };
        let mut ours = None;
        loop {
            page.clear();
            from.by_ref().take(PAGE as u64).read_to_end(&mut page)?;
            if page.is_empty() {
                break;
            }
            let head = Head::read(&page);
            ours = Some(ours.unwrap_or(false) || is_our_page(ours.is_none(), &page));
            match head {
                Some(Head::Ours { settings, .. }) if settings != self.settings => reading.loaded.others += 1,
                Some(Head::Ours { wall, nonce, .. }) => {
                    let gap = at.wall.saturating_sub(wall);
                    reading.records(&page, &nonce, Duration::from_secs(gap).saturating_add(ROUNDED_UP));
                }
                Some(Head::OtherVersion) => reading.loaded.others += 1,
                None => reading.loaded.damaged += 1,
            }
        }
        let mut loaded = reading.loaded;
        if loaded.others == 0 && reading.end != Some(reading.seen) && loaded.damaged == 0 {
            loaded.damaged = 1; // something is missing between whole records, or at the end
        }
        Ok(ours.unwrap_or(true).then_some(loaded)) // an empty file is nobody's
    }

    /// Writes what `cache` holds, beside the file, which it then replaces: whose that is has been looked at
    /// ([`CacheFile::may_be_replaced`]). `nonce` is random.
    ///
    /// # Errors
    /// When that cannot be done; the file is then as it was.
    pub fn save(&self, cache: &Cache, at: Moment, nonce: [u8; 16]) -> Result<Saved, SaveError> {
        let write = |file: &File| self.write(BufWriter::with_capacity(WRITE_BUFFER, file), cache, at, nonce);
        let saved = self.place().and_then(|place| replace::replace(&place, write));
        saved.map_err(|reason| self.unsaved(reason))
    }

    /// Can files be made where this one is to be?
    ///
    /// # Errors
    /// When not, as [`CacheFile::save`] would say.
    pub fn try_folder(&self) -> Result<(), SaveError> {
        self.place().and_then(|place| replace::try_folder(&place)).map_err(|reason| self.unsaved(reason))
    }

    /// Where the file is: a symbolic link leads there, when it is read and when it is written.
    fn place(&self) -> io::Result<PathBuf> {
        files::place(&self.path).map_err(|reason| match reason.kind() {
            io::ErrorKind::Other => io::Error::other(format!("{reason}: make an empty file there")),
            _ => reason,
        })
    }

    fn unsaved(&self, reason: io::Error) -> SaveError {
        SaveError { path: self.path.clone(), reason }
    }

    fn write(&self, out: impl Write, cache: &Cache, at: Moment, nonce: [u8; 16]) -> io::Result<Saved> {
        let mut pages = Pages::new(out, Head::write(at.wall, self.settings, &nonce), nonce, self.max_octets);
        let mut body = Vec::with_capacity(PAGE);
        for cut in cache.cuts.referred(at.now) {
            body.clear();
            record::write_cut(&cut, at.now, &mut body);
            pages.push(&body)?;
        }
        for (key, entry) in cache.rrsets.usable(at.now) {
            body.clear();
            if record::write_entry(&key, &entry, at.now, &mut body) {
                pages.push(&body)?;
            }
        }
        pages.finish()
    }
}

/// The head of a page.
enum Head {
    Ours { wall: u64, settings: u64, nonce: [u8; 16] },
    OtherVersion,
}

impl Head {
    fn write(wall: u64, settings: u64, nonce: &[u8; 16]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let (fields, sum) = head.split_at_mut(HEAD - 8);
        let parts: [&[u8]; 5] =
            [&MAGIC, &VERSION.to_be_bytes(), &wall.to_be_bytes(), &settings.to_be_bytes(), nonce];
        for (to, octet) in fields.iter_mut().zip(parts.concat()) {
            *to = octet;
        }
        sum.copy_from_slice(&SipHasher13::new().hash(fields).to_be_bytes());
        head
    }

    /// `None`: no head, or a damaged one.
    fn read(page: &[u8]) -> Option<Head> {
        let (magic, rest) = page.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        if *magic != MAGIC {
            return None;
        }
        if u32::from_be_bytes(*version) != VERSION {
            return Some(Head::OtherVersion);
        }
        let (wall, rest) = rest.split_first_chunk::<8>()?;
        let (settings, rest) = rest.split_first_chunk::<8>()?;
        let (nonce, rest) = rest.split_first_chunk::<16>()?;
        let sum = rest.first_chunk::<8>()?;
        let fields = page.get(..HEAD - 8)?;
        let whole = SipHasher13::new().hash(fields).to_be_bytes() == *sum;
        let (wall, settings) = (u64::from_be_bytes(*wall), u64::from_be_bytes(*settings));
        whole.then_some(Head::Ours { wall, settings, nonce: *nonce })
    }
}

/// Does this page say whose the file is? Only at the very beginning may damage explain what is there.
fn is_our_page(first: bool, page: &[u8]) -> bool {
    if first { looks_like_ours(page) } else { Head::read(page).is_some() }
}

/// Was this the beginning of a page of ours, before it was damaged? Zeros are what a crash leaves.
fn looks_like_ours(page: &[u8]) -> bool {
    const MISREAD: usize = 2;
    let begin = page.get(..HEAD.min(page.len())).unwrap_or_default();
    let alike = begin.iter().zip(&MAGIC).filter(|(is, was)| is == was).count();
    begin.iter().all(|octet| *octet == 0) || alike + MISREAD >= MAGIC.len() || alike == begin.len()
}

/// Fills pages with records.
struct Pages<W> {
    out: W,
    head: [u8; HEAD],
    nonce: [u8; 16],
    max_octets: u64,
    page: Vec<u8>,
    saved: Saved,
}

impl<W: Write> Pages<W> {
    fn new(out: W, head: [u8; HEAD], nonce: [u8; 16], max_octets: u64) -> Pages<W> {
        let saved = Saved { records: 0, octets: 0, left_out: 0 };
        Pages { out, head, nonce, max_octets, page: head.to_vec(), saved }
    }

    /// Appends a record, on a new page if need be.
    fn push(&mut self, body: &[u8]) -> io::Result<()> {
        let size = RECORD_HEAD + body.len();
        // The last page, which holds the end, must fit too.
        let room = self.saved.octets + 3 * PAGE as u64 <= self.max_octets;
        let length = u16::try_from(body.len()).ok().filter(|_| HEAD + size <= PAGE && room);
        let Some(length) = length else {
            self.saved.left_out += 1;
            return Ok(());
        };
        if self.page.len() + size > PAGE {
            self.page.resize(PAGE, 0);
            self.out.write_all(&self.page)?;
            self.saved.octets += PAGE as u64;
            self.page.clear();
            self.page.extend_from_slice(&self.head);
        }
        let mut summed = length.to_be_bytes().to_vec();
        summed.extend_from_slice(body);
        let sum = SipHasher13::new_with_key(&self.nonce).hash(&summed);
        self.page.extend_from_slice(&sum.to_be_bytes());
        self.page.extend_from_slice(&summed);
        self.saved.records += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<Saved> {
        let records = self.saved.records;
        let mut body = Vec::new();
        record::write_end(records, &mut body);
        self.max_octets = u64::MAX;
        self.push(&body)?;
        self.out.write_all(&self.page)?;
        self.out.flush()?;
        Ok(Saved { records, octets: self.saved.octets + self.page.len() as u64, ..self.saved })
    }
}

/// Takes records from pages.
struct Reading<'a> {
    cache: &'a Cache,
    at: Moment,
    loaded: Loaded,
    /// Records read, kept or not.
    seen: u64,
    /// How many there were to be.
    end: Option<u64>,
}

impl Reading<'_> {
    /// Takes the records of one page, written so long ago.
    fn records(&mut self, page: &[u8], nonce: &[u8; 16], passed: Duration) {
        let sums = SipHasher13::new_with_key(nonce);
        let mut rest = page.get(HEAD..).unwrap_or_default();
        while let Some((sum, tail)) = rest.split_first_chunk::<8>() {
            let Some((length, bodies)) = tail.split_first_chunk::<2>() else { break };
            let length = usize::from(u16::from_be_bytes(*length));
            if length == 0 && *sum == [0; 8] {
                break; // a page is filled up with zeros
            }
            let Some((body, behind)) = bodies.split_at_checked(length) else { break };
            let summed = tail.get(..2 + length).unwrap_or_default();
            let whole = sums.hash(summed).to_be_bytes() == *sum;
            match record::read(body).filter(|_| whole) {
                Some(Record::End(count)) => self.end = Some(count),
                Some(record) => self.take(record, passed),
                // Of another length than it says, perhaps: then what follows does not fit either.
                None => self.loaded.damaged += 1,
            }
            rest = behind;
        }
        self.loaded.damaged += u64::from(rest.iter().any(|octet| *octet != 0));
    }

    fn take(&mut self, record: Record, passed: Duration) {
        self.seen += 1;
        let (cache, now) = (self.cache, self.at.now);
        let kept = match record {
            Record::Entry { name, rtype, content, rank, age, life, of_parent } => {
                // A moment that this machine's clock cannot tell is too long ago.
                now.checked_sub(age.saturating_add(passed)).is_some_and(|stored| {
                    // Proven anew when it is asked for.
                    let terms = Terms { security: Security::Unchecked, rank, stored, life, of_parent };
                    let entry = Entry { content, proof: Proof::default(), terms };
                    cache.rrsets.restore(&Key::new(&name, rtype), entry, now)
                })
            }
            Record::Cut { zone, servers, left } => {
                left.checked_sub(passed).map(|left| cache.cuts.restore(zone, servers, left, now)).is_some()
            }
            Record::End(_) => false,
        };
        if kept {
            self.loaded.kept += 1;
        } else {
            self.loaded.expired += 1;
        }
    }
}

#[cfg(test)]
mod tests;
