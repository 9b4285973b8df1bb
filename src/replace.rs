//! A file that is whole or as it was.
//!
//! Knows: that something new is written beside a file, reaches the disk, and takes its place at once.
//! Whoever may read it is its owner alone. Does not know: what is in it. Shown by: the tests of
//! `cache::file` and `cli::anchors`, `tests/persist.rs`, `tests/replay.rs`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Lets `write` fill a new file, which then takes the place of that at `path`.
///
/// # Errors
/// When that cannot be done; what is at `path` is then as it was.
pub fn replace<T>(path: &Path, write: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
    let beside = beside(path);
    let written = (|| {
        refuse_others(path)?;
        let file = create(&beside)?;
        let written = write(&file)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        Ok(written)
    })();
    match &written {
        Ok(_) => {
            if let Err(error) = sync_folder(path) {
                tracing::debug!(%error, path = %path.display(), "the folder was not synced");
            }
        }
        Err(_) => {
            let _not_there = fs::remove_file(&beside);
        }
    }
    written
}

/// Can files be made where this one is to be?
///
/// # Errors
/// When not, as [`replace`] would say.
pub fn try_folder(path: &Path) -> io::Result<()> {
    refuse_others(path)?;
    let beside = beside(path);
    create(&beside).and_then(|_| fs::remove_file(&beside))
}

/// Renaming would do away with a device, a pipe or a socket that stands there.
fn refuse_others(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(io::Error::other("is no regular file")),
        _ => Ok(()),
    }
}

/// Always the same name: what a killed process left is found and goes.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".new");
    PathBuf::from(name)
}

fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the renaming outlive a power failure.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
