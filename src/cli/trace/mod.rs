//! `cnamed trace`: resolves once from a cold cache and shows how.
//!
//! Knows: which mode the arguments ask for, exit codes. Does not know: how a trace is read
//! (`render`). It goes through the same door as a client's question, special-use names included.
//! Shown by: `tests/binary.rs`, `tests/trace_text.rs`.

pub mod args;
mod beside;
mod progress;
mod running;
mod setup;
pub(super) mod show;
mod tape;
pub mod watch;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::time::Instant;

use super::{BAD_USAGE, complain, tell};
use crate::config::Config;
use crate::dnssec::rollover::TrustPoint;
use crate::render::Report;
use crate::request::Request;
use crate::resolver::Rcode;
use crate::rrset::Question;
use crate::server::Service;
use crate::world::World;
use args::TraceArgs;
use setup::Setup;
use watch::Watch;

/// Exit code when the chain or the resolution failed.
const FAILED: u8 = 1;
/// Exit code when nobody at all can be reached.
const NO_NETWORK: u8 = 3;

/// Runs the command. Exit code 0: an answer; 1: the chain or the resolution failed; 2: bad usage;
/// 3: no network.
pub fn run(args: &TraceArgs) -> ExitCode {
    if let Some(server) = args.from_cache {
        return running::run(args, server);
    }
    match trace(args) {
        Ok(Shown { text, code }) => {
            tell(&text);
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

/// What goes to stdout, and how the program ends.
struct Shown {
    text: String,
    code: u8,
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

/// The mode that the arguments ask for.
fn trace(args: &TraceArgs) -> Result<Shown, Refused> {
    let runtime = tape::runtime(args).map_err(|e| format!("cannot start: {e}"))?;
    let _its_time_counts = runtime.enter();
    let setup = Setup::new(args)?;
    let questions = setup.questions(args)?;
    if let Some(interval) = &args.watch {
        let watch = Watch::new(interval, &questions, args)?;
        return Ok(runtime.block_on(watch.run(&setup)));
    }
    runtime.block_on(async {
        let shown = match questions.as_slice() {
            [question] if args.compare.is_empty() => once(&setup, question, args).await?,
            [question] => beside::resolvers(&setup, question, args).await?,
            _ if args.compare.is_empty() => beside::types(&setup, &questions, args).await,
            _ => return Err("--compare looks at one type".to_owned().into()),
        };
        progress::erase();
        Ok(shown)
    })
}

/// One resolution.
async fn once(setup: &Setup, question: &Question, args: &TraceArgs) -> Result<Shown, String> {
    let report = setup.resolve(question).await;
    setup.finish(question, &report).await?;
    Ok(Shown { text: show::report(&report, args.format), code: exit_code(&report, args.lab) })
}

/// Resolves once, with nothing cached. `points`: what is known of the keys of zones with anchors.
pub async fn resolve(
    config: Arc<Config>,
    world: World,
    question: Question,
    points: Vec<TrustPoint>,
) -> Report {
    let service = Service::new(Arc::clone(&config), world.clone());
    service.resolver().walker().restore_anchors(&config, points);
    let era = service.resolver().cache().era();
    let request = Arc::new(Request::new(config, &world, era, true));
    let answer = service.answer(&request, question).await;
    Report::new(answer, &request, Instant::now().duration_since(request.arrived))
}

fn exit_code(report: &Report, is_lab: bool) -> u8 {
    match report.answer.rcode {
        Rcode::NoError | Rcode::NxDomain => 0,
        _ if !is_lab && report.has_no_network() => NO_NETWORK,
        _ => FAILED,
    }
}
