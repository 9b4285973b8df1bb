//! Recordings: what `cnamed trace --record` writes, `--replay` resolves to the same trace, times
//! aside, and the scenario runner plays it. For every name of `docs/lab.md`; and, when the
//! environment names a configuration and questions, through real sockets (`docs/testing.md`).

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use cnamed::cli::trace::resolve;
use cnamed::config::Config;
use cnamed::lab;
use cnamed::render::Report;
use cnamed::render::text::{Colour, render};
use cnamed::rrset::Question;
use cnamed::scenario::parse::parse;
use cnamed::scenario::record::Recorder;
use cnamed::scenario::write::Recording;
use cnamed::scenario::{config, first_question, world};
use cnamed::world::{Clock, Network, Rng, World};

use crate::lab::documented_outcomes;
use crate::scenario::run;

/// Names the configuration of a real world, and with it the test that records there.
const CONFIG: &str = "CNAMED_REPLAY_CONFIG";
/// A file with one question per line, as `NAME TYPE`.
const QUESTIONS: &str = "CNAMED_REPLAY_QUESTIONS";
/// Its time at the start.
const WALL: u64 = 1_780_000_000;

/// Everything that is shown but times, which stand before their unit, and how it is folded.
fn without_times(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || "│├└─".contains(c)).filter(|word| !word.is_empty())
    {
        let is_unit = ["ms", "s", "µs"].contains(&word.trim_end_matches([',', ')']));
        if is_unit && words.last().is_some_and(|last| last.trim_start_matches('(').parse::<f64>().is_ok()) {
            words.pop();
        }
        words.push(word);
    }
    words.join(" ")
}

fn shown(report: &Report) -> String {
    without_times(&render(report, Colour::Never))
}

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(work)
}

/// Resolves in the embedded world: the trace and the file.
async fn record(text: &str, seed: u64) -> (Report, String) {
    let (name, rtype) = text.split_once(' ').unwrap();
    let question = Question::new(name.parse().unwrap(), rtype.parse().unwrap());
    let lab = lab::World::embedded().unwrap().with_rng(Rng::seeded(seed));
    let mut config = Config::default();
    config.dnssec.validation = false; // the embedded world is not signed
    config.resolver.hints = lab.hints();
    let (config, recorder) = (Arc::new(config), Recorder::new(lab));
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
            let [was, is] = [&recorded, &replayed].map(|report| render(report, Colour::Never));
            wrong.push(format!("{text}: recorded\n{was}replayed\n{is}{missing:?}\n{file}"));
        }
    }
    assert!(names.len() > 100, "only {} names", names.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), names.len(), wrong.join("\n\n"));
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
    let asked_whole = |report: &Report| !render(report, Colour::Never).contains("minimised");
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

/// The program itself; what it says on stdout without times.
fn cnamed(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cnamed")).args(arguments).output().unwrap();
    let said = without_times(&String::from_utf8(output.stdout.clone()).unwrap());
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
