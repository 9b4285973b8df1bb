//! What a new configuration changes for questions under way, for what is cached, and for ready packets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cnamed::config::Config;
use cnamed::rrset::{Question, RrType};
use cnamed::server::Service;
use tokio::time::{Instant, sleep};

use crate::client::ask;
use crate::everything;

fn config(server: u8) -> Config {
    let text = format!("[[stub]]\nzone = \"zone.test.\"\nservers = [\"192.0.2.{server}\"]\n");
    let mut config = Config::parse(&text, Path::new("test")).unwrap();
    // As `everything` has it.
    (config.resolver.root_priming, config.resolver.qname_minimisation) = (false, false);
    config.dnssec.validation = false;
    config
}

/// A resolver whose first message is answered after this time and the others after that, and how many there were.
fn resolver(first: Duration, others: Duration) -> (Arc<Service>, Arc<AtomicUsize>) {
    let messages = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&messages);
    let service = everything::service(
        config(1),
        Box::new(move |_| {
            let wait = if count.fetch_add(1, Ordering::Relaxed) == 0 { first } else { others };
            Box::pin(sleep(wait))
        }),
    );
    (service, messages)
}

fn question() -> Question {
    Question::new("www.zone.test.".parse().unwrap(), RrType::A)
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_routes_change_is_neither_waited_for_nor_stored() {
    let (service, messages) = resolver(Duration::from_millis(300), Duration::ZERO);
    let (question, start) = (question(), Instant::now());
    let old = async {
        let answer = ask(&service, &question).await;
        assert_eq!((answer.rcode, answer.answer.len()), (0, 1));
        start.elapsed()
    };
    let new = async {
        sleep(Duration::from_millis(100)).await;
        service.reload(Arc::new(config(2)));
        assert_eq!(ask(&service, &question).await.answer.len(), 1);
        let took = start.elapsed();
        assert_eq!(messages.load(Ordering::Relaxed), 2);
        service.reload(Arc::new(config(3)));
        took
    };
    let (old, new) = tokio::join!(old, new);
    assert!(new < Duration::from_millis(200) && old >= Duration::from_millis(300), "{new:?} {old:?}");
    ask(&service, &question).await;
    assert_eq!(messages.load(Ordering::Relaxed), 3, "the answer of the first servers was stored");
    ask(&service, &question).await;
    assert_eq!(messages.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn bounds_of_the_cache_hold_from_the_reload_on() {
    let (service, messages) = resolver(Duration::ZERO, Duration::ZERO);
    let (first, second) = (question(), Question::new("other.zone.test.".parse().unwrap(), RrType::A));
    let ttl = async |question: &Question| ask(&service, question).await.answer[0].ttl;
    assert_eq!(ttl(&first).await, 3_600);
    let mut shorter = config(1);
    shorter.cache.max_ttl = 10;
    service.reload(Arc::new(shorter));
    assert_eq!((ttl(&first).await, ttl(&second).await), (3_600, 10));
    assert_eq!(messages.load(Ordering::Relaxed), 2);
    sleep(Duration::from_secs(11)).await;
    assert_eq!((ttl(&first).await, ttl(&second).await), (3_589, 10));
    assert_eq!(messages.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn stale_data_is_of_no_use_from_the_reload_on_that_says_so() {
    let (service, _) = resolver(Duration::ZERO, Duration::from_secs(7_200));
    assert_eq!(ask(&service, &question()).await.rcode, 0);
    sleep(Duration::from_secs(3_601)).await;
    let stale = ask(&service, &question()).await;
    assert_eq!((stale.rcode, stale.answer[0].ttl), (0, 30));
    let mut without = config(1);
    without.cache.serve_stale = false;
    service.reload(Arc::new(without));
    sleep(Duration::from_secs(31)).await;
    assert_eq!(ask(&service, &question()).await.rcode, 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_judged_by_another_policy_is_forgotten() {
    let (service, messages) = resolver(Duration::ZERO, Duration::ZERO);
    ask(&service, &question()).await;
    let mut other = config(1);
    other.dnssec.sha1_validates = !other.dnssec.sha1_validates;
    for _ in 0..2 {
        service.reload(Arc::new(other.clone()));
        ask(&service, &question()).await;
        assert_eq!(messages.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_tried_again_after_a_reload() {
    let (service, messages) = resolver(Duration::from_secs(7_200), Duration::from_secs(7_200));
    assert_eq!(ask(&service, &question()).await.rcode, 2);
    let before = messages.load(Ordering::Relaxed);
    assert_eq!(ask(&service, &question()).await.rcode, 2);
    assert_eq!(messages.load(Ordering::Relaxed), before);
    service.reload(Arc::new(config(1)));
    assert_eq!(ask(&service, &question()).await.rcode, 2);
    assert!(messages.load(Ordering::Relaxed) > before, "it may have been a limit that is another now");
}
