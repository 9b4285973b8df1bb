//! One client question on its way: what goes along through every room.
//!
//! Knows: the question's budget, its trace, what it has learned, the settings in force when it
//! arrived. Sub-resolutions (name server addresses, priming) share it; none has a budget of its
//! own. Does not know: what any room does with it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::cache::scratch::Scratch;
use crate::config::Config;
use crate::trace::Trace;
use crate::wire::Name;
use crate::world::{Routes, World, lock};

/// Shared by all sub-resolutions of one client question.
pub struct Request {
    /// Tells requests apart where one waits for another.
    pub id: u64,
    /// When it came.
    pub arrived: Instant,
    /// By which rules it learns ([`crate::cache::Cache::era`]); what it learns by old ones is its own.
    pub era: u64,
    /// What may still be spent.
    pub budget: Budget,
    /// What happened.
    pub trace: Trace,
    /// What this request itself has learned.
    pub own: Scratch,
    /// The settings for all of this request, also when they are reloaded meanwhile.
    pub config: Arc<Config>,
    /// Is what is answered to be proven? Not when validation is off, nor for CD=1.
    pub validate: bool,
    /// Which address families lead anywhere.
    pub routes: Routes,
    avoided: Mutex<Vec<(Name, SocketAddr)>>,
}

/// Kept back from the time of a question for building and sending its answer.
const ANSWERING: Duration = Duration::from_millis(50);

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Request {
    /// Asks this server no more about this zone: what it said has proven bogus.
    pub fn avoid(&self, zone: &Name, server: SocketAddr) {
        lock(&self.avoided).push((zone.clone(), server));
    }

    /// Is this server not to be asked about this zone any more?
    pub fn avoids(&self, zone: &Name, server: SocketAddr) -> bool {
        lock(&self.avoided).iter().any(|(z, s)| z == zone && *s == server)
    }

    /// The same request with checking disabled (CD=1, RFC 4035 §3.2.2).
    pub fn unchecked(self) -> Request {
        Request { validate: false, ..self }
    }

    /// A new request, arriving now. `era`: read before `config` was.
    pub fn new(config: Arc<Config>, world: &World, era: u64, traced: bool) -> Request {
        let now = world.clock.now();
        let mut routes = world.network.routes();
        routes.v4 &= config.resolver.ipv4;
        routes.v6 &= config.resolver.ipv6;
        Request {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            arrived: now,
            budget: Budget::new(
                now,
                config.resolver.timeout.saturating_sub(ANSWERING),
                config.resolver.max_upstream_queries,
            ),
            trace: if traced { Trace::on(now) } else { Trace::off(now) },
            own: Scratch::new(era, false),
            era,
            validate: config.dnssec.validation,
            config,
            routes,
            avoided: Mutex::default(),
        }
    }
}
