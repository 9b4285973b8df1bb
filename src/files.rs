//! Opening what may not be waited for, and where a file is.
//!
//! Knows: that a pipe waits for its writer, and a device for whatever it likes; symbolic links. Does not
//! know: what is in a file, and what to tell whoever named it. Shown by: `binary::a_reload_waits_for_no_pipe*`,
//! `binary::a_pipe_as_trust_anchor_state*`, `mistakes::a_link_to_a_state*`, the tests of `cache::file`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A regular file, to be read; `None`: a pipe, a device or a folder is there.
///
/// # Errors
/// When nothing is there, or the system says no.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Where a file is that is to be replaced: a symbolic link leads there, and stays.
///
/// # Errors
/// When it leads nowhere, or the system says no.
pub fn place(path: &Path) -> io::Result<PathBuf> {
    if !path.is_symlink() {
        return Ok(path.to_owned());
    }
    fs::canonicalize(path).map_err(|reason| match reason.kind() {
        io::ErrorKind::NotFound => io::Error::other("it is a symbolic link that leads nowhere"),
        _ => reason,
    })
}
