//! What an operator gets wrong, by the real program: it is told where it can be told, by name and with a
//! remedy, and what is told is true.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cnamed::wire::Header;

use crate::binary::{
    OwnFile, PATIENCE, Program, Reply, ask_udp, cnamed, file, message, question, text, until,
};

/// A key of the embedded world's zone that has trust anchors, as it stands after a look at it.
const TRUSTED: &str = "cnamed trust anchor state 1
zone signed.example. next 4294967295
valid 1795727295 0 - signed.example. DNSKEY 257 3 15 EEiQuLasuSUr2eQ9ynvuB/wY8yHNm+g8mPyX3YvNrHc=
end
";

/// A folder of its own for one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mistakes-{}-{name}", std::process::id()));
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Is this answered as proven?
fn is_proven(program: &Program, text: &str) -> bool {
    let request = message(7, Header::RD | Header::AD, &question(text), Some(1_232));
    let reply: Reply = ask_udp(program.address(), &request);
    assert_eq!((reply.rcode, reply.answer.len()), (0, 2), "{reply:?}");
    reply.flags & Header::AD != 0
}

/// Reloads, and waits until that is over; what was said since.
fn reload(program: &mut Program, config: &OwnFile, text: &str) -> Vec<String> {
    let said = |program: &Program| program.said.lock().unwrap().clone();
    config.rewrite(text);
    let before = said(program).len();
    let over = |line: &String| line.contains("configuration reloaded") || line.contains("not reloaded");
    program.signal("-HUP");
    assert!(until(PATIENCE, || said(program)[before..].iter().any(over)), "{:?}", said(program));
    said(program).split_off(before)
}

/// `cnamed serve`, which is to refuse: its exit code, and what it said. Ended where it does not.
fn refuses(arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cnamed"))
        .arg("serve")
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = until(PATIENCE / 4, || child.try_wait().unwrap().is_some());
    _ = child.kill();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.code().filter(|_| ended), text(&stderr))
}

// ------------------------------------------------------------------------------- trust anchor state

#[test]
fn a_revoked_key_is_not_trusted_because_validation_is_switched_on_later() {
    let folder = Folder::new("later");
    let settings = |validation: bool| {
        let state = folder.path("anchors.state");
        format!("[dnssec]\nvalidation = {validation}\ntrust-anchor-state = \"{state}\"\n")
    };
    for (state, proven) in [(TRUSTED.to_owned(), true), (TRUSTED.replace("\nvalid", "\nrevoked"), false)] {
        for first in [true, false] {
            fs::write(folder.path("anchors.state"), &state).unwrap();
            let config = file("later.toml", &settings(first));
            let mut program = Program::lab_with(&config);
            assert_eq!(is_proven(&program, "whole.signed.example A"), proven && first);
            reload(&mut program, &config, &settings(true));
            assert_eq!(is_proven(&program, "whole.signed.example A"), proven, "first {first}: {state}");
        }
    }
}

#[test]
fn what_is_learned_of_keys_after_validation_is_switched_on_is_kept() {
    let folder = Folder::new("learned");
    let settings = |validation: bool| {
        let state = folder.path("anchors.state");
        format!("[dnssec]\nvalidation = {validation}\ntrust-anchor-state = \"{state}\"\n")
    };
    let config = file("learned.toml", &settings(false));
    let mut program = Program::lab_with(&config);
    reload(&mut program, &config, &settings(true));
    let kept = || fs::read_to_string(folder.path("anchors.state")).unwrap_or_default();
    assert!(until(PATIENCE, || kept().contains("\nvalid ")), "{}", kept());
}

#[test]
fn a_damaged_state_is_refused_whether_validation_is_on_or_not() {
    let state = file("damaged.state", "garbage\n");
    for validation in [true, false] {
        let text =
            format!("[dnssec]\nvalidation = {validation}\ntrust-anchor-state = \"{}\"\n", state.path());
        let config = file("damaged.toml", &text);
        let (code, said) = refuses(&["--lab", "--listen", "127.0.0.1:0", "--config", config.path()]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("cannot be used: expected `cnamed trust anchor state 1`"), "{said}");
    }
}

#[test]
fn a_state_of_the_service_that_cannot_be_used_is_told_and_trace_and_check_go_on() {
    let folder = Folder::new("trace-state");
    let (state, config) = (folder.path("anchors.state"), folder.path("cnamed.toml"));
    fs::write(&config, "[dnssec]\ntrust-anchor-state = \"anchors.state\"\n").unwrap();
    let commands = ["trace", "check"].map(|command| {
        move |config: &str| cnamed(&[command, "--lab", "--config", config, "whole.signed.example"])
    });
    for run in &commands {
        // Not there yet: as it should be, and nothing is tried in that folder.
        let modified = fs::metadata(&folder.0).unwrap().modified().unwrap();
        let without = run(&config);
        assert_eq!((without.status.code(), text(&without.stderr).as_str()), (Some(0), ""));
        assert_eq!(fs::metadata(&folder.0).unwrap().modified().unwrap(), modified, "something was written");
    }
    fs::write(&state, "garbage\n").unwrap();
    for run in &commands {
        let damaged = run(&config);
        let said = text(&damaged.stderr);
        assert_eq!((damaged.status.code(), said.lines().count()), (Some(0), 1), "{said}");
        assert!(
            said.contains(&format!("dnssec.trust-anchor-state: {state} is not used: expected `")),
            "{said}"
        );
        assert!(!said.contains("remove"), "a service may depend on it: {said}");
    }
    fs::remove_file(&state).unwrap();
    fs::write(&state, TRUSTED.replace("\nvalid", "\nrevoked")).unwrap();
    let revoked = commands[0](&config);
    assert!(text(&revoked.stdout).contains("insecure: no chain of trust"), "{}", text(&revoked.stdout));
    assert_eq!(folder.names(), ["anchors.state", "cnamed.toml"]);
}

#[test]
fn a_link_to_a_state_is_followed_and_stays() {
    let folder = Folder::new("state-link");
    fs::create_dir(folder.path("elsewhere")).unwrap();
    let kept = folder.path("elsewhere/kept");
    fs::write(&kept, "cnamed trust anchor state 1\nend\n").unwrap();
    std::os::unix::fs::symlink("elsewhere/kept", folder.path("anchors.state")).unwrap();
    let text = format!("[dnssec]\ntrust-anchor-state = \"{}\"\n", folder.path("anchors.state"));
    let config = file("state-link.toml", &text);
    let program = Program::lab_with(&config);
    let learned = || fs::read_to_string(folder.path("anchors.state")).unwrap().contains("\nvalid ");
    assert!(until(PATIENCE, learned), "{:?}", program.said.lock().unwrap());
    assert!(fs::symlink_metadata(folder.path("anchors.state")).unwrap().is_symlink());
    assert!(fs::read_to_string(&kept).unwrap().contains("\nvalid "));
    drop(program);
    // A link that leads nowhere.
    fs::remove_file(&kept).unwrap();
    let (code, said) = refuses(&["--lab", "--listen", "127.0.0.1:0", "--config", config.path()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is a symbolic link that leads nowhere"), "{said}");
}

// ------------------------------------------------------------------------------------ config check

#[test]
fn config_check_looks_at_the_files_that_serving_would_begin_with() {
    let folder = Folder::new("config-check");
    let config = folder.path("cnamed.toml");
    let check = |settings: &str| {
        fs::write(&config, settings).unwrap();
        let checked = cnamed(&["config", "check", &config]);
        (checked.status.code(), text(&checked.stdout).replace(&folder.0.display().to_string(), ""))
    };
    let state = "[dnssec]\ntrust-anchor-state = \"anchors.state\"\n";
    let cache = "[cache]\nfile = \"cache.bin\"\n";
    assert_eq!(check(state), (Some(0), "/cnamed.toml: no errors\n".to_owned()));
    assert_eq!(check(cache), (Some(0), "/cnamed.toml: no errors\n".to_owned()));
    assert_eq!(folder.names(), ["cnamed.toml"], "nothing is written");
    fs::write(folder.path("anchors.state"), TRUSTED).unwrap();
    assert_eq!(check(state).0, Some(0));
    fs::write(folder.path("anchors.state"), "garbage\n").unwrap();
    fs::write(folder.path("cache.bin"), "127.0.0.1 localhost\n").unwrap();
    for (settings, told) in [
        (
            state,
            "/cnamed.toml:2:22: dnssec.trust-anchor-state = \"anchors.state\": /anchors.state cannot be used: expected",
        ),
        (
            "[dnssec]\nvalidation = false\ntrust-anchor-state = \"anchors.state\"\n",
            "/cnamed.toml:3:22: dnssec.trust-anchor-state = \"anchors.state\": /anchors.state cannot be used: expected",
        ),
        (cache, "/cnamed.toml:2:8: cache.file = \"cache.bin\": /cache.bin was not written by cnamed"),
        (
            "[cache]\nfile = \"no/where\"\n",
            "/cnamed.toml:2:8: cache.file = \"no/where\": there is no folder /no: create it",
        ),
        (
            "[dnssec]\ntrust-anchor-state = \"no/where\"\n",
            "/cnamed.toml:2:22: dnssec.trust-anchor-state = \"no/where\": there is no folder /no: create it",
        ),
    ] {
        let (code, said) = check(settings);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with(told), "{said}");
    }
}

// ------------------------------------------------------------------------------------------- cache

#[test]
fn an_empty_cache_file_is_an_empty_cache() {
    let folder = Folder::new("empty-cache");
    fs::create_dir(folder.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere/cache", folder.path("cache.bin")).unwrap();
    let config = file("empty-cache.toml", &format!("[cache]\nfile = \"{}\"\n", folder.path("cache.bin")));
    let said = |mut program: Program| {
        program.signal("-TERM");
        assert_eq!(program.ends().0, Some(0));
        program.said.lock().unwrap().join("\n")
    };
    let nowhere = said(Program::lab_with(&config));
    assert!(nowhere.contains("leads nowhere: make an empty file there"), "{nowhere}");
    fs::write(folder.path("elsewhere/cache"), "").unwrap();
    let program = Program::lab_with(&config);
    assert_eq!(program.ask("example.com A").rcode, 0);
    let said = said(program);
    assert!(!said.contains("WARN") && !said.contains("damaged"), "{said}");
    assert!(fs::metadata(folder.path("elsewhere/cache")).unwrap().len() > 0, "it is kept there: {said}");
}

// ---------------------------------------------------------------------------------------- addresses

fn is_said(lines: &[String], what: &str) -> bool {
    lines.iter().any(|line| line.contains(what))
}

#[test]
fn a_source_address_that_is_not_this_machines_ends_the_start() {
    let config = file("source.toml", "[resolver]\nsource-addresses = [\"127.0.0.9\", \"192.0.2.253\"]\n");
    let (code, said) = refuses(&["--listen", "127.0.0.1:0", "--config", config.path()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cnamed: cannot ask from 192.0.2.253: ") && !said.contains("ready"), "{said}");
    assert!(said.contains("resolver.source-addresses"), "{said}");
    for command in ["trace", "check"] {
        let refused = cnamed(&[command, "--config", config.path(), "example.com"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.starts_with(&format!("cnamed {command}: cannot ask from 192.0.2.253: ")), "{said}");
    }
    // No socket is opened in the embedded world, nor of a family that is switched off.
    let mut program = Program::lab_with(&config);
    let other = "[resolver]\nsource-addresses = [\"192.0.2.254\"]\n";
    let lines = reload(&mut program, &config, other);
    assert!(is_said(&lines, "resolver.source-addresses changed: takes effect after a restart"), "{lines:?}");
    config.rewrite("[resolver]\nipv6 = false\nsource-addresses = [\"2001:db8::253\"]\n");
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--config", config.path()]);
    let lines = reload(&mut program, &config, other);
    assert!(is_said(&lines, "cannot ask from 192.0.2.254"), "{lines:?}");
}

// ---------------------------------------------------------------------------------------- listening

/// A port that nobody has.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn listening_twice_on_an_address_is_refused_in_a_file_and_on_the_command_line() {
    let port = free_port();
    let many: Vec<String> = (1..=65).map(|n| format!("127.0.1.{n}:{port}")).collect();
    let [one, any, group] = ["127.0.0.1", "0.0.0.0", "224.0.0.1"].map(|address| format!("{address}:{port}"));
    for (addresses, told) in [
        (vec![one.clone(), one.clone()], "expected each entry once: remove the second".to_owned()),
        (vec![one.clone(), any.clone()], format!("{any} has {one} in it: expected one of them")),
        (vec![any.clone(), one.clone()], format!("{any} has {one} in it: expected one of them")),
        (vec![group], "expected a list of 1 to 64 addresses with ports".to_owned()),
        (many, "expected a list of 1 to 64 addresses with ports".to_owned()),
    ] {
        let config = file("listen.toml", &format!("[server]\nlisten = {addresses:?}\n"));
        let checked = cnamed(&["config", "check", config.path()]);
        let said = text(&checked.stdout);
        assert_eq!(checked.status.code(), Some(1), "{addresses:?}");
        assert!(said.contains("server.listen = ") && said.contains(&told), "{said}");
        let mut arguments = vec!["--lab"];
        addresses.iter().for_each(|address| arguments.extend(["--listen", address]));
        let (code, said) = refuses(&arguments);
        assert_eq!(code, Some(2), "{addresses:?}: {said}");
        assert!(said.starts_with("cnamed serve: --listen") && said.contains(&told), "{said}");
    }
    // Any free port is another one each time, and so is the same one of the other family.
    let config = file("listen.toml", "[server]\nlisten = [\"0.0.0.0:0\", \"127.0.0.1:0\"]\n");
    drop(Program::start(&["--lab", "--config", config.path()]));
    config.rewrite(&format!("[server]\nlisten = [\"[::]:{port}\", \"127.0.0.1:{port}\"]\n"));
    assert_eq!(cnamed(&["config", "check", config.path()]).status.code(), Some(0));
}

// ------------------------------------------------------------------------------------------- reload

#[test]
fn a_reload_tells_what_waits_for_a_restart_as_long_as_it_waits() {
    let port = free_port();
    let a = format!("[server]\nlisten = [\"127.0.0.1:{port}\"]\n");
    let b = "[server]\nlisten = [\"127.0.0.9:5300\"]\n";
    let config = file("pending.toml", &a);
    let mut program = Program::start(&["--lab", "--config", config.path()]);
    for (settings, waits) in [(b, true), (b, true), (&a, false), (b, true)] {
        let lines = reload(&mut program, &config, settings);
        assert_eq!(
            is_said(&lines, "server.listen changed: takes effect after a restart"),
            waits,
            "{lines:?}"
        );
    }
}

#[test]
fn a_reload_that_opens_the_resolver_is_told_as_at_a_start() {
    let port = free_port();
    let settings =
        |allow: &str| format!("[server]\nlisten = [\"0.0.0.0:{port}\"]\n[access]\nallow = [\"{allow}\"]\n");
    let config = file("open.toml", &settings("127.0.0.0/8"));
    let mut program = Program::start(&["--lab", "--config", config.path()]);
    let is_open = |lines: &[String]| is_said(lines, "access.allow contains 0.0.0.0/0");
    assert!(!is_open(&program.said.lock().unwrap()));
    assert!(is_open(&reload(&mut program, &config, &settings("0.0.0.0/0"))));
    assert!(!is_open(&reload(&mut program, &config, &settings("127.0.0.0/8"))));
}

// -------------------------------------------------------------------------------------------- names

#[test]
fn names_in_other_scripts_mean_what_they_mean_to_people() {
    let text = "[[stub]]\nzone = \"m\u{fc}nchen.lint.example\"\nservers = [\"127.77.77.77\"]\n";
    let config = file("idn.toml", text);
    let traced = cnamed(&["trace", "--lab", "--config", config.path(), "xn--mnchen-3ya.lint.example"]);
    assert_eq!(traced.status.code(), Some(1), "nobody is there: {}", crate::binary::text(&traced.stdout));
    let server = "m\u{fc}nchen.lint.example=127.77.77.77";
    let traced = cnamed(&["trace", "--lab", "--server", server, "xn--mnchen-3ya.lint.example"]);
    assert_eq!(traced.status.code(), Some(1), "nobody is there: {}", crate::binary::text(&traced.stdout));
}

// ------------------------------------------------------------------------------------------- stdout

#[test]
fn checking_ends_when_nobody_reads_on() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cnamed"))
        .args(["check", "--lab"])
        .stdin(Stdio::piped())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let names: String = (0..50_000).map(|n| format!("n{n}.example.com\n")).collect();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), names.as_bytes()).unwrap();
    std::io::Read::read_exact(&mut reader, &mut [0; 10]).unwrap();
    drop(reader);
    let ended = until(PATIENCE / 5, || child.try_wait().unwrap().is_some());
    _ = child.kill();
    _ = child.wait();
    assert!(ended, "it goes on");
}
