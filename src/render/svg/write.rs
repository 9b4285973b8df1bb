//! Shapes as markup.

use std::fmt::Write as _;

use super::place::{Face, HEAD_SIZE, NAME_SIZE, Picture, SMALL_SIZE, Shape};
use crate::render::graph::State;
use crate::render::markup::escape;

/// Tints for zones; a seventh zone has the first one's again.
const TINTS: usize = 6;
const STATES: [State; 5] = [State::Plain, State::Secure, State::Stale, State::Missing, State::Bad];

/// The element, without style sheet.
pub fn svg(picture: &Picture) -> String {
    let (width, height) = picture.size();
    let title = escape(&picture.title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"trace\" role=\"img\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\"><title>{title}</title><defs>"
    );
    for state in STATES {
        let word = state.word();
        _ = write!(
            out,
            "<marker id=\"to-{word}\" viewBox=\"0 0 10 10\" refX=\"2\" refY=\"5\" markerWidth=\"9\" \
             markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"fill-{word}\" \
             d=\"M0 0L10 5L0 10z\"/></marker>"
        );
    }
    _ = write!(out, "</defs><rect class=\"page\" width=\"100%\" height=\"100%\"/>");
    for shape in &picture.shapes {
        out.push('\n');
        write_shape(&mut out, shape);
    }
    out.push_str("\n</svg>");
    out
}

fn write_shape(out: &mut String, shape: &Shape) {
    match shape {
        Shape::Zone { x, y, width, height, tint } => {
            let class = tint.map_or("none".to_owned(), |tint| format!("z{}", tint % TINTS));
            _ = write!(
                out,
                "<rect class=\"box {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{height:.1}\" rx=\"9\"/>"
            );
        }
        Shape::Card { x, y, width, height, state, title } => {
            let (word, title) = (state.word(), escape(title));
            _ = write!(
                out,
                "<g><title>{title}</title><rect class=\"card\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{height:.1}\" rx=\"6\"/><rect class=\"fill-{word}\" x=\"{x:.1}\" y=\"{y:.1}\" \
                 width=\"5\" height=\"{height:.1}\" rx=\"2.5\"/></g>"
            );
        }
        Shape::Arrow { path, state, is_loop } => {
            let (word, kind) = (state.word(), if *is_loop { " loop" } else { "" });
            _ = write!(
                out,
                "<path class=\"edge edge-{word}{kind}\" d=\"{path}\" marker-end=\"url(#to-{word})\"/>"
            );
        }
        Shape::Text { x, y, face, state, faint, at_end, text } => {
            let (size, weight, mono) = match face {
                Face::Head => (HEAD_SIZE, " font-weight=\"600\"", "mono"),
                Face::Bold => (NAME_SIZE, " font-weight=\"600\"", ""),
                Face::Name => (NAME_SIZE, " font-weight=\"600\"", "mono"),
                Face::Small => (SMALL_SIZE, "", ""),
                Face::SmallMono => (SMALL_SIZE, "", "mono"),
            };
            let colour = match state {
                Some(state) => format!(" fill-{}", state.word()),
                None if *faint => " faint".to_owned(),
                None => String::new(),
            };
            let anchor = if *at_end { " text-anchor=\"end\"" } else { "" };
            _ = write!(
                out,
                "<text class=\"{mono}{colour}\" x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\"{weight}{anchor}>{}\
                 </text>",
                escape(text)
            );
        }
    }
}
