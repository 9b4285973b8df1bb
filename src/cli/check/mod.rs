//! `cnamed check`: resolves names, as a client would have it done, and shows what is wrong with their
//! aliases.
//!
//! Knows: arguments, lists, how many names at once, progress, exit codes, what Ctrl-C does. Does not
//! know: the rules (`lint`), what is asked for them (`lint::plan`), who is asked (`inspect`). Shown by:
//! `tests/check.rs`.

pub mod inspect;
mod names;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::Builder;

use super::anchors;
use super::trace::show::colour;
use super::{BAD_USAGE, CheckArgs, CheckFormat, complain, serve, tell, terminal};
use crate::config::Config;
use crate::lint::text::Summary;
use crate::lint::{self, Checked, Lists, Suffixes};
use crate::upstream::Sockets;
use crate::wire::Name;
use crate::world::{Clock, Network, Rng, World, lock};
use inspect::{Inspected, Inspector};
use names::Wanted;

/// Names checked at the same time: enough to wait for slow servers, few enough not to bother any.
pub const AT_ONCE: usize = 16;
/// Octets of a list of suffixes.
pub const MAX_LIST: u64 = 16 << 20;
/// Exit code when something was found.
const FINDINGS: u8 = 1;
/// Exit code when nobody at all can be reached.
const NO_NETWORK: u8 = 3;
/// Exit code after Ctrl-C, as shells have it: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// Runs the command. Exit code 0: clean; 1: findings; 2: bad usage, or a line that is no name; 3: no
/// network; 130: interrupted.
pub fn run(args: &CheckArgs) -> ExitCode {
    match check(args) {
        Ok(code) => code,
        Err(Refused::Complained(code)) => code,
        Err(Refused::Why(why)) => {
            complain(&format!("cnamed check: {why}"));
            ExitCode::from(BAD_USAGE)
        }
    }
}

/// Why nothing was checked.
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

fn check(args: &CheckArgs) -> Result<ExitCode, Refused> {
    let lists = Lists {
        takeover: list(args.takeover_list.as_deref())?,
        trackers: list(args.tracker_list.as_deref())?,
    };
    let mut config = super::configuration(args.config.as_deref()).map_err(Refused::Complained)?;
    let network = network(args, &mut config)?;
    let wanted = names::wanted(&args.names)?;
    let points = anchors::known("check", &config);
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|e| format!("cannot start: {e}"))?;
    let world = World { network, clock: Clock::system(), rng: Rng::os() };
    let config = Arc::new(config);
    let inspector = || Inspector::new(Arc::clone(&config), world.clone(), points.clone());
    let mut shown = Shown::new(args.format, wanted.names.len());
    let ended = runtime.block_on(all(&wanted, &inspector, &lists, &mut shown));
    shown.finish();
    Ok(ExitCode::from(match ended {
        Ended::WithoutNetwork if !args.lab => {
            complain("cnamed check: no server answers at all: is this machine connected to a network?");
            NO_NETWORK
        }
        Ended::Interrupted => INTERRUPTED,
        _ if wanted.refused > 0 => BAD_USAGE,
        _ if shown.summary.names > shown.summary.clean => FINDINGS,
        _ => 0,
    }))
}

/// The world to resolve in; what the embedded one needs is set in `config`.
fn network(args: &CheckArgs, config: &mut Config) -> Result<Arc<dyn Network>, String> {
    if !args.lab {
        serve::try_sources(&config.resolver)?;
        return Ok(Arc::new(Sockets::new(config.resolver.source_addresses.clone(), Rng::os())));
    }
    let lab = serve::lab_world(args.lab_zones.as_deref())?;
    serve::enter_lab(config, &lab);
    Ok(lab)
}

/// The suffixes in a file; none without one.
fn list(file: Option<&Path>) -> Result<Suffixes, String> {
    let Some(path) = file else { return Ok(Suffixes::default()) };
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|e| format!("{shown}: cannot read a list: {e}"))?;
    let octets = names::read_at_most(file, MAX_LIST, &shown)?;
    let text = String::from_utf8(octets).map_err(|_| format!("{shown}: expected UTF-8"))?;
    Suffixes::parse(&text, &shown)
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Whole,
    Interrupted,
    /// The first name showed that nobody can be reached.
    WithoutNetwork,
    /// Nobody reads on.
    Unread,
}

/// Checks every name, [`AT_ONCE`] at a time, and shows each in its turn.
async fn all(wanted: &Wanted, new: &dyn Fn() -> Inspector, lists: &Lists, shown: &mut Shown) -> Ended {
    let idle: Mutex<Vec<Inspector>> = Mutex::default();
    let one = |name: Name| {
        let idle = &idle;
        async move {
            let waiting = lock(idle).pop();
            let inspector = waiting.unwrap_or_else(new);
            let inspected = inspector.inspect(&name).await;
            lock(idle).push(inspector);
            inspected
        }
    };
    let mut inspected = stream::iter(wanted.names.iter().cloned()).map(one).buffered(AT_ONCE);
    loop {
        let next = tokio::select! {
            next = inspected.next() => next,
            _ = tokio::signal::ctrl_c() => return Ended::Interrupted,
        };
        let Some(Inspected { case, is_offline }) = next else { return Ended::Whole };
        let is_first = shown.summary.names == 0;
        let is_read = shown.show(lint::check(&case, lists));
        if is_offline && is_first {
            return Ended::WithoutNetwork;
        }
        if !is_read {
            return Ended::Unread;
        }
    }
}

/// What has been found, on its way to stdout, with progress on a terminal.
struct Shown {
    format: CheckFormat,
    summary: Summary,
    of: usize,
    /// For JSON, which is one document.
    kept: Vec<Checked>,
    bar: Option<ProgressBar>,
}

impl Shown {
    fn new(format: CheckFormat, of: usize) -> Shown {
        let bar = terminal::obeys(&io::stderr()).then(|| {
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(Some(of as u64), target);
            let style = ProgressStyle::with_template("{bar:24} {pos} of {len} names, {eta} left");
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        if let Some(bar) = &bar {
            bar.tick();
        }
        Shown { format, summary: Summary::default(), of, kept: Vec::new(), bar }
    }

    /// `false`: nobody reads on.
    fn show(&mut self, checked: Checked) -> bool {
        self.summary.add(&checked);
        let is_read = match self.format {
            CheckFormat::Text => {
                let text = lint::text::render(&checked, colour());
                match &self.bar {
                    Some(bar) => bar.suspend(|| tell(&text)),
                    None => tell(&text),
                }
            }
            CheckFormat::Json => {
                self.kept.push(checked);
                true
            }
        };
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        is_read
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        match self.format {
            CheckFormat::Text if self.of > 1 || self.summary.names < self.of => {
                tell(&self.summary.line(self.of));
            }
            CheckFormat::Text => {}
            CheckFormat::Json => {
                tell(&lint::json::render(&self.kept, self.summary.names == self.of));
            }
        }
    }
}
