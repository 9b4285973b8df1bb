//! From arguments to something that resolves: question, configuration, network.
//!
//! Knows: what each option changes. Does not know: what is shown. Shown by: `tests/binary.rs`.

use std::sync::Arc;

use super::Refused;
use super::args::TraceArgs;
use super::progress::watched;
use crate::cli::{configuration, serve};
use crate::config::Config;
use crate::rrset::{Question, RrType};
use crate::upstream::Sockets;
use crate::wire::Name;
use crate::world::{Clock, Network, Rng, World};

/// All that a resolution needs; each begins with nothing cached.
pub struct Setup {
    /// The settings, with what the options changed.
    pub config: Config,
    /// Real or embedded.
    pub network: Arc<dyn Network>,
}

impl Setup {
    /// What the arguments say.
    pub fn new(args: &TraceArgs) -> Result<Setup, Refused> {
        let mut config = configuration(args.config.as_deref()).map_err(Refused::Complained)?;
        let network: Arc<dyn Network> = if args.lab {
            let lab = serve::lab_world(args.lab_zones.as_deref())?;
            config.resolver.hints = lab.hints();
            // The embedded world is not signed.
            config.dnssec.validation = false;
            lab
        } else {
            Arc::new(Sockets::new(config.resolver.source_addresses.clone(), Rng::os()))
        };
        Ok(Setup { config, network: watched(network) })
    }

    /// Network, clock and randomness.
    pub fn world(&self) -> World {
        World { network: Arc::clone(&self.network), clock: Clock::system(), rng: Rng::os() }
    }
}

/// The question that the arguments ask.
pub fn question(name: &str, rtype: Option<&str>) -> Result<Question, String> {
    if !name.is_ascii() {
        return Err(format!(
            "`{name}`: internationalised names are not implemented yet; write it with A-labels, as in \
             xn--mnchen-3ya.example"
        ));
    }
    let owner: Name = name.parse().map_err(|e| format!("`{name}` is not a domain name: {e}"))?;
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
    fn questions_are_checked_and_errors_say_what_would_do() {
        assert_eq!(question("a.example", None).unwrap().to_string(), "a.example. A");
        assert_eq!(question("a.example.", Some("type65")).unwrap().to_string(), "a.example. HTTPS");
        for (name, rtype, why) in [
            ("a..b", None, "`a..b` is not a domain name: "),
            ("münchen.example", None, "`münchen.example`: internationalised names are not implemented yet"),
            ("a", Some("NOPE"), "`NOPE` is not an RR type"),
            ("a", Some("AXFR"), "AXFR cannot be looked up"),
        ] {
            let said = question(name, rtype).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
