//! Servers that say nothing for a while, or to some: what a flood of names below their zones costs, and that
//! who is merely slow, back again, or hard of hearing is answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cnamed::config::Config;
use cnamed::server::Service;
use cnamed::wire::Message;
use cnamed::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Routes, Transport};
use tokio::time::{Instant, sleep, sleep_until};

use crate::binary::query;
use crate::everything::{self, Everything};

const STUB: &str = "[[stub]]\nzone = \"zone.test.\"\nservers = [\"192.0.2.53\"]\n";
const STUBS: &str = "[[stub]]\nzone = \"zone.test.\"\nservers = [\"192.0.2.53\"]\n\
                     [[stub]]\nzone = \"other.test.\"\nservers = [\"192.0.2.53\"]\n";
const FORWARD: &str = "[[forward]]\nzone = \"zone.test.\"\nservers = [\"192.0.2.53\"]\n";

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn run<F: Future<Output = ()>>(test: F) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

async fn rcode(service: &Service, name: &str) -> u16 {
    let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
    let answer = service.respond(&query(1, &format!("{name} A")), client, Transport::Tcp).await.unwrap();
    Message::parse(&answer).unwrap().rcode()
}

/// A resolver, and how many messages it has sent. `wait`: how long the server takes for a name, so long after
/// the start; `None`: it says nothing.
fn service(
    text: &str,
    wait: impl Fn(&str, Duration) -> Option<Duration> + Send + Sync + 'static,
) -> (Arc<Service>, Arc<AtomicUsize>) {
    let start = Instant::now();
    let messages = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&messages);
    let service = everything::service(
        Config::parse(text, Path::new("test")).unwrap(),
        Box::new(move |question| {
            count.fetch_add(1, Ordering::Relaxed);
            let wait = wait(&question.name.to_string().to_lowercase(), start.elapsed());
            Box::pin(async move { sleep(wait.unwrap_or(Duration::from_secs(7_200))).await })
        }),
    );
    (service, messages)
}

/// What became of many questions.
#[derive(Debug, Default)]
struct Asked {
    asked: u64,
    /// With an address.
    answered: Cell<u64>,
    in_flight: Cell<u64>,
    most_in_flight: Cell<u64>,
}

impl Asked {
    fn all_answered(&self) -> bool {
        self.answered.get() == self.asked
    }
}

/// Asks for `rate` names a second for so many seconds.
async fn ask(service: &Arc<Service>, prefix: &str, rate: u64, seconds: u64) -> Rc<Asked> {
    ask_for(service, |number| format!("{prefix}{number}.zone.test."), rate, seconds).await
}

/// The same for names of one's own.
async fn ask_for(service: &Arc<Service>, name: impl Fn(u64) -> String, rate: u64, seconds: u64) -> Rc<Asked> {
    let all = Rc::new(Asked { asked: rate * seconds, ..Asked::default() });
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..all.asked {
        let (service, all) = (Arc::clone(service), Rc::clone(&all));
        let name = name(number);
        asking.spawn_local(async move {
            sleep(Duration::from_micros(number * 1_000_000 / rate)).await;
            all.in_flight.set(all.in_flight.get() + 1);
            all.most_in_flight.set(all.most_in_flight.get().max(all.in_flight.get()));
            if rcode(&service, &name).await == 0 {
                all.answered.set(all.answered.get() + 1);
            }
            all.in_flight.set(all.in_flight.get() - 1);
        });
    }
    asking.join_all().await;
    all
}

#[test]
fn a_mute_server_is_asked_little_and_few_wait_for_it() {
    run(async {
        let start = Instant::now();
        let (service, messages) = service(STUB, |_, at| (at.as_secs() >= 10).then_some(ms(1)));
        let flood = ask(&service, "x", 2_000, 8).await;
        let sent = messages.load(Ordering::Relaxed) as f64 / flood.asked as f64;
        eprintln!("{sent:.3} messages for each, {} in flight", flood.most_in_flight.get());
        assert_eq!(flood.answered.get(), 0);
        assert!(sent <= 0.25, "{sent:.3} messages for each");
        assert!(flood.most_in_flight.get() <= 3_000, "{} in flight", flood.most_in_flight.get());
        sleep_until(start + Duration::from_secs(11)).await;
        assert_eq!(rcode(&service, "first.zone.test.").await, 0, "it is tried again, and forgiven");
    });
}

#[test]
fn few_wait_for_a_mute_server_of_many_zones() {
    run(async {
        let start = Instant::now();
        let zone = |n: u64| format!("[[stub]]\nzone = \"z{n}.test.\"\nservers = [\"192.0.2.53\"]\n");
        let zones: String = (0..500).map(zone).collect();
        let (service, messages) = service(&zones, |_, at| (at.as_secs() >= 10).then_some(ms(1)));
        let flood = ask_for(&service, |n| format!("x{n}.z{}.test.", n % 500), 2_000, 8).await;
        let sent = messages.load(Ordering::Relaxed) as f64 / flood.asked as f64;
        eprintln!("{sent:.3} messages for each, {} in flight", flood.most_in_flight.get());
        assert_eq!(flood.answered.get(), 0);
        assert!(sent <= 1.25, "{sent:.3} messages for each");
        assert!(flood.most_in_flight.get() <= 3_000, "{} in flight", flood.most_in_flight.get());
        sleep_until(start + Duration::from_secs(11)).await;
        assert_eq!(rcode(&service, "first.z0.test.").await, 0, "it is tried again, and forgiven");
    });
}

#[test]
fn few_wait_for_a_mute_forwarder() {
    run(async {
        let start = Instant::now();
        let (service, messages) = service(FORWARD, |_, at| (at.as_secs() >= 10).then_some(ms(1)));
        // It may be slow: for the first three seconds all wait.
        let flood = ask(&service, "x", 2_000, 8).await;
        let sent = messages.load(Ordering::Relaxed) as f64 / flood.asked as f64;
        eprintln!("{sent:.3} messages for each, {} in flight", flood.most_in_flight.get());
        assert_eq!(flood.answered.get(), 0);
        assert!(sent <= 1.6, "{sent:.3} messages for each");
        assert!(flood.most_in_flight.get() <= 6_000, "{} in flight", flood.most_in_flight.get());
        sleep_until(start + Duration::from_secs(11)).await;
        assert_eq!(rcode(&service, "first.zone.test.").await, 0, "it is tried again, and forgiven");
    });
}

#[test]
fn a_slow_server_is_waited_for() {
    for wait in [300, 900] {
        run(async move {
            let (service, messages) = service(STUB, move |_, _| Some(ms(wait)));
            let flood = ask(&service, "x", 2_000, 3).await;
            assert!(flood.all_answered(), "{wait} ms: {flood:?}");
            let sent = messages.load(Ordering::Relaxed) as f64 / flood.asked as f64;
            eprintln!("{wait} ms: {sent:.3} messages for each");
            assert!(sent < 1.5, "{wait} ms: {sent:.3} messages for each");
        });
    }
}

#[test]
fn a_slow_forwarder_is_waited_for() {
    run(async {
        let (service, _) = service(FORWARD, |_, _| Some(ms(1_500)));
        assert!(ask(&service, "a", 500, 5).await.all_answered());
        assert!(ask(&service, "b", 1, 60).await.all_answered());
    });
}

#[test]
fn who_comes_back_slower_is_forgiven() {
    run(async {
        let start = Instant::now();
        let (service, _) = service(STUB, |_, at| match at.as_secs() {
            0..10 => Some(ms(5)),
            10..310 => None,
            _ => Some(ms(100)),
        });
        assert!(ask(&service, "a", 2, 9).await.all_answered());
        sleep_until(start + Duration::from_secs(10)).await;
        assert!(ask(&service, "b", 2, 299).await.answered.get() == 0);
        sleep_until(start + Duration::from_secs(320)).await;
        assert!(ask(&service, "c", 2, 600).await.all_answered());
    });
}

#[test]
fn who_was_flooded_and_comes_back_slower_is_forgiven_during_the_flood() {
    run(async {
        let (service, _) = service(STUB, |_, at| match at.as_secs() {
            0..10 => Some(ms(5)),
            10..20 => None,
            _ => Some(ms(600)),
        });
        let flood = ask(&service, "a", 1_000, 40).await;
        let answered = flood.answered.get();
        // Ten seconds of silence; and the next probe is a second away, and takes its time.
        assert!(answered >= 27_000, "{answered} of {}", flood.asked);
    });
}

#[test]
fn names_that_are_dropped_take_no_others_with_them() {
    for every in [1_500, 1_900] {
        run(async move {
            let (service, _) = service(STUB, |name, _| (!name.starts_with("bad")).then_some(ms(20)));
            assert_eq!(rcode(&service, "first.zone.test.").await, 0);
            let flood = {
                let service = Arc::clone(&service);
                tokio::task::spawn_local(async move { ask(&service, "bad", 400, every * 40 / 1_000).await })
            };
            for number in 0..40 {
                sleep(ms(every)).await;
                assert_eq!(rcode(&service, &format!("good{number}.zone.test.")).await, 0, "{every} {number}");
            }
            assert_eq!(flood.await.unwrap().answered.get(), 0);
        });
    }
}

#[test]
fn a_zone_that_is_dropped_takes_no_other_with_it() {
    for every in [1_500, 3_000, 10_000] {
        run(async move {
            let (service, messages) =
                service(STUBS, |name, _| name.ends_with("other.test.").then_some(ms(20)));
            let flood = {
                let service = Arc::clone(&service);
                tokio::task::spawn_local(async move { ask(&service, "x", 1_000, 31).await })
            };
            for number in 0..30_000 / every {
                sleep(ms(every)).await;
                let rcode = rcode(&service, &format!("good{number}.other.test.")).await;
                assert_eq!(rcode, 0, "every {every} ms: {number}");
            }
            let flood = flood.await.unwrap();
            let sent = messages.load(Ordering::Relaxed) as f64 / flood.asked as f64;
            assert!(sent <= 0.25, "{sent:.3} messages for each");
        });
    }
}

/// Nothing but near misses by UDP, and good answers over TCP.
struct TcpOnly(Everything);

impl Network for TcpOnly {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        match transport {
            Transport::Udp => Box::pin(async {
                sleep(ms(20)).await;
                Err(ExchangeError::NearMiss)
            }),
            Transport::Tcp => self.0.exchange(to, transport, query, accept, until),
        }
    }

    fn routes(&self) -> Routes {
        self.0.routes()
    }
}

#[test]
fn who_is_heard_over_tcp_is_not_mute() {
    run(async {
        let config = Config::parse(STUB, Path::new("test")).unwrap();
        let network = TcpOnly(Everything(Box::new(|_| Box::pin(sleep(ms(20))))));
        let service = everything::service_over(Arc::new(network), config);
        assert!(ask(&service, "a", 200, 10).await.all_answered());
    });
}

/// A restart, or a route that flaps.
#[test]
fn half_a_second_of_silence_is_outlasted() {
    run(async {
        let start = Instant::now();
        let (service, _) =
            service(STUB, |_, at| (!(20_000..20_500).contains(&at.as_millis())).then_some(ms(5)));
        assert!(ask(&service, "a", 2, 9).await.all_answered());
        sleep_until(start + Duration::from_secs(20)).await;
        assert_eq!(rcode(&service, "b.zone.test.").await, 0);
    });
}

#[test]
fn a_burst_that_is_lost_as_a_whole_is_asked_again() {
    run(async {
        let start = Instant::now();
        let (service, _) =
            service(STUB, |_, at| (!(20_000..20_100).contains(&at.as_millis())).then_some(ms(5)));
        assert!(ask(&service, "a", 2, 9).await.all_answered());
        sleep_until(start + Duration::from_secs(20)).await;
        let names: Vec<String> = (0..100).map(|number| format!("b{number}.zone.test.")).collect();
        let codes = futures_util::future::join_all(names.iter().map(|name| rcode(&service, name))).await;
        assert!(codes.iter().all(|code| *code == 0), "{codes:?}");
        let took = start.elapsed() - Duration::from_secs(20);
        assert!(took < ms(1_500), "{took:?}");
    });
}
