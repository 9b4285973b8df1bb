//! Where name servers are: addresses from glue, from what other delegations told, or by walks of their own.
//!
//! Knows: RFC 1034 §5.3.3's addresses of servers without glue, which addresses may be asked at all, how deep
//! such look-ups go. Does not know: which of them is asked (`select`). Shown by: `tests/scenarios/walk_*`;
//! `../shared/attacks` nxns, tsuname, glueless, camp.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::flights::{Found, Usage};
use super::{PORT, Scope, Walker};
use crate::budget;
use crate::cache::cuts::Cut;
use crate::cache::hop::Hop;
use crate::failure::Failure;
use crate::request::Request;
use crate::rrset::{Question, RrType};
use crate::trace::{Event, LintCode, Why};
use crate::trust::scrub::NameServer;
use crate::wire::Name;

/// Down to which depth of look-ups both families are asked for at once, while the budget allows.
const DEPTH_AT_ONCE: u8 = 2;
/// How long a name server that has addresses of one family is waited for with those of the other: the Resolution
/// Delay of RFC 8305 §8.
const OTHER_FAMILY: Duration = Duration::from_millis(50);

impl Walker {
    /// The addresses that came with the delegation for this very name server, or that the servers of its
    /// closest cut have told along with another delegation.
    pub(super) fn glue_for(&self, cut: &Cut, server: &Name) -> Option<Vec<IpAddr>> {
        match cut.servers.iter().find(|s| s.name == *server) {
            Some(NameServer { glue, .. }) if !glue.is_empty() => Some(glue.clone()),
            _ => self.cache.siblings.of(server, cut, self.world.clock.now()),
        }
    }

    /// Is it known that there is no such name server?
    pub(super) fn is_denied(&self, request: &Request, server: &Name) -> bool {
        matches!(self.remembered(request, &Question::new(server.clone(), RrType::A)), Some(Hop::NxDomain(_)))
    }

    /// Addresses of a name server, for reaching `zone`. Empty when it has none that can be used;
    /// an error when somebody else might find one: a limit was reached, or the delegation goes in a circle. `usage`: whether
    /// glue will do.
    pub(super) async fn addresses_of(
        self: &Arc<Self>,
        request: &Arc<Request>,
        (server, usage): (&Name, Usage),
        zone: &Name,
        scope: &Scope,
    ) -> Result<Vec<IpAddr>, Arc<Failure>> {
        let parent = scope.id;
        let depth = scope.depth + 1;
        let one = |rtype: RrType, arriving: Option<Arc<Notify>>| {
            let id = request.trace.open();
            let scope = Scope { arriving, ..scope.for_server_of(zone, id) };
            async move {
                let question = Question::new(server.clone(), rtype);
                request.trace.note(id, || Event::Wanted {
                    question: question.clone(),
                    why: Why::ServerAddress,
                    parent,
                });
                let found = self.look_up(request, &question, &scope, usage).await;
                let glue = matches!(found, Ok(Found::Glue(_)));
                let addresses = match found {
                    Ok(Found::Glue(addresses)) => Ok(addresses),
                    Ok(Found::Hop(Hop::Data(sets))) => {
                        Ok(sets.iter().flat_map(|held| held.set.addresses().collect::<Vec<_>>()).collect())
                    }
                    Ok(Found::Hop(Hop::Alias(_))) => {
                        // R1, RFC 2181 §10.3.
                        request.trace.note(id, || Event::Lint {
                            code: LintCode::NsTargetAlias,
                            owner: server.clone(),
                        });
                        Ok(Vec::new())
                    }
                    Ok(Found::Hop(_)) => Ok(Vec::new()),
                    Err(failure) if failure.depends_on_the_asker() => Err(failure),
                    Err(_) => Ok(Vec::new()),
                };
                let shown = || addresses.as_ref().cloned().unwrap_or_default();
                request.trace.note(id, || Event::Reached { addresses: shown(), glue });
                addresses
            }
        };
        // Always polled in this order, or a replay might ask in another.
        let (v4, v6) = match (request.routes.v4, request.routes.v6) {
            // Where one name does not exist others may not either, and one question is enough to find out; where glue was of
            // no use, it may have been the right one.
            (true, true)
                if depth <= DEPTH_AT_ONCE
                    && usage == Usage::Reach
                    && request.budget.is_ample()
                    && !request.budget.has_looked_up_in_vain() =>
            {
                // Both walk the same way: the second begins where the first has come to.
                let arriving = Arc::<Notify>::default();
                let (has_v4, has_v6) = (Notify::new(), Notify::new());
                let first = async {
                    let found =
                        unless_other(one(RrType::A, Some(Arc::clone(&arriving))), &has_v6, &has_v4).await;
                    arriving.notify_one();
                    found
                };
                let second = async {
                    arriving.notified().await;
                    unless_other(one(RrType::AAAA, None), &has_v4, &has_v6).await
                };
                tokio::join!(biased; first, second)
            }
            (true, true) => match one(RrType::A, None).await {
                Ok(none) if none.is_empty() && !self.is_denied(request, server) => {
                    (Ok(none), one(RrType::AAAA, None).await)
                }
                found => (found, Ok(Vec::new())),
            },
            (true, false) => (one(RrType::A, None).await, Ok(Vec::new())),
            (false, true) => (Ok(Vec::new()), one(RrType::AAAA, None).await),
            (false, false) => (Ok(Vec::new()), Ok(Vec::new())),
        };
        let failure = v4.as_ref().err().or(v6.as_ref().err()).cloned();
        let mut found = [v4.unwrap_or_default(), v6.unwrap_or_default()].concat();
        found.retain(|address| usable(request, *address));
        found.sort();
        found.dedup();
        if found.is_empty() {
            request.budget.address_lookup_failed();
        }
        match failure {
            Some(failure) if found.is_empty() => Err(failure),
            _ => Ok(found),
        }
    }
}

/// What a family's look-up finds, if it does before the other has addresses and some patience is over: there are
/// servers that leave questions for AAAA without an answer.
async fn unless_other(
    look_up: impl Future<Output = Result<Vec<IpAddr>, Arc<Failure>>>,
    other: &Notify,
    this: &Notify,
) -> Result<Vec<IpAddr>, Arc<Failure>> {
    let patience = async {
        other.notified().await;
        sleep(OTHER_FAMILY).await;
    };
    tokio::select! {
        biased;
        found = look_up => {
            if found.as_ref().is_ok_and(|addresses| !addresses.is_empty()) {
                this.notify_one();
            }
            found
        }
        () = patience => Ok(Vec::new()),
    }
}

/// May a query go to this address? Never to what cannot be a server; to loopback only when the
/// operator says so, by the setting or by naming the address in the hints.
pub(super) fn usable(request: &Request, address: IpAddr) -> bool {
    let resolver = &request.config.resolver;
    let possible = match address {
        IpAddr::V4(v4) => {
            !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0)
        }
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.to_ipv4_mapped().is_some()),
    };
    possible
        && request.routes.reach(address)
        && (!address.is_loopback()
            || resolver.query_localhost
            || resolver.hints.iter().any(|hint| hint.addresses.contains(&address)))
}

/// Can the depth of name server look-ups grow by one more?
pub(super) fn may_go_deeper(scope: &Scope) -> bool {
    scope.depth < budget::DEPTH
}

pub(super) fn server_at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, PORT)
}
