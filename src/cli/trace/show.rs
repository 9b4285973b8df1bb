//! Which format a report is shown in.
//!
//! Knows: formats by name, whether stdout takes colours. Does not know: what they look like
//! (`render`).

use std::io::{self, IsTerminal};

use super::args::TraceFormat;
use crate::render::beside::Beside;
use crate::render::graph::Graph;
use crate::render::text::{self, Colour};
use crate::render::{Report, dot, html, json, mermaid, svg};

/// The report in this format.
pub fn report(report: &Report, format: TraceFormat) -> String {
    let graph = || [(None, Graph::of(report))];
    match format {
        TraceFormat::Text => text::render(report, colour()),
        TraceFormat::Json => json::render(report),
        TraceFormat::Mermaid => mermaid::render(&graph()),
        TraceFormat::Dot => dot::render(&graph()),
        TraceFormat::Svg => svg::render(&graph()),
        TraceFormat::Html => html::render(report),
    }
}

/// Several reports in this format.
pub fn beside(beside: &Beside, format: TraceFormat) -> String {
    let graphs = || Graph::of_columns(beside);
    match format {
        TraceFormat::Text => text::render_beside(beside, colour()),
        TraceFormat::Json => json::render_beside(beside),
        TraceFormat::Mermaid => mermaid::render(&graphs()),
        TraceFormat::Dot => dot::render(&graphs()),
        TraceFormat::Svg => svg::render(&graphs()),
        TraceFormat::Html => html::render_beside(beside),
    }
}

/// For people who look on, unless they do not want it (no-color.org) or their terminal cannot.
pub(in crate::cli) fn colour() -> Colour {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if io::stdout().is_terminal() && !refused && !dumb { Colour::Ansi } else { Colour::Never }
}
