//! A trace for Graphviz.
//!
//! Knows: the DOT language. Does not know: what is a node (`graph`). Shown by: `tests/show.rs`.

use std::fmt::Write as _;

use super::graph::{Graph, Node, State};

/// The graph; several stand side by side in clusters of their own.
pub fn render(columns: &[(Option<String>, Graph)]) -> String {
    let mut out = String::from(
        "digraph trace {\n  graph [fontname=\"sans-serif\", labelloc=t];\n  node [shape=box, style=\"rounded,filled\", \
         fillcolor=white, fontname=\"monospace\", fontsize=11];\n  edge [fontname=\"sans-serif\", fontsize=10];\n",
    );
    if let [(None, graph)] = columns {
        _ = writeln!(out, "  label={};", quoted(&heading(graph)));
        body(&mut out, graph, 0);
    } else {
        for (number, (label, graph)) in columns.iter().enumerate() {
            let title = format!("{}\n{}", label.as_deref().unwrap_or_default(), heading(graph));
            _ = writeln!(out, "  subgraph cluster_t{number} {{\n  label={};", quoted(&title));
            body(&mut out, graph, number);
            out.push_str("  }\n");
        }
    }
    out.push_str("}\n");
    out
}

fn heading(graph: &Graph) -> String {
    format!("{}\n{}", graph.question, graph.verdict)
}

/// Nodes in clusters of their zones, then edges; `number` tells several graphs apart.
fn body(out: &mut String, graph: &Graph, number: usize) {
    let id = |node: usize| format!("t{number}n{node}");
    for (zone, name) in graph.zones.iter().enumerate() {
        _ = writeln!(
            out,
            "  subgraph cluster_t{number}z{zone} {{\n    label={}; style=\"rounded,filled\"; \
             fillcolor=\"#f2f5f9\"; color=\"#c9d1dc\";",
            quoted(&format!("zone {name}"))
        );
        for (at, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.zone == Some(zone)) {
            write_node(out, &id(at), node);
        }
        out.push_str("  }\n");
    }
    for (at, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.zone.is_none()) {
        write_node(out, &id(at), node);
    }
    for edge in &graph.edges {
        let colour = colour(edge.state);
        let style = if edge.state == State::Stale { ", style=dashed" } else { "" };
        let back = if edge.is_loop() { ", penwidth=2, constraint=false" } else { "" };
        _ = writeln!(
            out,
            "  {} -> {} [label={}, color=\"{colour}\", fontcolor=\"{colour}\"{style}{back}];",
            id(edge.from),
            id(edge.to),
            quoted(&edge.label)
        );
    }
}

fn write_node(out: &mut String, id: &str, node: &Node) {
    let lines = std::iter::once(&node.name).chain(&node.says).chain(&node.origin).chain(&node.marks);
    let label = lines.map(String::as_str).collect::<Vec<_>>().join("\n");
    _ = writeln!(out, "    {id} [label={}, color=\"{}\"];", quoted(&label), colour(node.state));
}

fn colour(state: State) -> &'static str {
    match state {
        State::Plain => "#4a6fa5",
        State::Secure => "#1c7f4c",
        State::Stale => "#a15c00",
        State::Missing => "#7a4bb3",
        State::Bad => "#c2252b",
    }
}

/// A string of DOT: of the backslashes that names have, each is one to it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
