//! Scenarios: servers that answer from a script, on virtual time.
//!
//! Knows: the dialect of unbound's testbound as Deckard reads it, with our additions
//! (`docs/testing.md`); the network behind the `World` seam that plays its servers; the
//! configuration that a file asks for. Does not know: resolving. `tests/scenario` plays the steps
//! of a file and checks them, with what stands here.

pub mod compare;
pub mod message;
pub mod network;
pub mod pace;
pub mod parse;
pub mod record;
pub mod records;
mod reply;
pub mod script;
mod settings;
mod turns;
pub mod write;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Config, Hint, Route, RouteKind, anchors};
use crate::rrset::Question;
use crate::wire::Name;
use crate::world::{Clock, Network, Rng, World};
use network::Script;
use script::{Action, Scenario, Settings};

/// Wall time of a scenario that sets none: 2025-01-01.
pub const WALL: u64 = 1_735_689_600;

/// The servers of a scenario and the world that they are in, whose time begins now; `seed` counts
/// when the file has none of its own.
pub fn world(scenario: &Arc<Scenario>, seed: u64, verbose: bool) -> (Arc<Script>, World) {
    let script = Arc::new(Script::new(Arc::clone(scenario), verbose));
    let world = World {
        network: Arc::clone(&script) as Arc<dyn Network>,
        clock: Clock::starting_at(scenario.settings.wall.unwrap_or(WALL)),
        rng: Rng::seeded(scenario.settings.seed.unwrap_or(seed)),
    };
    (script, world)
}

/// The first question that a scenario asks.
pub fn first_question(scenario: &Scenario) -> Option<&Question> {
    scenario.steps.iter().find_map(|step| match &step.action {
        Action::Query { entry, .. } => entry.message.question.as_ref(),
        _ => None,
    })
}

/// The configuration that a file asks for, with or without QNAME minimisation.
///
/// # Errors
/// What cannot be read, in words.
pub fn config(settings: &Settings, minimised: bool) -> Result<Config, String> {
    let mut config = match settings.toml.as_str() {
        "" => Config::default(),
        toml => Config::parse(toml, Path::new("cnamed.toml")).map_err(|e| e.to_string())?,
    };
    // As Deckard configures resolvers: most files do not script `. NS`.
    config.resolver.root_priming &= settings.toml.contains("resolver.root-priming");
    let resolver = &mut config.resolver;
    resolver.ipv4 = settings.ipv4;
    resolver.ipv6 = settings.ipv6;
    resolver.query_localhost = settings.query_localhost;
    resolver.qname_minimisation = minimised;
    resolver.hints = settings.root_hints.clone();
    if resolver.hints.is_empty() {
        resolver.hints =
            vec![Hint { name: settings.root_server_name.clone(), addresses: settings.root_servers.clone() }];
    }
    if !settings.forward.is_empty() {
        let servers = settings.forward.iter().map(|address| SocketAddr::new(*address, 53)).collect();
        config.routes.push(Route { zone: Name::root(), kind: RouteKind::Forward, servers });
    }
    config.dnssec.validation = !settings.trust_anchors.is_empty();
    config.dnssec.anchors = Vec::new();
    for anchor in &settings.trust_anchors {
        config.dnssec.anchors.extend(anchors::read(anchor, "trust-anchor")?);
    }
    for name in &settings.negative_trust_anchors {
        let name = name.trim_matches('"').parse();
        config.dnssec.negative.push(name.map_err(|e| format!("domain-insecure: {e}"))?);
    }
    // Many published scenarios are signed with algorithms 5 and 7.
    config.dnssec.sha1_validates |= !settings.toml.contains("dnssec.sha1");
    config.cache.min_ttl = settings.min_ttl.unwrap_or(config.cache.min_ttl);
    config.cache.max_ttl = settings.max_ttl.unwrap_or(config.cache.max_ttl);
    Ok(config)
}
