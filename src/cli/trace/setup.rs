//! From arguments to something that resolves: question, configuration, network.
//!
//! Knows: what each option changes. Does not know: what is shown. Shown by: `tests/binary.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Refused;
use super::args::TraceArgs;
use super::progress::watched;
use super::tape::{Recorded, Replayed};
use crate::cli::{complain, configuration, serve};
use crate::config::Config;
use crate::resolver::Answer;
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
    /// Neither kept nor taken from a file, or one of both.
    pub tape: Tape,
}

/// Is the resolution recorded, or is it a recording?
pub enum Tape {
    Off,
    Recorded(Recorded),
    Replayed(Replayed),
}

impl Setup {
    /// What the arguments say.
    pub fn new(args: &TraceArgs) -> Result<Setup, Refused> {
        if let Some(file) = &args.replay {
            return Setup::replayed(file, args);
        }
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
        let network = watched(network);
        let record = |file: &PathBuf| Tape::Recorded(Recorded::new(file, Arc::clone(&network)));
        let tape = args.record.as_ref().map_or(Tape::Off, record);
        Ok(Setup { config, network, tape })
    }

    fn replayed(file: &Path, args: &TraceArgs) -> Result<Setup, Refused> {
        let own = args.config.as_deref().map(|path| configuration(Some(path))).transpose();
        let replayed = Replayed::open(file)?;
        let config = replayed.config(own.map_err(Refused::Complained)?)?;
        Ok(Setup { config, network: replayed.world().network, tape: Tape::Replayed(replayed) })
    }

    /// What is asked: the arguments say, or the recording does.
    pub fn question(&self, args: &TraceArgs) -> Result<Question, String> {
        match (&args.name, &self.tape) {
            (Some(name), _) => question(name, args.rtype.as_deref()),
            (None, Tape::Replayed(replayed)) => {
                replayed.question().cloned().ok_or_else(|| "the recording asks nothing".to_owned())
            }
            (None, _) => Err("expected a domain name".to_owned()),
        }
    }

    /// Waits for what belongs to the recording and not to the answer.
    pub async fn settle(&self) {
        if let Tape::Recorded(recorded) = &self.tape {
            recorded.finish().await;
        }
    }

    /// The resolution is over: what is to be kept is written, and what a recording lacked is told.
    pub fn finish(&self, question: &Question, answer: &Answer) -> Result<(), String> {
        match &self.tape {
            Tape::Off => {}
            Tape::Recorded(recorded) => recorded.write(question, &self.config, answer)?,
            Tape::Replayed(replayed) => {
                replayed.missing().iter().for_each(|missing| complain(&format!("cnamed trace: {missing}")));
            }
        }
        Ok(())
    }

    /// Network, clock and randomness.
    pub fn world(&self) -> World {
        match &self.tape {
            Tape::Off => World { network: Arc::clone(&self.network), clock: Clock::system(), rng: Rng::os() },
            Tape::Recorded(recorded) => recorded.world(),
            Tape::Replayed(replayed) => replayed.world(),
        }
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
