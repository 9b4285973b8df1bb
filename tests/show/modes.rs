//! Several resolutions of one name: by type, by resolver, one after the other.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cnamed::cli::trace::resolve;
use cnamed::cli::trace::watch::news;
use cnamed::config::Config;
use cnamed::lab;
use cnamed::render::beside::{Beside, Change, Column, Kind};
use cnamed::render::graph::Graph;
use cnamed::render::text::{Colour, render_beside, render_changes};
use cnamed::render::{Report, html, json, svg};
use cnamed::rrset::Question;
use cnamed::world::{Clock, Rng, World};
use serde_json::Value;

use super::json::Schema;
use super::pictures::{drawn_names, parse};
use crate::binary::{Program, cnamed, file, text};
use crate::trace_text::trace;

/// In a world that is one zone, the root, with these records.
async fn in_root(records: &str, question: &str) -> Report {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("root-{:x}", Rng::os().u64()));
    std::fs::create_dir_all(&folder).unwrap();
    let zone = format!(". 60 SOA ns. mail. 1 60 60 60 60\n. 60 NS ns.\nns. 60 A 192.0.2.1\n{records}");
    std::fs::write(folder.join("root.zone"), zone).unwrap();
    let lab = lab::World::from_folder(&folder).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let mut config = Config::default();
    config.dnssec.validation = false;
    config.resolver.hints = lab.hints();
    let world = World { network: lab, clock: Clock::system(), rng: Rng::seeded(1) };
    let (name, rtype) = question.split_once(' ').unwrap();
    let question = Question::new(name.parse().unwrap(), rtype.parse().unwrap());
    resolve(Arc::new(config), world, question, Vec::new()).await
}

fn column(label: &str, report: Report) -> Column {
    Column { label: label.to_owned(), report }
}

/// Types that part: as if a server had another alias for AAAA.
async fn parting() -> Beside {
    let v4 = in_root("www. 60 CNAME mid.\nmid. 60 CNAME four.\nfour. 60 A 192.0.2.4\n", "www. A").await;
    let v6 = in_root("www. 60 CNAME mid.\nmid. 60 CNAME six.\nsix. 60 AAAA 2001:db8::6\n", "www. AAAA").await;
    Beside::new(Kind::Types, vec![column("A", v4), column("AAAA", v6)])
}

#[tokio::test(start_paused = true)]
async fn types_part_where_their_names_do() {
    let beside = parting().await;
    assert_eq!(beside.diverges, Some(2));
    let drawn = render_beside(&beside, Colour::Never);
    let head = "\
www.
  A AAAA
  ● ●     1. www. CNAME mid.
  ● ·     2. mid. CNAME four.
  · ●     2. mid. CNAME six.
  ● ·     3. four. A 192.0.2.4
  · ●     3. six. AAAA 2001:db8::6

A: NOERROR: 2 aliases, 1 record
";
    assert!(drawn.starts_with(head), "{drawn}");
    assert!(drawn.ends_with("\nThey part at hop 2.\n"), "{drawn}");
    // Different data at the end of the same way are no parting, nor is that one type is not there.
    let same =
        |text: &'static str| async move { column(text.split(' ').next_back().unwrap(), trace(text).await) };
    let columns = vec![
        same("www.example.com A").await,
        same("www.example.com AAAA").await,
        same("www.example.com TXT").await,
    ];
    assert_eq!(Beside::new(Kind::Types, columns).diverges, None);
}

#[tokio::test(start_paused = true)]
async fn resolvers_part_where_their_data_do() {
    let honest = || in_root("www. 60 A 192.0.2.4\nwww. 60 A 192.0.2.5\n", "www. A");
    let turned = in_root("www. 60 A 192.0.2.5\nwww. 60 A 192.0.2.4\n", "www. A").await;
    let same = Beside::new(Kind::Resolvers, vec![column("one", honest().await), column("two", turned)]);
    assert_eq!(same.diverges, None, "order is no difference");
    let lying = in_root("www. 60 A 203.0.113.9\n", "www. A").await;
    let parting = Beside::new(Kind::Resolvers, vec![column("one", honest().await), column("two", lying)]);
    assert_eq!(parting.diverges, Some(1));
}

#[tokio::test(start_paused = true)]
async fn several_resolutions_have_each_format() {
    let beside = parting().await;
    let value: Value = serde_json::from_str(&json::render_beside(&beside)).unwrap();
    assert_eq!(Schema::read("traces.schema.json").complaint(&value), None);
    assert_eq!(value["diverges_at_hop"], 2);
    assert_eq!(value["rows"][2]["said_by"], serde_json::json!(["AAAA"]));
    let names = ["www.", "mid.", "four.", "www.", "mid.", "six."];
    let picture = svg::render(&Graph::of_columns(&beside));
    assert_eq!(drawn_names(&parse(&picture)), names);
    let page = html::render_beside(&beside);
    assert_eq!(drawn_names(&parse(&page)), names);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_only_what_changed() {
    let old = || in_root("www. 60 CNAME one.\none. 60 A 192.0.2.1\n", "www. A");
    let (before, again) = (old().await, old().await);
    assert_eq!(news(None, &before), Some(Vec::new()), "the first is told as a whole");
    assert_eq!(news(Some(&before), &again), None);
    let other_ttl = in_root("www. 7 CNAME one.\none. 7 A 192.0.2.1\n", "www. A").await;
    assert_eq!(news(Some(&before), &other_ttl), None, "a TTL that counts down is no news");
    let after = in_root("www. 60 CNAME two.\n", "www. A").await;
    let changes = news(Some(&before), &after).unwrap();
    let said = |text: &str| Some(text.to_owned());
    let expected = [
        Change { hop: Some(1), gone: said("www. CNAME one."), new: said("www. CNAME two.") },
        Change { hop: Some(2), gone: said("one. A 192.0.2.1"), new: said("two. A: no such name (NXDOMAIN)") },
        Change { hop: None, gone: said("NOERROR"), new: said("NXDOMAIN") },
    ];
    assert_eq!(changes, expected);
    let drawn = render_changes("now", &changes, Colour::Never);
    assert!(drawn.starts_with("now\n  - 1. www. CNAME one.\n  + 1. www. CNAME two.\n"), "{drawn}");
    let value: Value = serde_json::from_str(&json::render_changes(7, &changes, &after)).unwrap();
    assert_eq!(Schema::read("change.schema.json").complaint(&value), None);
}

#[test]
fn types_resolvers_and_servers_are_asked_by_the_program() {
    let shown = |arguments: &[&str], code| {
        let traced = cnamed(&[&["trace", "--lab", "www.example.com"], arguments].concat());
        assert_eq!(traced.status.code(), Some(code), "{arguments:?}: {}", text(&traced.stderr));
        text(&traced.stdout)
    };
    assert!(shown(&["--type", "A,AAAA,HTTPS"], 0).ends_with("\nAll types go the same way.\n"));
    let other = Program::lab();
    let compared = shown(&["--compare", &other.address().to_string()], 0);
    assert!(compared.contains("\n  ● ●  4. pop7.example.org. A 203.0.113.80\n"), "{compared}");
    assert!(compared.ends_with("\nAll say the same.\n"), "{compared}");
    drop(other);
    let started = shown(&["--server", "example.com=198.51.100.12"], 0);
    assert!(started.contains("zone example.com. as configured, 1 server\n"), "{started}");
    assert!(!shown(&["--no-minimise"], 0).contains("minimised"));
    let anchors =
        ["[dnssec]\ntrust-anchors = [\"example.org. DS 1 13 2 ", &"00".repeat(32), "\"]\n"].concat();
    let anchored = file("anchored.toml", &anchors);
    let bogus = shown(&["--config", anchored.path()], 1);
    assert!(bogus.contains("\nSERVFAIL: pop7.example.org. A is bogus: "), "{bogus}");
    assert!(bogus.contains("it failed at hop 4: pop7.example.org. A, which needs "), "{bogus}");
    shown(&["--config", anchored.path(), "--no-dnssec"], 0);
}

#[test]
fn bad_options_are_refused() {
    for bad in [
        &["--type", "A,NOPE"][..],
        &["--type", "A,A,A,A,A,A,A,A,A"],
        &["--compare", "resolver.example"],
        &["--compare", "192.0.2.1", "--type", "A,AAAA"],
        &["--compare", "192.0.2.1", "--watch", "30s"],
        &["--server", "a..b=192.0.2.1"],
        &["--watch", "0s"],
        &["--watch", "often"],
        &["--watch", "30s", "--format", "svg"],
        &["--watch", "30s", "--type", "A,AAAA"],
    ] {
        let refused = cnamed(&[&["trace", "--lab", "www.example.com"], bad].concat());
        assert_eq!(refused.status.code(), Some(2), "{bad:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{bad:?}");
    }
}

/// The first line comes at once, and a second one when there is news, which in this world is never.
#[test]
fn a_watch_begins_with_the_whole_trace() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cnamed"))
        .args(["trace", "--lab", "example.com", "--watch", "1s", "--format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(Schema::read("change.schema.json").complaint(&first), None);
    assert_eq!(first["changes"], serde_json::json!([]));
    std::thread::sleep(std::time::Duration::from_millis(2_300));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lines.next().is_none());
}
