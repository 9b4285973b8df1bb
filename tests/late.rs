//! What a slow server lets out at one moment does not reach a client at one moment (DNSBomb).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cnamed::config::Config;
use cnamed::rrset::{Question, RrType};
use cnamed::server::Service;
use cnamed::wire::{Header, Message, MessageWriter};
use cnamed::world::{BoxFuture, Transport};
use tokio::time::{Instant, sleep_until};

use crate::everything;

const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4711);
const COOKIE: u16 = 10;

/// When each question is answered.
#[derive(Clone, Copy)]
enum Slow {
    /// Not before then.
    Until(Instant),
    /// So long after it came.
    For(Duration),
    /// The same, to the microsecond.
    Exactly(Duration),
}

fn query(number: u64, flags: u16, cookie: Option<&[u8]>) -> Vec<u8> {
    let mut writer = MessageWriter::new(1, flags, 512);
    writer.question(&Question::new(format!("bomb{number}.example.").parse().unwrap(), RrType::A)).unwrap();
    if let Some(cookie) = cookie {
        writer.opt(1232, 0, 0, &[(COOKIE, cookie.to_vec())]).unwrap();
    }
    writer.finish()
}

fn service(slow: Slow) -> Arc<Service> {
    let wait = move |_: &Question| -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match slow {
                Slow::Until(release) => sleep_until(release).await,
                Slow::For(time) => tokio::time::sleep(time).await,
                Slow::Exactly(time) => tokio::time::advance(time).await,
            }
        })
    };
    everything::service(Config::default(), Box::new(wait))
}

/// Milliseconds at which 300 answers left, asked for so far `apart`, held back until `release`.
async fn departures(apart: u64, release: u64, over: Transport, with_cookie: bool) -> Vec<u64> {
    let begin = Instant::now();
    let service = service(Slow::Until(begin + Duration::from_millis(release)));
    let mut cookie = None;
    if with_cookie {
        // Without RD: refused at once, and the cookie comes along.
        let told = service.respond(&query(0, 0, Some(&[7; 8])), CLIENT, Transport::Udp).await.unwrap();
        cookie = Message::parse(&told).unwrap().edns().unwrap().option(COOKIE).map(<[u8]>::to_vec);
        assert!(cookie.is_some());
    }
    let answers = (1..=300).map(|number| {
        let (service, cookie) = (Arc::clone(&service), cookie.clone());
        async move {
            tokio::time::sleep(Duration::from_millis(apart * number)).await;
            let answer =
                service.respond(&query(number, Header::RD, cookie.as_deref()), CLIENT, over).await.unwrap();
            assert_eq!(Message::parse(&answer).unwrap().rcode(), 0);
            begin.elapsed().as_millis() as u64
        }
    });
    let mut departures = futures_util::future::join_all(answers).await;
    departures.sort_unstable();
    departures
}

/// The most within ten milliseconds.
fn densest(departures: &[u64]) -> usize {
    let within = |from: u64| departures.iter().filter(|at| (from..from + 10).contains(at)).count();
    departures.iter().map(|at| within(*at)).max().unwrap()
}

#[tokio::test(start_paused = true)]
async fn answers_that_were_held_back_leave_one_after_the_other() {
    let departures = departures(2, 1_000, Transport::Udp, false).await;
    assert!(densest(&departures) <= 20, "{departures:?}");
    assert!(departures.last() <= Some(&1_300), "{departures:?}");
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_soon_are_not_held_up() {
    let departures = departures(0, 0, Transport::Udp, false).await;
    assert_eq!(departures.last(), Some(&0));
}

#[tokio::test(start_paused = true)]
async fn who_is_known_to_be_there_does_not_wait() {
    assert_eq!(densest(&departures(2, 1_000, Transport::Tcp, false).await), 300);
    assert_eq!(densest(&departures(2, 1_000, Transport::Udp, true).await), 300);
}

#[tokio::test(start_paused = true)]
async fn the_first_late_answer_does_not_wait() {
    let took = Duration::from_micros(100_300);
    let (begin, service) = (Instant::now(), service(Slow::Exactly(took)));
    service.respond(&query(1, Header::RD, None), CLIENT, Transport::Udp).await.unwrap();
    assert_eq!(begin.elapsed(), took);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_many_is_answered_as_fast_as_it_asks() {
    let service = service(Slow::For(Duration::from_millis(150)));
    let answers = (1..=9_000).map(|number| {
        let service = Arc::clone(&service);
        async move {
            tokio::time::sleep(Duration::from_micros(333 * number)).await;
            service.respond(&query(number, Header::RD, None), CLIENT, Transport::Udp).await.is_some()
        }
    });
    let given = futures_util::future::join_all(answers).await.iter().filter(|given| **given).count();
    assert_eq!(given, 9_000);
}
