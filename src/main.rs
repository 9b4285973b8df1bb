//! The program: everything is in the library (`cnamed::cli`).

use std::process::ExitCode;

fn main() -> ExitCode {
    cnamed::cli::run()
}
