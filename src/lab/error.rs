//! Why there is no world, in words that name file and line.
//!
//! Does not know: how files are read (`load`). Shown by: `tests/lab.rs`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::master::MasterError;
use crate::wire::Name;

/// The file that says how servers behave.
pub(super) const SERVERS: &str = "servers.toml";
/// The file name of the root zone.
pub(super) const ROOT: &str = "root";

/// Why there is no world.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum LabError {
    /// A file or the folder cannot be read.
    Read { path: PathBuf, error: std::io::Error },
    /// A master file is malformed.
    Master(MasterError),
    /// Records that make no zone.
    Zone { file: String, line: usize, what: String },
    /// `servers.toml` is malformed or contradicts the zones.
    Servers { file: String, line: usize, what: String },
    /// A file's name is no origin.
    FileName { file: String },
    /// Nobody serves the zone.
    NoServer { file: String, zone: Name },
    /// One address would serve two versions of a zone.
    TwoVersions { address: IpAddr, zone: Name },
    /// No root zone, or one whose servers have no address.
    NoRoot { files: usize },
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabError::Read { path, error } => write!(f, "{}: {error}", path.display()),
            LabError::Master(error) => write!(f, "{error}"),
            LabError::Zone { file, line, what } | LabError::Servers { file, line, what } => {
                write!(f, "{file}:{line}: {what}")
            }
            LabError::FileName { file } => {
                write!(f, "{file}: the name is no origin: call it after its zone, as example.com.zone")
            }
            LabError::NoServer { file, zone } => write!(
                f,
                "{file}: nobody serves {zone}: give one of its NS names an address, \
                 or name the file in {SERVERS}"
            ),
            LabError::TwoVersions { address, zone } => write!(
                f,
                "{address} would serve two versions of {zone}: say with `zones` in {SERVERS} which one"
            ),
            LabError::NoRoot { files } => write!(
                f,
                "no root zone among {files} *.zone files: add {ROOT}.zone with NS records and the \
                 addresses of its servers"
            ),
        }
    }
}
impl std::error::Error for LabError {}
