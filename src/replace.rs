//! A file that is whole or as it was.
//!
//! Knows: that something new is written beside a file, reaches the disk, and takes its place at once.
//! Whoever may read it is its owner alone. Does not know: what is in it. Shown by: the tests here, of
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A folder of one's own, gone in the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("cnamed-replace-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_no_file_is_refused_beforehand_and_when_it_comes_to_it() {
        let folder = Folder::new("socket");
        let path = folder.0.join("a");
        let _listening = UnixListener::bind(&path).unwrap();
        let before = try_folder(&path);
        let after = replace(&path, |mut file| file.write_all(b"new"));
        for (when, refused) in [("before", before), ("after", after)] {
            assert_eq!(refused.unwrap_err().to_string(), "is no regular file", "{when}");
        }
        assert!(fs::metadata(&path).unwrap().file_type().is_socket());
        assert_eq!(folder.names(), ["a"]);
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all_and_its_owner_alone_may_read_it() {
        let folder = Folder::new("file");
        let path = folder.0.join("a");
        fs::write(&path, "old").unwrap();
        fs::write(beside(&path), "of a process that was killed").unwrap();
        let failed = replace(&path, |mut file| {
            file.write_all(b"ne")?;
            Err::<(), _>(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), folder.names()),
            ("old", vec!["a".to_owned()])
        );
        try_folder(&path).unwrap();
        replace(&path, |mut file| file.write_all(b"new")).unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), folder.names()),
            ("new", vec!["a".to_owned()])
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
