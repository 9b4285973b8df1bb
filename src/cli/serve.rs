//! `cnamed serve`: not built in yet.

use std::process::ExitCode;

use super::{BAD_USAGE, ServeArgs, complain};

/// Refuses.
pub fn run(_args: &ServeArgs) -> ExitCode {
    complain("cnamed serve: not built in yet");
    ExitCode::from(BAD_USAGE)
}
