//! One client question on its way: what goes along through every room.
//!
//! Knows: the question's budget, its trace, what it has learned, the settings in force when it
//! arrived. Sub-resolutions (name server addresses, priming) share it; none has a budget of its
//! own. Does not know: what any room does with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::cache::rrsets::Scratch;
use crate::config::Config;
use crate::trace::Trace;
use crate::world::{Routes, World};

/// Shared by all sub-resolutions of one client question.
pub struct Request {
    /// Tells requests apart where one waits for another.
    pub id: u64,
    /// When it came.
    pub arrived: Instant,
    /// What may still be spent.
    pub budget: Budget,
    /// What happened.
    pub trace: Trace,
    /// What this request itself has learned.
    pub own: Scratch,
    /// The settings for all of this request, also when they are reloaded meanwhile.
    pub config: Arc<Config>,
    /// Which address families lead anywhere.
    pub routes: Routes,
}

/// Kept back from the time of a question for building and sending its answer.
const ANSWERING: Duration = Duration::from_millis(50);

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Request {
    /// A new request, arriving now.
    pub fn new(config: Arc<Config>, world: &World, traced: bool) -> Request {
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
            own: Scratch::default(),
            config,
            routes,
        }
    }
}
