//! Answers that explain themselves, from the real program: CH TXT below `trace.cnamed.`, EDNS option
//! 65001, `cnamed trace --from-cache`; for whom, how long, and that nobody else gets anything.

use std::net::{Ipv4Addr, SocketAddr};

use cnamed::rrset::{Class, Question};
use cnamed::server::explain::OPTION_TRACE;
use cnamed::wire::{Header, MessageWriter};

use crate::binary::{
    PATIENCE, Program, Reply, ask_tcp, ask_udp, chaos, cnamed, file, query, question, receive, text,
    udp_from, until,
};

/// A normal question with the option.
fn with_option(text: &str, size: u16) -> Vec<u8> {
    let mut writer = MessageWriter::new(9, Header::RD, 1_000);
    writer.question(&question(text)).unwrap();
    writer.opt(size, 0, 0, &[(OPTION_TRACE, Vec::new())]).unwrap();
    writer.finish()
}

/// What the option of an answer says.
fn option(reply: &Reply) -> Option<String> {
    reply.edns.as_ref()?.option(OPTION_TRACE).map(text)
}

/// The text of each TXT record.
fn lines(reply: &Reply) -> Vec<String> {
    let line = |record: &String| {
        let text = record.split_once(" TXT ").unwrap().1.trim_matches('"');
        text.replace("\" \"", "").replace("\\\"", "\"").replace("\\\\", "\\")
    };
    reply.answer.iter().map(line).collect()
}

fn ask_from(client: Ipv4Addr, to: SocketAddr, request: &[u8]) -> Reply {
    let socket = udp_from(client, to);
    socket.send(request).unwrap();
    Reply::read(&receive(&socket).unwrap())
}

#[test]
fn a_name_is_explained_from_the_network_and_then_from_the_cache() {
    let program = Program::lab();
    let asked = chaos("www.example.com.trace.cnamed");
    let first = lines(&ask_udp(program.address(), &asked));
    assert!(first[0].starts_with("1. www.example.com. 300 CNAME www.example.com.cdn.example. [network: ns"));
    assert!(first[5].starts_with("15 messages to "), "{first:#?}");
    let cached = ask_tcp(program.address(), &asked);
    let said = lines(&cached);
    assert_eq!((cached.rcode, said.len()), (0, 6), "{said:#?}");
    assert!(cached.ttls.iter().all(|ttl| *ttl == 0));
    assert_eq!(cached.question.unwrap().class, Class::CH);
    assert!(said[0].starts_with("1. www.example.com. ") && said[0].contains(" [cached]"), "{said:#?}");
    assert!(said[3].starts_with("4. pop7.example.org. ") && said[3].contains(" A 203.0.113.80 [cached]"));
    assert_eq!(said[4], "NOERROR: 3 aliases, 1 record");
    assert!(said[5].starts_with("no message sent, "));
    let long = chaos("hops16.chain.example.trace.cnamed");
    let cut = ask_udp(program.address(), &long);
    assert_eq!((cut.flags & Header::TC, cut.answer.len()), (Header::TC, 0), "it does not fit a datagram");
    assert_eq!(ask_tcp(program.address(), &long).answer.len(), 19);
    let fresh = lines(&ask_tcp(program.address(), &chaos("text.example.com.TXT.trace.cnamed")));
    assert!(fresh[0].contains("TXT \"a text\" \"of two strings\" [network: ns"), "{fresh:#?}");
    // The zero-TTL alias is asked for each time, the rest is cached.
    for _ in 0..2 {
        let said = lines(&ask_tcp(program.address(), &chaos("zero.example.com.trace.cnamed")));
        assert!(
            said[0].starts_with("1. zero.example.com. 0 CNAME ") && said[0].contains("[network: "),
            "{said:#?}"
        );
    }
}

#[test]
fn failures_types_and_local_names_are_explained_too() {
    let program = Program::lab();
    let explained = |name: &str| lines(&ask_tcp(program.address(), &chaos(name)));
    let looped = explained("two-a.loop.example.trace.cnamed");
    assert!(looped[2].starts_with("SERVFAIL: CNAME loop: two-a.loop.example. -> two-b.loop.example. -> "));
    let denied = explained("nothing.example.net.AAAA.trace.cnamed");
    assert!(
        denied[0].starts_with("1. nothing.example.net. AAAA: no such name (NXDOMAIN) [network: "),
        "{denied:#?}"
    );
    let odd = explained(r"a\000b\;c.example.net.trace.cnamed");
    assert!(odd[0].starts_with(r"1. a\000b\;c.example.net. A: no such name"), "{odd:#?}");
    let local = explained("localhost.trace.cnamed");
    assert!(local[0].contains("127.0.0.1 [from this server itself]"), "{local:#?}");
    for (name, rcode) in [("trace.cnamed", 5), ("www.example.com.tracer.cnamed", 5)] {
        let reply = ask_udp(program.address(), &chaos(name));
        assert_eq!((reply.rcode, reply.answer.len()), (rcode, 0), "{name}");
    }
    let mut of_type_a = Question { class: Class::CH, ..question("example.com.trace.cnamed A") };
    let ask = |question: &Question| {
        let mut writer = MessageWriter::new(9, Header::RD, 1_000);
        writer.question(question).unwrap();
        ask_udp(program.address(), &writer.finish())
    };
    assert_eq!(ask(&of_type_a).rcode, 5);
    of_type_a.class = Class::IN;
    assert_eq!(ask(&of_type_a).rcode, 3, "an ordinary name of an ordinary class");
}

#[test]
fn the_option_brings_the_trace_beside_the_normal_answer() {
    let program = Program::lab();
    let normal = ask_udp(program.address(), &query(9, "www.example.com A"));
    assert_eq!(option(&normal), None);
    let both = ask_tcp(program.address(), &with_option("www.example.com A", 1232));
    assert_eq!(both.answer, normal.answer);
    let said = option(&both).unwrap();
    assert!(said.starts_with("1. www.example.com. 300 CNAME ") && said.contains("[cached]"), "{said}");
    assert!(said.contains("\nNOERROR: 3 aliases, 1 record\nno message sent, "), "{said}");
    // A datagram has what fits, and never less of the answer for it.
    let normal = ask_udp(program.address(), &query(9, "hops16.chain.example A"));
    let cut = ask_udp(program.address(), &with_option("hops16.chain.example A", 1232));
    assert_eq!((&cut.answer, cut.flags & Header::TC), (&normal.answer, 0));
    assert!(cut.octets <= 1232, "{}", cut.octets);
    let said = option(&cut).unwrap();
    assert!(said.starts_with("(more over TCP)\n") && said.contains("\n17. "), "{said}");
    assert!(said.contains("\nNOERROR: 16 aliases, 1 record\n"), "{said}");
    let none = ask_udp(program.address(), &with_option("many.big.example A", 512));
    assert_eq!((none.flags & Header::TC, option(&none)), (Header::TC, None));
    let failed = ask_udp(program.address(), &with_option("self.loop.example A", 1232));
    assert_eq!((failed.rcode, failed.answer.len()), (2, 0));
    assert!(option(&failed).unwrap().contains("SERVFAIL: CNAME loop: self.loop.example. -> "));
}

#[test]
fn clients_outside_access_trace_get_nothing_and_a_reload_counts() {
    let only = |client: &str| format!("[access]\ntrace = [\"{client}/32\"]\n");
    let config = file("explain.toml", &only("127.0.0.2"));
    let program = Program::lab_with(&config);
    let (outside, inside) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let asked = chaos("example.com.trace.cnamed");
    let refused = |client| {
        let reply = ask_from(client, program.address(), &asked);
        reply.rcode == 5 && reply.answer.is_empty() && reply.authority.is_empty()
    };
    assert!(refused(outside));
    assert_eq!(lines(&ask_from(inside, program.address(), &asked)).len(), 3);
    let optional = with_option("example.com A", 1232);
    let reply = ask_from(outside, program.address(), &optional);
    assert_eq!((reply.rcode, reply.answer.len(), option(&reply)), (0, 1, None), "ignored, no error");
    assert!(option(&ask_from(inside, program.address(), &optional)).is_some());
    let from_cache = || cnamed(&["trace", "example.com", "--from-cache", &program.address().to_string()]);
    let output = from_cache();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("access.trace"), "{}", text(&output.stderr));
    config.rewrite(&only("127.0.0.1"));
    program.signal("-HUP");
    assert!(until(PATIENCE, || !refused(outside) && refused(inside)));
    assert_eq!(from_cache().status.code(), Some(0));
}

#[test]
fn trace_from_cache_asks_a_running_server() {
    let program = Program::lab();
    let address = program.address().to_string();
    let _known = program.ask("www.example.com A");
    let output = cnamed(&["trace", "www.example.com", "--from-cache", &address]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(said.contains("4. pop7.example.org. ") && said.contains(" A 203.0.113.80 [cached]"), "{said}");
    let output = cnamed(&["trace", "--from-cache", &address, "x2.loop.example", "AAAA"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("SERVFAIL: CNAME loop: x2.loop.example. -> "));
    let output = cnamed(&["trace", "a.example", "--from-cache", &address, "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    drop(program);
    let output = cnamed(&["trace", "a.example", "--from-cache", &address]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}
