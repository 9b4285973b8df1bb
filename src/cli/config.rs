//! `cnamed config check` and `cnamed config default`.
//!
//! Knows: which files serving begins with besides those that are part of the configuration. Does not
//! know: what is in them. Nothing is written, bound or sent. Shown by: `tests/config.rs`,
//! `mistakes::config_check_*`.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{ConfigArgs, ConfigCommand, anchors, complain, tell};
use crate::cache::file::{CacheFile, LoadError};
use crate::config::file::{Fault, MAX_FILE};
use crate::config::{Config, show};
use crate::files;

/// Exit code when the configuration has errors.
const FINDINGS: u8 = 1;
/// What stands for standard input in messages.
const STDIN: &str = "<stdin>";

/// Runs the command.
pub fn run(args: &ConfigArgs) -> ExitCode {
    match &args.command {
        ConfigCommand::Default => {
            tell(&show::default_file());
            ExitCode::SUCCESS
        }
        ConfigCommand::Check { file } => match check(file.as_ref().filter(|file| file.as_os_str() != "-")) {
            Ok(what) => {
                tell(&format!("{what}: no errors"));
                ExitCode::SUCCESS
            }
            Err(errors) => {
                tell(&errors);
                ExitCode::from(FINDINGS)
            }
        },
    }
}

/// Which file was right, or what is wrong.
fn check(file: Option<&PathBuf>) -> Result<String, String> {
    match file {
        Some(path) => {
            Config::check(path, &look_at_files).map_err(|errors| errors.to_string())?;
            Ok(path.display().to_string())
        }
        None => {
            let text = read_stdin()?;
            let checked = Config::check_text(&text, Path::new(STDIN), &look_at_files);
            checked.map_err(|errors| errors.to_string())?;
            Ok(STDIN.to_owned())
        }
    }
}

/// What is wrong with the files that serving reads, and later replaces. That this user may not look at one
/// is said aside: the one that cnamed runs as may.
fn look_at_files(config: &Config) -> Vec<Fault> {
    let state = config.dnssec.trust_anchor_state.as_deref();
    // The embedded world or not: that makes no difference to whose the file is.
    let cache = CacheFile::of(config, false);
    let seen = [
        ("dnssec", "trust-anchor-state", state.map_or(Ok(()), look_at_state)),
        ("cache", "file", cache.as_ref().map_or(Ok(()), look_at_cache)),
    ];
    let mut found = Vec::new();
    for (table, key, seen) in seen {
        match seen {
            Ok(()) => {}
            Err(Unfit::What(what)) => found.push(Fault { table, key, what }),
            Err(Unfit::Denied(why)) => complain(&format!(
                "cnamed config check: {table}.{key}: not looked at: {why}. Check it as the user that cnamed runs as"
            )),
        }
    }
    found
}

/// Why a file will not do.
enum Unfit {
    /// Not for this user.
    Denied(io::Error),
    /// Not for anybody.
    What(String),
}

impl Unfit {
    fn of(why: io::Error, what: impl FnOnce(&io::Error) -> String) -> Unfit {
        if why.kind() == io::ErrorKind::PermissionDenied {
            Unfit::Denied(why)
        } else {
            Unfit::What(what(&why))
        }
    }
}

fn look_at_state(path: &Path) -> Result<(), Unfit> {
    let read = anchors::read(path).map_err(|why| Unfit::of(why, |why| anchors::unfit(path, why)))?;
    if read.is_none() { look_at_place(path) } else { Ok(()) }
}

fn look_at_cache(file: &CacheFile) -> Result<(), Unfit> {
    match file.may_be_replaced() {
        Ok(()) => look_at_place(file.path()),
        Err(LoadError::Io(_, why)) if why.kind() == io::ErrorKind::PermissionDenied => {
            Err(Unfit::Denied(why))
        }
        Err(why) => Err(Unfit::What(why.to_string())),
    }
}

/// Is there a folder for a file that need not be there yet?
fn look_at_place(path: &Path) -> Result<(), Unfit> {
    let place =
        files::place(path).map_err(|why| Unfit::of(why, |why| format!("{}: {why}", path.display())))?;
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::metadata(folder) {
        Ok(there) if there.is_dir() => Ok(()),
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => Err(Unfit::Denied(why)),
        _ => Err(Unfit::What(format!(
            "there is no folder {}: create it, or name a file elsewhere",
            folder.display()
        ))),
    }
}

fn read_stdin() -> Result<String, String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        complain("reading a configuration from the terminal; end it with Ctrl-D, or name a FILE");
    }
    let mut text = String::new();
    let read = stdin.take(MAX_FILE + 1).read_to_string(&mut text);
    read.map_err(|e| format!("{STDIN}: cannot read a configuration: {e}"))?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("{STDIN}: larger than {MAX_FILE} octets"));
    }
    Ok(text)
}
