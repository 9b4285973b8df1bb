//! Which format a report is shown in.
//!
//! Knows: formats by name, whether stdout takes colours. Does not know: what they look like
//! (`render`).

use std::io::{self, IsTerminal};

use clap::ValueEnum as _;

use super::args::TraceFormat;
use crate::render::text::{self, Colour};
use crate::render::{Report, json};

/// The report in this format.
pub fn report(report: &Report, format: TraceFormat) -> Result<String, String> {
    match format {
        TraceFormat::Text => Ok(text::render(report, colour())),
        TraceFormat::Json => Ok(json::render(report)),
        other => {
            let name = other.to_possible_value().map(|value| value.get_name().to_owned());
            Err(format!("--format {}: not implemented yet", name.unwrap_or_default()))
        }
    }
}

/// For people who look on, unless they do not want it (no-color.org) or their terminal cannot.
fn colour() -> Colour {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if io::stdout().is_terminal() && !refused && !dumb { Colour::Ansi } else { Colour::Never }
}
