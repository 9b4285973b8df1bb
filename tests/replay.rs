//! Recordings: what `cnamed trace --record` writes, `--replay` resolves to the same trace, times
//! included, and the scenario runner plays it. For every name of `docs/lab.md`; and, when the
//! environment names a configuration and questions, through real sockets (`docs/testing.md`).

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cnamed::cli::trace::resolve;
use cnamed::config::Config;
use cnamed::lab;
use cnamed::render::Report;
use cnamed::render::text::{Colour, render};
use cnamed::rrset::Question;
use cnamed::scenario::pace::Pace;
use cnamed::scenario::parse::parse;
use cnamed::scenario::record::Recorder;
use cnamed::scenario::write::Recording;
use cnamed::scenario::{config, first_question, world};
use cnamed::world::{
    Accept, Arrival, BoxFuture, Clock, ExchangeError, Network, Rng, Routes, Transport, World,
};
use tokio::time::Instant;

use crate::lab::documented_outcomes;
use crate::scenario::run;

/// Names the configuration of a real world, and with it the test that records there.
const CONFIG: &str = "CNAMED_REPLAY_CONFIG";
/// A file with one question per line, as `NAME TYPE`.
const QUESTIONS: &str = "CNAMED_REPLAY_QUESTIONS";
/// Its time at the start.
const WALL: u64 = 1_780_000_000;
/// Recordings under stalls, each with a seed of its own; names with slow servers, and with some that lose datagrams.
const STALLING_RECORDINGS: u64 = 200;
const STALLING_NAMES: [&str; 5] = [
    "www.example.com A",
    "www.slow.example A",
    "slow.alias.example A",
    "www.lossy.example A",
    "lossy.alias.example A",
];
/// So many of them run at the same time.
const STALLING_AT_ONCE: usize = 20;
/// One time in so many, before and after a message.
const STALL_ONE_IN: usize = 3;
/// In milliseconds; the shortest patience with a server is 40.
const LONGEST_STALL: usize = 120;

fn shown(report: &Report) -> String {
    render(report, Colour::Never)
}

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(work)
}

/// As `--record` does it: no faster than real time.
fn in_step<T>(work: impl Future<Output = T>) -> T {
    in_virtual_time(async {
        let _in_step = Pace::begin();
        work.await
    })
}

/// A network for whose sake the process now and then does not run for a while, as under load.
struct Stalling {
    network: Arc<dyn Network>,
    rng: Rng,
}

impl Stalling {
    fn stall(&self) {
        if self.rng.below(STALL_ONE_IN) == 0 {
            std::thread::sleep(Duration::from_millis(self.rng.below(LONGEST_STALL) as u64));
        }
    }
}

impl Network for Stalling {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(async move {
            self.stall();
            let result = self.network.exchange(to, transport, query, accept, until).await;
            self.stall();
            result
        })
    }

    fn routes(&self) -> Routes {
        self.network.routes()
    }
}

/// Resolves in the embedded world: the trace and the file.
async fn record(text: &str, seed: u64) -> (Report, String) {
    record_over(text, seed, |lab| lab).await
}

/// The same over what is made of the world's network.
async fn record_over(
    text: &str,
    seed: u64,
    network: impl FnOnce(Arc<lab::World>) -> Arc<dyn Network>,
) -> (Report, String) {
    let (name, rtype) = text.split_once(' ').unwrap();
    let question = Question::new(name.parse().unwrap(), rtype.parse().unwrap());
    let lab = lab::World::embedded().unwrap().with_rng(Rng::seeded(seed));
    let mut config = Config::default();
    config.dnssec.validation = false; // the embedded world is not signed
    config.resolver.hints = lab.hints();
    let (config, recorder) = (Arc::new(config), Recorder::new(network(lab)));
    let network = Arc::clone(&recorder) as Arc<dyn Network>;
    let world = World { network, clock: Clock::starting_at(WALL), rng: Rng::seeded(seed) };
    let report = resolve(Arc::clone(&config), world, question.clone(), Vec::new()).await;
    recorder.finish().await;
    let recording = Recording {
        question: &question,
        config: &config,
        seed,
        wall: WALL,
        routes: recorder.routes(),
        exchanges: &recorder.exchanges(),
        answer: &report.answer,
    };
    let file = recording.to_text();
    (report, file)
}

/// Resolves from a file; what it lacked, too.
async fn replay(file: &str, edit: impl FnOnce(&mut Config)) -> (Report, Vec<String>) {
    let scenario = Arc::new(parse("recorded.rpl", file).unwrap_or_else(|e| panic!("{e}\n{file}")));
    let mut config = config(&scenario.settings, scenario.settings.minimisation.unwrap()).unwrap();
    edit(&mut config);
    let question = first_question(&scenario).unwrap().clone();
    let (script, world) = world(&scenario, 0, false);
    let report = resolve(Arc::new(config), world, question, Vec::new()).await;
    (report, script.complaints())
}

#[test]
fn every_name_of_the_embedded_world_is_replayed_as_it_was_recorded() {
    let mut wrong = Vec::new();
    let names = documented_outcomes();
    for (seed, (text, _)) in (7..).zip(&names) {
        let (recorded, file) = in_virtual_time(record(text, seed));
        let (replayed, missing) = in_virtual_time(replay(&file, |_| {}));
        if shown(&recorded) != shown(&replayed) || !missing.is_empty() {
            let [was, is] = [shown(&recorded), shown(&replayed)];
            wrong.push(format!("{text}: recorded\n{was}replayed\n{is}{missing:?}\n{file}"));
        }
    }
    assert!(names.len() > 100, "only {} names", names.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), names.len(), wrong.join("\n\n"));
}

#[test]
fn a_recording_made_by_a_process_that_stalls_is_replayed_as_it_was_recorded() {
    let next = AtomicU64::new(0);
    let wrong = Mutex::new(Vec::new());
    let record_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= STALLING_RECORDINGS {
                return;
            }
            let text = STALLING_NAMES[seed as usize % STALLING_NAMES.len()];
            let stalling =
                |network| Arc::new(Stalling { network, rng: Rng::seeded(!seed) }) as Arc<dyn Network>;
            let (recorded, file) = in_step(record_over(text, seed, |lab| stalling(lab)));
            let (replayed, missing) = in_virtual_time(replay(&file, |_| {}));
            let [was, is] = [shown(&recorded), shown(&replayed)];
            if was != is || !missing.is_empty() {
                wrong
                    .lock()
                    .unwrap()
                    .push(format!("{text}, {seed}: recorded\n{was}replayed\n{is}{missing:?}"));
            }
        }
    };
    // They sleep most of the time.
    std::thread::scope(|threads| {
        for _ in 0..STALLING_AT_ONCE {
            threads.spawn(record_some);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {STALLING_RECORDINGS}:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// `; sent after 3.000 ms`, then `ADJUST … after=2 …`, as older versions wrote it: `ADJUST … turn=N …`.
fn with_turns(file: &str) -> String {
    let mut sent = Duration::ZERO;
    let came: Vec<Option<(Duration, &str)>> = file
        .lines()
        .map(|line| {
            if let Some(rest) = line.strip_prefix("; sent after ") {
                let ms: f64 = rest.split(' ').next().unwrap().parse().unwrap();
                sent = Duration::from_secs_f64(ms / 1_000.0);
            }
            let word = line.split(' ').find(|word| word.starts_with("after="))?;
            let after: u64 = word.trim_start_matches("after=").parse().unwrap();
            line.starts_with("ADJUST").then(|| (sent + Duration::from_millis(after), word))
        })
        .collect();
    let mut order: Vec<Duration> = came.iter().flatten().map(|(at, _)| *at).collect();
    order.sort();
    let older = file.lines().zip(came).map(|(line, came)| match came {
        Some((at, word)) => {
            let turn = order.iter().position(|other| *other == at).unwrap();
            format!("{}\n", line.replace(word, &format!("turn={turn}")))
        }
        None => format!("{line}\n"),
    });
    older.collect()
}

#[test]
fn a_recording_of_an_older_version_is_replayed() {
    for (seed, (text, _)) in (7..).zip(documented_outcomes()) {
        let (recorded, file) = in_virtual_time(record(&text, seed));
        let older = with_turns(&file);
        assert!(!older.contains(" after=") && older.contains(" turn=0 "), "{text}: {older}");
        let (replayed, missing) = in_virtual_time(replay(&older, |_| {}));
        let below_the_tree = |report: &Report| {
            let shown = shown(report);
            let (all_but_the_total, _time) = shown.rsplit_once(", ").unwrap();
            all_but_the_total.split_once("\n\n").unwrap().1.to_owned()
        };
        assert_eq!(below_the_tree(&recorded), below_the_tree(&replayed), "{text}");
        assert_eq!(missing, [""; 0], "{text}");
    }
}

#[test]
fn a_recording_is_a_scenario() {
    let mut wrong = Vec::new();
    for (seed, (text, _)) in (7..).zip(documented_outcomes()) {
        let (_, file) = in_virtual_time(record(&text, seed));
        let scenario = Arc::new(parse("recorded.rpl", &file).unwrap());
        let [mode] = run::modes(&scenario.settings)[..] else { panic!("{text}: more than one mode") };
        if let Err(why) = run::play(scenario, mode, false) {
            wrong.push(format!("{text}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_scenario_of_a_recording_fails_when_the_answer_differs() {
    let (_, file) = in_virtual_time(record("www.example.com A", 1));
    let other = file.replace("pop7.example.org. 120 IN A 203.0.113.80\nENTRY_END", "ENTRY_END");
    assert_ne!(file, other);
    let scenario = Arc::new(parse("recorded.rpl", &other).unwrap());
    let mode = run::modes(&scenario.settings)[0];
    let why = run::play(scenario, mode, false).unwrap_err();
    assert!(why.contains("+ pop7.example.org. 120 IN A 203.0.113.80"), "{why}");
}

#[test]
fn a_replay_takes_other_settings() {
    let (recorded, file) = in_virtual_time(record("www.example.com A", 1));
    let (whole_names, _other_servers) =
        in_virtual_time(replay(&file, |config| config.resolver.qname_minimisation = false));
    assert_eq!(whole_names.answer.terminal[0].set, recorded.answer.terminal[0].set);
    let asked_whole = |report: &Report| !shown(report).contains("minimised");
    assert!(asked_whole(&whole_names) && !asked_whole(&recorded));
    let (too_long, _) = in_virtual_time(replay(&file, |config| config.resolver.max_chain_length = 2));
    let failure = too_long.answer.failure.unwrap().ede().text;
    assert!(failure.starts_with("CNAME chain longer than 2"), "{failure}");
    let other = file.replace("www.example.com. IN A\n", "mail.example.com. IN A\n");
    let (_, missing) = in_virtual_time(replay(&other, |_| {}));
    assert!(
        missing.iter().any(|what| what.contains("for mail.example.com. A: not in the recording")),
        "{missing:?}"
    );
}

/// The program itself, and what it says on stdout.
fn cnamed(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cnamed")).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    (output, said)
}

/// A path of one's own, gone in the end.
struct Own(PathBuf);

impl Own {
    fn new(name: &str) -> Own {
        Own(std::env::temp_dir().join(format!("cnamed-replay-{}-{name}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

#[test]
fn the_program_records_and_replays() {
    for text in ["www.example.com", "x2.loop.example", "big.notcp.example TXT", "www.wrongcase.example"] {
        let file = Own::new(text);
        let mut arguments = vec!["trace", "--lab", "--record", file.path()];
        arguments.extend(text.split(' '));
        let (recorded, was) = cnamed(&arguments);
        let (replayed, is) = cnamed(&["trace", "--replay", file.path()]);
        assert_eq!(was, is, "{text}\n{}", String::from_utf8_lossy(&replayed.stderr));
        assert_eq!(recorded.status.code(), replayed.status.code(), "{text}");
        assert!(replayed.stderr.is_empty() && !is.is_empty(), "{text}");
        assert!(!Path::new(&format!("{}.new", file.path())).exists());
    }
}

#[test]
fn a_replay_says_what_it_lacks_and_what_it_cannot_read() {
    let (file, settings) = (Own::new("lacking.rpl"), Own::new("lacking.toml"));
    let (_, _) = cnamed(&["trace", "--lab", "www.example.com", "--record", file.path()]);
    std::fs::write(&settings.0, "[resolver]\nmax-chain-length = 1\n[dnssec]\nvalidation = false\n").unwrap();
    let (output, said) = cnamed(&["trace", "--replay", file.path(), "--config", settings.path()]);
    assert!(said.contains("SERVFAIL: CNAME chain longer than 1"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    let (output, _) = cnamed(&["trace", "--replay", file.path(), "text.example.com", "TXT"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("for text.example.com. TXT: not in the recording"), "{told}");
    let broken = std::fs::read_to_string(&file.0).unwrap().replacen("\nRAW\n", "\nRAWER\n", 1);
    std::fs::write(&file.0, broken).unwrap();
    let (output, _) = cnamed(&["trace", "--replay", file.path()]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("more than one question"), "{told}");
    assert_eq!(output.status.code(), Some(2));
    let (output, _) = cnamed(&["trace", "--lab", "a.example", "--record", "/nowhere/at/all.rpl"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_recording_takes_the_place_of_a_file_and_of_nothing_else() {
    let file = Own::new("a.socket");
    let _listening = UnixListener::bind(&file.0).unwrap();
    let (output, said) = cnamed(&["trace", "--lab", "a.example", "--record", file.path()]);
    assert!(std::fs::metadata(&file.0).unwrap().file_type().is_socket());
    assert_eq!((output.status.code(), said.as_str()), (Some(2), ""));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is no regular file"));
}

#[test]
fn a_recording_is_its_owners_alone() {
    let file = Own::new("private.rpl");
    let (_, _) = cnamed(&["trace", "--lab", "a.example", "--record", file.path()]);
    assert_eq!(std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_the_environment_names_is_replayed_as_it_was_recorded() {
    let (Ok(config), Ok(questions)) = (std::env::var(CONFIG), std::env::var(QUESTIONS)) else {
        println!("{CONFIG} and {QUESTIONS} name no world to record in");
        return;
    };
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for question in std::fs::read_to_string(questions).unwrap().lines() {
        asked += 1;
        let file = Own::new(&format!("real-{asked}.rpl"));
        let mut arguments = vec!["trace", "--config", &config, "--record", file.path()];
        arguments.extend(question.split_whitespace());
        let (recorded, was) = cnamed(&arguments);
        let (replayed, is) = cnamed(&["trace", "--replay", file.path()]);
        if was != is || recorded.status.code() != replayed.status.code() || is.is_empty() {
            let kept = std::fs::copy(&file.0, std::env::temp_dir().join(format!("cnamed-wrong-{asked}.rpl")));
            let [a, b] = [recorded, replayed].map(|output| {
                let all = [output.stdout, output.stderr].concat();
                String::from_utf8_lossy(&all).into_owned()
            });
            wrong.push(format!("{question} ({kept:?}): recorded\n{a}replayed\n{b}"));
        }
    }
    println!("{} of {asked} replayed as recorded", asked - wrong.len());
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n\n"));
}
