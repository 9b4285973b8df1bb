//! The configuration: what every setting is called, may be and is when nobody says otherwise.
//!
//! Knows: the settings of `contract.md`, each once in [`settings::SETTINGS`], from which come the
//! checks (`file.rs`), `cnamed config default` and `docs/configuration.md` (`show.rs`), and the
//! defaults below. Deliberately does not know: what a setting does, the command line.
//!
//! Shown by: the tests in these files and `tests/config.rs`.

pub mod anchors;
pub mod file;
mod hints;
pub mod settings;
pub mod show;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::rrset::RrType;
use crate::wire::Name;
pub use file::{ConfigError, ConfigErrors};

/// All settings, resolved: files read, names parsed, numbers within bounds. The default is what an
/// empty file says, ready to use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Config {
    pub server: Server,
    pub access: Access,
    pub resolver: Resolver,
    /// Forward and stub zones.
    pub routes: Vec<Route>,
    pub dnssec: Dnssec,
    pub cache: Cache,
    pub log: Log,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Server {
    pub listen: Vec<SocketAddr>,
    /// 0: one per core.
    pub threads: usize,
    /// Answer to `version.bind.`/`version.server.` CH TXT; `None`: REFUSED.
    pub version: Option<String>,
    /// Answer to `id.server.`/`hostname.bind.` CH TXT; `None`: REFUSED.
    pub identity: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Access {
    pub allow: Vec<IpNet>,
    pub trace: Vec<IpNet>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Resolver {
    /// Root servers with their addresses.
    pub hints: Vec<Hint>,
    pub root_priming: bool,
    pub qname_minimisation: bool,
    pub case_randomisation: bool,
    pub ipv4: bool,
    pub ipv6: bool,
    pub query_localhost: bool,
    pub source_addresses: Vec<IpAddr>,
    pub edns_buffer_size: u16,
    /// CNAME and DNAME redirections per question, 1–64.
    pub max_chain_length: usize,
    pub max_upstream_queries: u32,
    pub timeout: Duration,
}

impl Resolver {
    /// Does the operator name root servers, other than those of the public root?
    pub fn has_own_root(&self) -> bool {
        self.hints != hints::compiled()
    }
}

/// One root server of the hints.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Hint {
    pub name: Name,
    pub addresses: Vec<IpAddr>,
}

/// Where a subtree is asked instead of at the root's delegations.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Route {
    pub zone: Name,
    pub kind: RouteKind,
    pub servers: Vec<SocketAddr>,
}

/// `[[forward]]` or `[[stub]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RouteKind {
    Forward,
    Stub,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Dnssec {
    pub validation: bool,
    /// Keys that need no proof, of any zones; what no supported algorithm can use stays here, so that
    /// its zone fails closed.
    pub anchors: Vec<AnchorRecord>,
    /// RFC 5011's state; `None`: no rollover is followed.
    pub trust_anchor_state: Option<PathBuf>,
    /// Names at and below which nothing is validated (RFC 7646).
    pub negative: Vec<Name>,
    /// Algorithms 5 and 7 count (RFC 9905 would have them not).
    pub sha1_validates: bool,
}

/// A trust anchor as it was written: a DS or DNSKEY record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AnchorRecord {
    pub zone: Name,
    /// DS or DNSKEY.
    pub rtype: RrType,
    /// Wire form, of at least the fixed fields.
    pub rdata: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Cache {
    /// Octets for everything cached.
    pub max_memory: u64,
    pub min_ttl: u32,
    pub max_ttl: u32,
    pub max_negative_ttl: u32,
    pub serve_stale: bool,
    /// Seconds past expiry.
    pub stale_max_age: u32,
    pub prefetch: bool,
    pub file: Option<PathBuf>,
    pub save_interval: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Log {
    pub filter: String,
}

impl Config {
    /// The `[[stub]]` or `[[forward]]` zone that `name` is in; the closest counts.
    pub fn route_over(&self, name: &Name) -> Option<&Route> {
        let routes = self.routes.iter().filter(|route| name.is_at_or_below(&route.zone));
        routes.max_by_key(|route| route.zone.label_count())
    }

    /// Nothing set: what the table's defaults are then written into.
    fn blank() -> Config {
        Config {
            server: Server { listen: Vec::new(), threads: 0, version: None, identity: None },
            access: Access { allow: Vec::new(), trace: Vec::new() },
            resolver: Resolver {
                hints: Vec::new(),
                root_priming: false,
                qname_minimisation: false,
                case_randomisation: false,
                ipv4: false,
                ipv6: false,
                query_localhost: false,
                source_addresses: Vec::new(),
                edns_buffer_size: 0,
                max_chain_length: 0,
                max_upstream_queries: 0,
                timeout: Duration::ZERO,
            },
            routes: Vec::new(),
            dnssec: Dnssec {
                validation: false,
                anchors: Vec::new(),
                trust_anchor_state: None,
                negative: Vec::new(),
                sha1_validates: false,
            },
            cache: Cache {
                max_memory: 0,
                min_ttl: 0,
                max_ttl: 0,
                max_negative_ttl: 0,
                serve_stale: false,
                stale_max_age: 0,
                prefetch: false,
                file: None,
                save_interval: Duration::ZERO,
            },
            log: Log { filter: String::new() },
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        let mut config = Config::blank();
        for setting in settings::SETTINGS {
            setting.kind.reset(&mut config);
        }
        config
    }
}
