//! Master files (RFC 1035 §5): text to records and back.

use std::fmt;

use crate::rrset::{Class, RrType};
use crate::wire::Name;

/// One record of a master file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MasterRecord {
    pub owner: Name,
    pub ttl: u32,
    pub class: Class,
    pub rtype: RrType,
    /// Uncompressed wire form.
    pub rdata: Vec<u8>,
    /// Counted from 1.
    pub line: usize,
}

/// What is wrong in a master file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MasterError {
    pub file: String,
    pub line: usize,
    pub what: String,
}

impl fmt::Display for MasterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}
impl std::error::Error for MasterError {}

/// The records of a master file; `file` is only for messages.
pub fn parse(_text: &str, _origin: &Name, _file: &str) -> Result<Vec<MasterRecord>, MasterError> {
    Ok(Vec::new())
}

/// RDATA from its presentation form.
pub fn rdata_from_text(_rtype: RrType, _text: &str, _origin: &Name) -> Result<Vec<u8>, String> {
    Err(String::new())
}

/// RDATA in presentation form; what cannot be shown so, as RFC 3597 §5 says (`\# 2 0102`).
pub fn rdata_to_text(_rtype: RrType, _rdata: &[u8]) -> String {
    String::new()
}
