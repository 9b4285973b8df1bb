//! Plays one scenario against a fresh resolver, in virtual time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cnamed::rrset::Question;
use cnamed::scenario::compare::differences;
use cnamed::scenario::message::{Got, Opt, encode};
use cnamed::scenario::network::{Script, Sent};
use cnamed::scenario::script::{Action, Entry, Field, Scenario, Settings, Step, Template};
use cnamed::scenario::{config, first_question, world};
use cnamed::server::Service;
use cnamed::wire::Header;
use cnamed::world::Transport;
use futures_util::future::join_all;
use tokio::time::Instant;

/// What clients say they take; Deckard's.
const CLIENT_UDP_SIZE: u16 = 4096;
/// Virtual time after which a question counts as never answered; the resolver's own limit is less.
const PATIENCE: Duration = Duration::from_secs(60);
/// Virtual time that background work gets before messages are counted.
const SETTLE: Duration = Duration::from_millis(20);

/// One way to play a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    pub minimised: bool,
    pub start: Start,
}

/// What the cache holds when the first step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Cold,
    /// The answer to the first question.
    Warm,
    /// The answers to the questions of this line `also-warm-by`, counted from 0.
    WarmBy(usize),
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "minimisation {}, ", if self.minimised { "on" } else { "off" })?;
        match self.start {
            Start::Cold => f.write_str("cold"),
            Start::Warm => f.write_str("warm"),
            Start::WarmBy(i) => write!(f, "warmed by list {}", i + 1),
        }
    }
}

/// Every mode that the file asks for.
pub fn modes(settings: &Settings) -> Vec<Mode> {
    let minimised = settings.minimisation.map_or(vec![true, false], |only| vec![only]);
    let mut starts = vec![Start::Cold];
    if settings.also_warm {
        starts.push(Start::Warm);
    }
    starts.extend((0..settings.also_warm_by.len()).map(Start::WarmBy));
    let each = |minimised: bool| starts.clone().into_iter().map(move |start| Mode { minimised, start });
    minimised.into_iter().flat_map(each).collect()
}

/// Plays it; the error says everything about the first step that failed.
pub fn play(scenario: Arc<Scenario>, mode: Mode, verbose: bool) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|e| format!("cannot start a runtime: {e}"))?;
    runtime.block_on(async move { Player::new(scenario, mode, verbose)?.play().await })
}

struct Player {
    scenario: Arc<Scenario>,
    mode: Mode,
    script: Arc<Script>,
    service: Arc<Service>,
    next_id: u16,
    /// What came back to the last QUERY step, and how long that took.
    answer: Option<Got>,
    took: Duration,
}

impl Player {
    fn new(scenario: Arc<Scenario>, mode: Mode, verbose: bool) -> Result<Player, String> {
        let settings = &scenario.settings;
        let config = config(settings, mode.minimised).map_err(|e| format!("{}: {e}", scenario.file))?;
        let (script, world) = world(&scenario, seed(&scenario.file, mode), verbose);
        let service = Service::new(Arc::new(config), world);
        // Ends with the runtime. Nothing is kept; without `dnssec.trust-anchor-state` nothing is done.
        tokio::spawn(service.clone().follow_anchors(|_| ()));
        Ok(Player { scenario, mode, script, service, next_id: 4096, answer: None, took: Duration::ZERO })
    }

    async fn play(mut self) -> Result<(), String> {
        let scenario = self.scenario.clone();
        self.warm(&scenario).await?;
        for step in &scenario.steps {
            self.script.at_step(step.id);
            let result = self.step(step).await;
            let complaints = self.script.complaints();
            let failed = result.err().into_iter().chain(complaints).collect::<Vec<_>>();
            if !failed.is_empty() {
                return Err(self.report(step, &failed));
            }
        }
        match self.script.unfired().first() {
            Some(line) => Err(format!("{}:{line}: MANDATORY, but never asked for", scenario.file)),
            None => Ok(()),
        }
    }

    fn report(&self, step: &Step, failed: &[String]) -> String {
        let mut out = format!("{}:{}: step {}", self.scenario.file, step.line, step.id);
        for what in failed {
            out.push_str(&format!("\n  {what}"));
        }
        let answer = self.answer.as_ref().map_or("none".to_owned(), Got::show);
        out.push_str(&format!("\n  last answer: {}", answer.replace('\n', "\n  ")));
        out.push_str(&format!("\n  upstream since the last QUERY:{}", self.script.show_sent()));
        out
    }

    /// Asks beforehand what the mode wants in the cache.
    async fn warm(&mut self, scenario: &Scenario) -> Result<(), String> {
        let Some(first) = scenario.steps.first() else { return Ok(()) };
        self.script.at_step(first.id);
        let questions: Vec<Question> = match self.mode.start {
            Start::Cold => Vec::new(),
            Start::WarmBy(i) => scenario.settings.also_warm_by.get(i).cloned().unwrap_or_default(),
            Start::Warm => first_question(scenario).cloned().into_iter().collect(),
        };
        for question in questions {
            let text = question.to_string();
            let template = Template { flags: Header::RD, question: Some(question), ..Template::default() };
            self.ask(&template, true, SocketAddr::from(([127, 0, 0, 1], 5353)), Transport::Udp, 1).await?;
            let complaints = self.script.complaints();
            if let Some(first) = complaints.first() {
                return Err(format!("{}: while asking {text} beforehand: {first}", scenario.file));
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.action {
            Action::Query { entry, client, copies } => {
                let client = SocketAddr::new(*client, 5353);
                self.script.begin_question();
                self.query(entry, client, *copies).await
            }
            Action::CheckAnswer(entry) => self.check_answer(entry),
            Action::Reply(_) => Ok(()),
            Action::TimePasses(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Action::CheckOutQuery { entry, to, count } => {
                tokio::time::sleep(SETTLE).await;
                let fits = |sent: &Sent| {
                    to.is_none_or(|to| sent.to == to) && differences(entry, &sent.query).is_empty()
                };
                let found = self.script.count(fits);
                match count {
                    None if found == 0 => Err("no such question was sent upstream".to_owned()),
                    Some(wanted) if *wanted != found => {
                        Err(format!("such questions sent upstream: expected {wanted}, got {found}"))
                    }
                    _ => Ok(()),
                }
            }
            Action::CheckOutCount { least, most } => {
                tokio::time::sleep(SETTLE).await;
                let found = self.script.count(|_| true);
                match (*least..=*most).contains(&found) {
                    true => Ok(()),
                    false => Err(format!("messages upstream: expected {least} to {most}, got {found}")),
                }
            }
            Action::CheckTime { least, most } => match (*least..=*most).contains(&self.took) {
                true => Ok(()),
                false => Err(format!("the answer took {:?}, expected {least:?} to {most:?}", self.took)),
            },
        }
    }

    async fn query(&mut self, entry: &Entry, client: SocketAddr, copies: usize) -> Result<(), String> {
        let tcp = entry.fields.as_ref().is_some_and(|fields| fields.contains(&Field::Tcp));
        let over = if tcp { Transport::Tcp } else { Transport::Udp };
        let Some(raw) = &entry.raw else {
            let start = Instant::now();
            self.answer = None;
            self.answer = self.ask(&entry.message, !entry.adjust.no_edns, client, over, copies).await?;
            self.took = start.elapsed();
            return Ok(());
        };
        // As in Deckard, whatever comes back is nothing.
        self.answer = None;
        let respond = self.service.respond(raw, client, over);
        match tokio::time::timeout(PATIENCE, respond).await {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("nothing after {PATIENCE:?}")),
        }
    }

    /// Sends the message `copies` times at once; what came back, which is the same each time.
    async fn ask(
        &mut self,
        message: &Template,
        edns: bool,
        client: SocketAddr,
        over: Transport,
        copies: usize,
    ) -> Result<Option<Got>, String> {
        let opt = Opt { udp_size: CLIENT_UDP_SIZE, dnssec_ok: message.dnssec_ok, options: Vec::new() };
        let opt = edns.then_some(&opt);
        let first = self.next_id;
        self.next_id = first.wrapping_add(copies as u16);
        let requests: Vec<(u16, Vec<u8>)> = (0..copies)
            .map(|i| first.wrapping_add(i as u16))
            .map(|id| (id, encode(id, message, opt)))
            .collect();
        let responses = requests.iter().map(|(_, request)| self.service.respond(request, client, over));
        let responses = tokio::time::timeout(PATIENCE, join_all(responses)).await;
        let responses = responses.map_err(|_| format!("no answer after {PATIENCE:?}"))?;
        let mut answers = Vec::new();
        for ((id, _), response) in requests.iter().zip(responses) {
            answers.push(response.map(|bytes| answer_to(*id, &bytes, over)).transpose()?);
        }
        let shown = |answer: &Option<Got>| answer.as_ref().map(Got::show);
        match answers.iter().any(|answer| shown(answer) != shown(&answers[0])) {
            true => Err("equal questions at the same time got different answers".to_owned()),
            false => Ok(answers.pop().flatten()),
        }
    }

    fn check_answer(&self, entry: &Entry) -> Result<(), String> {
        let Some(answer) = &self.answer else {
            return Err("no answer".to_owned());
        };
        let differences = differences(entry, answer);
        if differences.is_empty() { Ok(()) } else { Err(differences.join("\n  ")) }
    }
}

/// The answer as it came; it must at least be one to this request.
fn answer_to(id: u16, bytes: &[u8], over: Transport) -> Result<Got, String> {
    let got = Got::read(bytes, over).map_err(|e| format!("the answer cannot be read: {e}"))?;
    match got.header.id == id && got.header.has(Header::QR) {
        true => Ok(got),
        false => Err(format!("the answer is none to request {id}: {}", got.show())),
    }
}

/// A seed of its own for each file and mode (FNV-1a), so that no file depends on another's draw.
fn seed(file: &str, mode: Mode) -> u64 {
    let text = format!("{file} {mode}");
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}
