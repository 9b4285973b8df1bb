//! Every setting, once: name, default, bounds.
//!
//! Knows: the configuration of `contract.md`. Does not know: TOML (`file.rs`).

pub mod file;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::wire::Name;

/// All settings, resolved: files read, names parsed, numbers within bounds.
#[derive(Clone, Debug)]
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

impl Default for Config {
    fn default() -> Config {
        let loopback: Vec<IpNet> = vec![
            IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
            IpNet::new_assert(Ipv6Addr::LOCALHOST.into(), 128),
        ];
        Config {
            server: Server {
                listen: vec![
                    SocketAddr::from((Ipv4Addr::LOCALHOST, 53)),
                    SocketAddr::from((Ipv6Addr::LOCALHOST, 53)),
                ],
                threads: 0,
                version: None,
                identity: None,
            },
            access: Access { allow: loopback.clone(), trace: loopback },
            resolver: Resolver {
                hints: Vec::new(),
                root_priming: true,
                qname_minimisation: true,
                case_randomisation: true,
                ipv4: true,
                ipv6: true,
                query_localhost: false,
                source_addresses: Vec::new(),
                edns_buffer_size: 1232,
                max_chain_length: 16,
                max_upstream_queries: 100,
                timeout: Duration::from_secs(5),
            },
            routes: Vec::new(),
            dnssec: Dnssec { validation: false },
            cache: Cache {
                max_memory: 256 << 20,
                min_ttl: 0,
                max_ttl: 86_400,
                max_negative_ttl: 3_600,
                serve_stale: true,
                stale_max_age: 86_400,
                prefetch: true,
                file: None,
                save_interval: Duration::from_secs(300),
            },
            log: Log { filter: "info".to_owned() },
        }
    }
}
