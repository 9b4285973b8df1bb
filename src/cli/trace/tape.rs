//! `--record` and `--replay`: a resolution kept as a scenario file, and resolved again from it.
//!
//! Knows: files, which settings a replay takes from where. Does not know: the dialect (`scenario`).
//! Shown by: `tests/replay.rs`.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};

use super::args::TraceArgs;
use crate::config::Config;
use crate::replace;
use crate::resolver::Answer;
use crate::rrset::Question;
use crate::scenario::network::Script;
use crate::scenario::pace::Pace;
use crate::scenario::parse::parse;
use crate::scenario::record::Recorder;
use crate::scenario::script::Scenario;
use crate::scenario::write::Recording;
use crate::scenario::{config, first_question, world};
use crate::world::{Clock, Network, Rng, World};

/// Octets of the largest file that is read.
const MAX_FILE: u64 = 64 << 20;

/// Time for this invocation: virtual when it is a replay, so that a timeout passes at once, and when it is
/// recorded, so that the replay can have the same.
pub fn runtime(args: &TraceArgs) -> io::Result<Runtime> {
    let is_virtual = args.replay.is_some() || args.record.is_some();
    Builder::new_current_thread().enable_all().start_paused(is_virtual).build()
}

/// A recording that goes on. Randomness has a seed that the file will name: it must choose the same
/// servers again, and nobody can know it before the last message is sent.
pub struct Recorded {
    file: PathBuf,
    recorder: Arc<Recorder>,
    seed: u64,
    wall: u64,
    _pace: Pace,
}

impl Recorded {
    /// Begins now, if there is where to write.
    pub fn new(file: &Path, network: Arc<dyn Network>) -> Result<Recorded, String> {
        replace::try_folder(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (file, recorder, seed) = (file.to_owned(), Recorder::new(network), Rng::os().u64());
        Ok(Recorded { file, recorder, seed, wall, _pace: Pace::begin() })
    }

    /// The world that is recorded.
    pub fn world(&self) -> World {
        let network = Arc::clone(&self.recorder) as Arc<dyn Network>;
        World { network, clock: Clock::starting_at(self.wall), rng: Rng::seeded(self.seed) }
    }

    /// Waits for what is under way beside the answer, and writes the file, whole or not at all.
    pub async fn finish(&self, question: &Question, config: &Config, answer: &Answer) -> Result<(), String> {
        self.recorder.finish().await;
        let recording = Recording {
            question,
            config,
            seed: self.seed,
            wall: self.wall,
            routes: self.recorder.routes(),
            exchanges: &self.recorder.exchanges(),
            answer,
        };
        let text = recording.to_text();
        replace::replace(&self.file, |mut file| file.write_all(text.as_bytes()))
            .map_err(|e| format!("{}: {e}", self.file.display()))
    }
}

/// A recording that is resolved from.
pub struct Replayed {
    scenario: Arc<Scenario>,
    script: Arc<Script>,
    world: World,
}

impl Replayed {
    /// Reads the file; its time begins now.
    pub fn open(file: &Path) -> Result<Replayed, String> {
        let shown = file.display().to_string();
        let mut octets = Vec::new();
        let read = File::open(file).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut octets));
        read.map_err(|e| format!("{shown}: {e}"))?;
        if octets.len() as u64 > MAX_FILE {
            return Err(format!("{shown}: expected at most {MAX_FILE} octets"));
        }
        let text = String::from_utf8(octets).map_err(|_| format!("{shown}: is not text"))?;
        let scenario = Arc::new(parse(&shown, &text)?);
        let (script, world) = world(&scenario, 0, false);
        script.at_step(scenario.steps.first().map_or(0, |step| step.id));
        Ok(Replayed { scenario, script, world })
    }

    /// The recorded question.
    pub fn question(&self) -> Option<&Question> {
        first_question(&self.scenario)
    }

    /// Servers, clock and randomness of the recording.
    pub fn world(&self) -> World {
        self.world.clone()
    }

    /// The settings of the recording; or `own`, but for what belongs to the world that was
    /// recorded: where the root is and, if anything was validated, by which keys.
    pub fn config(&self, own: Option<Config>) -> Result<Config, String> {
        let settings = &self.scenario.settings;
        let recorded = config(settings, settings.minimisation.unwrap_or(true))?;
        let Some(mut own) = own else { return Ok(recorded) };
        own.resolver.hints = recorded.resolver.hints;
        if recorded.dnssec.validation {
            own.dnssec.anchors = recorded.dnssec.anchors;
        }
        Ok(own)
    }

    /// What was asked and is not in the recording, one sentence each.
    pub fn missing(&self) -> Vec<String> {
        self.script.complaints()
    }
}
