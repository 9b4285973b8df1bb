//! Where everything stands.
//!
//! Knows: coordinates in pixels. Does not know: markup.

use crate::render::graph::{Edge, Graph, Node, State};

/// Around everything.
const MARGIN: f64 = 20.0;
/// Between two resolutions side by side.
const GUTTER: f64 = 28.0;
/// A node's width: enough for most names, and for the longest line within bounds.
const NODE_WIDTH: (f64, f64) = (560.0, 680.0);
/// Side by side they are narrower.
const NARROW: f64 = 350.0;
/// Around the nodes of a zone.
const PAD: f64 = 8.0;
/// The zone's name above them.
const ZONE_HEAD: f64 = 19.0;
/// Between nodes; the edge's label stands there.
const GAP: f64 = 28.0;
/// A longer chain goes on in another column at the right.
const COLUMN_NODES: usize = 10;
/// Between such columns; the edge from one to the next runs there.
const COLUMN_GAP: f64 = 52.0;
/// Beside the zones, for each edge that leads back.
const LOOP_ROOM: f64 = 44.0;
/// A label wider than this is folded.
const LABEL_COLUMNS: usize = 58;
/// Before a node's name: its number.
const NUMBER: f64 = 36.0;

/// Sizes of type.
pub const NAME_SIZE: f64 = 13.0;
/// For all that is not a name or a heading.
pub const SMALL_SIZE: f64 = 11.5;
/// For the question.
pub const HEAD_SIZE: f64 = 17.0;
const NAME_LINE: f64 = 18.0;
const SMALL_LINE: f64 = 16.0;

/// How text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Face {
    Head,
    Bold,
    Name,
    Small,
    SmallMono,
}

/// What is drawn, from back to front.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Shape {
    /// Behind the nodes of a zone; `tint`: which of the colours for zones.
    Zone {
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        tint: Option<usize>,
    },
    /// A node, with its state at the left edge.
    Card {
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        state: State,
        title: String,
    },
    /// From above to below, or back along the right side.
    Arrow {
        path: String,
        state: State,
        is_loop: bool,
    },
    Text {
        x: f64,
        y: f64,
        face: Face,
        state: Option<State>,
        faint: bool,
        at_end: bool,
        text: String,
    },
}

/// All of it.
#[derive(Debug, Default)]
pub struct Picture {
    /// In order of drawing.
    pub shapes: Vec<Shape>,
    /// Without headings: they stand elsewhere.
    pub bare: bool,
    /// What it shows, for who cannot see it.
    pub title: String,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A node's place.
struct Placed {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Picture {
    /// With room around it and the legend below.
    pub fn size(&self) -> (f64, f64) {
        let margin = if self.bare { 2.0 } else { MARGIN };
        (self.width.max(360.0) + margin, self.height + margin)
    }

    /// Draws one more resolution at the right of the others.
    pub fn add(&mut self, label: Option<&str>, graph: &Graph) {
        let margin = if self.bare { 2.0 } else { MARGIN };
        let left = if self.width == 0.0 { margin } else { self.width + GUTTER };
        let narrow = label.is_some();
        let width = node_width(graph, narrow);
        let loops = graph.edges.iter().filter(|edge| edge.is_loop()).count() as f64;
        let columns = graph.nodes.len().saturating_sub(1) / COLUMN_NODES;
        let right = left + width + 2.0 * PAD + columns as f64 * (width + 2.0 * PAD + COLUMN_GAP);
        let right = right + loops * LOOP_ROOM;
        let top = if self.bare { 2.0 } else { self.heading(label, graph, (left, right)) };
        // An edge back to an earlier column goes over the top.
        let top = if columns > 0 && loops > 0.0 { top + LOOP_ROOM / 2.0 } else { top };
        let placed = self.nodes(graph, (left, top, width));
        self.edges(graph, &placed, top);
        let bottom = placed.iter().map(|node| node.y + node.height + PAD).fold(top, f64::max);
        let bottom = self.legend(graph, (left, bottom));
        self.title.push_str(if self.title.is_empty() { "" } else { "; " });
        self.title.push_str(&format!("{}: {}", graph.question, graph.verdict));
        (self.width, self.height) = (right, self.height.max(bottom));
    }

    fn text(&mut self, x: f64, y: f64, face: Face, text: impl Into<String>) {
        let faint = face == Face::Small;
        let text = text.into();
        self.shapes.push(Shape::Text { x, y, face, state: None, faint, at_end: false, text });
    }

    fn heading(&mut self, label: Option<&str>, graph: &Graph, (left, right): (f64, f64)) -> f64 {
        let mut y = MARGIN + 10.0;
        if let Some(label) = label {
            self.text(left, y, Face::Bold, label);
            y += 22.0;
        }
        let columns = |size: f64, part: f64| ((right - left) / (size * part)) as usize;
        for line in fold(&graph.question, columns(HEAD_SIZE, 0.61)) {
            self.text(left, y, Face::Head, line);
            y += 22.0;
        }
        for line in fold(&graph.verdict, columns(NAME_SIZE, 0.62)) {
            self.shapes.push(Shape::Text {
                x: left,
                y,
                face: Face::Bold,
                state: Some(graph.state),
                faint: false,
                at_end: false,
                text: line,
            });
            y += 18.0;
        }
        for remark in graph.remarks.iter().chain([&graph.cost]) {
            for line in fold(remark, columns(SMALL_SIZE, 0.55)) {
                self.text(left, y, Face::Small, line);
                y += SMALL_LINE;
            }
        }
        y + 4.0
    }

    /// Nodes from top to bottom; neighbours of the same zone share its box.
    fn nodes(&mut self, graph: &Graph, (left, top, width): (f64, f64, f64)) -> Vec<Placed> {
        let columns = graph.nodes.len().saturating_sub(1) / COLUMN_NODES + 1;
        let mut placed: Vec<Placed> = Vec::new();
        let mut left = left;
        for column in graph.nodes.chunks(graph.nodes.len().div_ceil(columns).max(1)) {
            let mut y = top;
            for group in column.chunk_by(|one, next| one.zone == next.zone) {
                y = self.group(graph, group, (left, y, width), &mut placed);
                y += self.room_below(graph, placed.len());
            }
            left += width + 2.0 * PAD + COLUMN_GAP;
        }
        placed
    }

    /// A zone with its nodes; where it ends.
    fn group(
        &mut self,
        graph: &Graph,
        group: &[Node],
        (left, top, width): (f64, f64, f64),
        placed: &mut Vec<Placed>,
    ) -> f64 {
        let zone_at = self.shapes.len();
        let mut y = top + ZONE_HEAD + 4.0;
        for (number, node) in group.iter().enumerate() {
            if number > 0 {
                y += self.room_below(graph, placed.len());
            }
            let card = self.node(node, placed.len() + 1, (left + PAD, y, width));
            y += card.height;
            placed.push(card);
        }
        let bottom = y + PAD;
        let zone = group.first().and_then(|node| node.zone);
        self.zone(graph, zone, zone_at, (left, top, width + 2.0 * PAD, bottom - top));
        bottom
    }

    /// Between the node before the `next` one and that.
    fn room_below(&self, graph: &Graph, next: usize) -> f64 {
        let label = graph.edges.iter().find(|edge| edge.to == next && !edge.is_loop()).map(|e| &e.label);
        let lines = label.map_or(1, |label| fold(label, LABEL_COLUMNS).len());
        GAP + (lines.saturating_sub(1)) as f64 * SMALL_LINE
    }

    fn zone(
        &mut self,
        graph: &Graph,
        zone: Option<usize>,
        at: usize,
        (x, y, width, height): (f64, f64, f64, f64),
    ) {
        self.shapes.insert(at, Shape::Zone { x, y, width, height, tint: zone });
        let name = match zone.and_then(|zone| graph.zones.get(zone)) {
            Some(name) if name == "." => "the root zone".to_owned(),
            Some(name) => format!("zone {name}"),
            None => "no zone was asked".to_owned(),
        };
        // At the right: edges come in at the left.
        self.shapes.push(Shape::Text {
            x: x + width - PAD - 2.0,
            y: y + 15.0,
            face: Face::Small,
            state: None,
            faint: true,
            at_end: true,
            text: name,
        });
    }

    fn node(&mut self, node: &Node, number: usize, (x, y, width): (f64, f64, f64)) -> Placed {
        let room = width - NUMBER - 12.0;
        let columns = |size: f64| (room / (size * 0.61)) as usize;
        let mut texts: Vec<(Face, String)> = Vec::new();
        texts.extend(fold(&node.name, columns(NAME_SIZE)).into_iter().map(|line| (Face::Name, line)));
        for says in &node.says {
            texts.extend(fold(says, columns(SMALL_SIZE)).into_iter().map(|line| (Face::SmallMono, line)));
        }
        let mut under: Vec<&str> = node.marks.iter().map(String::as_str).collect();
        // Beside the name, where both fit.
        let origin = node.origin.as_deref().unwrap_or_default();
        let taken = node.name.chars().count() as f64 * NAME_SIZE * 0.61 + text_width(origin) + 24.0;
        let beside = (taken < room).then_some(origin);
        if beside.is_none() {
            under.insert(0, origin);
        }
        texts.extend(
            fold(&under.join(" · "), columns(SMALL_SIZE)).into_iter().map(|line| (Face::Small, line)),
        );
        let tall = |face: &Face| if *face == Face::Name { NAME_LINE } else { SMALL_LINE };
        let height = 14.0 + texts.iter().map(|(face, _)| tall(face)).sum::<f64>();
        let title = std::iter::once(&node.name).chain(&node.details).cloned().collect::<Vec<_>>().join("\n");
        self.shapes.push(Shape::Card { x, y, width, height, state: node.state, title });
        self.text(x + 14.0, y + 20.0, Face::Small, number.to_string());
        if let Some(origin) = beside {
            self.shapes.push(Shape::Text {
                x: x + width - 10.0,
                y: y + 20.0,
                face: Face::Small,
                state: None,
                faint: true,
                at_end: true,
                text: origin.to_owned(),
            });
        }
        let mut line = y + 7.0;
        for (face, text) in texts {
            line += tall(&face);
            let grave = face != Face::Name && node.state >= State::Stale;
            let state = grave.then_some(node.state);
            let (x, y, faint) = (x + NUMBER, line - 5.0, face == Face::Small);
            self.shapes.push(Shape::Text { x, y, face, state, faint, at_end: false, text });
        }
        Placed { x, y, width, height }
    }

    fn edges(&mut self, graph: &Graph, placed: &[Placed], top: f64) {
        let mut lane = 0.0;
        let right = placed.iter().map(|node| node.x + node.width).fold(0.0, f64::max);
        for edge in &graph.edges {
            let (Some(from), Some(to)) = (placed.get(edge.from), placed.get(edge.to)) else { continue };
            if edge.is_loop() {
                lane += 1.0;
                self.back(edge, (from, to), right + PAD + lane * LOOP_ROOM - 18.0, top);
                continue;
            }
            let x = from.x + 20.0;
            let start = from.y + from.height;
            let path = if to.x > from.x {
                // Into the next column from its left.
                let (low, between) = (start + PAD + 26.0, to.x - PAD - COLUMN_GAP / 2.0);
                format!("M{x:.1} {start:.1}V{low:.1}H{between:.1}V{:.1}H{:.1}", to.y + 16.0, to.x - 8.0)
            } else {
                format!("M{x:.1} {start:.1}V{:.1}", to.y - 7.0)
            };
            self.shapes.push(Shape::Arrow { path, state: edge.state, is_loop: false });
            // Across a border the label stands above the next box.
            let zone_of = |at: usize| graph.nodes.get(at).map(|node| node.zone);
            let same_zone = to.x == from.x && zone_of(edge.from) == zone_of(edge.to);
            let mut y = start + if same_zone { 18.0 } else { PAD + 18.0 };
            for line in fold(&edge.label, LABEL_COLUMNS) {
                self.label(x + 12.0, y, edge.state, line);
                y += SMALL_LINE;
            }
        }
    }

    fn label(&mut self, x: f64, y: f64, state: State, text: String) {
        self.shapes.push(Shape::Text {
            x,
            y,
            face: Face::Small,
            state: Some(state),
            faint: false,
            at_end: false,
            text,
        });
    }

    /// Out at the right, up and in again.
    fn back(&mut self, edge: &Edge, (from, to): (&Placed, &Placed), out: f64, top: f64) {
        let x = from.x + from.width;
        let itself = edge.from == edge.to;
        let start = from.y + from.height - if itself { 6.0 } else { 12.0 };
        let end = to.y + if itself { 6.0 } else { to.height / 2.0 };
        let r = 10.0_f64.min((start - end).abs() / 2.0).max(1.0);
        let (before, tip) = (out - r, to.x + to.width + 8.0);
        let path = if to.x < from.x {
            let (over, between) = (top - 12.0, to.x + to.width + PAD + COLUMN_GAP / 2.0 - 12.0);
            format!("M{x:.1} {start:.1}H{out:.1}V{over:.1}H{between:.1}V{end:.1}H{tip:.1}")
        } else {
            format!(
                "M{x:.1} {start:.1}H{before:.1}Q{out:.1} {start:.1} {out:.1} {:.1}V{:.1}\
                 Q{out:.1} {end:.1} {before:.1} {end:.1}H{tip:.1}",
                start - r,
                end + r
            )
        };
        self.shapes.push(Shape::Arrow { path, state: edge.state, is_loop: true });
        // Below the node that it leaves, beside it.
        let mut y = from.y + from.height + PAD + 17.0;
        for text in fold(&format!("{}: leads back", edge.label), LABEL_COLUMNS) {
            let (x, state) = (out + 6.0, Some(edge.state));
            let face = Face::Small;
            self.shapes.push(Shape::Text { x, y, face, state, faint: false, at_end: true, text });
            y += SMALL_LINE;
        }
    }

    /// The colours that occur, in words.
    fn legend(&mut self, graph: &Graph, (left, top): (f64, f64)) -> f64 {
        let loops = graph.edges.iter().filter(|edge| edge.is_loop());
        let labels: usize = loops.map(|edge| fold(&edge.label, LABEL_COLUMNS).len()).sum();
        let y = top + labels as f64 * SMALL_LINE + 26.0;
        let met = graph.nodes.iter().map(|node| node.state).chain(graph.edges.iter().map(|edge| edge.state));
        let mut states: Vec<State> = met.collect();
        states.sort_unstable();
        states.dedup();
        if states == [State::Plain] || states.is_empty() {
            return top;
        }
        let mut x = left;
        for state in states {
            self.label(x, y, state, format!("■ {}", state.meaning()));
            x += (state.meaning().len() + 4) as f64 * SMALL_SIZE * 0.55;
        }
        y + 6.0
    }
}

/// As wide as its longest name, within bounds.
fn node_width(graph: &Graph, narrow: bool) -> f64 {
    let lines = graph.nodes.iter().flat_map(|node| std::iter::once(&node.name).chain(&node.says));
    let longest = lines.map(|line| line.chars().count()).max().unwrap_or(0) as f64;
    let (least, most) = if narrow { (NARROW, NODE_WIDTH.0) } else { NODE_WIDTH };
    (longest * NAME_SIZE * 0.61 + 50.0).clamp(least, most)
}

/// How wide a line of small type is, about.
fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * SMALL_SIZE * 0.55
}

/// Folded between words, and between the labels of a name that is too long for a line.
fn fold(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(12);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let words = text.split_inclusive(' ').flat_map(|word| {
        let is_long = word.trim_end().chars().count() > columns;
        let parts: Vec<&str> = if is_long { word.split_inclusive('.').collect() } else { vec![word] };
        parts
    });
    for word in words {
        let word_columns = word.trim_end().chars().count();
        if !line.is_empty() && line.chars().count() + word_columns > columns {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        line.push_str(word);
    }
    if !line.trim().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}
