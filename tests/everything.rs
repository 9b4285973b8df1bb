//! A network that is authoritative for everything: each name has the address 192.0.2.1 for an hour.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cnamed::config::Config;
use cnamed::rrset::{Class, Question, Rdatas, RrType};
use cnamed::server::{LocalNames, Service};
use cnamed::wire::reader::Section;
use cnamed::wire::{Header, Message, MessageWriter};
use cnamed::world::{
    Accept, Arrival, BoxFuture, Clock, ExchangeError, Network, Rng, Routes, Transport, World,
};
use tokio::time::Instant;

/// Done before a question is answered.
pub type Before = Box<dyn Fn(&Question) -> BoxFuture<'static, ()> + Send + Sync>;

pub struct Everything(pub Before);

impl Network for Everything {
    fn exchange<'a>(
        &'a self,
        _to: SocketAddr,
        _transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        _until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(async move {
            let message = Message::parse(query).expect("a query");
            let question = message.question().expect("a question");
            let sent = Instant::now();
            (self.0)(question).await;
            let mut writer = MessageWriter::new(message.header().id, Header::QR | Header::AA, 512);
            writer.question(question).unwrap();
            let address = Rdatas::new([&[192, 0, 2, 1][..]]);
            writer.rrset(Section::Answer, &question.name, RrType::A, Class::IN, 3_600, &address).unwrap();
            let octets = writer.finish();
            accept(&octets);
            Ok(Arrival { octets, rtt: sent.elapsed().max(Duration::from_millis(1)) })
        })
    }

    fn routes(&self) -> Routes {
        Routes { v4: true, v6: false }
    }
}

/// A resolver that has to send one message for each name.
pub fn service(config: Config, before: Before) -> Arc<Service> {
    service_over(Arc::new(Everything(before)), config)
}

/// The same over another network.
pub fn service_over(network: Arc<dyn Network>, mut config: Config) -> Arc<Service> {
    config.resolver.root_priming = false;
    config.resolver.qname_minimisation = false;
    config.dnssec.validation = false;
    let world = World { network, clock: Clock::system(), rng: Rng::seeded(1) };
    Service::with_local_names(Arc::new(config), world, LocalNames::Resolved)
}

#[tokio::test(start_paused = true)]
async fn of_the_servers_that_a_zone_has_only_those_asked_are_remembered() {
    let config = Config::default();
    let hints = config.resolver.hints.iter().flat_map(|hint| &hint.addresses).filter(|a| a.is_ipv4());
    let hints: Vec<SocketAddr> = hints.map(|address| SocketAddr::new(*address, 53)).collect();
    let service = service(config, Box::new(|_| Box::pin(async {})));
    let mut writer = MessageWriter::new(1, Header::RD, 512);
    writer.question(&Question::new("www.example.".parse().unwrap(), RrType::A)).unwrap();
    let client = SocketAddr::from(([127, 0, 0, 1], 4711));
    let answer = service.respond(&writer.finish(), client, Transport::Tcp).await.unwrap();
    assert_eq!(Message::parse(&answer).unwrap().rcode(), 0);
    let servers = &service.resolver().cache().servers;
    assert_eq!(hints.len(), 13);
    assert_eq!(hints.iter().filter(|hint| servers.get(**hint).is_some()).count(), 1);
}
