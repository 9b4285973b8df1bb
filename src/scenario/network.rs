//! The scripted network: answers the resolver's questions as the file says.
//!
//! Which entry answers: the first range, in file order, that holds for the current step and for the
//! server's address (a server that no range names fits every range); in it the first entry whose
//! MATCH fits. Without such a range, the first unused `STEP … REPLY` from the current step on. A
//! question that nothing answers is answered SERVFAIL and fails the scenario; in a recording, nobody
//! can be reached about it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Routes, Transport, Verdict, lock};
use tokio::time::{Instant, sleep_until};

use super::compare::differences;
use super::message::{Got, rcode_name};
use super::reply::{Fate, fate_of, servfail};
use super::script::{Action, Entry, Scenario};
use super::turns::Turns;

/// Plays the servers of one scenario.
pub struct Script {
    scenario: Arc<Scenario>,
    start: Instant,
    verbose: bool,
    state: Mutex<State>,
    turns: Turns,
}

#[derive(Default)]
struct State {
    step: u64,
    sent: Vec<Sent>,
    /// Messages before the last QUERY step.
    before: usize,
    used_replies: HashSet<usize>,
    fired: HashSet<usize>,
    complaints: Vec<String>,
}

/// One message that the resolver sent.
#[allow(missing_docs)]
pub struct Sent {
    at: Duration,
    pub to: IpAddr,
    pub query: Got,
    outcome: String,
}

impl Script {
    /// Servers of a scenario whose time begins now; `verbose`: each message is told on stderr.
    pub fn new(scenario: Arc<Scenario>, verbose: bool) -> Script {
        Script { scenario, start: Instant::now(), verbose, state: Mutex::default(), turns: Turns::default() }
    }

    /// From now on step `id` is the current one.
    pub fn at_step(&self, id: u64) {
        lock(&self.state).step = id;
    }

    /// A client's question begins: what is sent from now on counts as its.
    pub fn begin_question(&self) {
        let mut state = lock(&self.state);
        state.before = state.sent.len();
    }

    /// How many messages since the last question fit.
    pub fn count(&self, fits: impl Fn(&Sent) -> bool) -> usize {
        let state = lock(&self.state);
        state.sent.iter().skip(state.before).filter(|sent| fits(sent)).count()
    }

    /// The messages since the last question, one per line.
    pub fn show_sent(&self) -> String {
        let state = lock(&self.state);
        let mut out = String::new();
        for sent in state.sent.iter().skip(state.before) {
            let _ = write!(out, "\n    {sent}");
        }
        out
    }

    /// What went wrong upstream since this was last asked.
    pub fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).complaints)
    }

    /// The entries marked MANDATORY that never answered.
    pub fn unfired(&self) -> Vec<usize> {
        let state = lock(&self.state);
        let entries = self.scenario.ranges.iter().flat_map(|range| &range.entries);
        entries.filter(|e| e.mandatory && !state.fired.contains(&e.line)).map(|e| e.line).collect()
    }

    fn fate(&self, to: SocketAddr, over: Transport, bytes: &[u8]) -> Fate {
        let mut state = lock(&self.state);
        let query = match Got::read(bytes, over) {
            Ok(query) => query,
            Err(e) => {
                state.complaints.push(format!("sent a malformed message to {to}: {e}"));
                return Fate::Silence;
            }
        };
        let recording = self.scenario.settings.recording;
        if to.port() != 53 && !recording {
            state.complaints.push(format!("sent a message to port {} of {}", to.port(), to.ip()));
        }
        let (fate, outcome) = match self.find(&mut state, to.ip(), &query) {
            Some(entry) => {
                state.fired.insert(entry.line);
                (fate_of(entry, &query), format!("line {}: {}", entry.line, describe(entry)))
            }
            None => {
                let question = query.question.as_ref().map_or("nothing".to_owned(), |question| {
                    format!("{} {}", question.name.to_lowercase(), question.rtype)
                });
                let place = match recording {
                    true => "recording".to_owned(),
                    false => format!("script (step {})", state.step),
                };
                let complaint = format!("asked {} for {question}: not in the {place}", to.ip());
                if !state.complaints.contains(&complaint) {
                    state.complaints.push(complaint);
                }
                match recording {
                    true => (not_recorded(), "not in the recording".to_owned()),
                    false => (servfail(&query), "not in the script: SERVFAIL".to_owned()),
                }
            }
        };
        let sent = Sent { at: self.start.elapsed(), to: to.ip(), query, outcome };
        if self.verbose {
            eprintln!("    step {} {sent}", state.step);
        }
        state.sent.push(sent);
        fate
    }

    fn find(&self, state: &mut State, to: IpAddr, query: &Got) -> Option<&Entry> {
        let ranges = &self.scenario.ranges;
        let recording = self.scenario.settings.recording;
        let named = recording || ranges.iter().any(|range| range.addresses.contains(&to));
        let holds = |range: &&super::script::Range| {
            (range.from..=range.to).contains(&state.step)
                && (!named || range.addresses.is_empty() || range.addresses.contains(&to))
        };
        if let Some(range) = ranges.iter().find(holds) {
            return range.entries.iter().find(|entry| {
                let used = entry.adjust.once && state.fired.contains(&entry.line);
                !used && differences(entry, query).is_empty()
            });
        }
        for step in self.scenario.steps.iter().filter(|step| step.id >= state.step) {
            if let Action::Reply(entry) = &step.action
                && !state.used_replies.contains(&entry.line)
                && differences(entry, query).is_empty()
            {
                state.used_replies.insert(entry.line);
                return Some(entry);
            }
        }
        None
    }
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let question = self.query.question.as_ref().map_or("nothing".to_owned(), ToString::to_string);
        let (at, to, over) = (self.at.as_millis(), self.to, self.query.over);
        write!(f, "{at:>6} ms  {over} {to}  {question}  ({})", self.outcome)
    }
}

fn describe(entry: &Entry) -> String {
    let message = &entry.message;
    match () {
        () if entry.adjust.do_not_answer => "silence".to_owned(),
        () if entry.adjust.unreachable || entry.error.is_some() => "unreachable".to_owned(),
        () if entry.raw.is_some() => "raw octets".to_owned(),
        () => format!(
            "{}, {} answer, {} authority, {} additional",
            rcode_name(message.rcode),
            message.answer.len(),
            message.authority.len(),
            message.additional.len()
        ),
    }
}

/// What a recording says to a question that it does not hold.
fn not_recorded() -> Fate {
    let error = io::Error::new(io::ErrorKind::NetworkUnreachable, "not in the recording");
    Fate::Error { error, after: Duration::ZERO, turn: None }
}

impl Network for Script {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(async move {
            match self.fate(to, transport, query) {
                Fate::Reply { bytes, rtt, after, turn } if Instant::now() + after <= until => {
                    self.turns.wait(after, turn).await;
                    match accept(&bytes) {
                        Verdict::Take => Ok(Arrival { octets: bytes, rtt }),
                        Verdict::NearMiss => Err(ExchangeError::NearMiss),
                    }
                }
                Fate::Error { error, after, turn } if Instant::now() + after <= until => {
                    if !after.is_zero() {
                        self.turns.wait(after, turn).await;
                    }
                    Err(ExchangeError::Io(error))
                }
                Fate::Reply { .. } | Fate::Silence | Fate::Error { .. } => {
                    sleep_until(until).await;
                    Err(ExchangeError::TimedOut)
                }
            }
        })
    }

    fn routes(&self) -> Routes {
        Routes { v4: self.scenario.settings.routed_v4, v6: self.scenario.settings.routed_v6 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{COOKIE, Opt, encode};
    use super::super::parse::parse;
    use super::super::records::question;
    use super::super::script::Template;
    use super::*;

    const TEXT: &str = "CONFIG_END\nSCENARIO_BEGIN x\n\
        RANGE_BEGIN 0 9 192.0.2.1\nENTRY_BEGIN\nMATCH qname qtype\nADJUST copy_id\nREPLY QR REFUSED\n\
        SECTION QUESTION\na. A\nENTRY_END\nENTRY_BEGIN\nMATCH subdomain\nADJUST copy_id copy_query cookie delay=30\n\
        REPLY QR AA\nSECTION QUESTION\na. A\nENTRY_END\nRANGE_END\n\
        RANGE_BEGIN 5 9\nADDRESS 192.0.2.2\nENTRY_BEGIN\nMATCH opcode\nADJUST do_not_answer\nENTRY_END\nRANGE_END\n\
        STEP 20 REPLY\nENTRY_BEGIN\nMATCH qname\nADJUST copy_id wrong_id\nREPLY QR\nSECTION QUESTION\nb. A\nENTRY_END\n\
        SCENARIO_END";

    struct Asked {
        result: Result<Got, ExchangeError>,
        took: Duration,
    }

    async fn ask(script: &Script, to: &str, text: &str) -> Asked {
        let template = Template { question: Some(question(text).unwrap()), ..Template::default() };
        let opt = Opt { udp_size: 1232, dnssec_ok: false, options: vec![(COOKIE, vec![7; 8])] };
        let query = encode(3, &template, Some(&opt));
        let accept = |reply: &[u8]| match reply.first_chunk() {
            Some([0, 3]) => Verdict::Take,
            _ => Verdict::NearMiss,
        };
        let start = Instant::now();
        let to = SocketAddr::new(to.parse().unwrap(), 53);
        let until = start + Duration::from_secs(2);
        let result = script.exchange(to, Transport::Udp, &query, &accept, until).await;
        Asked {
            result: result.map(|came| Got::read(&came.octets, Transport::Udp).unwrap()),
            took: start.elapsed(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_range_and_entry_that_fit_answer() {
        let script = Script::new(Arc::new(parse("f", TEXT).unwrap()), false);
        script.at_step(5);
        let exact = ask(&script, "192.0.2.1", "A. A").await;
        assert_eq!(exact.result.unwrap().rcode, 5);
        let below = ask(&script, "192.0.2.1", "x.A. A").await;
        assert_eq!(below.took, Duration::from_millis(31));
        let below = below.result.unwrap();
        assert_eq!(below.question.unwrap().name.to_string(), "x.A.");
        assert_eq!(
            below.edns.unwrap().option(COOKIE),
            Some(&b"\x07\x07\x07\x07\x07\x07\x07\x07scenario"[..])
        );
        // An address that no range names fits the first range.
        assert_eq!(ask(&script, "192.0.2.9", "a. A").await.result.unwrap().rcode, 5);
        let silent = ask(&script, "192.0.2.2", "a. A").await;
        assert!(matches!(silent.result, Err(ExchangeError::TimedOut)));
        assert_eq!(silent.took, Duration::from_secs(2));
        assert!(script.complaints().is_empty());
        assert_eq!(script.count(|_| true), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_scripted_is_servfail_and_a_complaint() {
        let script = Script::new(Arc::new(parse("f", TEXT).unwrap()), false);
        script.at_step(1);
        // The range of 192.0.2.2 begins later, and STEP 20 knows only `b.`.
        assert_eq!(ask(&script, "192.0.2.2", "a. A").await.result.unwrap().rcode, 2);
        assert_eq!(script.complaints(), ["asked 192.0.2.2 for a. A: not in the script (step 1)"]);
        // A REPLY step answers once.
        assert!(matches!(ask(&script, "192.0.2.2", "b. A").await.result, Err(ExchangeError::NearMiss)));
        assert!(script.complaints().is_empty());
        assert_eq!(ask(&script, "192.0.2.2", "b. A").await.result.unwrap().rcode, 2);
        assert_eq!(script.complaints().len(), 1);
    }
}
