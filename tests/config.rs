//! `cnamed config`, `--version`, `--help` and bad usage, by the real program; and that
//! `docs/configuration.md` is what the table of settings says.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use cnamed::config::{Config, show};

fn cnamed(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cnamed")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A folder of its own for one test, emptied first.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn version_and_help_go_to_stdout_and_exit_0() {
    let version = cnamed(&["--version"]);
    assert_eq!(text(&version.stdout), concat!("cnamed ", env!("CARGO_PKG_VERSION"), "\n"));
    for args in [
        &["--help"][..],
        &["serve", "--help"],
        &["trace", "--help"],
        &["check", "--help"],
        &["config", "--help"],
        &["config", "check", "--help"],
        &["config", "default", "--help"],
    ] {
        let help = cnamed(args);
        assert!(help.status.success() && help.stderr.is_empty(), "{args:?}");
        assert!(text(&help.stdout).contains("Usage: cnamed"), "{args:?}");
    }
    for args in [&["--help"][..], &["serve", "--help"], &["trace", "--help"], &["config", "check", "--help"]]
    {
        assert!(text(&cnamed(args).stdout).contains("Examples:"), "{args:?}");
    }
}

#[test]
fn bad_usage_is_exit_2_and_says_what_to_do_on_stderr() {
    for args in
        [&[][..], &["serv"], &["serve", "--lab-zones", "x"], &["trace"], &["config", "check", "a", "b"]]
    {
        let refused = cnamed(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(refused.stdout.is_empty() && text(&refused.stderr).contains("Usage:"), "{args:?}");
    }
}

#[test]
fn config_default_prints_a_file_that_is_the_default() {
    let printed = cnamed(&["config", "default"]);
    assert!(printed.status.success() && printed.stderr.is_empty());
    let config = Config::parse(&text(&printed.stdout), Path::new("x.toml")).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn config_check_tells_file_line_column_key_and_expectation() {
    let folder = folder("config-check");
    let path = folder.join("bad.toml");
    fs::write(&path, "[resolver]\ntimeout = \"5 hours\"\nmax-chain-lenght = 3\n").unwrap();
    let checked = cnamed(&["config", "check", path.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    let (out, file) = (text(&checked.stdout), path.display());
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(
        lines[0].starts_with(&format!("{file}:2:11: resolver.timeout = \"5 hours\": expected text")),
        "{out}"
    );
    assert!(
        lines[1].starts_with(&format!("{file}:3:1: resolver.max-chain-lenght: there is no such key")),
        "{out}"
    );
    assert!(lines[1].ends_with("the nearest is resolver.max-chain-length"), "{out}");

    let good = folder.join("good.toml");
    fs::write(&good, "[server]\nlisten = [\"127.0.0.1:5353\"]\n").unwrap();
    let checked = cnamed(&["config", "check", good.to_str().unwrap()]);
    assert!(checked.status.success());
    assert_eq!(text(&checked.stdout), format!("{}: no errors\n", good.display()));

    let missing = folder.join("missing.toml");
    let checked = cnamed(&["config", "check", missing.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stdout).contains("missing.toml: cannot open"), "{}", text(&checked.stdout));
}

#[test]
fn config_check_reads_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cnamed"))
        .args(["config", "check"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"[log]\nfilter = 5\n").unwrap();
    let checked = child.wait_with_output().unwrap();
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stdout).starts_with("<stdin>:2:10: log.filter = 5: expected"));
}

#[test]
fn root_hints_are_read_relative_to_the_configuration() {
    let folder = folder("config-hints");
    let path = folder.join("cnamed.toml");
    let load = |hints: Option<&str>| {
        if let Some(hints) = hints {
            fs::write(folder.join("my.hints"), hints).unwrap();
        }
        fs::write(&path, "[resolver]\nroot-hints = \"my.hints\"\n").unwrap();
        Config::load(&path)
    };
    let missing = load(None).unwrap_err().to_string();
    assert!(
        missing.contains("cnamed.toml:2:14: resolver.root-hints = \"my.hints\": cannot open "),
        "{missing}"
    );
    let config = load(Some(". NS a.root.\na.root. A 192.0.2.1\na.root. AAAA 2001:db8::1\n")).unwrap();
    assert_eq!(config.resolver.hints.len(), 1);
    assert_eq!(config.resolver.hints[0].addresses.len(), 2);
    let broken = load(Some(". NS a.root.\na.root. A 192.0.2\n")).unwrap_err().to_string();
    assert!(broken.contains("my.hints:2: A: field 1: expected an IPv4 address"), "{broken}");
    let empty = load(Some("")).unwrap_err().to_string();
    assert!(empty.contains("my.hints: expected NS records of `.`"), "{empty}");
}

#[test]
fn files_that_are_no_text_or_too_large_are_refused() {
    let folder = folder("config-files");
    let path = folder.join("cnamed.toml");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("is not UTF-8 text"));
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("is larger than 1048576 octets"));
    assert!(Config::load(&folder).unwrap_err().to_string().contains("cannot "));
}

/// Write it anew with `CNAMED_WRITE_DOCS=1 cargo test --test cnamed-tests the_reference`.
#[test]
fn the_reference_is_what_the_table_of_settings_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("CNAMED_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, show::reference()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == show::reference(), "docs/configuration.md is not what src/config/settings.rs says");
}
