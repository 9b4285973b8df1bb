//! A page of its own: the picture, and below it everything that the tree says.
//!
//! Knows: one file, without scripts and without anything from elsewhere, as its Content-Security-Policy
//! says too; well-formed as XML. Does not know: the words (`outline`), the picture (`svg`). Shown by:
//! `tests/show.rs`.

use super::Report;
use super::beside::Beside;
use super::graph::Graph;
use super::markup::escape;
use super::outline::{self, Line, Node, Tone};
use super::svg;
use super::words::STUCK;

const STYLE: &str = "
html{color-scheme:light dark;background:var(--page);color:var(--ink)}
body{margin:0 auto;padding:1.5rem 1.25rem 4rem;max-width:76rem;
font:15px/1.5 system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}
h1,h2,.records,.outline{font-family:ui-monospace,'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace}
h1{font-size:1.45rem;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}
p{margin:.15rem 0}
.verdict{font-weight:600}
.faint,footer{color:var(--faint)}
.plain{color:var(--plain)}.secure{color:var(--secure)}.stale{color:var(--stale)}
.missing{color:var(--missing)}.bad{color:var(--bad)}.strong{font-weight:600}
.pictures{overflow-x:auto;margin:.75rem 0}
.records{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.86rem;margin:.25rem 0 .75rem;padding:.6rem .8rem;
border:1px solid var(--line);border-radius:8px;background:var(--card)}
details{border:1px solid var(--line);border-radius:8px;margin:.4rem 0;background:var(--card);padding:.45rem .8rem}
summary{cursor:pointer;overflow-wrap:anywhere}
summary p{display:inline}
summary p+p{display:block;margin-left:1.1rem}
.outline{font-size:.84rem;line-height:1.45}
.outline ul{list-style:none;margin:.15rem 0;padding-left:1.1rem;border-left:1px solid var(--line)}
.outline li{margin:.2rem 0;overflow-wrap:anywhere}
footer{margin-top:2rem;font-size:.85rem}
";

/// One resolution.
pub fn render(report: &Report) -> String {
    let graph = Graph::of(report);
    let mut page = Page::new(&graph.question);
    page.element("h1", "", &graph.question);
    page.verdict(&graph);
    page.pictures(&[(None, graph)], true);
    page.details(report);
    page.finish()
}

/// Several, side by side.
pub fn render_beside(beside: &Beside) -> String {
    let question = beside.columns.first().map(|column| &column.report.answer.question);
    let name = question.map(|question| question.name.to_string()).unwrap_or_default();
    let mut page = Page::new(&name);
    page.element("h1", "", &name);
    let class = if beside.diverges.is_some() { "verdict stale" } else { "verdict plain" };
    page.element("p", class, &beside.divergence());
    page.pictures(&Graph::of_columns(beside), false);
    for column in &beside.columns {
        page.element("h2", "", &column.label);
        page.verdict(&Graph::of(&column.report));
        page.details(&column.report);
    }
    page.finish()
}

struct Page {
    text: String,
}

impl Page {
    fn new(title: &str) -> Page {
        let title = escape(title);
        let (palette, picture) = (svg::PALETTE, svg::STYLE);
        let text = format!(
            "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
             <meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <link rel=\"icon\" href=\"data:,\"/>\n<title>{title} - cnamed trace</title>\n\
             <style>{palette}{picture}{STYLE}</style>\n</head>\n<body>\n"
        );
        Page { text }
    }

    fn element(&mut self, tag: &str, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let text = escape(&text.replace(STUCK, " "));
        self.text.push_str(&format!("<{tag}{class}>{text}</{tag}>\n"));
    }

    fn verdict(&mut self, graph: &Graph) {
        self.element("p", &format!("verdict {}", graph.state.word()), &graph.verdict);
        for remark in &graph.remarks {
            self.element("p", "", remark);
        }
        self.element("p", "faint", &graph.cost);
    }

    fn pictures(&mut self, columns: &[(Option<String>, Graph)], bare: bool) {
        self.text.push_str("<div class=\"pictures\">\n");
        self.text.push_str(&svg::element(columns, bare));
        self.text.push_str("\n</div>\n");
    }

    /// The answer, and each hop with what was done for it.
    fn details(&mut self, report: &Report) {
        for (heading, records) in outline::sections(report) {
            self.element("h2", "", heading);
            self.element("div", "records", &records.join("\n"));
        }
        self.element("h2", "", "Hop by hop");
        for node in outline::of_report(report).below {
            self.text.push_str("<details><summary>");
            self.lines(&node.lines);
            self.text.push_str("</summary>\n<div class=\"outline\">");
            self.nodes(&node.below);
            self.text.push_str("</div></details>\n");
        }
    }

    fn lines(&mut self, lines: &[Line]) {
        for line in lines {
            let class = match line.tone {
                Tone::Plain => "",
                Tone::Strong => "strong",
                Tone::Faint => "faint",
                Tone::Odd => "stale",
                Tone::Bad => "bad",
            };
            self.element("p", class, &line.text);
        }
    }

    fn nodes(&mut self, nodes: &[Node]) {
        if nodes.is_empty() {
            return;
        }
        self.text.push_str("<ul>\n");
        for node in nodes {
            self.text.push_str("<li>");
            self.lines(&node.lines);
            self.nodes(&node.below);
            self.text.push_str("</li>\n");
        }
        self.text.push_str("</ul>\n");
    }

    fn finish(mut self) -> String {
        let said = format!(
            "Made by cnamed {}; nothing on this page comes from elsewhere.",
            env!("CARGO_PKG_VERSION")
        );
        self.element("footer", "", &said);
        self.text.push_str("</body>\n</html>\n");
        self.text
    }
}
