//! From arguments to something that resolves: question, configuration, network.
//!
//! Knows: what each option changes. Does not know: what is shown. Shown by: `tests/binary.rs`.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::Refused;
use super::args::TraceArgs;
use super::progress::watched;
use super::tape::{Recorded, Replayed};
use crate::cli::{anchors, complain, configuration, serve};
use crate::config::{Config, Route, RouteKind};
use crate::dnssec::rollover::TrustPoint;
use crate::idn;
use crate::iterate::PORT;
use crate::render::Report;
use crate::rrset::{Question, RrType};
use crate::upstream::Sockets;
use crate::wire::Name;
use crate::world::{Clock, Network, Rng, World};

/// Types or resolvers side by side.
pub const MAX_COLUMNS: usize = 8;

/// All that a resolution needs; each begins with nothing cached.
pub struct Setup {
    /// The settings, with what the options changed.
    pub config: Config,
    /// What is known of the keys of zones with anchors (RFC 5011).
    pub points: Vec<TrustPoint>,
    /// Real or embedded.
    pub network: Arc<dyn Network>,
    /// Neither kept nor taken from a file, or one of both.
    tape: Tape,
}

/// Is the resolution recorded, or is it a recording?
enum Tape {
    Off,
    Recorded(Recorded),
    Replayed(Replayed),
}

impl Setup {
    /// What the arguments say.
    pub fn new(args: &TraceArgs) -> Result<Setup, Refused> {
        let mut setup = match &args.replay {
            Some(file) => Setup::replayed(file, args)?,
            None => Setup::real_or_lab(args)?,
        };
        let config = &mut setup.config;
        config.dnssec.validation &= !args.no_dnssec;
        config.resolver.qname_minimisation &= !args.no_minimise;
        let mut given: Vec<Route> = Vec::new();
        for text in &args.server {
            let (zone, server) = start_at(text)?;
            match given.iter_mut().find(|route| route.zone == zone) {
                Some(route) => route.servers.push(server),
                None => given.push(Route { zone, kind: RouteKind::Stub, servers: vec![server] }),
            }
        }
        config.routes.retain(|route| given.iter().all(|other| other.zone != route.zone));
        config.routes.append(&mut given);
        if let Some(file) = &args.record {
            setup.tape = Tape::Recorded(Recorded::new(file, Arc::clone(&setup.network))?);
        } else if args.replay.is_none() {
            // A recording cannot hold it.
            setup.points = anchors::known("trace", &setup.config);
        }
        Ok(setup)
    }

    fn real_or_lab(args: &TraceArgs) -> Result<Setup, Refused> {
        let mut config = configuration(args.config.as_deref()).map_err(Refused::Complained)?;
        let network: Arc<dyn Network> = if args.lab {
            let lab = serve::lab_world(args.lab_zones.as_deref())?;
            serve::enter_lab(&mut config, &lab);
            lab
        } else {
            serve::try_sources(&config.resolver)?;
            Arc::new(Sockets::new(config.resolver.source_addresses.clone(), Rng::os()))
        };
        Ok(Setup { config, points: Vec::new(), network: watched(network), tape: Tape::Off })
    }

    fn replayed(file: &Path, args: &TraceArgs) -> Result<Setup, Refused> {
        let own = args.config.as_deref().map(|path| configuration(Some(path))).transpose();
        let replayed = Replayed::open(file)?;
        let config = replayed.config(own.map_err(Refused::Complained)?)?;
        let network = replayed.world().network;
        Ok(Setup { config, points: Vec::new(), network, tape: Tape::Replayed(replayed) })
    }

    /// What is asked: the arguments say, or the recording does. One question, or one for each type.
    pub fn questions(&self, args: &TraceArgs) -> Result<Vec<Question>, String> {
        if args.types.len() > MAX_COLUMNS {
            return Err(format!("--type: at most {MAX_COLUMNS} types at a time"));
        }
        let Some(name) = &args.name else {
            let Tape::Replayed(replayed) = &self.tape else {
                return Err("expected a domain name".to_owned());
            };
            let recorded = replayed.question().cloned().ok_or("the recording asks nothing")?;
            return Ok(vec![recorded]);
        };
        if args.types.is_empty() {
            return question(name, args.rtype.as_deref()).map(|question| vec![question]);
        }
        args.types.iter().map(|rtype| question(name, Some(rtype))).collect()
    }

    /// The resolution is over: what is to be kept is written, and what a recording lacked is told.
    pub async fn finish(&self, question: &Question, report: &Report) -> Result<(), String> {
        match &self.tape {
            Tape::Off => {}
            Tape::Recorded(recorded) => recorded.finish(question, &self.config, &report.answer).await?,
            Tape::Replayed(replayed) => {
                replayed.missing().iter().for_each(|missing| complain(&format!("cnamed trace: {missing}")));
            }
        }
        Ok(())
    }

    /// The same question through another recursive resolver on the real network. What it says is
    /// taken as it is: nothing is proven here.
    pub fn through(&self, resolver: SocketAddr) -> Setup {
        let mut config = self.config.clone();
        config.routes = vec![Route { zone: Name::root(), kind: RouteKind::Forward, servers: vec![resolver] }];
        config.dnssec.validation = false;
        let sources = config.resolver.source_addresses.clone();
        let network = watched(Arc::new(Sockets::new(sources, Rng::os())));
        Setup { config, points: Vec::new(), network, tape: Tape::Off }
    }

    /// Resolves once, with nothing cached.
    pub async fn resolve(&self, question: &Question) -> Report {
        let world = match &self.tape {
            Tape::Off => World { network: Arc::clone(&self.network), clock: Clock::system(), rng: Rng::os() },
            Tape::Recorded(recorded) => recorded.world(),
            Tape::Replayed(replayed) => replayed.world(),
        };
        super::resolve(Arc::new(self.config.clone()), world, question.clone(), self.points.clone()).await
    }
}

/// `ADDR` for the root, or `ZONE=ADDR`.
fn start_at(text: &str) -> Result<(Name, SocketAddr), String> {
    let (zone, server) = match text.split_once('=') {
        Some((zone, server)) => {
            let zone =
                idn::parse(zone).map_err(|e| format!("--server {text}: `{zone}` is not a zone: {e}"))?;
            (zone, server)
        }
        None => (Name::root(), text),
    };
    Ok((zone, address(server).map_err(|why| format!("--server {text}: {why}"))?))
}

/// `ADDR` or `ADDR:PORT`, as in `192.0.2.53`, `[2001:db8::53]:5353`.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let plain = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
    plain.or_else(|_| text.parse()).map_err(|_| {
        format!(
            "`{text}` is no address: expected one as in 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353"
        )
    })
}

/// The question for one name and type.
pub fn question(name: &str, rtype: Option<&str>) -> Result<Question, String> {
    let owner = idn::parse(name).map_err(|why| format!("`{name}` is not a domain name: {why}"))?;
    let rtype: RrType = match rtype {
        Some(text) => text.parse().map_err(|e: crate::rrset::UnknownType| e.to_string())?,
        None => RrType::A,
    };
    if !rtype.is_askable() {
        return Err(format!("{rtype} cannot be looked up: it is no type of data (RFC 6895 §3.1)"));
    }
    Ok(Question::new(owner, rtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_and_errors_say_what_would_do() {
        let (zone, server) = start_at("192.0.2.53").unwrap();
        assert_eq!((zone.is_root(), server.to_string().as_str()), (true, "192.0.2.53:53"));
        let (zone, server) = start_at("example.com=[2001:db8::53]:5353").unwrap();
        assert_eq!((zone.to_string().as_str(), server.port()), ("example.com.", 5353));
        assert_eq!(start_at("münchen.example=192.0.2.53").unwrap().0.to_string(), "xn--mnchen-3ya.example.");
        assert!(start_at("a..b=192.0.2.53").unwrap_err().contains("`a..b` is not a zone"));
        assert!(start_at("ns.example.").unwrap_err().contains("expected one as in 192.0.2.53"));
    }

    #[test]
    fn questions_are_checked_and_errors_say_what_would_do() {
        assert_eq!(question("a.example", None).unwrap().to_string(), "a.example. A");
        assert_eq!(question("münchen.example", None).unwrap().to_string(), "xn--mnchen-3ya.example. A");
        assert_eq!(question("a.example.", Some("type65")).unwrap().to_string(), "a.example. HTTPS");
        for (name, rtype, why) in [
            ("a..b", None, "`a..b` is not a domain name: "),
            ("\u{301}m.example", None, "`\u{301}m.example` is not a domain name: it has characters"),
            ("a", Some("NOPE"), "`NOPE` is not an RR type"),
            ("a", Some("AXFR"), "AXFR cannot be looked up"),
        ] {
            let said = question(name, rtype).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
