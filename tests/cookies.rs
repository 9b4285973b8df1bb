//! Cookies without a question (RFC 7873 §5.4).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::sync::Arc;

use cnamed::config::Config;
use cnamed::respond::OPTION_COOKIE;
use cnamed::server::Service;
use cnamed::wire::{Header, Message, MessageWriter};
use cnamed::world::{Clock, Rng, Transport, World};

const FORMERR: u16 = 1;
const BADCOOKIE: u16 = 23;

/// Without a question: the RCODE and the cookie of the answer.
async fn ask(service: &Service, cookie: Option<&[u8]>) -> (u16, Option<Vec<u8>>) {
    let mut writer = MessageWriter::new(7, Header::RD, 600);
    let options: Vec<_> = cookie.map(|cookie| (OPTION_COOKIE, cookie.to_vec())).into_iter().collect();
    writer.opt(1_232, 0, 0, &options).unwrap();
    let client = SocketAddr::from(([127, 0, 0, 1], 5353));
    let bytes = service.respond(&writer.finish(), client, Transport::Udp).await.expect("an answer");
    let message = Message::parse(&bytes).expect("a message");
    assert!(message.question().is_none() && message.header().ancount == 0);
    (message.rcode(), message.edns().and_then(|edns| edns.option(OPTION_COOKIE)).map(<[u8]>::to_vec))
}

#[tokio::test]
async fn a_query_without_a_question_gets_a_cookie_or_has_one_judged() {
    let network = cnamed::lab::World::embedded().unwrap();
    let world = World { network, clock: Clock::system(), rng: Rng::seeded(1) };
    let service = Service::new(Arc::new(Config::default()), world);
    let (rcode, ours) = ask(&service, Some(&[1; 8])).await;
    let ours = ours.expect("a cookie");
    assert_eq!((rcode, ours.len()), (0, 24));
    assert_eq!(ask(&service, Some(&ours)).await.0, 0);
    let (rcode, good) = ask(&service, Some(&[1; 24])).await;
    assert_eq!(rcode, BADCOOKIE);
    assert_eq!(ask(&service, good.as_deref()).await.0, 0);
    assert_eq!(ask(&service, Some(&[1; 9])).await, (FORMERR, None));
    assert_eq!(ask(&service, None).await, (FORMERR, None));
}
