//! A picture of one or several resolutions: hops from top to bottom, in boxes of their zones.
//!
//! Knows: coordinates, and a style sheet for light and dark. A monospaced character is 0.6 em wide in
//! the fonts that are named; names are folded at dots, never cut. Everything is in the file: no font, no
//! script, nothing from elsewhere. Does not know: what is a node (`graph`). Shown by: `tests/show.rs`.

mod place;
mod write;

use super::graph::Graph;
use place::Picture;

/// The picture as a document of its own, with colours for light and dark.
pub fn render(columns: &[(Option<String>, Graph)]) -> String {
    let mut svg = element(columns, false);
    let style = format!("<style>{}{}</style>", PALETTE, STYLE);
    let end_of_tag = svg.find('>').map_or(0, |at| at + 1);
    svg.insert_str(end_of_tag, &style);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{svg}\n")
}

/// The picture for a page that has [`PALETTE`] and [`STYLE`]; `bare`: and headings.
pub fn element(columns: &[(Option<String>, Graph)], bare: bool) -> String {
    let mut picture = Picture { bare, ..Picture::default() };
    for (label, graph) in columns {
        picture.add(label.as_deref(), graph);
    }
    write::svg(&picture)
}

/// Colours, for light and dark.
pub const PALETTE: &str = "
:root{--page:#ffffff;--ink:#1b2430;--faint:#5c6878;--card:#ffffff;--line:#c9d1dc;
--plain:#4a6fa5;--secure:#1c7f4c;--stale:#a15c00;--missing:#7a4bb3;--bad:#c2252b;
--z0:#eef4fc;--z1:#f2f7ec;--z2:#fdf4e7;--z3:#f6effb;--z4:#eaf7f7;--z5:#fbeff2}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--ink:#e6ebf2;--faint:#9aa7b8;--card:#1b222c;--line:#3a4656;
--plain:#8fb4ea;--secure:#5fd39a;--stale:#f0b357;--missing:#c4a1f2;--bad:#ff8088;
--z0:#17212f;--z1:#1a2519;--z2:#292114;--z3:#231b2d;--z4:#142627;--z5:#2a1a20}}
";

/// What is drawn in which colour.
pub const STYLE: &str = "
svg.trace{font-family:system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;background:var(--page)}
svg.trace .mono{font-family:ui-monospace,'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace}
svg.trace text{fill:var(--ink)}
svg.trace .faint{fill:var(--faint)}
svg.trace .page{fill:var(--page)}
svg.trace .card{fill:var(--card);stroke:var(--line)}
svg.trace .box{stroke:var(--line)}
svg.trace .z0{fill:var(--z0)}svg.trace .z1{fill:var(--z1)}svg.trace .z2{fill:var(--z2)}
svg.trace .z3{fill:var(--z3)}svg.trace .z4{fill:var(--z4)}svg.trace .z5{fill:var(--z5)}
svg.trace .none{fill:none;stroke-dasharray:4 4}
svg.trace .fill-plain{fill:var(--plain)}svg.trace .fill-secure{fill:var(--secure)}
svg.trace .fill-stale{fill:var(--stale)}svg.trace .fill-missing{fill:var(--missing)}
svg.trace .fill-bad{fill:var(--bad)}
svg.trace .edge{fill:none;stroke-width:2}
svg.trace .loop{stroke-width:2.5}
svg.trace .edge-plain{stroke:var(--plain)}svg.trace .edge-secure{stroke:var(--secure)}
svg.trace .edge-stale{stroke:var(--stale);stroke-dasharray:7 4}
svg.trace .edge-missing{stroke:var(--missing)}svg.trace .edge-bad{stroke:var(--bad)}
";
