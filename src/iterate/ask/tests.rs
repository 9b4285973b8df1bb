use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cache::Cache;
use crate::config::Config;
use crate::iterate::{Scope, Walker, server_at};
use crate::request::Request;
use crate::rrset::{Class, Question, Rdatas, RrType};
use crate::wire::reader::Section;
use crate::wire::{Header, Message, MessageWriter};
use crate::world::{
    Accept, Arrival, BoxFuture, Clock, ExchangeError, Network, Rng, Routes, Transport, World,
};

/// Authoritative for everything.
struct Everything;

impl Network for Everything {
    fn exchange<'a>(
        &'a self,
        _to: std::net::SocketAddr,
        _transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        _until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(async move {
            let message = Message::parse(query).unwrap();
            let question = message.question().unwrap();
            let mut writer = MessageWriter::new(message.header().id, Header::QR | Header::AA, 512);
            writer.question(question).unwrap();
            let address = Rdatas::new([&[192, 0, 2, 1][..]]);
            writer.rrset(Section::Answer, &question.name, RrType::A, Class::IN, 3_600, &address).unwrap();
            let octets = writer.finish();
            accept(&octets);
            Ok(Arrival { octets, rtt: Duration::from_millis(1) })
        })
    }

    fn routes(&self) -> Routes {
        Routes { v4: true, v6: false }
    }
}

#[tokio::test(start_paused = true)]
async fn of_the_servers_that_a_zone_has_only_those_asked_are_remembered() {
    let mut config = Config::default();
    config.resolver.root_priming = false;
    config.resolver.qname_minimisation = false;
    config.dnssec.validation = false;
    let config = Arc::new(config);
    let world = World { network: Arc::new(Everything), clock: Clock::system(), rng: Rng::seeded(1) };
    let cache = Arc::new(Cache::new(&config.cache));
    let walker = Walker::new(&config, world.clone(), Arc::clone(&cache));
    let request = Arc::new(Request::new(Arc::clone(&config), &world, false));
    let question = Question::new("www.example.".parse().unwrap(), RrType::A);
    walker.find(&request, &question, &Scope::hop(request.trace.open())).await.unwrap();
    let hints = config.resolver.hints.iter().flat_map(|hint| &hint.addresses).filter(|a| a.is_ipv4());
    let remembered: Vec<_> = hints.map(|address| cache.servers.get(server_at(*address)).is_some()).collect();
    assert_eq!(remembered.len(), 13);
    assert_eq!(remembered.iter().filter(|is| **is).count(), 1);
}
