//! MEMORY: everything that outlives a question, under one budget of octets.
//!
//! Knows: RRsets and denials with their clocks (`rrsets`), zone cuts (`cuts`), what servers are
//! like (`servers`), what failed lately (`failures`), how `cache.max-memory` is shared among them,
//! what of it outlives the process (`file`). moka bounds memory and never time: every entry carries
//! its own times, compared with `now` on reading. Nothing is read back right after it was stored: a
//! full TinyLFU cache refuses newcomers, so a request keeps what it learned on its own
//! [`scratch::Scratch`].
//!
//! Shown by: `tests/scenarios/r34_*` … `r40_*`.

pub mod blocks;
pub mod crowds;
pub mod cuts;
mod entry;
pub mod failures;
pub mod file;
pub mod hop;
mod packed;
pub mod rrsets;
pub mod scratch;
pub mod servers;
pub mod siblings;
pub mod stamps;
mod store;
pub mod trust;

use std::sync::Arc;

use crate::config;
use crate::dnssec::aggressive::Aggressive;

/// What moka itself takes per entry with a key that owns memory, estimated (`blocks` has what is measured).
pub const ENTRY_OVERHEAD: u32 = 350;

/// All caches of one resolver.
pub struct Cache {
    /// Which names have changed.
    pub stamps: Arc<stamps::Stamps>,
    /// RRsets and denials.
    pub rrsets: rrsets::RrSets,
    /// Delegations.
    pub cuts: cuts::Cuts,
    /// Glue that several of them share.
    pub siblings: siblings::Siblings,
    /// Many questions that wait for one server in vain.
    pub crowds: crowds::Crowds,
    /// Round-trip times, EDNS, cookies, lameness.
    pub servers: servers::Servers,
    /// Failed resolutions (RFC 9520).
    pub failures: failures::Failures,
    /// Denials and wildcards, proven, for names nobody asked before (RFC 8198).
    pub aggressive: Aggressive,
    /// Keys of zones, proven.
    pub trust: trust::Trusts,
}

impl Cache {
    /// Empty caches that together keep within `settings.max_memory`.
    pub fn new(settings: &config::Cache) -> Cache {
        let percent = |n: u64| settings.max_memory / 100 * n;
        let stamps = Arc::<stamps::Stamps>::default();
        Cache {
            rrsets: rrsets::RrSets::new(percent(60), settings, Arc::clone(&stamps)),
            cuts: cuts::Cuts::new(percent(9)),
            siblings: siblings::Siblings::new(percent(1)),
            crowds: crowds::Crowds::default(),
            servers: servers::Servers::new(percent(4)),
            failures: failures::Failures::new(percent(4), Arc::clone(&stamps)),
            aggressive: Aggressive::new(usize::try_from(percent(8)).unwrap_or(usize::MAX)),
            trust: trust::Trusts::new(percent(4), Arc::clone(&stamps)),
            stamps,
        }
    }

    /// A number for the rules by which something is learned: another one once stub or forward zones, root hints,
    /// trust anchors or what SHA-1 is worth are others. To be read before the rules are (docs/decisions/0017).
    pub fn era(&self) -> u64 {
        self.stamps.era()
    }

    /// Is what was learned by the rules of that era to be stored?
    pub fn is_in(&self, era: u64) -> bool {
        self.stamps.era() == era
    }

    /// There are new rules, which must be in force by now. Whoever came before them stores no more, and what was learned
    /// by the old ones is forgotten; `delegations`: those too.
    pub fn begin_era(&self, delegations: bool) {
        self.stamps.begin_era();
        if delegations {
            self.cuts.clear();
            self.siblings.clear();
        }
        self.trust.clear();
        self.forget_answers();
        // Who came meanwhile may have read what was still there.
        self.stamps.begin_era();
    }

    /// Forgets what names are, and keeps where zones are, how their servers behave and which keys are
    /// proven: the next question is answered by the zones themselves.
    pub fn forget_answers(&self) {
        self.rrsets.clear();
        self.failures.clear();
        self.aggressive.clear();
    }

    /// Counts changes of what [`file::CacheFile`] keeps.
    pub fn changes(&self) -> u64 {
        self.rrsets.changes().wrapping_add(self.cuts.changes())
    }
}

/// An LRU moka cache of at most `octets` by `weigh`; for small things of which every newcomer must
/// be let in.
fn lru<K, V>(octets: u64, weigh: fn(&K, &V) -> u32) -> moka::sync::Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    moka::sync::Cache::builder()
        .max_capacity(octets)
        .weigher(weigh)
        .eviction_policy(moka::policy::EvictionPolicy::lru())
        .build()
}
