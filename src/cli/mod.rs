//! The command line: what can be asked of the program, one module per command.
//!
//! Knows: the commands and options of `contract.md`, exit codes. Deliberately does not know: what a
//! command does. Results go to stdout, everything else to stderr.
//!
//! Shown by: `tests/config.rs` and the tests below.

mod anchors;
pub mod check;
pub mod config;
pub mod saver;
pub mod serve;
mod terminal;
pub mod trace;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Config;
pub use trace::args::{TraceArgs, TraceFormat};

/// Exit code for bad usage, which includes a configuration that is refused; clap's own is the same.
pub const BAD_USAGE: u8 = 2;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "cnamed",
    version,
    about = "A recursive caching DNS resolver that follows alias chains and shows its work",
    long_about = "A recursive caching DNS resolver: it asks the authoritative servers of the internet itself, \
                  follows CNAME and DNAME chains hop by hop, remembers each hop for as long as its owner says, \
                  and shows how it came to an answer.",
    after_help = "\
Examples:
  cnamed serve --lab --listen 127.0.0.1:5353   Answer from an embedded world, no internet needed
  cnamed trace --lab www.example.com           Show every hop of an answer in it
  cnamed serve                                 Resolve the internet on loopback, port 53
  cnamed config default > cnamed.toml          Begin a configuration

`cnamed COMMAND --help` says more. Results go to stdout, logs and progress to stderr."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// One command.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    Serve(ServeArgs),
    Trace(TraceArgs),
    Check(CheckArgs),
    Config(ConfigArgs),
}

/// Run the resolver in the foreground
///
/// Answers over UDP and TCP until SIGTERM or SIGINT, then finishes what is in flight and exits with
/// 0. SIGHUP reloads the configuration; a bad one is refused and the old one stays. After every
/// socket is bound, one line `ready` with the addresses goes to stderr.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cnamed serve                                    Loopback, port 53, compiled-in root hints
  cnamed serve --config /etc/cnamed/cnamed.toml   As the file says
  cnamed serve --listen 127.0.0.1:5353 --lab      Try it without privileges or internet, then:
                                                  dig @127.0.0.1 -p 5353 www.example.com

A port below 1024 needs privileges: CAP_NET_BIND_SERVICE on Linux.")]
pub struct ServeArgs {
    /// Configuration file; without it: the defaults (see `cnamed config default`)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Instead of `server.listen`.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        help = "Address to answer on, as in 127.0.0.1:5353 or [::1]:53, instead of those configured; repeatable"
    )]
    pub listen: Vec<SocketAddr>,
    /// Resolve inside an embedded, offline DNS world instead of the internet
    #[arg(long)]
    pub lab: bool,
    /// Make that world from the master files in a folder
    #[arg(long, value_name = "DIR", requires = "lab")]
    pub lab_zones: Option<PathBuf>,
}

/// Look for mistakes in aliases
///
/// Resolves each name as a client would have it done, and shows what is wrong, risky or odd about its
/// aliases: with the records, why it matters, and what to do. Every code is described in docs/check.md.
///
/// Exit code 0: clean; 1: findings; 2: bad usage, or a line of standard input that is no name; 3: no
/// network; 130: interrupted (what was found until then is shown).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cnamed check www.example.com                     One name
  cnamed check --format json < names.txt           Many, one per line, for a program
  cnamed check --takeover-list services.txt -      With names of services that anybody can register at
  cnamed check --lab dangling.alias.example        Try it in the embedded world")]
pub struct CheckArgs {
    /// Domain names, in any script; `-` or none: from standard input, one per line
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Configuration file; without it: the defaults (see `cnamed config default`)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Resolve inside an embedded, offline DNS world instead of the internet
    #[arg(long)]
    pub lab: bool,
    /// Make that world from the master files in a folder
    #[arg(long, value_name = "DIR", requires = "lab")]
    pub lab_zones: Option<PathBuf>,
    /// Suffixes, one per line, of services where anybody may claim a name that nobody uses
    #[arg(long, value_name = "FILE")]
    pub takeover_list: Option<PathBuf>,
    /// Suffixes, one per line, of third parties that hide behind names of yours
    #[arg(long, value_name = "FILE")]
    pub tracker_list: Option<PathBuf>,
    /// How to show findings
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// What findings are shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// Lines for people
    Text,
    /// For programs
    Json,
}

/// Check a configuration, or print the default one
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do with configurations.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What can be done with configurations.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration file
    ///
    /// Prints every error with file, line, column, key, value and what was expected. Files that the
    /// configuration names are read as well, and those that serving writes must have a folder; nothing
    /// is written, bound or sent. Exit code 0: no errors; 1: errors; 2: bad usage.
    #[command(after_help = "\
Examples:
  cnamed config check /etc/cnamed/cnamed.toml
  cnamed config default | cnamed config check")]
    Check {
        /// The file; without it, or with `-`: standard input
        file: Option<PathBuf>,
    },
    /// Print a commented configuration with every setting at its default
    #[command(after_help = "\
Example:
  cnamed config default > cnamed.toml")]
    Default,
}

/// Parses the arguments of this process and runs the command. Bad usage and `--help` end the
/// process here.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Config(args) => config::run(&args),
    }
}

/// The configuration that `--config` names, or the defaults; what is wrong goes to stderr.
pub fn configuration(path: Option<&Path>) -> Result<Config, ExitCode> {
    let Some(path) = path else { return Ok(Config::default()) };
    Config::load(path).map_err(|errors| {
        complain(&errors.to_string());
        ExitCode::from(BAD_USAGE)
    })
}

/// Writes a result and a newline to stdout. That nobody reads any more (`| head`) is no error, and `false`:
/// more results are of no use. That it cannot be kept ends the program, or half a result would pass for a
/// whole one.
pub fn tell(result: &str) -> bool {
    match writeln!(io::stdout(), "{}", result.trim_end_matches('\n')) {
        Ok(()) => true,
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => false,
        Err(why) => {
            complain(&format!("cnamed: cannot write to stdout: {why}"));
            std::process::exit(BAD_USAGE.into());
        }
    }
}

/// Writes a message to stderr.
pub fn complain(message: &str) {
    _ = writeln!(io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
    }

    #[test]
    fn the_contracts_commands_are_understood() {
        let line = "cnamed serve --config f --listen 127.0.0.1:53 --listen [::1]:5353 --lab --lab-zones d";
        let Ok(Command::Serve(args)) = parse(line) else { panic!("not serve") };
        assert_eq!(args.config.as_deref(), Some(Path::new("f")));
        assert_eq!(args.listen.len(), 2);
        assert!(args.lab && args.lab_zones.is_some());
        let Ok(Command::Trace(args)) = parse("cnamed trace a.example MX --format text") else {
            panic!("not trace")
        };
        assert_eq!((args.name.as_deref(), args.rtype.as_deref()), (Some("a.example"), Some("MX")));
        assert!(
            matches!(parse("cnamed check a b --format json"), Ok(Command::Check(args)) if args.names.len() == 2)
        );
        assert!(matches!(
            parse("cnamed config check"),
            Ok(Command::Config(ConfigArgs { command: ConfigCommand::Check { file: None } }))
        ));
    }

    #[test]
    fn bad_usage_is_refused() {
        for line in [
            "cnamed",
            "cnamed nope",
            "cnamed serve --lab-zones d",
            "cnamed serve --listen 127.0.0.1",
            "cnamed serve extra",
            "cnamed trace",
            "cnamed trace a A extra",
            "cnamed trace a --format pdf",
            "cnamed check a --lab-zones d",
            "cnamed check a --format text b --format",
            "cnamed config",
        ] {
            assert!(parse(line).is_err_and(|e| e.exit_code() == i32::from(BAD_USAGE)), "{line}");
        }
    }
}
