//! The file of `dnssec.trust-anchor-state`, and what the operator is told of trust at the start.
//!
//! Knows: where RFC 5011's state is, that a damaged one is worse than none (a key that was revoked
//! would be trusted again), which settings cannot lead to a proof. Does not know: what the state
//! says (`dnssec::rollover`). Shown by: the tests below, `binary::*trust*`, `mistakes::*state*`.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::complain;
use crate::config::Config;
use crate::dnssec::Reason;
use crate::dnssec::anchors::TrustAnchors;
use crate::dnssec::crypto::Policy;
use crate::dnssec::rollover::{self, TrustPoint};
use crate::{files, replace};

/// Octets of a state file that are read: 1,024 keys of the largest kind take less.
const MAX_OCTETS: u64 = 4 * 1_024 * 1_024;
/// Seconds since 1970 when this was built.
const BUILT: &str = env!("CNAMED_BUILT");

/// The file, if there is to be one.
pub(super) struct StateFile(Option<PathBuf>);

impl StateFile {
    /// Where the configuration wants it, also when nothing is validated: a reload may change that, and what
    /// was revoked must be known then.
    pub(super) fn of(config: &Config) -> StateFile {
        StateFile(config.dnssec.trust_anchor_state.clone())
    }

    /// What it says; nothing when it is not there yet, and can be.
    ///
    /// # Errors
    /// Says what is wrong with it, and what to do.
    pub(super) fn read(&self) -> Result<Vec<TrustPoint>, String> {
        let Some(path) = &self.0 else { return Ok(Vec::new()) };
        match read(path) {
            Ok(Some(points)) => Ok(points),
            Ok(None) => self.try_folder().map(|()| Vec::new()),
            Err(why) => Err(format!("dnssec.trust-anchor-state: {}", unfit(path, &why))),
        }
    }

    /// The file is not there: can it be?
    fn try_folder(&self) -> Result<(), String> {
        let Some(path) = &self.0 else { return Ok(()) };
        files::place(path).and_then(|place| replace::try_folder(&place)).map_err(|e| {
            format!(
                "dnssec.trust-anchor-state: {} cannot be written: {e}. Name a file elsewhere",
                path.display()
            )
        })
    }

    /// Keeps it. Failing is told, and stops nothing.
    pub(super) fn write(&self, text: &str) {
        let Some(path) = &self.0 else { return };
        let write = |place: PathBuf| replace::replace(&place, |mut file| file.write_all(text.as_bytes()));
        if let Err(e) = files::place(path).and_then(write) {
            tracing::error!("dnssec.trust-anchor-state: {} cannot be written: {e}", path.display());
        }
    }
}

/// What the file of a service says, for a command that only looks on: its user may be another one, and the
/// service is not to be disturbed. What cannot be used is told, and the configured anchors are.
pub(super) fn known(command: &str, config: &Config) -> Vec<TrustPoint> {
    let Some(path) = &config.dnssec.trust_anchor_state else { return Vec::new() };
    if !config.dnssec.validation {
        return Vec::new();
    }
    read(path).map(Option::unwrap_or_default).unwrap_or_else(|why| {
        let path = path.display();
        complain(&format!(
            "cnamed {command}: dnssec.trust-anchor-state: {path} is not used: {why}; trusted are the configured anchors"
        ));
        Vec::new()
    })
}

/// What the file at `path` says; `None`: there is none.
///
/// # Errors
/// Why it cannot be used.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<TrustPoint>>> {
    let file = match files::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?.ok_or_else(|| io::Error::other("it is no regular file"))?,
    };
    let mut text = String::new();
    if file.take(MAX_OCTETS + 1).read_to_string(&mut text)? as u64 > MAX_OCTETS {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    rollover::read(&text).map(Some).map_err(io::Error::other)
}

/// Says so, with a remedy.
pub(super) fn unfit(path: &Path, why: &io::Error) -> String {
    format!(
        "{} cannot be used: {why}. Put back a good copy, or remove it to begin again with the configured anchors",
        path.display()
    )
}

/// What cannot lead to a proof, one sentence each.
pub(super) fn complaints(config: &Config, now: u64) -> Vec<String> {
    if !config.dnssec.validation {
        return Vec::new();
    }
    let policy = Policy { sha1: config.dnssec.sha1_validates };
    let anchors = TrustAnchors::of(&config.dnssec);
    let unusable = anchors.unusable(&policy).into_iter().map(|(zone, reason)| {
        let what = if reason == Reason::UnsupportedDigest { "digests" } else { "algorithms" };
        format!("the trust anchors of {zone} use only {what} that are not supported: nothing below it will resolve")
    });
    let mut found: Vec<String> = unusable.collect();
    let standard = Config::default();
    let has_own_root = config.resolver.hints != standard.resolver.hints;
    if has_own_root && config.dnssec.anchors == standard.dnssec.anchors {
        found.push(
            "resolver.root-hints names a root of your own, but the trust anchors are those of the public one: set \
             dnssec.trust-anchors to its keys, or dnssec.validation = false"
                .to_owned(),
        );
    }
    if BUILT.parse().is_ok_and(|built: u64| now < built) {
        found.push(
            "the clock is before the day this program was built: signatures will seem not to be valid yet. Set it"
                .to_owned(),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("cnamed.toml")).unwrap()
    }

    fn now() -> u64 {
        BUILT.parse().unwrap()
    }

    #[test]
    fn each_setting_that_cannot_lead_to_a_proof_is_told() {
        let of = |text: &str, now| complaints(&config(text), now);
        assert_eq!(of("", now()), Vec::<String>::new());
        assert!(of("", now() - 1)[0].starts_with("the clock is before"));
        let anchor = |text: &str| format!("[dnssec]\ntrust-anchors = [\"{text}\"]\n");
        let unknown =
            anchor("old.test. DS 1 200 2 0000000000000000000000000000000000000000000000000000000000000000");
        let told = "the trust anchors of old.test. use only algorithms that are not supported: nothing below it will resolve";
        assert_eq!(of(&unknown, now()), [told]);
        assert!(of(&anchor("a. DS 1 8 200 AA"), now())[0].contains("only digests"));
        let off = "[dnssec]\nvalidation = false\ntrust-anchors = [\"a. DS 1 8 200 AA\"]\n";
        assert_eq!(of(off, 0), Vec::<String>::new());
        let mut own_root = config("");
        own_root.resolver.hints.truncate(1);
        assert!(complaints(&own_root, now())[0].contains("root of your own"));
        own_root.dnssec.anchors.truncate(1);
        assert!(complaints(&own_root, now()).is_empty());
    }

    #[test]
    fn a_state_file_is_whole_or_refused() {
        let folder = std::env::temp_dir().join(format!("cnamed-anchors-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("anchors.state");
        let file = StateFile(Some(path.clone()));
        assert_eq!(file.read(), Ok(Vec::new()));
        let points = vec![TrustPoint { next: 7, ..TrustPoint::new("example.".parse().unwrap()) }];
        file.write(&rollover::write(&points));
        assert_eq!(file.read(), Ok(points));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        fs::write(&path, "cnamed trust anchor state 1\nzone example. next 7\n").unwrap();
        let why = file.read().unwrap_err();
        assert!(why.contains("anchors.state cannot be used: the last line"), "{why}");
        let nowhere = StateFile(Some(folder.join("no/where")));
        assert!(nowhere.read().unwrap_err().contains("cannot be written"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
