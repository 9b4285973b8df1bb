//! A trace as a Mermaid flowchart, which many wikis and forges draw.
//!
//! Knows: Mermaid's flowchart syntax. Does not know: what is a node (`graph`). Shown by: `tests/show.rs`.

use std::fmt::Write as _;

use super::graph::{Graph, Node, State};

const STATES: [State; 5] = [State::Plain, State::Secure, State::Stale, State::Missing, State::Bad];

/// The flowchart; several stand side by side in subgraphs of their own.
pub fn render(columns: &[(Option<String>, Graph)]) -> String {
    let mut out = String::from("flowchart TB\n");
    let mut edges = 0;
    for (number, (label, graph)) in columns.iter().enumerate() {
        if let Some(label) = label {
            let title = format!("{label}: {}", graph.verdict);
            _ = writeln!(out, "subgraph t{number}[{}]", quoted(&title));
        } else {
            _ = writeln!(out, "%% {}", one_line(&format!("{}: {}", graph.question, graph.verdict)));
        }
        body(&mut out, graph, number, &mut edges);
        if label.is_some() {
            out.push_str("end\n");
        }
    }
    for state in STATES {
        let dashed = if state == State::Stale { ",stroke-dasharray:6 4" } else { "" };
        _ = writeln!(out, "classDef {} stroke:{},stroke-width:2px{dashed}", state.word(), colour(state));
    }
    out
}

/// Nodes in subgraphs of their zones, then edges; Mermaid counts the `edges` of the whole document.
fn body(out: &mut String, graph: &Graph, number: usize, edges: &mut usize) {
    let id = |node: usize| format!("t{number}n{node}");
    for (zone, name) in graph.zones.iter().enumerate() {
        _ = writeln!(out, "subgraph t{number}z{zone}[{}]", quoted(&format!("zone {name}")));
        for (at, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.zone == Some(zone)) {
            write_node(out, &id(at), node);
        }
        out.push_str("end\n");
    }
    for (at, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.zone.is_none()) {
        write_node(out, &id(at), node);
    }
    for edge in &graph.edges {
        let arrow = if edge.state == State::Stale { "-.->" } else { "-->" };
        _ = writeln!(out, "{} {arrow}|{}| {}", id(edge.from), quoted(&edge.label), id(edge.to));
        let colour = colour(edge.state);
        _ = writeln!(out, "linkStyle {edges} stroke:{colour},color:{colour}");
        *edges += 1;
    }
}

fn write_node(out: &mut String, id: &str, node: &Node) {
    let lines = std::iter::once(&node.name).chain(&node.says).chain(&node.origin).chain(&node.marks);
    let label = lines.map(|line| one_line(line)).collect::<Vec<_>>().join("\n");
    _ = writeln!(out, "{id}[{}]:::{}", quoted(&label), node.state.word());
}

/// Strokes that can be seen on light and on dark.
fn colour(state: State) -> &'static str {
    match state {
        State::Plain => "#5b84c4",
        State::Secure => "#2f9e63",
        State::Stale => "#c47a16",
        State::Missing => "#9a6bd3",
        State::Bad => "#e0454c",
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// A string of Mermaid: what it could take for markup is written as an entity.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' => _ = write!(out, "#{};", u32::from(c)),
            '\n' => out.push_str("<br/>"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
