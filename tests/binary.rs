//! The real program, line by line of `contract.md`: what harnesses, packagers and scripts rely on.
//!
//! Every test starts its own program on a port of its own and ends it, so that all may run at the
//! same time. Nothing leaves loopback: `serve` and `trace` resolve inside the embedded world, or ask
//! a stub zone's server that is this test.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use cnamed::master::rdata_to_text;
use cnamed::rrset::{Class, Question, RrSet, RrType};
use cnamed::wire::reader::Section;
use cnamed::wire::{Edns, Header, Message, MessageWriter, Name};

/// Longer than anything takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// What `contract.md` allows between SIGTERM and the end.
const STOPPING: Duration = Duration::from_secs(2);
const EDE: u16 = 15;

// --------------------------------------------------------------------------------------- messages

pub(crate) fn question(text: &str) -> Question {
    let (name, rtype) = text.split_once(' ').unwrap();
    Question::new(name.parse().unwrap(), rtype.parse().unwrap())
}

pub(crate) fn message(id: u16, flags: u16, question: &Question, edns: Option<u16>) -> Vec<u8> {
    let mut writer = MessageWriter::new(id, flags, 1_000);
    writer.question(question).unwrap();
    if let Some(size) = edns {
        writer.opt(size, 0, 0, &[]).unwrap();
    }
    writer.finish()
}

/// A recursive query with EDNS.
pub(crate) fn query(id: u16, text: &str) -> Vec<u8> {
    message(id, Header::RD, &question(text), Some(1232))
}

#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Reply {
    pub(crate) octets: usize,
    pub(crate) id: u16,
    pub(crate) flags: u16,
    pub(crate) rcode: u16,
    pub(crate) question: Option<Question>,
    /// `owner TYPE rdata`.
    pub(crate) answer: Vec<String>,
    pub(crate) ttls: Vec<u32>,
    pub(crate) authority: Vec<String>,
    pub(crate) edns: Option<Edns>,
}

impl Reply {
    pub(crate) fn read(bytes: &[u8]) -> Reply {
        let message = Message::parse(bytes).unwrap();
        let shown = |section| {
            let records = message.section(section).map(|r| {
                let rdata = rdata_to_text(r.rtype(), &r.rdata().unwrap());
                format!("{} {} {rdata}", r.owner().unwrap(), r.rtype())
            });
            records.collect::<Vec<String>>()
        };
        Reply {
            octets: bytes.len(),
            id: message.header().id,
            flags: message.header().flags & !0xf,
            rcode: message.rcode(),
            question: message.question().cloned(),
            answer: shown(Section::Answer),
            ttls: message.section(Section::Answer).map(|r| r.ttl()).collect(),
            authority: shown(Section::Authority),
            edns: message.edns().cloned(),
        }
    }

    /// Code and text of the Extended DNS Error.
    fn ede(&self) -> (u16, String) {
        let option = self.edns.as_ref().and_then(|edns| edns.option(EDE)).expect("an EDE");
        let (code, text) = option.split_at(2);
        (u16::from_be_bytes([code[0], code[1]]), String::from_utf8(text.to_vec()).unwrap())
    }
}

/// A socket of this address that talks to `to`.
pub(crate) fn udp_from(from: Ipv4Addr, to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub(crate) fn receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 65_535];
    // A receive with a timeout ends early when the process is stopped and continued (signal(7)),
    // and std does not begin it again.
    let length = loop {
        match socket.recv(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            received => break received?,
        }
    };
    buffer.truncate(length);
    Ok(buffer)
}

pub(crate) fn ask_udp(to: SocketAddr, request: &[u8]) -> Reply {
    let socket = udp_from(Ipv4Addr::LOCALHOST, to);
    socket.send(request).unwrap();
    Reply::read(&receive(&socket).unwrap())
}

fn tcp(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn framed(request: &[u8]) -> Vec<u8> {
    [&u16::try_from(request.len()).unwrap().to_be_bytes()[..], request].concat()
}

fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

pub(crate) fn ask_tcp(to: SocketAddr, request: &[u8]) -> Reply {
    let mut stream = tcp(to);
    stream.write_all(&framed(request)).unwrap();
    Reply::read(&read_framed(&mut stream).unwrap())
}

// ---------------------------------------------------------------------------------------- program

/// `cnamed serve`, killed when dropped.
pub(crate) struct Program {
    child: Child,
    addresses: Vec<SocketAddr>,
    pub(crate) said: Arc<Mutex<Vec<String>>>,
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Program {
        Program::start_with(arguments, &[])
    }

    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cnamed"))
            .arg("serve")
            .args(arguments)
            .env_remove("RUST_LOG")
            .env_remove("NOTIFY_SOCKET")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&said);
        // Ends with the program, which closes its end of the pipe.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut program = Program { child, addresses: Vec::new(), said };
        let line = program.hears(|line| line.starts_with("ready"));
        program.addresses = line.split(' ').skip(1).map(|address| address.parse().unwrap()).collect();
        program
    }

    /// In the embedded world, with a port of its own.
    pub(crate) fn lab() -> Program {
        Program::start(&["--lab", "--listen", "127.0.0.1:0"])
    }

    /// The same with a configuration.
    pub(crate) fn lab_with(config: &OwnFile) -> Program {
        Program::start(&["--lab", "--listen", "127.0.0.1:0", "--config", config.path()])
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn ask(&self, text: &str) -> Reply {
        ask_udp(self.address(), &query(0x4711, text))
    }

    /// Waits for a line on stderr.
    pub(crate) fn hears(&mut self, mut wanted: impl FnMut(&str) -> bool) -> String {
        let mut heard = None;
        until(PATIENCE, || {
            heard = self.said.lock().unwrap().iter().find(|line| wanted(line)).cloned();
            heard.is_some() || self.child.try_wait().unwrap().is_some()
        });
        heard.unwrap_or_else(|| panic!("it said {:#?}", self.said.lock().unwrap()))
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").arg(name).arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Its exit code and how long it took.
    pub(crate) fn ends(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let mut status = None;
        until(PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.and_then(|status| status.code()), begun.elapsed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn until(wait: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < wait {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    holds()
}

/// Runs a command that ends by itself.
pub(crate) fn cnamed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cnamed"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A file of its own for one test, gone with it.
pub(crate) struct OwnFile(PathBuf);

impl OwnFile {
    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub(crate) fn rewrite(&self, contents: &str) {
        fs::write(&self.0, contents).unwrap();
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

pub(crate) fn file(name: &str, contents: &str) -> OwnFile {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("binary-{}-{name}", std::process::id()));
    let file = OwnFile(path);
    file.rewrite(contents);
    file
}

// ------------------------------------------------------------------------------------------ serve

#[test]
fn ready_names_every_address_and_each_answers_over_udp_and_tcp() {
    let mut program = Program::start(&["--lab", "--listen", "127.0.0.1:0", "--listen", "127.0.0.3:0"]);
    assert_eq!(program.addresses.len(), 2);
    for address in program.addresses.clone() {
        assert_ne!(address.port(), 0);
        let by_udp = ask_udp(address, &query(7, "example.com A"));
        assert_eq!(by_udp.answer, ["example.com. A 203.0.113.10"]);
        assert_eq!(ask_tcp(address, &query(7, "example.com A")).answer, by_udp.answer);
    }
    let ready = |line: &&String| line.starts_with("ready");
    assert_eq!(program.said.lock().unwrap().iter().filter(ready).count(), 1);
    program.signal("-INT");
    assert_eq!(program.ends().0, Some(0));
}

#[test]
fn chain_answers_have_every_hop_in_order_then_the_target() {
    let program = Program::lab();
    let chain = [
        "www.example.com. CNAME www.example.com.cdn.example.",
        "www.example.com.cdn.example. CNAME eu.edge.example.net.",
        "eu.edge.example.net. CNAME pop7.example.org.",
        "pop7.example.org. A 203.0.113.80",
    ];
    for attempt in ["cold", "warm"] {
        let reply = program.ask("www.example.com A");
        assert_eq!(reply.answer, chain, "{attempt}");
        assert_eq!((reply.id, reply.rcode), (0x4711, 0));
        assert_eq!(reply.flags, Header::QR | Header::RD | Header::RA, "neither AA nor AD nor TC");
        assert_eq!(reply.question, Some(question("www.example.com A")));
    }
    // The address before the aliases, the DNAME before its CNAME, a target that is not there.
    let reply = program.ask("long.reversed.example A");
    assert!(reply.answer.len() > 2);
    for (hop, next) in reply.answer.iter().zip(&reply.answer[1..]) {
        assert!(next.starts_with(hop.rsplit(' ').next().unwrap()), "{:?}", reply.answer);
    }
    let reply = program.ask("www.tree.dname.example A");
    assert_eq!(
        reply.answer[..2],
        ["tree.dname.example. DNAME tree.dname.net.", "www.tree.dname.example. CNAME www.tree.dname.net."]
    );
    let reply = program.ask("dangling.alias.example A");
    assert_eq!((reply.rcode, reply.answer.len(), reply.authority.len()), (3, 1, 1));
    assert!(reply.authority[0].starts_with("example.net. SOA "), "{:?}", reply.authority);
}

#[test]
fn the_name_is_repeated_as_the_client_wrote_it() {
    let program = Program::lab();
    let reply = program.ask("wWw.eXample.NET AAAA");
    assert!(reply.question.unwrap().name.eq_case(&"wWw.eXample.NET.".parse().unwrap()));
    assert_eq!(reply.answer.len(), 1);
}

#[test]
fn each_records_ttl_counts_down_on_its_own() {
    let program = Program::lab();
    let first = program.ask("ttl.example.com A");
    assert_eq!(first.ttls, [300, 30, 600]);
    let asked = Instant::now();
    thread::sleep(Duration::from_millis(2_100));
    let second = program.ask("ttl.example.com A");
    let passed = u32::try_from(asked.elapsed().as_secs()).unwrap();
    assert_eq!(second.answer, first.answer);
    for (before, after) in first.ttls.iter().zip(&second.ttls) {
        let lost = before - after;
        assert!((2..=passed + 1).contains(&lost), "{:?} then {:?}", first.ttls, second.ttls);
    }
}

#[test]
fn edns_1232_towards_clients_and_none_to_those_without() {
    let program = Program::lab();
    let with = program.ask("example.com A");
    assert_eq!(with.edns.map(|edns| (edns.version, edns.udp_size)), Some((0, 1232)));
    let plain = message(1, Header::RD, &question("example.com A"), None);
    let without = ask_udp(program.address(), &plain);
    assert!(without.edns.is_none() && without.answer.len() == 1);
}

#[test]
fn loops_and_long_chains_are_servfail_with_the_hops_in_an_ede_and_nothing_in_the_answer() {
    let program = Program::lab();
    for (text, said) in [
        ("self.loop.example A", "CNAME loop: self.loop.example. -> self.loop.example."),
        ("x2.loop.example A", "CNAME loop: x2.loop.example. -> x2.loop.net. -> x2.loop.example."),
        (
            "lead.loop.example A",
            "CNAME loop: two-a.loop.example. -> two-b.loop.example. -> two-a.loop.example.",
        ),
        ("hops17.chain.example A", "CNAME chain longer than 16 at n01.chain.net."),
    ] {
        for attempt in ["cold", "warm"] {
            let reply = program.ask(text);
            assert_eq!(
                (reply.rcode, reply.answer.len(), reply.authority.len()),
                (2, 0, 0),
                "{text} {attempt}"
            );
            assert_eq!(reply.ede(), (0, said.to_owned()), "{text} {attempt}");
            assert_eq!(reply.flags, Header::QR | Header::RD | Header::RA);
        }
    }
    assert_eq!(program.ask("hops16.chain.example A").answer.len(), 17);
    assert_eq!(program.ask("two-a.loop.example CNAME").answer.len(), 1, "nothing is followed");
    let reply = program.ask("lame.alias.example A");
    assert_eq!((reply.rcode, reply.answer.len(), reply.ede().0), (2, 0, 22));
    assert!(reply.ede().1.contains("www.lame.example."), "the failing hop: {}", reply.ede().1);
}

#[test]
fn what_is_no_recursive_query_is_refused_or_dropped() {
    let program = Program::lab();
    let ask = |request: &[u8]| ask_udp(program.address(), request);
    let asked = question("example.com A");
    let iterative = ask(&message(1, 0, &asked, Some(1232)));
    assert_eq!((iterative.rcode, iterative.answer.len(), iterative.flags), (5, 0, Header::QR | Header::RA));
    for opcode in (1..=15_u16).filter(|opcode| *opcode != 0) {
        let reply = ask(&message(2, Header::RD | opcode << 11, &asked, None));
        assert_eq!((reply.rcode, reply.flags & 0x7800), (4, opcode << 11), "opcode {opcode}");
    }
    assert_eq!(ask(&[0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).rcode, 1, "no question");
    assert_eq!(
        ask(&[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1]).rcode,
        1,
        "a name in a circle"
    );
    assert_eq!(ask(&query(3, "example.com AXFR")).rcode, 5);
    // Dropped: what is a reply already, and what is shorter than a header. The one answer that
    // comes is that of the last query.
    let socket = udp_from(Ipv4Addr::LOCALHOST, program.address());
    socket.send(&message(4, Header::QR | Header::RD, &asked, None)).unwrap();
    for octets in 0..12 {
        socket.send(&query(5, "example.com A")[..octets]).unwrap();
    }
    thread::sleep(Duration::from_millis(100));
    socket.send(&query(6, "example.com A")).unwrap();
    assert_eq!(Reply::read(&receive(&socket).unwrap()).id, 6);
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(receive(&socket).unwrap_err().kind(), io::ErrorKind::WouldBlock, "and no other");
}

#[test]
fn every_refusal_at_the_door_says_why_in_an_ede() {
    let program = Program::lab();
    let ask = |flags: u16, question: &Question| {
        ask_udp(program.address(), &message(7, flags, question, Some(1232)))
    };
    let asked = question("example.com A");
    let hesiod = Question { class: Class(4), ..asked.clone() };
    for (flags, question, rcode, code, what) in [
        (Header::RD | 4 << 11, asked.clone(), 4, 21, "NOTIFY"),
        (Header::RD, question("example.com AXFR"), 5, 20, "a transfer"),
        (Header::RD, question("example.com MAILB"), 4, 21, "MAILB"),
        (Header::RD, question("example.com OPT"), 1, 24, "a type of no data"),
        (Header::RD, hesiod, 5, 21, "another class"),
        (0, asked, 5, 20, "RD=0"),
    ] {
        let reply = ask(flags, &question);
        assert_eq!((reply.rcode, reply.ede().0), (rcode, code), "{what}");
        assert!(!reply.ede().1.is_empty(), "{what}");
    }
}

pub(crate) fn chaos(name: &str) -> Vec<u8> {
    let question = Question { class: Class::CH, ..question(&format!("{name} TXT")) };
    message(8, Header::RD, &question, Some(1232))
}

#[test]
fn version_and_identity_are_told_only_when_set() {
    let program = Program::lab();
    for name in ["version.bind", "version.server", "id.server", "hostname.bind"] {
        let reply = ask_udp(program.address(), &chaos(name));
        assert_eq!((reply.rcode, reply.answer.len()), (5, 0), "{name}");
    }
    let config = file("version.toml", "[server]\nversion = \"none of yours\"\nidentity = \"me\"\n");
    let program = Program::lab_with(&config);
    for (name, said) in [("version.bind", "none of yours"), ("id.server", "me")] {
        let reply = ask_udp(program.address(), &chaos(name));
        assert_eq!(reply.answer, [format!("{name}. TXT \"{said}\"")]);
    }
}

#[test]
fn any_is_answered_with_one_rrset() {
    let program = Program::lab();
    assert_eq!(
        program.ask("www.example.com ANY").answer,
        ["www.example.com. CNAME www.example.com.cdn.example."]
    );
    let reply = program.ask("example.com ANY");
    let types: HashSet<&str> = reply.answer.iter().filter_map(|r| r.split(' ').nth(1)).collect();
    assert_eq!((reply.rcode, types.len()), (0, 1), "{:?}", reply.answer);
}

#[test]
fn what_does_not_fit_is_truncated_over_udp_and_whole_over_tcp() {
    let program = Program::lab();
    let many = message(1, Header::RD, &question("many.big.example A"), None);
    let cut = ask_udp(program.address(), &many);
    assert!(cut.flags & Header::TC != 0 && cut.octets <= 512 && cut.answer.is_empty(), "{cut:?}");
    assert_eq!(ask_tcp(program.address(), &many).answer.len(), 60);
    let fits = program.ask("many.big.example A");
    assert!(fits.flags & Header::TC == 0 && fits.octets <= 1232 && fits.answer.len() == 60);
    // A client that claims more gets no more than 1232 octets either.
    let big = message(1, Header::RD, &question("alias.big.example TXT"), Some(65_535));
    let cut = ask_udp(program.address(), &big);
    assert!(cut.flags & Header::TC != 0 && cut.octets <= 1232 && cut.edns.is_some());
    assert_eq!(cut.answer, ["alias.big.example. CNAME big.big.example."], "whole RRsets only");
    let whole = ask_tcp(program.address(), &big);
    assert!(whole.flags & Header::TC == 0 && whole.octets > 4_000 && whole.answer.len() == 2);
}

#[test]
fn tcp_is_pipelined_and_answered_out_of_order() {
    let program = Program::lab();
    assert_eq!(program.ask("example.com A").rcode, 0);
    let mut stream = tcp(program.address());
    let requests =
        [query(1, "www.slow.example A"), query(2, "example.com A"), query(3, "self.loop.example A")];
    stream.write_all(&requests.map(|request| framed(&request)).concat()).unwrap();
    let replies: Vec<Reply> = (0..3).map(|_| Reply::read(&read_framed(&mut stream).unwrap())).collect();
    assert_eq!(replies.last().map(|reply| reply.id), Some(1), "the slow one holds up nobody");
    let mut ids: Vec<(u16, u16)> = replies.iter().map(|reply| (reply.id, reply.rcode)).collect();
    ids.sort();
    assert_eq!(ids, [(1, 0), (2, 0), (3, 2)]);
    // The connection stays open for more.
    stream.write_all(&framed(&query(4, "example.com A"))).unwrap();
    assert_eq!(Reply::read(&read_framed(&mut stream).unwrap()).id, 4);
}

#[test]
fn only_clients_of_access_allow_are_answered() {
    let config = file("access.toml", "[access]\nallow = [\"127.0.0.1/32\"]\n");
    let program = Program::lab_with(&config);
    for (client, rcode) in [(Ipv4Addr::LOCALHOST, 0), (Ipv4Addr::new(127, 0, 0, 2), 5)] {
        let socket = udp_from(client, program.address());
        socket.send(&query(1, "example.com A")).unwrap();
        let reply = Reply::read(&receive(&socket).unwrap());
        assert_eq!((reply.rcode, reply.answer.len()), (rcode, usize::from(rcode == 0)), "{client}");
        if rcode == 5 {
            assert_eq!(reply.ede().0, 18);
        }
    }
}

#[test]
fn sighup_takes_a_good_configuration_and_refuses_a_bad_one() {
    let version = |program: &Program| ask_udp(program.address(), &chaos("version.bind")).answer;
    let config = file("reload.toml", "[server]\nversion = \"one\"\n");
    let mut program = Program::lab_with(&config);
    assert_eq!(version(&program), ["version.bind. TXT \"one\""]);
    config.rewrite("[server]\nversion = \"two\"\n");
    program.signal("-HUP");
    assert!(until(PATIENCE, || version(&program) == ["version.bind. TXT \"two\""]));
    config.rewrite("[server]\nversoin = \"three\"\n");
    program.signal("-HUP");
    let said = program.hears(|line| line.contains("not reloaded"));
    assert!(said.contains("server.versoin") && said.contains("server.version"), "{said}");
    assert_eq!(version(&program), ["version.bind. TXT \"two\""], "the old one stays");
    assert_eq!(program.ask("www.example.com A").answer.len(), 4, "and it goes on");
    program.signal("-TERM");
    let (code, took) = program.ends();
    assert!(code == Some(0) && took < STOPPING, "{code:?} after {took:?}");
}

/// A pipe in the place of a file that is read again; nobody writes into it.
fn become_pipe(path: &str) {
    _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_reload_waits_for_no_pipe_and_sigterm_is_heard() {
    let version = |program: &Program| ask_udp(program.address(), &chaos("version.bind")).answer;
    for replaced in 0..3 {
        let hints = file("pipe.hints", ". NS a.root.\na.root. A 127.77.77.77\n");
        let anchors = file("pipe.anchors", ". DS 1 8 200 AA\n");
        let settings = format!(
            "[server]\nversion = \"one\"\n[resolver]\nroot-hints = \"{}\"\n\
             [dnssec]\ntrust-anchor-file = \"{}\"\n",
            hints.path(),
            anchors.path()
        );
        let config = file("pipe.toml", &settings);
        let mut program = Program::lab_with(&config);
        let pipe = [&hints, &anchors, &config][replaced].path();
        become_pipe(pipe);
        program.signal("-HUP");
        let said = program.hears(|line| line.contains("not reloaded, the old one stays"));
        assert!(said.contains(&format!("cannot open {pipe}: it is no regular file")), "{said}");
        assert_eq!(version(&program), ["version.bind. TXT \"one\""], "it goes on");
        program.signal("-TERM");
        let (code, took) = program.ends();
        assert!(code == Some(0) && took < STOPPING, "{pipe}: {code:?} after {took:?}");
    }
}

/// As in `cnamed serve --config <(make-config)`: at the start somebody writes.
#[test]
fn a_start_waits_for_a_pipe_and_a_reload_keeps_what_came_through_it() {
    let hints = file("wait.hints", "");
    let config = file("wait.toml", "");
    let settings = format!("[server]\nversion = \"piped\"\n[resolver]\nroot-hints = \"{}\"\n", hints.path());
    for (file, contents) in
        [(&config, settings), (&hints, ". NS a.root.\na.root. A 127.77.77.77\n".to_owned())]
    {
        become_pipe(file.path());
        let path = file.path().to_owned();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            fs::write(path, contents)
        });
    }
    let mut program = Program::lab_with(&config);
    let version = |program: &Program| ask_udp(program.address(), &chaos("version.bind")).answer;
    assert_eq!(version(&program), ["version.bind. TXT \"piped\""]);
    program.signal("-HUP");
    program.hears(|line| line.contains("not reloaded, the old one stays"));
    assert_eq!(version(&program), ["version.bind. TXT \"piped\""]);
    program.signal("-TERM");
    assert_eq!(program.ends().0, Some(0));
}

#[test]
fn a_pipe_as_trust_anchor_state_is_refused_and_not_waited_for() {
    let state = file("pipe.state", "");
    become_pipe(state.path());
    let config = file("pipe-state.toml", &format!("[dnssec]\ntrust-anchor-state = \"{}\"\n", state.path()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnamed"));
    command.args(["serve", "--lab", "--listen", "127.0.0.1:0", "--config", config.path()]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut program = Program { child, addresses: Vec::new(), said: Arc::default() };
    assert_eq!(program.ends().0, Some(1));
    let mut said = String::new();
    program.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("cannot be used: it is no regular file. Put back"), "{said}");
}

#[test]
fn sigterm_answers_what_is_in_flight_and_exits_0_within_2_seconds() {
    let mut program = Program::lab();
    let socket = udp_from(Ipv4Addr::LOCALHOST, program.address());
    let mut stream = tcp(program.address());
    socket.send(&query(1, "www.slow.example A")).unwrap();
    stream.write_all(&framed(&query(2, "slow.alias.example A"))).unwrap();
    // Never answered in this time: it must not hold up the end.
    socket.send(&query(3, "www.silent.example A")).unwrap();
    thread::sleep(Duration::from_millis(120)); // they take 250 ms
    program.signal("-TERM");
    let (code, took) = program.ends();
    assert!(code == Some(0) && took < STOPPING, "{code:?} after {took:?}");
    let reply = Reply::read(&receive(&socket).unwrap());
    assert_eq!((reply.id, reply.rcode, reply.answer.len()), (1, 0, 1));
    let reply = Reply::read(&read_framed(&mut stream).unwrap());
    assert_eq!((reply.id, reply.rcode, reply.answer.len()), (2, 0, 2));
}

#[test]
fn systemd_hears_of_ready_and_of_stopping() {
    let path = std::env::temp_dir().join(format!("cnamed-notify-{}", std::process::id()));
    _ = fs::remove_file(&path);
    let notify = UnixDatagram::bind(&path).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut program = Program::start_with(
        &["--lab", "--listen", "127.0.0.1:0"],
        &[("NOTIFY_SOCKET", path.to_str().unwrap())],
    );
    let heard = || {
        let mut buffer = [0; 1_000];
        let length = notify.recv(&mut buffer).unwrap();
        text(&buffer[..length])
    };
    assert!(heard().lines().any(|line| line == "READY=1"));
    program.signal("-TERM");
    assert!(heard().lines().any(|line| line == "STOPPING=1"));
    assert_eq!(program.ends().0, Some(0));
    fs::remove_file(&path).unwrap();
}

/// Queries, each with where it came from.
type Seen = Arc<Mutex<Vec<(Vec<u8>, SocketAddr)>>>;

/// A server of the zone `wire.example.` that says 192.0.2.1 to everything.
fn stub_server() -> (SocketAddr, Seen) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let seen = Seen::default();
    let record = Arc::clone(&seen);
    // Ends with the test program.
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = buffer[..length].to_vec();
            let message = Message::parse(&query).unwrap();
            let asked = message.question().unwrap();
            let mut writer = MessageWriter::new(message.header().id, Header::QR | Header::AA, 512);
            writer.question(asked).unwrap();
            let set = RrSet::new(asked.name.clone(), RrType::A, 60, [&[192, 0, 2, 1][..]]);
            writer.rrset(Section::Answer, &set.owner, set.rtype, set.class, set.ttl, &set.rdata).unwrap();
            record.lock().unwrap().push((query.clone(), from));
            socket.send_to(&writer.finish(), from).unwrap();
        }
    });
    (address, seen)
}

/// A program that asks `server` for `wire.example.`, with more lines for `[resolver]`.
fn stub_program(name: &str, server: SocketAddr, resolver: &str) -> Program {
    // Real sockets; the root, should anybody ask for it, is nowhere.
    let hints = file(&format!("{name}.hints"), ". NS a.root.\na.root. A 127.77.77.77\n");
    let settings = format!(
        "[resolver]\nroot-hints = \"{}\"\nroot-priming = false\nquery-localhost = true\n{resolver}\
         [dnssec]\nvalidation = false\n\
         [[stub]]\nzone = \"wire.example.\"\nservers = [\"{server}\"]\n",
        hints.path()
    );
    let config = file(&format!("{name}.toml"), &settings);
    Program::start(&["--listen", "127.0.0.1:0", "--config", config.path()])
}

#[test]
fn size_case_and_source_of_queries_are_settings() {
    let (server, seen) = stub_server();
    let settings =
        "edns-buffer-size = 1400\ncase-randomisation = false\nsource-addresses = [\"127.0.0.9\"]\n";
    let program = stub_program("settings", server, settings);
    for number in 0..5 {
        let reply = program.ask(&format!("a-long-enough-name-{number}.wire.example A"));
        assert_eq!((reply.answer.len(), reply.edns.unwrap().udp_size), (1, 1400));
    }
    for (query, from) in seen.lock().unwrap().iter() {
        let query = Message::parse(query).unwrap();
        let name = &query.question().unwrap().name;
        assert!(name.eq_case(&name.to_lowercase()), "{name}");
        assert_eq!(query.edns().unwrap().udp_size, 1400);
        assert_eq!(from.ip(), Ipv4Addr::new(127, 0, 0, 9));
    }
    assert_eq!(seen.lock().unwrap().len(), 5);
}

#[test]
fn upstream_edns_is_1232_and_ports_and_ids_are_unpredictable() {
    const QUESTIONS: usize = 40;
    let (server, seen) = stub_server();
    let program = stub_program("stub", server, "");
    for number in 0..QUESTIONS {
        let reply = program.ask(&format!("a-long-enough-name-{number}.wire.example A"));
        assert_eq!((reply.rcode, reply.answer.len()), (0, 1), "{reply:?}");
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), QUESTIONS);
    let queries: Vec<Message<'_>> = seen.iter().map(|(query, _)| Message::parse(query).unwrap()).collect();
    for query in &queries {
        let edns = query.edns().unwrap();
        assert_eq!((edns.version, edns.udp_size, query.header().flags), (0, 1232, 0), "RD=0: no forwarder");
    }
    let different = |values: Vec<u16>| values.into_iter().collect::<HashSet<u16>>().len();
    let ports: Vec<u16> = seen.iter().map(|(_, from)| from.port()).collect();
    assert!(ports.iter().all(|port| *port >= 1_024));
    assert!(different(ports) >= QUESTIONS - 2);
    assert!(different(queries.iter().map(|query| query.header().id).collect()) >= QUESTIONS - 2);
    let mixed = |query: &Message<'_>| {
        let name = &query.question().unwrap().name;
        !name.eq_case(&name.to_lowercase())
    };
    assert!(queries.iter().all(mixed), "0x20");
}

/// The DNSKEY of `wire.example.`, as RDATA, with a signature of the set that is only it.
fn signed_key() -> (Vec<u8>, Vec<u8>) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key = [&[1, 1, 3, 15][..], pair.public_key().as_ref()].concat();
    let pairs = key.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = pairs.sum();
    let tag = (sum + (sum >> 16)) as u16;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let zone = "wire.example.".parse::<Name>().unwrap();
    let mut rrsig = [&[0, 48, 15, 2][..], &60u32.to_be_bytes(), &(now + 3_600).to_be_bytes()].concat();
    rrsig.extend_from_slice(&(now - 3_600).to_be_bytes());
    rrsig.extend_from_slice(&tag.to_be_bytes());
    rrsig.extend_from_slice(zone.as_wire());
    let record = [zone.as_wire(), &[0, 48, 0, 1, 0, 0, 0, 60, 0, key.len() as u8], &key].concat();
    let signature = pair.sign(&[&rrsig[..], &record].concat());
    rrsig.extend_from_slice(signature.as_ref());
    (key, rrsig)
}

/// A server that answers every question with that key.
fn key_server(key: Vec<u8>, rrsig: Vec<u8>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    // Ends with the test program.
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let message = Message::parse(&buffer[..length]).unwrap();
            let asked = message.question().unwrap();
            let mut writer = MessageWriter::new(message.header().id, Header::QR | Header::AA, 1_232);
            writer.question(asked).unwrap();
            for (rtype, rdata) in [(RrType::DNSKEY, &key), (RrType::RRSIG, &rrsig)] {
                let set = RrSet::new(asked.name.clone(), rtype, 60, [rdata.as_slice()]);
                writer.rrset(Section::Answer, &set.owner, rtype, set.class, 60, &set.rdata).unwrap();
            }
            socket.send_to(&writer.finish(), from).unwrap();
        }
    });
    address
}

#[test]
fn trust_anchors_are_followed_and_their_state_is_kept() {
    let (key, rrsig) = signed_key();
    let server = key_server(key.clone(), rrsig);
    let hints = file("follow.hints", ". NS a.root.\na.root. A 127.77.77.77\n");
    let state = format!("{}.state", hints.path());
    let settings = format!(
        "[resolver]\nroot-hints = \"{}\"\nroot-priming = false\nquery-localhost = true\n\
         [dnssec]\ntrust-anchors = [\"wire.example. DNSKEY {}\"]\ntrust-anchor-state = \"{state}\"\n\
         [[stub]]\nzone = \"wire.example.\"\nservers = [\"{server}\"]\n",
        hints.path(),
        rdata_to_text(RrType::DNSKEY, &key)
    );
    let config = file("follow.toml", &settings);
    let program = Program::start(&["--listen", "127.0.0.1:0", "--config", config.path()]);
    let kept = || fs::read_to_string(&state).unwrap_or_default();
    assert!(until(PATIENCE, || kept().contains("\nvalid ")), "{}", kept());
    drop(program);
    // What was kept is taken up again, and not looked at anew within an hour.
    let before = kept();
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--config", config.path()]);
    program.signal("-TERM");
    assert_eq!(program.ends().0, Some(0));
    assert_eq!(kept(), before);
    // A key that was revoked must not be trusted again because the file was damaged.
    fs::write(&state, &before[..before.len() - 4]).unwrap();
    let refused = cnamed(&["serve", "--listen", "127.0.0.1:0", "--config", config.path()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("cannot be used: the last line, `end`, is missing"));
    fs::remove_file(&state).unwrap();
}

#[test]
fn trust_that_leads_to_no_proof_is_told_at_the_start() {
    let hints = file("trust.hints", ". NS a.root.\na.root. A 127.77.77.77\n");
    let anchor = "trust-anchors = [\"old.test. DS 1 200 200 AA\"]";
    for (settings, told) in
        [("", "a root of your own"), (anchor, "trust anchors of old.test. use only algorithms")]
    {
        let root = format!("[resolver]\nroot-hints = \"{}\"\n[dnssec]\n{settings}\n", hints.path());
        let config = file("trust.toml", &root);
        let program = Program::start(&["--listen", "127.0.0.1:0", "--config", config.path()]);
        let said = program.said.lock().unwrap().clone();
        assert_eq!(said.iter().filter(|line| line.contains(told)).count(), 1, "{said:?}");
    }
}

#[test]
fn serve_refuses_a_bad_configuration_with_exit_code_2() {
    let config = file("bad.toml", "[server]\nlissten = []\n");
    let refused = cnamed(&["serve", "--lab", "--config", config.path()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    let said = text(&refused.stderr);
    assert!(said.contains(":2:1: server.lissten: there is no such key"), "{said}");
    assert!(said.contains("the nearest is server.listen"), "{said}");
}

// --------------------------------------------------------------------------------- other commands

#[test]
fn version_help_and_usage() {
    let version = cnamed(&["--version"]);
    assert_eq!(text(&version.stdout), concat!("cnamed ", env!("CARGO_PKG_VERSION"), "\n"));
    for command in [&["serve"][..], &["trace"], &["check"], &["config", "check"], &["config", "default"]] {
        let help = cnamed(&[command, &["--help"]].concat());
        assert!(help.status.success() && help.stdout.len() > 100, "{command:?}");
    }
    for bad in [
        &["no-such-command"][..],
        &["serve", "--listen", "nowhere"],
        &["serve", "--no-such-option"],
        &["trace"],
        &["trace", "--lab", "a..example"],
        &["trace", "--lab", "example.com", "NOTYPE"],
        &["trace", "--lab", "example.com", "AXFR"],
        &["trace", "--lab", "--lab-zones", "/nonexistent", "example.com"],
        &["trace", "--config", "/nonexistent", "example.com"],
        &["trace", "--lab", "\u{301}m.example"],
        &["check"],
    ] {
        let refused = cnamed(bad);
        assert_eq!(refused.status.code(), Some(2), "{bad:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{bad:?}");
    }
}

#[test]
fn config_check_and_default() {
    let printed = cnamed(&["config", "default"]);
    assert!(printed.status.success());
    let default = file("default.toml", &text(&printed.stdout));
    let checked = cnamed(&["config", "check", default.path()]);
    assert_eq!((checked.status.code(), checked.stderr.len()), (Some(0), 0));
    let bad = file("unknown.toml", "[cache]\nmax-memroy = \"1MiB\"\n");
    let checked = cnamed(&["config", "check", bad.path()]);
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    assert!(said.starts_with(&format!("{}:2:1: cache.max-memroy", bad.path())), "{said}");
    assert!(said.contains("the nearest is cache.max-memory"), "{said}");
}

#[test]
fn trace_exit_codes_say_how_it_ended() {
    for (arguments, code, verdict) in [
        (&["www.example.com"][..], 0, "NOERROR: 3 aliases, 1 record"),
        (&["www.example.com", "aaaa"], 0, "NOERROR: 3 aliases, 1 record"),
        (&["nothing.example.net"], 0, "NXDOMAIN: "),
        (&["www.example.com", "TXT"], 0, "NOERROR: 3 aliases, then NODATA"),
        (&["two-a.loop.example", "CNAME"], 0, "NOERROR: 1 alias"),
        (&["localhost"], 0, "NOERROR: no alias, 1 record"),
        (&["m\u{fc}nchen.lint.example"], 0, "NOERROR: 1 alias, 1 record"),
        (&["self.loop.example"], 1, "SERVFAIL: CNAME loop: self.loop.example. -> self.loop.example."),
        (&["hops17.chain.example"], 1, "SERVFAIL: CNAME chain longer than 16 at "),
        (&["www.lame.example"], 1, "SERVFAIL: no server of lame.example. answered "),
        (&["a-label-that-is-far-too-long-to-fit-in-front-of-the-others.long.dname.example"], 1, "YXDOMAIN: "),
    ] {
        let traced = cnamed(&[&["trace", "--lab"], arguments].concat());
        assert_eq!(traced.status.code(), Some(code), "{arguments:?}");
        let shown = text(&traced.stdout);
        assert!(shown.lines().any(|line| line.starts_with(verdict)), "{arguments:?}: {shown}");
        assert!(traced.stderr.is_empty(), "no progress where there is no terminal");
        assert!(!shown.contains('\u{1b}'), "no colours either");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    for arguments in [&["trace", "--lab", "www.example.com"][..], &["check", "--lab", "www.example.com"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_cnamed")).args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            String::from_utf8(output.stderr).unwrap().contains("cannot write to stdout"),
            "{arguments:?}"
        );
    }
}

#[test]
fn that_nobody_reads_the_result_is_no_failure() {
    for arguments in [&["trace", "--lab", "www.example.com"][..], &["check", "--lab", "www.example.com"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let read = Command::new(env!("CARGO_BIN_EXE_cnamed")).args(arguments).output().unwrap();
        let unread =
            Command::new(env!("CARGO_BIN_EXE_cnamed")).args(arguments).stdout(writer).output().unwrap();
        assert_eq!(unread.status.code(), read.status.code(), "{arguments:?}");
        assert_eq!((unread.stderr, read.status.code()), (read.stderr, Some(0)), "{arguments:?}");
    }
}

#[test]
fn trace_without_a_network_exits_3() {
    // Loopback addresses on which nobody listens: refused at once, as an absent network would be.
    let hints = file("nobody.hints", ". NS a.root.\na.root. A 127.77.77.77\n");
    let config =
        file("nobody.toml", &format!("[resolver]\nroot-hints = \"{}\"\nipv6 = false\n", hints.path()));
    let traced = cnamed(&["trace", "--config", config.path(), "example.com"]);
    assert_eq!(traced.status.code(), Some(3), "{}", text(&traced.stdout));
    assert!(text(&traced.stdout).contains("\nSERVFAIL: "));
    assert!(text(&traced.stderr).contains("network"), "{}", text(&traced.stderr));
}

#[test]
fn trace_takes_a_world_of_ones_own() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("binary-{}-zones", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let root = "@ SOA a.ns. h. 1 2 3 4 5\n@ NS a.ns.\na.ns. A 192.0.2.1\nmine 60 A 192.0.2.7\n";
    fs::write(folder.join("root.zone"), root).unwrap();
    let traced = cnamed(&["trace", "--lab", "--lab-zones", folder.to_str().unwrap(), "mine"]);
    assert!(text(&traced.stdout).contains("\n  mine. 60 A 192.0.2.7\n"), "{}", text(&traced.stdout));
    assert_eq!(traced.status.code(), Some(0));
    fs::write(folder.join("root.zone"), format!("{root}oops A\n")).unwrap();
    let refused = cnamed(&["trace", "--lab", "--lab-zones", folder.to_str().unwrap(), "mine"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("root.zone:5: "), "{}", text(&refused.stderr));
    fs::remove_dir_all(&folder).unwrap();
}
