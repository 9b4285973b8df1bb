//! SVG, HTML, Mermaid and DOT: well-formed, self-contained, and the same hops as the answer's.

use std::path::{Path, PathBuf};
use std::process::Command;

use cnamed::render::graph::{Graph, State};
use cnamed::render::{Report, dot, html, mermaid, svg};
use roxmltree::{Document, Node, ParsingOptions};

use crate::lab::documented_outcomes;
use crate::trace_text::{hops_of, trace_with};

pub fn parse(text: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn has_class(node: &Node<'_, '_>, class: &str) -> bool {
    node.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class))
}

/// The name of each node, which is the first line of its card's title.
pub fn drawn_names(document: &Document<'_>) -> Vec<String> {
    let cards = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "g")));
    let title = |card: Node<'_, '_>| card.first_element_child()?.text()?.lines().next().map(str::to_owned);
    cards.map(|card| title(card).unwrap()).collect()
}

/// How many arrows there are, and how many of them lead back.
fn drawn_arrows(document: &Document<'_>) -> (usize, usize) {
    let edges: Vec<Node<'_, '_>> = document.descendants().filter(|node| has_class(node, "edge")).collect();
    (edges.len(), edges.iter().filter(|edge| has_class(edge, "loop")).count())
}

/// What stands in quotation marks on the lines that `is_wanted`, up to the first `end`.
fn quoted(text: &str, end: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let wanted = text.lines().filter(|line| is_wanted(line.trim_start()));
    let inside = wanted.map(|line| line.split_once('"').unwrap().1);
    inside.map(|rest| rest.split(['"']).next().unwrap().split(end).next().unwrap().to_owned()).collect()
}

/// Owners as the report has them, and the name at which a chain that is too long goes on.
fn names(report: &Report) -> Vec<String> {
    let mut names: Vec<String> =
        report.hops.iter().map(|hop| hop.look_up.question.name.to_string()).collect();
    let too_long = report.answer.failure.as_ref().is_some_and(|f| f.sentence().contains("longer than"));
    if let Some(target) = report.hops.last().and_then(|hop| hop.alias.as_ref()?.target.clone())
        && too_long
    {
        names.push(target.to_string());
    }
    names
}

fn is_loop(report: &Report) -> bool {
    report.answer.failure.as_ref().is_some_and(|failure| failure.sentence().starts_with("CNAME loop"))
}

/// The graph's aliases are those of the answer, each with its TTL.
fn graph_is_of(report: &Report, text: &str) {
    let graph = Graph::of(report);
    let shown: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(shown, names(report), "{text}");
    if report.answer.failure.is_none() {
        let hops = hops_of(report);
        let followed = hops.iter().zip(report.hops.iter().skip(1));
        for ((hop, next), edge) in followed.zip(&graph.edges) {
            assert_eq!(hop.target.as_ref(), Some(&next.look_up.question.name), "{text}");
            assert_eq!(graph.nodes[edge.from].name, hop.owner.to_string(), "{text}");
            assert!(edge.label.ends_with(&format!(", TTL {}", hop.ttl)), "{text}: {}", edge.label);
        }
        assert_eq!(graph.edges.len(), report.hops.len() - 1, "{text}");
    }
    assert_eq!(graph.edges.iter().any(|edge| edge.is_loop()), is_loop(report), "{text}");
}

#[tokio::test(start_paused = true)]
async fn pictures_have_the_hops_of_the_answer() {
    let mut loops = 0;
    for (text, _) in documented_outcomes() {
        let report = trace_with(&text, |_| ()).await;
        graph_is_of(&report, &text);
        let (names, graph) = (names(&report), Graph::of(&report));
        let arrows = (graph.edges.len(), usize::from(is_loop(&report)));
        loops += arrows.1;
        let picture = svg::render(&[(None, Graph::of(&report))]);
        let document = parse(&picture);
        assert_eq!(drawn_names(&document), names, "{text}");
        assert_eq!(drawn_arrows(&document), arrows, "{text}");
        let page = html::render(&report);
        let document = parse(&page);
        assert_eq!(drawn_names(&document), names, "{text}");
        assert_eq!(drawn_arrows(&document), arrows, "{text}");
        let details = document.descendants().filter(|node| node.tag_name().name() == "details");
        assert_eq!(details.count(), report.hops.len() + report.additional.len(), "{text}");

        let chart = mermaid::render(&[(None, Graph::of(&report))]);
        let mut shown = quoted(&chart, "<br/>", |line| line.starts_with("t0n") && line.contains(":::"));
        let mut sorted = names.clone();
        shown.sort();
        sorted.sort();
        assert_eq!(shown, sorted, "{text}\n{chart}");
        assert_eq!(chart.lines().filter(|line| line.contains("->|")).count(), arrows.0, "{text}");
        let chart = dot::render(&[(None, Graph::of(&report))]);
        let mut shown = quoted(&chart, "\\n", |line| {
            line.starts_with("t0n") && line.contains(" [label=\"") && !line.contains("->")
        });
        shown.sort();
        assert_eq!(shown, sorted, "{text}\n{chart}");
        assert_eq!(chart.lines().filter(|line| line.contains(" -> t0n")).count(), arrows.0, "{text}");
    }
    assert!(loops > 10, "{loops}");
}

/// No font, script, style sheet or picture is fetched.
#[tokio::test(start_paused = true)]
async fn pictures_need_nothing_from_elsewhere() {
    for text in ["www.example.com", "x2.loop.example", "www.silent.example", "text.example.com TXT"] {
        let report = trace_with(text, |_| ()).await;
        for drawn in [svg::render(&[(None, Graph::of(&report))]), html::render(&report)] {
            let drawn =
                drawn.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xhtml", "");
            for sign in ["://", "<script", "@import", "<img", "<object", "<iframe", "src="] {
                assert!(!drawn.contains(sign), "{text}: {sign}");
            }
            assert_eq!(drawn.matches("url(").count(), drawn.matches("url(#").count(), "{text}");
            assert!(drawn.contains("prefers-color-scheme:dark"), "{text}");
        }
    }
}

/// The states that colours stand for.
#[tokio::test(start_paused = true)]
async fn an_edge_shows_its_state() {
    let of = async |text: &str| Graph::of(&trace_with(text, |_| ()).await);
    let plain = of("www.example.com").await;
    assert!(plain.edges.iter().all(|edge| edge.state == State::Plain) && plain.state == State::Plain);
    let dangling = of("dangling.alias.example").await;
    assert_eq!((dangling.state, dangling.nodes[1].state), (State::Missing, State::Missing));
    let half = of("half.signed.example").await;
    assert_eq!((half.edges[0].state, half.nodes[1].state), (State::Secure, State::Plain));
    let whole = of("whole.signed.example").await;
    assert_eq!(
        (whole.edges[0].state, whole.nodes[1].state, whole.state),
        (State::Secure, State::Secure, State::Secure)
    );
    let circle = of("lead2.loop.example").await;
    let states: Vec<State> = circle.edges.iter().map(|edge| edge.state).collect();
    assert_eq!(states, [State::Plain, State::Plain, State::Bad, State::Bad]);
    assert_eq!((circle.edges[3].from, circle.edges[3].to), (3, 2));
}

/// What a browser says of a page on its console.
fn console(browser: &Path, page: &Path) -> String {
    let profile = tempfile("profile");
    let run = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && dom.contains("class=\"trace\""), "{}: not shown\n{dom}", page.display());
    let said = String::from_utf8_lossy(&run.stderr);
    said.lines().filter(|line| line.contains("CONSOLE")).collect()
}

fn tempfile(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("show");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn browser() -> PathBuf {
    std::env::var_os("CNAMED_BROWSER").map_or_else(|| PathBuf::from("chromium"), PathBuf::from)
}

/// Ignored, so that it does not count as passed where there is no browser; `.ci/run` plays it where
/// there is one.
#[tokio::test(start_paused = true)]
#[ignore = "needs Chromium (or what CNAMED_BROWSER names): cargo test -- --ignored browser"]
async fn a_browser_opens_pictures_without_complaint() {
    let faulty = tempfile("faulty.html");
    let broken = "<svg class=\"trace\"/><script>console.error('seen')</script>";
    std::fs::write(&faulty, broken).unwrap();
    assert!(console(&browser(), &faulty).contains("seen"), "complaints would not be seen");
    for text in ["www.example.com", "x2.loop.example", "hops16.chain.example", "alias.example HTTPS"] {
        let report = trace_with(text, |_| ()).await;
        let name = text.replace(' ', "-");
        for (ending, drawn) in
            [("svg", svg::render(&[(None, Graph::of(&report))])), ("html", html::render(&report))]
        {
            let path = tempfile(&format!("{name}.{ending}"));
            std::fs::write(&path, drawn).unwrap();
            assert_eq!(console(&browser(), &path), "", "{text} as {ending}");
        }
    }
}
