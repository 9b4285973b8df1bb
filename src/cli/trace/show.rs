//! Which format a report is shown in.
//!
//! Knows: formats by name. Does not know: what they look like (`render`), which terminal takes colours
//! (`terminal`).

use std::io;

use super::args::TraceFormat;
use crate::cli::terminal;
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

/// For people who look on.
pub(in crate::cli) fn colour() -> Colour {
    if terminal::wants_colour(&io::stdout()) { Colour::Ansi } else { Colour::Never }
}
