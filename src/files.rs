//! Opening what may not be waited for.
//!
//! Knows: that a pipe waits for its writer, and a device for whatever it likes. Does not know: what is
//! in a file, and what to tell whoever named it. Shown by: `binary::a_reload_waits_for_no_pipe*`,
//! `binary::a_pipe_as_trust_anchor_state*`, the tests of `cache::file`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// A regular file, to be read; `None`: a pipe, a device or a folder is there.
///
/// # Errors
/// When nothing is there, or the system says no.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}
