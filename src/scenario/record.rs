//! Recording: a network that notes what passes through it.
//!
//! Knows: each message to a server and what came of it, with times. Does not know: how that is
//! written (`write`). Shown by: `tests/replay.rs`.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::script::SystemError;
use super::turns::Turns;
use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Routes, Transport, Verdict, lock};

/// Messages kept. One question sends far fewer (`resolver.max-upstream-queries`).
pub const MAX_EXCHANGES: usize = 10_000;
/// What runs beside the question is waited for no longer.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// A process that runs is seen to run so often.
const BEAT: Duration = Duration::from_millis(15);
/// Between two looks whether anything is under way.
const TICK: Duration = Duration::from_millis(5);

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
    /// This datagram or message; `turn` counts what came, of all exchanges.
    Came { octets: Vec<u8>, rtt: Duration, turn: u32 },
    /// The system's word.
    Error { error: SystemError, after: Duration, turn: u32 },
}

/// Notes what passes through a network.
pub struct Recorder {
    network: Arc<dyn Network>,
    start: Instant,
    log: Mutex<Log>,
    turns: Turns,
}

#[derive(Default)]
struct Log {
    exchanges: Vec<Exchange>,
    /// Exchanges that somebody waits for.
    under_way: usize,
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
        Arc::new(Recorder { network, start: Instant::now(), log: Mutex::default(), turns: Turns::default() })
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
            sleep(TICK).await;
            if lock(&self.log).under_way == 0 || Instant::now() >= until {
                return;
            }
        }
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

/// Waits, and says for how long this process did not run meanwhile: a machine under load, or one that
/// slept. No timer went off then, as one would in a replay that took the time for the server's.
async fn attended<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let mut work = pin!(work);
    let (mut seen, mut stalled) = (Instant::now(), Duration::ZERO);
    loop {
        let done = tokio::select! {
            biased;
            done = &mut work => Some(done),
            () = sleep_until(seen + BEAT) => None,
        };
        let late = seen.elapsed().saturating_sub(BEAT);
        stalled += if late > BEAT { late } else { Duration::ZERO };
        seen = Instant::now();
        if let Some(done) = done {
            return (done, stalled);
        }
    }
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
            let (result, stalled) = attended(exchange).await;
            let took = in_microseconds(since.elapsed().saturating_sub(stalled));
            if matches!(result, Err(ExchangeError::TimedOut)) {
                return result;
            }
            // After a stall, timers that went off meanwhile are due as well: while this waited for its
            // turn they would be heard first, as in a replay they are not.
            let turn =
                if stalled.is_zero() { self.turns.take(since).await } else { self.turns.take_at_once() };
            match result {
                Ok(Arrival { octets, rtt }) => {
                    let rtt = in_microseconds(rtt.saturating_sub(stalled));
                    self.settle(number, Outcome::Came { octets: octets.clone(), rtt, turn });
                    Ok(Arrival { octets, rtt })
                }
                Err(ExchangeError::NearMiss) => {
                    let octets = lock(&missed).take().unwrap_or_default();
                    self.settle(number, Outcome::Came { octets, rtt: took, turn });
                    Err(ExchangeError::NearMiss)
                }
                Err(ExchangeError::Io(error)) => {
                    let told = SystemError::of(&error);
                    self.settle(number, Outcome::Error { error: told, after: took, turn });
                    Err(ExchangeError::Io(error))
                }
                Err(ExchangeError::TimedOut) => Err(ExchangeError::TimedOut),
            }
        })
    }

    fn routes(&self) -> Routes {
        self.network.routes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both replies come at once, after this process did not run for longer than a timer; the first server's
    /// exchange is what keeps it from running.
    struct Stalling;

    impl Network for Stalling {
        fn exchange<'a>(
            &'a self,
            to: SocketAddr,
            _transport: Transport,
            _query: &'a [u8],
            _accept: &'a Accept<'a>,
            _until: Instant,
        ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                if to.port() == 1 {
                    std::thread::sleep(4 * BEAT);
                }
                Ok(Arrival { octets: vec![0], rtt: Duration::ZERO })
            })
        }

        fn routes(&self) -> Routes {
            Routes { v4: true, v6: false }
        }
    }

    #[tokio::test]
    async fn replies_that_come_after_a_stall_are_handed_on_before_timers_are_heard() {
        let recorder = Recorder::new(Arc::new(Stalling));
        let accept = |_: &[u8]| Verdict::Take;
        let until = Instant::now() + MAX_WAIT;
        let ask = |port| {
            let to = SocketAddr::from(([127, 0, 0, 1], port));
            recorder.exchange(to, Transport::Udp, b"q", &accept, until)
        };
        let both = async { tokio::join!(biased; ask(1), ask(2)) };
        tokio::select! {
            biased;
            came = both => assert!(came.0.is_ok() && came.1.is_ok()),
            () = sleep(2 * BEAT) => panic!("a timer that went off during the stall was heard first"),
        }
    }
}
