//! The way in: root servers from the hints, then as they name themselves (priming, RFC 9609).
//!
//! Knows: when it is time, what a priming reply must have. Does not know: what is looked up meanwhile, which
//! does not wait for it. Shown by: `tests/scenarios/walk_priming`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::reach::usable;
use super::{Scope, Walker};
use crate::cache::cuts::Cut;
use crate::config::Config;
use crate::request::Request;
use crate::rrset::{Question, RrType};
use crate::trust::scrub::{Manner, NameServer, Reply};
use crate::wire::Name;
use crate::world::lock;

/// After a failed priming the hints serve for so long before it is tried again.
const PRIMING_PAUSE: Duration = Duration::from_secs(10);

/// Life of a cut made from the configuration; it is made anew for every question.
pub(super) const CONFIGURED_LIFE: Duration = Duration::from_secs(7 * 86_400);

impl Walker {
    /// Asks the root servers for themselves, beside the question that needed the root (RFC 9609).
    pub(super) fn prime_soon(self: &Arc<Self>, request: &Request) {
        let config = &request.config;
        if !config.resolver.root_priming || config.resolver.hints.is_empty() {
            return;
        }
        let now = self.world.clock.now();
        {
            let mut next = lock(&self.priming);
            if next.is_some_and(|at| now < at) {
                return;
            }
            *next = Some(now + PRIMING_PAUSE);
        }
        let (walker, config, era) = (Arc::clone(self), Arc::clone(config), request.era);
        tokio::spawn(async move {
            let request = Arc::new(Request::new(config, &walker.world, era, false));
            walker.prime(&request).await;
        });
    }

    async fn prime(self: &Arc<Self>, request: &Arc<Request>) {
        let now = self.world.clock.now();
        let hints = Arc::new(root_from_hints(&request.config, now + CONFIGURED_LIFE));
        let question = Question::new(Name::root(), RrType::NS);
        let scope = Scope::hop(request.trace.open());
        let reply = self.ask(request, &hints, &question, &scope, Manner::Priming, false).await;
        let Ok((Reply::Referral(mut referral), _)) = reply else { return };
        for server in &mut referral.servers {
            // RFC 9609 §3.3: not every address needs to come along.
            if server.glue.is_empty()
                && let Some(hint) = request.config.resolver.hints.iter().find(|h| h.name == server.name)
            {
                server.glue.clone_from(&hint.addresses);
            }
        }
        if referral.servers.iter().all(|s| s.glue.iter().all(|a| !usable(request, *a))) {
            return;
        }
        let ttl = Duration::from_secs(u64::from(referral.ttl.min(crate::cache::cuts::MAX_TTL)));
        let now = self.world.clock.now();
        if self.cache.is_in(request.era) {
            self.cache.cuts.store(&Cut::root(referral.servers, now + ttl));
        }
    }
}

pub(super) fn root_from_hints(config: &Config, expires: Instant) -> Cut {
    let servers = config
        .resolver
        .hints
        .iter()
        .map(|h| NameServer { name: h.name.clone(), glue: h.addresses.clone(), hearsay: Vec::new() })
        .collect();
    Cut::root(servers, expires)
}
