use std::net::IpAddr;
use std::time::Duration;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Path::new("etc/cnamed.toml"))
}

/// The errors as lines, without the file's name.
fn errors(text: &str) -> Vec<String> {
    let errors = parse(text).unwrap_err().to_string();
    errors.lines().map(|line| line.strip_prefix("etc/cnamed.toml:").unwrap().to_owned()).collect()
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(Config::default().resolver.hints.len(), 13);
    assert_eq!(Config::default().cache.max_memory, 256 << 20);
    assert_eq!(Config::default().resolver.edns_buffer_size, 1232);
}

#[test]
fn the_contracts_example_is_read() {
    let config = parse(
        r#"
[server]
listen = ["192.0.2.9:53", "[::1]:5353"]
threads = 2
version = "x"
[access]
allow = ["10.0.0.0/8", "2001:db8::1", "192.0.2.77/24"]
trace = []
[resolver]
root-priming = false
qname-minimisation = false
case-randomisation = false
ipv6 = false
query-localhost = true
source-addresses = ["192.0.2.9"]
edns-buffer-size = 0x1000
max-chain-length = 64
max-upstream-queries = 1_000
timeout = "1500ms"
[[forward]]
zone = "corp.example."
servers = ["192.0.2.53", "192.0.2.54:5353", "[2001:db8::1]:53", "2001:db8::2", "[2001:db8::3]"]
[[forward]]
zone = "."
servers = ["127.0.0.1"]
[[stub]]
zone = "lan"
servers = ["192.0.2.1"]
[dnssec]
validation = false
[cache]
max-memory = "1GiB"
min-ttl = 1
max-ttl = 2
max-negative-ttl = 3
serve-stale = false
stale-max-age = 4
prefetch = false
file = "cache.bin"
save-interval = "1s"
[log]
filter = "cnamed=debug,warn"
"#,
    )
    .unwrap();
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!((config.server.threads, config.server.version.as_deref()), (2, Some("x")));
    let allow: Vec<String> = config.access.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allow, ["10.0.0.0/8", "2001:db8::1/128", "192.0.2.0/24"]);
    assert!(config.access.trace.is_empty());
    let resolver = &config.resolver;
    assert!(!resolver.root_priming && !resolver.qname_minimisation && !resolver.case_randomisation);
    assert!(resolver.ipv4 && !resolver.ipv6 && resolver.query_localhost);
    assert_eq!(resolver.source_addresses, ["192.0.2.9".parse::<IpAddr>().unwrap()]);
    assert_eq!((resolver.edns_buffer_size, resolver.max_chain_length), (4096, 64));
    assert_eq!((resolver.max_upstream_queries, resolver.timeout), (1000, Duration::from_millis(1500)));
    let routes: Vec<String> =
        config.routes.iter().map(|r| format!("{:?} {} {:?}", r.kind, r.zone, r.servers)).collect();
    assert_eq!(
        routes,
        [
            "Forward corp.example. [192.0.2.53:53, 192.0.2.54:5353, [2001:db8::1]:53, [2001:db8::2]:53, \
             [2001:db8::3]:53]",
            "Forward . [127.0.0.1:53]",
            "Stub lan. [192.0.2.1:53]",
        ]
    );
    let cache = &config.cache;
    assert_eq!((cache.max_memory, cache.min_ttl, cache.max_ttl, cache.max_negative_ttl), (1 << 30, 1, 2, 3));
    assert_eq!((cache.serve_stale, cache.stale_max_age, cache.prefetch), (false, 4, false));
    assert_eq!(cache.file.as_deref(), Some(Path::new("etc/cache.bin")));
    assert_eq!(cache.save_interval, Duration::from_secs(1));
    assert_eq!(config.log.filter, "cnamed=debug,warn");
}

#[test]
fn unknown_keys_name_the_nearest() {
    let text = "\
listen = []
tiemout = \"5s\"
[servr]
[resolver]
max_chain_lenght = 5
max-memory = 1
  xyz = { a = 1 }
[[forward]]
zone = \".\"
server = [\"192.0.2.1\"]
";
    assert_eq!(
        errors(text),
        [
            "1:1: listen: `listen` belongs into [server]",
            "2:1: tiemout: there is no such key; the nearest is timeout, in [resolver]",
            "3:2: servr: there is no such table; the nearest is [server]",
            "5:1: resolver.max_chain_lenght: there is no such key; the nearest is resolver.max-chain-length",
            "6:1: resolver.max-memory: there is no such key in [resolver]: it belongs into [cache]",
            "7:3: resolver.xyz: there is no such key; the nearest is resolver.ipv4",
            "8:1: forward.servers: the key is missing: [[forward]] needs `zone` and `servers`",
            "10:1: forward.server: there is no such key; the nearest is forward.servers",
        ]
    );
}

#[test]
fn every_value_out_of_bounds_is_told_with_its_place_and_reason() {
    for (table, line, message) in [
        ("server", "threads = -1", "an integer from 0 to 1024"),
        ("server", "threads = 1.5", "an integer from 0 to 1024"),
        ("server", "listen = []", "a list of 1 to 64 addresses with ports"),
        ("server", "version = \"\"", "text of 1 to 255 octets"),
        ("resolver", "edns-buffer-size = 511", "an integer from 512 to 4096 (RFC 6891 §6.2.3"),
        ("resolver", "edns-buffer-size = 4097", "an integer from 512 to 4096"),
        ("resolver", "max-chain-length = 0", "an integer from 1 to 64"),
        ("resolver", "max-chain-length = 65", "an integer from 1 to 64"),
        ("resolver", "max-upstream-queries = 1001", "an integer from 1 to 1000"),
        ("resolver", "timeout = \"999ms\"", "from 1s to 1m"),
        ("resolver", "timeout = \"61s\"", "from 1s to 1m"),
        ("resolver", "timeout = 5", "text with a unit as in \"500ms\", \"5s\" or \"5m\""),
        ("resolver", "timeout = \"5 parsecs\"", "text with a unit"),
        ("resolver", "timeout = \"99999999999999999999s\"", "text with a unit"),
        ("resolver", "timeout = \"s\"", "text with a unit"),
        ("resolver", "ipv4 = \"yes\"", "true or false"),
        ("cache", "max-memory = 1048575", "from 1MiB to 1TiB"),
        ("cache", "max-memory = \"1MB\"", "as in \"256MiB\""),
        ("cache", "max-memory = \"99999999999TiB\"", "as in \"256MiB\""),
        ("cache", "file = \"\"", "a path, as text"),
        ("cache", "min-ttl = 3601", "an integer from 0 to 3600"),
        ("log", "filter = \"cnamed=loud\"", "tracing's filter syntax: error parsing level filter"),
        ("access", "allow = \"any\"", "a list of networks or addresses"),
    ] {
        let (key, value) = line.split_once(" = ").unwrap();
        let column = key.len() + 4;
        let found = errors(&format!("[{table}]\n{line}\n"));
        let start = format!("2:{column}: {table}.{key} = {value}: expected ");
        assert!(found[0].starts_with(&start), "{line}: {found:?}");
        assert!(found[0].contains(message) && found.len() == 1, "{line}: {found:?}");
    }
}

#[test]
fn each_wrong_item_of_a_list_is_told() {
    let text = "[server]\nlisten = [\n  \"127.0.0.1\",\n  \"[::1]:53\", \"[::1]:53\",\n  \"é\", 5]\n";
    let found = errors(text);
    assert!(found[0].starts_with("3:3: server.listen = \"127.0.0.1\": expected a list of"), "{found:?}");
    assert_eq!(found[1], "4:15: server.listen = \"[::1]:53\": expected each entry once: remove the second");
    assert!(found[2].starts_with("5:3: server.listen = \"é\": expected"), "{found:?}");
    // Columns count characters, not octets.
    assert!(found[3].starts_with("5:8: server.listen = 5: expected"), "{found:?}");
    for server in ["0.0.0.0", "224.0.0.1", "192.0.2.1:0", "255.255.255.255", "example.com", "[::]:53"] {
        let text = format!("[[stub]]\nzone = \"a\"\nservers = [\"{server}\"]\n");
        assert!(
            errors(&text)[0].starts_with(&format!("3:12: stub.servers = \"{server}\": expected")),
            "{text}"
        );
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    for (text, message) in [
        ("[resolver]\nipv4 = false\nipv6 = false\n", "3:8: resolver.ipv6 = false: expected ipv4 or ipv6"),
        ("[cache]\nmin-ttl = 9\nmax-ttl = 8\n", "2:11: cache.min-ttl = 9: expected at most cache.max-ttl"),
        (
            "[[forward]]\nzone = \"a\"\nservers = [\"192.0.2.1\"]\n[[stub]]\nzone = \"A.\"\nservers = [\"192.0.2.1\"]",
            "5:8: stub.zone = \"A.\": expected each zone once",
        ),
    ] {
        let found = errors(text);
        assert!(found[0].starts_with(message) && found.len() == 1, "{found:?}");
    }
}

#[test]
fn trust_anchors_replace_the_compiled_ones_and_add_up() {
    assert_eq!(Config::default().dnssec.anchors.len(), 2);
    let folder = std::env::temp_dir().join(format!("cnamed-anchors-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("root.key"), "; two\n. DNSKEY 257 3 8 AAAA\nb. 60 DNSKEY 257 3 13 AAAA\n")
        .unwrap();
    let read = |text: &str| Config::parse(text, &folder.join("c.toml"));
    let text = r#"
        [dnssec]
        validation = true
        trust-anchor-file = "root.key"
        trust-anchors = ["example. DS 1 8 3 AABB", "other.example. IN DNSKEY 256 3 RSASHA256 AAAA"]
        negative-trust-anchors = ["broken.example."]
        sha1 = "validate"
    "#;
    let dnssec = read(text).unwrap().dnssec;
    let zones: Vec<String> = dnssec.anchors.iter().map(|a| a.zone.to_string()).collect();
    assert_eq!(zones, [".", "b.", "example.", "other.example."]);
    assert!(dnssec.validation && dnssec.sha1_validates);
    assert_eq!(dnssec.negative, ["broken.example.".parse().unwrap()]);
    assert!(read("[dnssec]\ntrust-anchors = []\nsha1 = \"insecure\"\n").unwrap().dnssec.anchors.is_empty());
    std::fs::write(folder.join("root.key"), ". NS a.\n").unwrap();
    let wrong = read("[dnssec]\ntrust-anchor-file = \"root.key\"\n").unwrap_err().to_string();
    assert!(wrong.contains("root.key:1: . NS: expected a DS or DNSKEY record"), "{wrong}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn broken_trust_anchors_are_told_with_their_place() {
    for (line, message) in [
        ("validation = \"on\"", "2:14: dnssec.validation = \"on\": expected true or false"),
        (
            "trust-anchors = [\". DS 1 8 2 AA\"]",
            "2:18: dnssec.trust-anchors = \". DS 1 8 2 AA\": expected a DS or DNSKEY record: record:1: . DS: the digest",
        ),
        (
            "trust-anchors = [\"\"]",
            "2:18: dnssec.trust-anchors = \"\": expected a DS or DNSKEY record, as text",
        ),
        ("trust-anchors = [5]", "2:18: dnssec.trust-anchors = 5: expected a list of DS or DNSKEY records"),
        (
            "trust-anchors = \". DS\"",
            "2:17: dnssec.trust-anchors = \". DS\": expected a list of DS or DNSKEY",
        ),
        ("trust-anchor-file = \"none\"", "2:21: dnssec.trust-anchor-file = \"none\": cannot open"),
        (
            "negative-trust-anchors = [\"a..b\"]",
            "2:27: dnssec.negative-trust-anchors = \"a..b\": expected a domain name: an empty label",
        ),
        (
            "trust-anchors = [\"ü. DS 1 8 3 AA\"]",
            "2:18: dnssec.trust-anchors = \"ü. DS 1 8 3 AA\": expected a DS or DNSKEY record, its owner as A-labels",
        ),
        ("sha1 = \"ignore\"", "2:8: dnssec.sha1 = \"ignore\": expected \"insecure\" or \"validate\""),
    ] {
        let found = errors(&format!("[dnssec]\n{line}\n"));
        assert!(found[0].starts_with(message) && found.len() == 1, "{found:?}");
    }
}

#[test]
fn names_are_taken_in_any_script_and_without_blank_space() {
    let text = "\
[[stub]]
zone = \"MÜNCHEN.example\"
servers = [\"192.0.2.1\"]
[[forward]]
zone = 'a\\032b'
servers = [\"192.0.2.1\"]
[dnssec]
negative-trust-anchors = [\"日本語.example\", \"_tcp.example\"]
";
    let config = parse(text).unwrap();
    let zones: Vec<String> = config.routes.iter().map(|route| route.zone.to_string()).collect();
    assert_eq!(zones, ["a\\032b.", "xn--mnchen-3ya.example."]);
    assert_eq!(config.dnssec.negative[0].to_string(), "xn--wgv71a119e.example.");
    let twice = "[dnssec]\nnegative-trust-anchors = [\"münchen.example\", \"xn--mnchen-3ya.example\"]\n";
    assert!(errors(twice)[0].contains("expected each entry once"), "{:?}", errors(twice));
    for (name, why) in
        [("a b", "blank space in a label"), ("a.\u{301}b", "it has characters"), (" a", "blank")]
    {
        let found = errors(&format!("[[stub]]\nzone = \"{name}\"\nservers = [\"192.0.2.1\"]\n"));
        assert!(
            found[0].starts_with(&format!("2:8: stub.zone = \"{name}\": expected a domain name: {why}")),
            "{found:?}"
        );
        let found = errors(&format!("[dnssec]\nnegative-trust-anchors = [\"{name}\"]\n"));
        assert!(found[0].contains(why), "{found:?}");
    }
}

#[test]
fn broken_toml_is_told_with_its_place() {
    for text in ["[server\n", "a = \n", "[server]\nthreads = 1\nthreads = 2\n", "x = \"\n"] {
        let found = errors(text);
        assert!(found[0].contains(": not TOML: "), "{found:?}");
    }
    assert!(errors("[server]\nthreads = 1\nthreads = 2\n")[0].starts_with("3:1: not TOML: duplicate key"));
    assert!(
        errors("server = 5\n")[0]
            .starts_with("1:10: server = 5: expected a table that begins with `[server]`")
    );
    assert!(errors("forward = [5]\n")[0].contains("expected a table that begins with `[[forward]]`"));
    assert!(
        errors("[forward]\nzone = \"a\"\n")[0].contains("expected a table that begins with `[[forward]]`")
    );
}

#[test]
fn long_values_are_cut_short() {
    let found = errors(&format!("[resolver]\ntimeout = \"{}\"\n", "x".repeat(500)));
    assert!(found[0].contains(&format!("\"{}…: expected", "x".repeat(59))), "{found:?}");
}

#[test]
fn errors_and_routes_are_bounded() {
    let many: String = (0..5_000).map(|n| format!("key{n} = 1\n")).collect();
    let found = errors(&many);
    assert_eq!(found.len(), MAX_ERRORS + 1);
    assert!(found.iter().any(|line| line.ends_with(" and more errors, not shown")));
    let route = |n| format!("[[stub]]\nzone = \"z{n}\"\nservers = [\"192.0.2.1\"]\n");
    assert!(parse(&(0..MAX_ROUTES).map(route).collect::<String>()).is_ok());
    let found = errors(&(0..=MAX_ROUTES).map(route).collect::<String>());
    assert_eq!(found, ["3073:1: stub: expected at most 1024 forward and stub zones"]);
}

proptest::proptest! {
    /// The default file with a part replaced by anything: a configuration, or errors inside the file.
    #[test]
    fn a_damaged_file_never_panics(at in 0usize..8_000, cut in 0usize..40, new in "[a-z0-9\\[\\]\"=.# \n{},é-]{0,20}") {
        let text: Vec<char> = crate::config::show::default_file().chars().collect();
        let (at, end) = (at.min(text.len()), (at + cut).min(text.len()));
        let damaged: String = text[..at].iter().copied().chain(new.chars()).chain(text[end..].iter().copied()).collect();
        let lines = damaged.matches('\n').count() + 1;
        if let Err(errors) = parse(&damaged) {
            proptest::prop_assert!(!errors.0.is_empty());
            for error in errors.0 {
                proptest::prop_assert!(error.position.is_some_and(|(line, column)| line <= lines && column >= 1));
            }
        }
    }
}
