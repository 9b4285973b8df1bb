//! What `cnamed trace` can be told.
//!
//! Knows: arguments and their help. Does not know: what comes of them. Shown by: `tests/binary.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Resolve once from a cold cache and show every hop
///
/// Exit code 0: an answer; 1: the chain or the resolution failed (a loop, too long, SERVFAIL …);
/// 2: bad usage; 3: no network.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cnamed trace www.example.com         Addresses (type A)
  cnamed trace example.com MX          Another type, by mnemonic or as in TYPE65
  cnamed trace --lab www.example.com   The same in the embedded world
  cnamed trace www.example.com --record a.rpl   Keep what servers said …
  cnamed trace --replay a.rpl          … and resolve again from that
  cnamed trace www.example.com --from-cache    What the server on this machine would answer")]
pub struct TraceArgs {
    /// Domain name; a missing final dot is added. With --replay it may be left out
    #[arg(required_unless_present = "replay")]
    pub name: Option<String>,
    /// RR type by mnemonic, or as in TYPE65; A when not given
    #[arg(value_name = "TYPE")]
    pub rtype: Option<String>,
    /// Configuration file; without it: the defaults (see `cnamed config default`)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Resolve inside an embedded, offline DNS world instead of the internet
    #[arg(long)]
    pub lab: bool,
    /// Make that world from the master files in a folder
    #[arg(long, value_name = "DIR", requires = "lab")]
    pub lab_zones: Option<PathBuf>,
    /// Keep what servers said, and when, as a scenario that --replay and the tests can play
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// Resolve offline from such a file, with its settings or with those of --config
    #[arg(long, value_name = "FILE", conflicts_with = "lab")]
    pub replay: Option<PathBuf>,
    /// Ask a running server instead (127.0.0.1:53 unless given): from its cache, as it would answer now
    #[arg(
        long,
        value_name = "ADDR:PORT",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:53",
        conflicts_with_all = ["config", "lab", "record", "replay"]
    )]
    pub from_cache: Option<SocketAddr>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = TraceFormat::Text)]
    pub format: TraceFormat,
}

/// What a trace is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// A tree for people
    Text,
    /// For programs: see docs/trace.schema.json
    Json,
    /// A sequence diagram (not implemented yet)
    Mermaid,
    /// For Graphviz (not implemented yet)
    Dot,
    /// A picture (not implemented yet)
    Svg,
    /// A page (not implemented yet)
    Html,
}
