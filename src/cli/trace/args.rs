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
  cnamed trace --type A,AAAA,HTTPS www.example.com
                                       Types side by side, and where they part
  cnamed trace www.example.com --compare 192.0.2.53 192.0.2.54:5353
                                       What other recursive resolvers say
  cnamed trace www.example.com --watch 30s
                                       Again and again; says what changes
  cnamed trace www.example.com --record a.rpl
                                       Keep what servers said …
  cnamed trace --replay a.rpl          … and resolve again from that
  cnamed trace www.example.com --from-cache
                                       What the server on this machine would answer
  cnamed trace --format html www.example.com > chain.html
                                       A page to look at")]
pub struct TraceArgs {
    /// Domain name, in any script; a missing final dot is added. With --replay it may be left out
    #[arg(required_unless_present = "replay")]
    pub name: Option<String>,
    /// RR type by mnemonic, or as in TYPE65; A when not given
    #[arg(value_name = "TYPE")]
    pub rtype: Option<String>,
    /// The same, or several side by side: A,AAAA,HTTPS
    #[arg(long = "type", value_name = "TYPE,…", value_delimiter = ',', conflicts_with = "rtype")]
    pub types: Vec<String>,
    /// Ask these recursive resolvers as well, and show who says what
    #[arg(long, value_name = "ADDR[:PORT]", num_args = 1.., value_delimiter = ',')]
    pub compare: Vec<String>,
    /// Resolve again after each such time (30s, 5m, 1h); show what changes, when something does
    #[arg(long, value_name = "INTERVAL", conflicts_with = "compare")]
    pub watch: Option<String>,
    /// Begin at this server instead of at the root's, or as that of a zone: ZONE=ADDR; repeatable
    #[arg(long, value_name = "[ZONE=]ADDR[:PORT]")]
    pub server: Vec<String>,
    /// Prove nothing (DNSSEC)
    #[arg(long)]
    pub no_dnssec: bool,
    /// Show whole names to every server (no RFC 9156)
    #[arg(long)]
    pub no_minimise: bool,
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
    #[arg(long, value_name = "FILE", conflicts_with_all = ["replay", "types", "compare", "watch"])]
    pub record: Option<PathBuf>,
    /// Resolve offline from such a file, with its settings or with those of --config
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lab", "types", "compare", "watch"])]
    pub replay: Option<PathBuf>,
    /// Ask a running server instead (127.0.0.1:53 unless given): from its cache, as it would answer now
    #[arg(
        long,
        value_name = "ADDR:PORT",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:53",
        conflicts_with_all = [
            "config", "lab", "record", "replay", "types", "compare", "watch", "server", "no_dnssec", "no_minimise"
        ]
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
    /// A flowchart for Mermaid
    Mermaid,
    /// A graph for Graphviz
    Dot,
    /// A picture
    Svg,
    /// A page of its own: the picture, and every step
    Html,
}
