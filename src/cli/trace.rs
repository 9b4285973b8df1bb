//! `cnamed trace`: resolves once from a cold cache and shows how.
//!
//! Knows: arguments, exit codes, progress on a terminal. Does not know: how a trace is read
//! (`render`). It goes through the same door as a client's question, special-use names included.
//! Shown by: `tests/binary.rs`, `tests/trace_text.rs`.

use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum as _;
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::{BAD_USAGE, TraceArgs, TraceFormat, complain, serve, tell};
use crate::config::Config;
use crate::render::Report;
use crate::render::text::{self, Colour};
use crate::request::Request;
use crate::resolver::Rcode;
use crate::rrset::{Question, RrType};
use crate::server::Service;
use crate::upstream::Sockets;
use crate::wire::{Message, Name};
use crate::world::{
    Accept, Arrival, BoxFuture, Clock, ExchangeError, Network, Rng, Routes, Transport, World,
};

/// Exit code when the chain or the resolution failed.
const FAILED: u8 = 1;
/// Exit code when nobody at all can be reached.
const NO_NETWORK: u8 = 3;
/// Carriage return, then "erase in line" (ECMA-48 §8.3.41).
const ERASE_LINE: &str = "\r\x1b[K";

/// Runs the command. Exit code 0: an answer; 1: the chain or the resolution failed; 2: bad usage;
/// 3: no network.
pub fn run(args: &TraceArgs) -> ExitCode {
    match trace(args) {
        Ok(report) => {
            tell(&text::render(&report, colour()));
            let code = exit_code(&report, args.lab);
            if code == NO_NETWORK {
                complain("cnamed trace: no server answers at all: is this machine connected to a network?");
            }
            ExitCode::from(code)
        }
        Err(Refused::Complained(code)) => code,
        Err(Refused::Why(why)) => {
            complain(&format!("cnamed trace: {why}"));
            ExitCode::from(BAD_USAGE)
        }
    }
}

/// Why there is nothing to show.
enum Refused {
    Why(String),
    /// It has been said already.
    Complained(ExitCode),
}

impl From<String> for Refused {
    fn from(why: String) -> Refused {
        Refused::Why(why)
    }
}

fn trace(args: &TraceArgs) -> Result<Report, Refused> {
    if args.format != TraceFormat::Text {
        let name = args.format.to_possible_value().map(|value| value.get_name().to_owned());
        return Err(format!("--format {}: not implemented yet; `text` is", name.unwrap_or_default()).into());
    }
    let question = question(&args.name, args.rtype.as_deref())?;
    let mut config = super::configuration(args.config.as_deref()).map_err(Refused::Complained)?;
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|e| format!("cannot start: {e}"))?;
    let network: Arc<dyn Network> = if args.lab {
        let lab = serve::lab_world(args.lab_zones.as_deref())?;
        config.resolver.hints = lab.hints();
        // The embedded world is not signed.
        config.dnssec.validation = false;
        lab
    } else {
        Arc::new(Sockets::new(config.resolver.source_addresses.clone(), Rng::os()))
    };
    let network: Arc<dyn Network> =
        if io::stderr().is_terminal() { Arc::new(Watched(network)) } else { network };
    let report = runtime.block_on(async {
        let world = World { network, clock: Clock::system(), rng: Rng::os() };
        resolve(Arc::new(config), world, question).await
    });
    if io::stderr().is_terminal() {
        _ = write!(io::stderr(), "{ERASE_LINE}");
    }
    Ok(report)
}

/// Resolves once, with nothing cached.
pub async fn resolve(config: Arc<Config>, world: World, question: Question) -> Report {
    let request = Arc::new(Request::new(Arc::clone(&config), &world, true));
    let service = Service::new(config, world);
    let answer = service.answer(&request, question).await;
    Report::new(answer, &request, Instant::now().duration_since(request.arrived))
}

/// The question that the arguments ask.
fn question(name: &str, rtype: Option<&str>) -> Result<Question, String> {
    if !name.is_ascii() {
        return Err(format!(
            "`{name}`: internationalised names are not implemented yet; write it with A-labels, as in \
             xn--mnchen-3ya.example"
        ));
    }
    let owner: Name = name.parse().map_err(|e| format!("`{name}` is not a domain name: {e}"))?;
    let rtype: RrType = match rtype {
        Some(text) => text.parse().map_err(|e: crate::rrset::UnknownType| e.to_string())?,
        None => RrType::A,
    };
    if !rtype.is_askable() {
        return Err(format!("{rtype} cannot be looked up: it is no type of data (RFC 6895 §3.1)"));
    }
    Ok(Question::new(owner, rtype))
}

fn exit_code(report: &Report, is_lab: bool) -> u8 {
    match report.answer.rcode {
        Rcode::NoError | Rcode::NxDomain => 0,
        _ if !is_lab && report.has_no_network() => NO_NETWORK,
        _ => FAILED,
    }
}

/// For people who look on, unless they do not want it (no-color.org) or their terminal cannot.
fn colour() -> Colour {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if io::stdout().is_terminal() && !refused && !dumb { Colour::Ansi } else { Colour::Never }
}

/// A network that says on the terminal whom it asks.
struct Watched(Arc<dyn Network>);

impl Network for Watched {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        let question = Message::parse(query).ok().and_then(|message| message.question().cloned());
        if let Some(Question { name, rtype, .. }) = question {
            let line = format!("asking {} for {} {rtype} over {transport}", to.ip(), name.to_lowercase());
            // One line of the terminal, or it could not be erased again.
            let line: String = line.chars().take(text::WIDTH - 1).collect();
            _ = write!(io::stderr(), "{ERASE_LINE}{line}");
        }
        self.0.exchange(to, transport, query, accept, until)
    }

    fn routes(&self) -> Routes {
        self.0.routes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_checked_and_errors_say_what_would_do() {
        assert_eq!(question("a.example", None).unwrap().to_string(), "a.example. A");
        assert_eq!(question("a.example.", Some("type65")).unwrap().to_string(), "a.example. HTTPS");
        for (name, rtype, why) in [
            ("a..b", None, "`a..b` is not a domain name: "),
            ("münchen.example", None, "`münchen.example`: internationalised names are not implemented yet"),
            ("a", Some("NOPE"), "`NOPE` is not an RR type"),
            ("a", Some("AXFR"), "AXFR cannot be looked up"),
        ] {
            let said = question(name, rtype).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
