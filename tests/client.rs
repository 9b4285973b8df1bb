//! A client of [`Service::respond`]: asks over TCP with EDNS and reads what comes back; and a network that
//! counts what is sent through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cnamed::respond::OPTION_EDE;
use cnamed::rrset::{Question, RrType};
use cnamed::server::Service;
use cnamed::wire::reader::Section;
use cnamed::wire::{Header, Message, MessageWriter, Name};
use cnamed::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Routes, Transport};
use tokio::time::Instant;

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rr {
    pub owner: Name,
    pub rtype: RrType,
    pub ttl: u32,
    pub rdata: Vec<u8>,
}

/// One answer, and what it took.
#[derive(Clone, Debug)]
pub struct Answered {
    pub rcode: u16,
    pub flags: u16,
    pub answer: Vec<Rr>,
    pub authority: Vec<Rr>,
    pub edes: Vec<(u16, String)>,
    pub took: Duration,
}

/// Asks and reads; the answer must at least be one to this question.
pub async fn ask(service: &Service, question: &Question) -> Answered {
    const ID: u16 = 4711;
    let mut writer = MessageWriter::new(ID, Header::RD, 600);
    writer.question(question).expect("room for a question");
    writer.opt(1232, 0, 0, &[]).unwrap();
    let client = SocketAddr::from(([127, 0, 0, 1], 5353));
    let begun = Instant::now();
    let bytes = service.respond(&writer.finish(), client, Transport::Tcp).await.expect("an answer");
    let took = begun.elapsed();
    let message = Message::parse(&bytes).expect("a message");
    let header = message.header();
    assert!(header.id == ID && header.has(Header::QR) && message.question() == Some(question), "{question}");
    let records = |section| -> Vec<Rr> {
        let of = message.section(section);
        of.map(|r| Rr {
            owner: r.owner().expect("owner"),
            rtype: r.rtype(),
            ttl: r.ttl(),
            rdata: r.rdata().expect("rdata"),
        })
        .collect()
    };
    let options = message.edns().expect("EDNS").options.iter().filter(|(code, _)| *code == OPTION_EDE);
    let ede = |value: &[u8]| {
        let (code, text) = value.split_first_chunk::<2>().expect("a code");
        (u16::from_be_bytes(*code), String::from_utf8(text.to_vec()).expect("text"))
    };
    Answered {
        rcode: message.rcode(),
        flags: header.flags,
        answer: records(Section::Answer),
        authority: records(Section::Authority),
        edes: options.map(|(_, value)| ede(value)).collect(),
        took,
    }
}

/// A network with a counter of exchanges begun.
pub struct Counted {
    network: Arc<dyn Network>,
    exchanges: AtomicUsize,
}

impl Counted {
    pub fn new(network: Arc<dyn Network>) -> Arc<Counted> {
        Arc::new(Counted { network, exchanges: AtomicUsize::new(0) })
    }

    /// Exchanges since the last call.
    pub fn take(&self) -> usize {
        self.exchanges.swap(0, Ordering::Relaxed)
    }
}

impl Network for Counted {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.network.exchange(to, transport, query, accept, until)
    }

    fn routes(&self) -> Routes {
        self.network.routes()
    }
}
