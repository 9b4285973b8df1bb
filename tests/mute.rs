//! A flood of names below a zone whose only server says nothing costs little, and one whose server is
//! merely slow is answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cnamed::config::Config;
use cnamed::rrset::{Question, RrType};
use cnamed::server::Service;
use cnamed::wire::{Header, Message, MessageWriter};
use cnamed::world::Transport;
use tokio::time::{Instant, sleep, sleep_until};

use crate::everything;

const A_SECOND: u64 = 2_000;

async fn rcode(service: &Service, name: &str) -> u16 {
    let client = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
    let mut writer = MessageWriter::new(1, Header::RD, 512);
    writer.question(&Question::new(name.parse().unwrap(), RrType::A)).unwrap();
    let answer = service.respond(&writer.finish(), client, Transport::Tcp).await.unwrap();
    Message::parse(&answer).unwrap().rcode()
}

/// What a flood of so many seconds did.
#[derive(Debug, Default)]
struct Flood {
    asked: u64,
    /// Answered with an address.
    answered: Cell<u64>,
    in_flight: Cell<u64>,
    most_in_flight: Cell<u64>,
}

async fn flood(service: &Arc<Service>, seconds: u64) -> Rc<Flood> {
    let flood = Rc::new(Flood { asked: seconds * A_SECOND, ..Flood::default() });
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..flood.asked {
        let (service, flood) = (Arc::clone(service), Rc::clone(&flood));
        asking.spawn_local(async move {
            sleep(Duration::from_micros(number * 1_000_000 / A_SECOND)).await;
            flood.in_flight.set(flood.in_flight.get() + 1);
            flood.most_in_flight.set(flood.most_in_flight.get().max(flood.in_flight.get()));
            if rcode(&service, &format!("x{number}.zone.test.")).await == 0 {
                flood.answered.set(flood.answered.get() + 1);
            }
            flood.in_flight.set(flood.in_flight.get() - 1);
        });
    }
    asking.join_all().await;
    flood
}

/// A resolver that asks one server for all below zone.test, which answers after `wait`, but not before
/// `awake`; and how many messages were sent.
fn service(wait: Duration, awake: Instant) -> (Arc<Service>, Arc<AtomicUsize>) {
    let text = "[[stub]]\nzone = \"zone.test.\"\nservers = [\"192.0.2.53\"]\n";
    let messages = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&messages);
    let service = everything::service(
        Config::parse(text, Path::new("test")).unwrap(),
        Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                sleep(wait).await;
                if Instant::now() < awake {
                    sleep_until(awake + Duration::from_secs(3_600)).await; // lost
                }
            })
        }),
    );
    (service, messages)
}

fn run<F: Future<Output = ()>>(test: F) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_mute_server_is_asked_little_and_few_wait_for_it() {
    run(async {
        let awake = Instant::now() + Duration::from_secs(10);
        let (service, messages) = service(Duration::from_millis(1), awake);
        let flood = flood(&service, 8).await;
        let sent = messages.load(Ordering::Relaxed) as f64 / flood.asked as f64;
        eprintln!("{sent:.3} messages for each, {} in flight", flood.most_in_flight.get());
        assert_eq!(flood.answered.get(), 0);
        assert!(sent <= 0.25, "{sent:.3} messages for each");
        assert!(flood.most_in_flight.get() <= 3_000, "{} in flight", flood.most_in_flight.get());
        sleep_until(awake).await;
        sleep(cnamed::cache::servers::MAX_PROBE).await;
        assert_eq!(rcode(&service, "first.zone.test.").await, 0, "it is tried again, and forgiven");
    });
}

#[test]
fn a_slow_server_is_waited_for() {
    for wait in [300, 900] {
        run(async move {
            let (service, messages) = service(Duration::from_millis(wait), Instant::now());
            let flood = flood(&service, 3).await;
            assert_eq!(flood.answered.get(), flood.asked, "{wait} ms");
            let sent = messages.load(Ordering::Relaxed) as f64 / flood.asked as f64;
            eprintln!("{wait} ms: {sent:.3} messages for each");
            assert!(sent < 1.5, "{wait} ms: {sent:.3} messages for each");
        });
    }
}
