//! The program: everything is in the library (`cnamed::cli`).

use std::process::ExitCode;

/// A million cached names take an eighth less than with the C library's (docs/decisions/0010-jemalloc.md).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cnamed::cli::run()
}
