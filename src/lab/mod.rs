//! The embedded world: a root, TLDs and zones in-process, behind the `Network` seam.
//!
//! Knows: zones (plain master files, `zones/*.zone` or a folder of the user's), which address
//! serves which of them, how a server misbehaves (`servers.toml`), delay and loss. Deliberately
//! has no resolver logic and shares no code with the resolver but the codec: it receives octets and
//! sends octets, so that what it shows is what the resolver does. It opens no socket, so it needs
//! no privilege and runs on any system; its time is tokio's, hence virtual in tests.
//!
//! RFC 1034 §4.3.2, RFC 2308, RFC 4592, RFC 6672, RFC 6891, RFC 7873; see `zone` and `server`.
//! What can be asked and what is seen: `docs/lab.md`. Shown by: `tests/lab.rs`.
//!
//! **To add a zone** write `zones/NAME.zone`, name it in `EMBEDDED` below, delegate to it in its
//! parent's file and add its names to `docs/lab.md`: the tests say what was forgotten.

mod error;
mod load;
pub mod server;
mod signed;
pub mod zone;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

pub use error::LabError;
pub use server::{Follow, Mode, Server};
pub use zone::{Finding, Zone};

use crate::config::{AnchorRecord, Hint};
use crate::rrset::{RrSet, RrType};
use crate::wire::Name;
use crate::world::{Accept, Arrival, BoxFuture, ExchangeError, Network, Rng, Routes, Transport, Verdict};

/// The only port on which servers of the lab listen.
const PORT: u16 = 53;

/// The embedded master files: name (the zone's origin, but `root`) and text.
macro_rules! embedded {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("zones/", $name, ".zone")))),*]
    };
}

const EMBEDDED: &[(&str, &str)] = embedded! {
    "root"
    "com"
    "net"
    "org"
    "example"
    "arpa"
    "example.com"
    "cdn.example"
    "example.net"
    "example.org"
    "hosting.example"
    "chain.example"
    "chain.net"
    "chain.org"
    "chain.com"
    "cookie.example"
    "nocookie.example"
    "alias.example"
    "sub.alias.example"
    "nsalias.example"
    "dname.example"
    "dname.net"
    "moved.example"
    "loop.example"
    "loop.net"
    "loop.com"
    "wild.example"
    "ent.example"
    "entbroken.example"
    "broken.example"
    "lint.example"
    "split.example"
    "signed.example"
    "apex.example"
    "glueless.example"
    "farm.org"
    "v6only.example"
    "halflame.example"
    "childbroken.example"
    "ds.example"
    "slow.example"
    "silent.example"
    "lossy.example"
    "refused.example"
    "servfail.example"
    "upward.example"
    "truncate.example"
    "noedns.example"
    "ignoreedns.example"
    "dropedns.example"
    "notcp.example"
    "wrongcase.example"
    "wrongid.example"
    "noaa.example"
    "reversed.example"
    "poison.example"
    "forged"
    "big.example"
    "18.198.in-addr.arpa"
};

const EMBEDDED_SERVERS: &str = include_str!("zones/servers.toml");

/// A server at an address, with the way to it.
#[derive(Clone, Debug)]
struct Site {
    server: Server,
    /// Between question and reply; a TCP connection costs it twice.
    delay: Duration,
    /// How many of a hundred datagrams get no reply.
    loss_percent: u8,
}

/// All servers and zones of a lab.
#[derive(Clone)]
pub struct World {
    sites: HashMap<IpAddr, Site>,
    zones: BTreeMap<String, Arc<Zone>>,
    hints: Vec<Hint>,
    rng: Rng,
}

impl World {
    /// The world that comes with the program.
    pub fn embedded() -> Result<Arc<World>, LabError> {
        let zones = EMBEDDED.iter().map(|(name, text)| load::File {
            shown: format!("src/lab/zones/{name}.zone"),
            stem: (*name).to_owned(),
            text: (*text).to_owned(),
        });
        let servers = load::File {
            shown: "src/lab/zones/servers.toml".to_owned(),
            stem: "servers".to_owned(),
            text: EMBEDDED_SERVERS.to_owned(),
        };
        load::world(zones.collect(), Some(servers)).map(Arc::new)
    }

    /// The world that the `*.zone` files of a folder describe, with its `servers.toml` if there is
    /// one. The format is described in `docs/lab.md`.
    pub fn from_folder(folder: &Path) -> Result<Arc<World>, LabError> {
        let (zones, servers) = load::folder(folder)?;
        load::world(zones, servers).map(Arc::new)
    }

    /// A world of servers made elsewhere, which lose nothing and take so long for a reply: for tests that generate
    /// their zones. It has no files, so [`World::zones`] names none.
    pub fn of_servers(
        servers: impl IntoIterator<Item = (IpAddr, Server, Duration)>,
        hints: Vec<Hint>,
    ) -> Arc<World> {
        let site = |(at, server, delay)| (at, Site { server, delay, loss_percent: 0 });
        let mut sites: HashMap<IpAddr, Site> = servers.into_iter().map(site).collect();
        let mut zones = sites.values().filter_map(|site| site.server.zones.get(&Name::root()));
        let root = zones.next().and_then(|zone| zone.stored(&Name::root(), RrType::NS).cloned());
        for site in sites.values_mut() {
            site.server.root.clone_from(&root);
        }
        Arc::new(World { sites, zones: BTreeMap::new(), hints, rng: Rng::os() })
    }

    /// The same world, losing the same datagrams every time: for tests.
    pub fn with_rng(self: Arc<World>, rng: Rng) -> Arc<World> {
        Arc::new(World { rng, ..Arc::unwrap_or_clone(self) })
    }

    /// The root servers.
    pub fn hints(&self) -> Vec<Hint> {
        self.hints.clone()
    }

    /// The keys that need no proof: those of signed zones whose parent does not vouch for them.
    pub fn anchors(&self) -> Vec<AnchorRecord> {
        let vouched = |apex: &Name| self.zones.values().any(|zone| zone.stored(apex, RrType::DS).is_some());
        let keys = self.zones.values().filter(|zone| !vouched(zone.apex()));
        let keys = keys.filter_map(|zone| zone.stored(zone.apex(), RrType::DNSKEY));
        let anchor = |set: &RrSet, rdata: &[u8]| AnchorRecord {
            zone: set.owner.clone(),
            rtype: RrType::DNSKEY,
            rdata: rdata.to_vec(),
        };
        keys.flat_map(|set| set.rdata.iter().map(|rdata| anchor(set, rdata)).collect::<Vec<_>>()).collect()
    }

    /// Every zone with the name of its file, without `.zone`.
    pub fn zones(&self) -> impl Iterator<Item = (&str, &Zone)> {
        self.zones.iter().map(|(file, zone)| (file.as_str(), zone.as_ref()))
    }

    /// The server at an address.
    pub fn server(&self, address: IpAddr) -> Option<&Server> {
        self.sites.get(&address).map(|site| &site.server)
    }

    /// Waits for what `to` sends; `None` when nothing came.
    async fn reply(
        &self,
        to: SocketAddr,
        transport: Transport,
        query: &[u8],
        until: Instant,
    ) -> Result<Option<Vec<u8>>, io::Error> {
        let Some(site) = self.sites.get(&to.ip()) else { return Ok(None) };
        if to.port() != PORT || (transport == Transport::Tcp && site.server.mode() == Mode::NoTcp) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        // Over TCP the system sends again what got lost.
        if transport == Transport::Udp && self.rng.below(100) < usize::from(site.loss_percent) {
            return Ok(None);
        }
        let round_trips = if transport == Transport::Tcp { 2 } else { 1 };
        let arrival = Instant::now() + site.delay * round_trips;
        if arrival > until {
            return Ok(None);
        }
        let reply = site.server.reply(query, transport);
        // The runtime's timers round up to a millisecond, which a server without delay shall not take.
        match site.delay.is_zero() {
            true => yield_now().await,
            false => sleep_until(arrival).await,
        }
        Ok(reply)
    }
}

impl Network for World {
    fn exchange<'a>(
        &'a self,
        to: SocketAddr,
        transport: Transport,
        query: &'a [u8],
        accept: &'a Accept<'a>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Arrival, ExchangeError>> {
        Box::pin(async move {
            let sent = Instant::now();
            match self.reply(to, transport, query, until).await {
                Ok(Some(reply)) => match accept(&reply) {
                    Verdict::Take => Ok(Arrival { octets: reply, rtt: sent.elapsed() }),
                    Verdict::NearMiss => Err(ExchangeError::NearMiss),
                },
                Ok(None) => {
                    sleep_until(until).await;
                    Err(ExchangeError::TimedOut)
                }
                Err(e) => Err(ExchangeError::Io(e)),
            }
        })
    }

    fn routes(&self) -> Routes {
        Routes { v4: true, v6: true }
    }
}
