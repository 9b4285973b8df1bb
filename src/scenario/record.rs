//! Recording: a network that notes what passes through it.
//!
//! Knows: each message to a server and what came of it, with times; replies are handed on one at a
//! time, each at a moment of virtual time of its own, which is all that a replay needs to make the
//! same happen. Does not know: how that is written (`write`), how virtual time is kept in step with
//! real time (`pace`). Shown by: `tests/replay.rs`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::pace::TICK;
use super::script::SystemError;
use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Routes, Transport, Verdict, lock};

/// Messages kept. One question sends far fewer (`resolver.max-upstream-queries`).
pub const MAX_EXCHANGES: usize = 10_000;
/// What runs beside the question is waited for no longer.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Between two looks whether anything is under way.
const LOOK: Duration = Duration::from_millis(5);

/// A message to a server.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Exchange {
    /// Since the recording began.
    pub sent: Duration,
    pub to: SocketAddr,
    pub transport: Transport,
    pub query: Vec<u8>,
    pub outcome: Outcome,
}

/// What came of it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Outcome {
    /// Nothing, or nobody waited any more.
    Nothing,
    /// This datagram or message, handed on so long `after` the question.
    Came { octets: Vec<u8>, rtt: Duration, after: Duration },
    /// The system's word.
    Error { error: SystemError, after: Duration },
}

/// Notes what passes through a network. For a runtime whose clock is paused.
pub struct Recorder {
    network: Arc<dyn Network>,
    start: Instant,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    exchanges: Vec<Exchange>,
    /// Exchanges that somebody waits for.
    under_way: usize,
    /// When a reply was handed on, or will be.
    last: Option<Instant>,
}

/// Somebody waits for an exchange until this is dropped.
struct Waiting<'a>(&'a Recorder);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut log = lock(&self.0.log);
        log.under_way = log.under_way.saturating_sub(1);
    }
}

impl Recorder {
    /// A recording that begins now.
    pub fn new(network: Arc<dyn Network>) -> Arc<Recorder> {
        Arc::new(Recorder { network, start: Instant::now(), log: Mutex::default() })
    }

    /// What has passed so far, in the order of sending; what is under way came to nothing.
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.log).exchanges.clone()
    }

    /// Its number; `None`: there are too many.
    fn sent(&self, to: SocketAddr, transport: Transport, query: &[u8]) -> Option<usize> {
        let mut log = lock(&self.log);
        if log.exchanges.len() == MAX_EXCHANGES {
            return None;
        }
        let sent = self.start.elapsed();
        log.exchanges.push(Exchange {
            sent,
            to,
            transport,
            query: query.to_vec(),
            outcome: Outcome::Nothing,
        });
        Some(log.exchanges.len() - 1)
    }

    /// Waits for what runs beside the question, as asking the root for its servers does (RFC 9609): a
    /// question that another setting leads to may want it.
    pub async fn finish(&self) {
        let until = Instant::now() + MAX_WAIT;
        loop {
            sleep(LOOK).await;
            if lock(&self.log).under_way == 0 || Instant::now() >= until {
                return;
            }
        }
    }

    /// When a reply that is here now is handed on. What it leads to has happened before the next one comes.
    fn moment(&self) -> Instant {
        let now = Instant::now();
        let mut log = lock(&self.log);
        let moment = log.last.map_or(now, |last| last.max(now)) + TICK;
        log.last = Some(moment);
        moment
    }

    fn settle(&self, number: Option<usize>, outcome: Outcome) {
        let mut log = lock(&self.log);
        if let Some(exchange) = number.and_then(|number| log.exchanges.get_mut(number)) {
            exchange.outcome = outcome;
        }
    }
}

/// What the file can hold: nothing that is finer may show in what follows.
fn in_microseconds(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

impl Network for Recorder {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        let number = self.sent(to, transport, query);
        lock(&self.log).under_way += 1;
        let waiting = Waiting(self);
        let since = Instant::now();
        Box::pin(async move {
            let _until_it_is_over = waiting;
            let missed = Mutex::new(None);
            let listening = |reply: &[u8]| {
                let verdict = accept(reply);
                if verdict == Verdict::NearMiss {
                    *lock(&missed) = Some(reply.to_vec());
                }
                verdict
            };
            let exchange = self.network.exchange(to, transport, query, &listening, until);
            let result = timeout_at(until, exchange).await.unwrap_or(Err(ExchangeError::TimedOut));
            if matches!(result, Err(ExchangeError::TimedOut)) {
                return result;
            }
            let moment = self.moment();
            if moment > until {
                sleep_until(until).await;
                return Err(ExchangeError::TimedOut);
            }
            sleep_until(moment).await;
            let after = moment.duration_since(since);
            let (octets, rtt) = match &result {
                // Not longer than was waited: what this machine did not run is not the server's time.
                Ok(Arrival { octets, rtt }) => (octets.clone(), in_microseconds(*rtt).min(after)),
                Err(ExchangeError::Io(error)) => {
                    self.settle(number, Outcome::Error { error: SystemError::of(error), after });
                    return result;
                }
                Err(_) => (lock(&missed).take().unwrap_or_default(), after),
            };
            self.settle(number, Outcome::Came { octets, rtt, after });
            result.map(|arrival| Arrival { rtt, ..arrival })
        })
    }

    fn routes(&self) -> Routes {
        self.network.routes()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use futures_util::stream::FuturesUnordered;

    use super::super::network::Script;
    use super::super::pace::Pace;
    use super::super::parse::parse;
    use super::super::write::Recording;
    use super::*;
    use crate::config::Config;
    use crate::resolver::{Answer, Rcode};
    use crate::rrset::{Question, RrType};
    use crate::wire::{MessageWriter, Name};

    /// For so long the process does not run: longer than any timer here.
    const STALL: Duration = Duration::from_millis(100);

    /// When the process does not run.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Stall {
        Never,
        /// Nor when the replies come.
        BeforeTimer,
        /// The second server's may be there already, and wait for its moment.
        BeforeFirstReply,
        /// One has been handed on, the other waits.
        BetweenReplies,
    }

    fn stall() {
        std::thread::sleep(STALL);
    }

    /// Both servers reply after the same time; the first one's reply is what the process is late for.
    struct Servers {
        after: Duration,
        stalls: Stall,
    }

    impl Network for Servers {
        fn exchange<'a>(
            &'a self,
            to: SocketAddr,
            _transport: Transport,
            query: &'a [u8],
            _accept: &'a Accept<'a>,
            _until: Instant,
        ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                sleep(self.after).await;
                if self.stalls == Stall::BeforeFirstReply && to == server(1) {
                    stall();
                }
                Ok(Arrival { octets: query.to_vec(), rtt: self.after })
            })
        }

        fn routes(&self) -> Routes {
            Routes { v4: true, v6: true }
        }
    }

    fn server(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    /// What happens, and after how many milliseconds.
    type Happened = Vec<(&'static str, u128)>;

    /// Two servers are asked, in this order, while a timer runs.
    async fn race(network: &dyn Network, order: [u8; 2], timer: Duration, stalls: Stall) -> Happened {
        let (start, happened) = (Instant::now(), Mutex::new(Vec::new()));
        let note = |what| {
            let mut happened = lock(&happened);
            happened.push((what, start.elapsed().as_millis()));
            if stalls == Stall::BetweenReplies
                && happened.iter().filter(|(what, _)| *what != "timer").count() == 1
            {
                stall();
            }
        };
        let ask = async |last| {
            let mut query = MessageWriter::new(u16::from(last), 0, 512);
            query.question(&Question::new(Name::root(), RrType::NS)).unwrap();
            let until = start + MAX_WAIT;
            let accept = |_: &[u8]| Verdict::Take;
            let query = query.finish();
            network.exchange(server(last), Transport::Udp, &query, &accept, until).await.unwrap();
            note(if last == 1 { "first" } else { "second" });
        };
        let timer = async {
            sleep(timer).await;
            note("timer");
        };
        let stalling = async {
            if stalls == Stall::BeforeTimer {
                sleep(TICK).await;
                stall();
            }
        };
        let all: [BoxFuture<'_, ()>; 4] =
            [Box::pin(stalling), Box::pin(ask(order[0])), Box::pin(ask(order[1])), Box::pin(timer)];
        // What is woken first is polled first, as among the servers of a zone.
        let mut all = FuturesUnordered::from_iter(all);
        while all.next().await.is_some() {}
        drop(all);
        happened.into_inner().unwrap()
    }

    fn file(recorder: &Recorder) -> String {
        let question = Question::new(Name::root(), RrType::NS);
        Recording {
            question: &question,
            config: &Config::default(),
            seed: 0,
            wall: 0,
            routes: recorder.routes(),
            exchanges: &recorder.exchanges(),
            answer: &Answer::empty(&question, Rcode::NoError),
        }
        .to_text()
    }

    fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(work)
    }

    /// What happened while it was recorded, and in the replay.
    fn recorded_and_replayed(
        order: [u8; 2],
        after: Duration,
        timer: Duration,
        stalls: Stall,
    ) -> [Happened; 2] {
        let (recorded, file) = in_virtual_time(async {
            let _in_step = Pace::begin();
            let recorder = Recorder::new(Arc::new(Servers { after, stalls }));
            (race(&*recorder, order, timer, stalls).await, file(&recorder))
        });
        let replayed = in_virtual_time(async {
            let script = Script::new(Arc::new(parse("f", &file).unwrap()), false);
            race(&script, order, timer, Stall::Never).await
        });
        [recorded, replayed]
    }

    #[test]
    fn no_stall_changes_whether_a_timer_or_a_reply_is_first_and_a_replay_does_the_same() {
        use Stall::{BeforeFirstReply, BeforeTimer, BetweenReplies, Never};
        let ms = Duration::from_millis;
        // In the second, timer and reply are due at one moment.
        let races =
            [(ms(20), ms(10), 0), (ms(20), ms(21), 0), (ms(20), ms(60), 2), (Duration::ZERO, ms(60), 2)];
        for stalls in [Never, BeforeTimer, BeforeFirstReply, BetweenReplies] {
            for (order, (after, timer, place)) in
                races.iter().flat_map(|race| [([1, 2], race), ([2, 1], race)])
            {
                let [recorded, replayed] = recorded_and_replayed(order, *after, *timer, stalls);
                let what = format!(
                    "{stalls:?}, {order:?} after {after:?}, timer {timer:?}: {recorded:?}, {replayed:?}"
                );
                let timer = recorded.iter().position(|(what, _)| *what == "timer");
                assert_eq!(timer, Some(*place), "{what}");
                assert_eq!(recorded, replayed, "{what}");
            }
        }
    }
}
