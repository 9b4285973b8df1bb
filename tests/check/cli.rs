//! The command itself: exit codes, standard input, names in any script, lists, Ctrl-C.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The program with these arguments and this on standard input.
fn start(arguments: &[&str], input: &[u8]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cnamed"))
        .arg("check")
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who refuses its arguments does not read; that is no error.
    _ = child.stdin.take().unwrap().write_all(input);
    child
}

fn run(arguments: &[&str], input: &str) -> Output {
    start(arguments, input.as_bytes()).wait_with_output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A file of its own, gone with it.
struct OwnFile(PathBuf);

impl OwnFile {
    fn new(contents: &str) -> OwnFile {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("check-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, contents).unwrap();
        OwnFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn exit_codes_say_how_it_ended() {
    for (arguments, input, code) in [
        (&["--lab", "www.example.com"][..], "", 0),
        (&["--lab", "www.example.com", "example.com"], "", 0),
        (&["--lab", "dangling.alias.example"], "", 1),
        (&["--lab", "boomerang.lint.example"], "", 1),
        (&["--lab", "www.example.com", "self.loop.example"], "", 1),
        (&["--lab"], "www.example.com\n", 0),
        (&["--lab", "-"], "dangling.alias.example\n", 1),
        (&["--lab"], "www.example.com\na..b\n", 2),
        (&["--lab"], "# nothing\n", 2),
        (&["--lab", "a..b"], "", 2),
        (&["--lab", "\u{301}a.example"], "", 2),
        (&["--lab-zones", "/nonexistent", "a.example"], "", 2),
        (&["--lab", "--lab-zones", "/nonexistent", "a.example"], "", 2),
        (&["--config", "/nonexistent", "a.example"], "", 2),
        (&["--lab", "--tracker-list", "/nonexistent", "a.example"], "", 2),
        (&["--lab", "--format", "xml", "a.example"], "", 2),
    ] {
        let output = run(arguments, input);
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {input:?}: {}", text(&output.stderr));
        assert_eq!(output.stderr.is_empty(), code < 2, "{arguments:?}: no progress without a terminal");
    }
}

#[test]
fn names_come_from_arguments_and_from_standard_input_each_once_and_in_order() {
    let input = "example.com # the apex\n\n# a remark\nshop.lint.example\r\na..b\nWWW.example.com.\n";
    let output = run(&["--lab", "www.example.com", "-", "one.alias.example"], input);
    assert_eq!(
        text(&output.stdout),
        "www.example.com.: clean, 3 aliases to pop7.example.org.\n\
         example.com.: clean, no alias\n\
         shop.lint.example.: clean, 1 alias to store-1.cdn.example.\n\
         one.alias.example.: clean, 1 alias to pop7.example.org.\n\
         4 names checked: clean\n"
    );
    assert_eq!(
        text(&output.stderr),
        "cnamed check: <stdin>:5: `a..b` is not a domain name: an empty label\n"
    );
}

#[test]
fn names_in_any_script_are_shown_in_both_forms() {
    for name in ["m\u{fc}nchen.lint.example", "M\u{dc}NCHEN.lint.example", "xn--mnchen-3ya.lint.example"] {
        let output = run(&["--lab", name], "");
        let said = text(&output.stdout);
        let both = "xn--mnchen-3ya.lint.example. (m\u{fc}nchen.lint.example.): clean";
        assert!(said.starts_with(both), "{said}");
        assert!(!said.contains('\u{1b}'), "no colours without a terminal");
        let output = run(&["--lab", "--format", "json", name], "");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["names"][0]["name"], "xn--mnchen-3ya.lint.example.");
        assert_eq!(document["names"][0]["unicode"], "m\u{fc}nchen.lint.example.");
    }
}

#[test]
fn json_is_one_document_that_fits_the_schema() {
    let input = "www.example.com\nboth.broken.example\nhalf.signed.example\nspelt.lint.example\n";
    let output = run(&["--lab", "--format", "json"], input);
    super::schema::holds(&text(&output.stdout));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({"names": 4, "clean": 1, "errors": 1, "warnings": 2, "notices": 0});
    assert_eq!((&document["summary"], &document["complete"]), (&expected, &true.into()));
    let beside = &document["names"][1]["findings"][0];
    assert_eq!(beside["code"], "cname-and-other-data");
    assert_eq!(beside["records"][1]["rdata"], serde_json::Value::Null);
    assert_eq!(document["names"][2]["findings"][0]["code"], "insecure-hop", "the embedded zone is validated");
}

#[test]
fn lists_are_the_operators() {
    let (services, trackers) =
        (OwnFile::new("# services\n*.cdn.example\n"), OwnFile::new("collect.example.net\n"));
    let lists = ["--lab", "--takeover-list", services.path(), "--tracker-list", trackers.path()];
    for (name, code) in [
        ("orphan.lint.example", "subdomain-takeover"),
        ("metrics.lint.example", "cloaked-tracker"),
        ("shop.lint.example", "clean"),
    ] {
        let with = text(&run(&[&lists[..], &[name]].concat(), "").stdout);
        assert!(with.contains(code), "{with}");
        let without = text(&run(&["--lab", name], "").stdout);
        assert_eq!(without.contains(code), code == "clean", "{without}");
    }
    let broken = OwnFile::new("a.example\nb..c\n");
    let refused = run(&["--lab", "--takeover-list", broken.path(), "a.example"], "");
    let why = format!("cnamed check: {}:2: `b..c` is not a domain name: an empty label\n", broken.path());
    assert_eq!((refused.status.code(), text(&refused.stderr)), (Some(2), why));
}

#[test]
fn the_configuration_counts() {
    let config = OwnFile::new("[resolver]\nmax-chain-length = 2\n");
    let said = text(&run(&["--lab", "--config", config.path(), "www.example.com"], "").stdout);
    assert!(
        said.contains("error chain-too-long: CNAME chain longer than 2 at eu.edge.example.net."),
        "{said}"
    );
    let config = OwnFile::new("[dnssec]\nvalidation = false\n");
    let said = run(&["--lab", "--config", config.path(), "half.signed.example"], "");
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stdout));
}

#[test]
fn without_a_network_it_exits_with_3_and_does_not_go_on() {
    // A loopback address on which nobody listens: refused at once, as an absent network would be.
    let hints = OwnFile::new(". NS a.root.\na.root. A 127.77.77.77\n");
    let config = format!("[resolver]\nroot-hints = \"{}\"\nipv6 = false\n", hints.path());
    let config = OwnFile::new(&config);
    let many: String = (0..200).map(|n| format!("n{n}.example\n")).collect();
    let output = run(&["--config", config.path()], &many);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    let said = text(&output.stdout);
    assert!(said.starts_with("n0.example.\n  error unresolved: "), "{said}");
    assert!(said.ends_with("\ninterrupted: 1 of 200 names checked: 0 clean; 1 error\n"), "{said}");
    assert!(text(&output.stderr).contains("network"), "{}", text(&output.stderr));
}

/// Ctrl-C: the shell sends SIGINT.
#[test]
fn interrupted_it_shows_what_was_found_so_far() {
    for format in ["text", "json"] {
        // Each after the first takes some seconds.
        let silent: String = (0..200).map(|n| format!("n{n}.silent.example\n")).collect();
        let input = format!("dangling.alias.example\n{silent}");
        let mut child = start(&["--lab", "--format", format], input.as_bytes());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        if format == "text" {
            stdout.read_line(&mut said).unwrap();
            assert_eq!(said, "dangling.alias.example.\n");
        } else {
            // Nothing tells that it has begun to wait; half a second later it surely has.
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
        stdout.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
        if format == "text" {
            assert!(said.contains("error dangling-alias"), "{said}");
            assert!(said.contains("\ninterrupted: ") && said.contains(" of 201 names checked: "), "{said}");
        } else {
            super::schema::holds(&said);
            let document: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert_eq!(document["complete"], false);
            assert_eq!(document["names"][0]["findings"][0]["code"], "dangling-alias");
        }
    }
}
