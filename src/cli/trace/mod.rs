//! `cnamed trace`: resolves once from a cold cache and shows how.
//!
//! Knows: which mode the arguments ask for, exit codes. Does not know: how a trace is read
//! (`render`). It goes through the same door as a client's question, special-use names included.
//! Shown by: `tests/binary.rs`, `tests/trace_text.rs`.

pub mod args;
mod progress;
mod running;
mod setup;
mod show;
mod tape;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::time::Instant;

use super::{BAD_USAGE, complain, tell};
use crate::config::Config;
use crate::render::Report;
use crate::request::Request;
use crate::resolver::Rcode;
use crate::rrset::Question;
use crate::server::Service;
use crate::world::World;
use args::TraceArgs;
use setup::Setup;

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
        Ok((report, shown)) => {
            tell(&shown);
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

fn trace(args: &TraceArgs) -> Result<(Report, String), Refused> {
    let runtime = tape::runtime(args).map_err(|e| format!("cannot start: {e}"))?;
    let _its_time_counts = runtime.enter();
    let setup = Setup::new(args)?;
    let question = setup.question(args)?;
    let resolution = resolve(Arc::new(setup.config.clone()), setup.world(), question.clone());
    let report = runtime.block_on(async {
        let report = resolution.await;
        setup.settle().await;
        report
    });
    progress::erase();
    setup.finish(&question, &report.answer)?;
    let shown = show::report(&report, args.format)?;
    Ok((report, shown))
}

/// Resolves once, with nothing cached.
pub async fn resolve(config: Arc<Config>, world: World, question: Question) -> Report {
    let request = Arc::new(Request::new(Arc::clone(&config), &world, true));
    let service = Service::new(config, world);
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
