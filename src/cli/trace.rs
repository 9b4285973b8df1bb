//! `cnamed trace`: not built in yet.

use std::process::ExitCode;

use super::{BAD_USAGE, TraceArgs, complain};

/// Refuses.
pub fn run(_args: &TraceArgs) -> ExitCode {
    complain("cnamed trace: not built in yet");
    ExitCode::from(BAD_USAGE)
}
