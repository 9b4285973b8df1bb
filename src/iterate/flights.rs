//! Equal look-ups share one walk, and no walk waits for itself.
//!
//! Knows: who walks for what, who waits for whom. A request that would, directly or through others,
//! wait for itself walks alone: its own budget ends it. When a leader is given up (its client
//! went, its time was over) the next in line takes over. Does not know: what is looked up. Shown
//! by: `tests/scenarios/walk_equal_*`; `../shared/attacks` dedup, tsuname.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use std::net::IpAddr;

use crate::cache::hop::Hop;
use crate::failure::Failure;
use crate::rrset::RrType;
use crate::wire::Name;
use crate::world::lock;

/// What a look-up came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// What the name is.
    Hop(Hop),
    /// Glue: enough to reach a server, and never an answer.
    Glue(Vec<IpAddr>),
}

/// For all who wait.
pub type Outcome = Result<Found, Arc<Failure>>;

/// What those who waited are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it came to.
    pub outcome: Outcome,
    /// Nothing had been spent when the leader began: who waited could not do more.
    pub with_all: bool,
}

/// What is looked up, and what for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// The owner.
    pub name: Name,
    /// The type.
    pub rtype: RrType,
    /// What for. Kept apart, since glue never answers and an unproven answer is none.
    pub usage: Usage,
    /// By which rules ([`crate::cache::Cache::era`]).
    pub era: u64,
}

/// What something is looked up for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Usage {
    /// To be answered with, proven as far as it can be.
    Proven,
    /// To be answered with, or to prove something else with: nothing is proven.
    Raw,
    /// To reach a server: glue will do, and nothing is proven.
    Reach,
    /// To get nearer to something below: what comes of it is in the cache, or nowhere.
    Step,
}

/// A look-up under way.
struct Walk {
    /// The request that walks.
    leader: u64,
    /// Those who wait for it: each a request in flight, of which there are so many (`server::load`).
    waiting: Vec<oneshot::Sender<Told>>,
}

#[derive(Default)]
struct State {
    walks: HashMap<Key, Walk>,
    /// For whom a request waits; several at once when it looks up several addresses.
    waits: HashMap<u64, Vec<u64>>,
}

impl State {
    /// Does `from` wait, directly or through others, for `target`?
    fn waits_for(&self, from: u64, target: u64) -> bool {
        let (mut seen, mut todo) = (HashSet::new(), vec![from]);
        while let Some(at) = todo.pop() {
            if at == target {
                return true;
            }
            if seen.insert(at) {
                todo.extend(self.waits.get(&at).into_iter().flatten());
            }
        }
        false
    }
}

/// All look-ups under way.
#[derive(Default)]
pub struct Flights(Mutex<State>);

/// What to do about a look-up.
pub enum Role<'a> {
    /// Walk, and tell the others.
    Lead(Lead<'a>),
    /// Wait for the one who walks.
    Follow(Follow<'a>),
    /// Walk for yourself.
    Alone,
}

impl Flights {
    /// Takes a place in a look-up for the request `me`.
    pub fn join(&self, key: Key, me: u64) -> Role<'_> {
        let mut state = lock(&self.0);
        let Some(leader) = state.walks.get(&key).map(|walk| walk.leader) else {
            state.walks.insert(key.clone(), Walk { leader: me, waiting: Vec::new() });
            return Role::Lead(Lead { flights: self, key: Some(key) });
        };
        if state.waits_for(leader, me) {
            return Role::Alone;
        }
        state.waits.entry(me).or_default().push(leader);
        let (tell, outcome) = oneshot::channel();
        if let Some(walk) = state.walks.get_mut(&key) {
            walk.waiting.push(tell);
        }
        Role::Follow(Follow { flights: self, me, leader, outcome })
    }
}

/// Walks for all.
pub struct Lead<'a> {
    flights: &'a Flights,
    /// `None`: it has ended.
    key: Option<Key>,
}

impl Lead<'_> {
    /// Tells everybody who waits.
    pub fn finish(mut self, outcome: &Outcome, with_all: bool) {
        for waiting in self.end() {
            let _gone = waiting.send(Told { outcome: outcome.clone(), with_all });
        }
    }

    /// Nobody joins any more; those who have waited.
    fn end(&mut self) -> Vec<oneshot::Sender<Told>> {
        let Some(key) = self.key.take() else { return Vec::new() };
        lock(&self.flights.0).walks.remove(&key).map(|walk| walk.waiting).unwrap_or_default()
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for another's walk.
pub struct Follow<'a> {
    flights: &'a Flights,
    me: u64,
    leader: u64,
    outcome: oneshot::Receiver<Told>,
}

impl Follow<'_> {
    /// The outcome; `None` when the leader was given up.
    pub async fn outcome(mut self) -> Option<Told> {
        (&mut self.outcome).await.ok()
    }
}

impl Drop for Follow<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.flights.0);
        if let Some(waits) = state.waits.get_mut(&self.me) {
            if let Some(i) = waits.iter().position(|w| *w == self.leader) {
                waits.swap_remove(i);
            }
            if waits.is_empty() {
                state.waits.remove(&self.me);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { name: name.parse().unwrap(), rtype: RrType::A, usage: Usage::Raw, era: 0 }
    }

    #[tokio::test]
    async fn followers_share_the_outcome_and_replace_a_lost_leader() {
        let flights = Flights::default();
        let Role::Lead(lead) = flights.join(key("a."), 1) else { panic!("first leads") };
        let Role::Follow(follow) = flights.join(key("a."), 2) else { panic!("second follows") };
        let outcome = Ok(Found::Hop(Hop::NoData(crate::cache::hop::Denial::bare())));
        lead.finish(&outcome, true);
        assert_eq!(follow.outcome().await, Some(Told { outcome, with_all: true }));
        let Role::Lead(lead) = flights.join(key("a."), 3) else { panic!("a new one leads") };
        let Role::Follow(follow) = flights.join(key("a."), 4) else { panic!("follows") };
        drop(lead);
        assert_eq!(follow.outcome().await, None);
        assert!(matches!(flights.join(key("a."), 4), Role::Lead(_)));
    }

    #[test]
    fn nobody_waits_in_a_circle() {
        let flights = Flights::default();
        let Role::Lead(_la) = flights.join(key("a."), 1) else { panic!() };
        let Role::Lead(_lb) = flights.join(key("b."), 2) else { panic!() };
        let Role::Follow(_f) = flights.join(key("b."), 1) else { panic!() };
        assert!(matches!(flights.join(key("a."), 2), Role::Alone));
        assert!(matches!(flights.join(key("a."), 1), Role::Alone));
        assert!(matches!(flights.join(key("a."), 3), Role::Follow(_)));
    }
}
