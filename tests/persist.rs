//! The cache over restarts of the real program, in the embedded world.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use cnamed::rrset::RrType;
use cnamed::wire::reader::Section;
use cnamed::wire::{Message, Name};

struct Program {
    child: Child,
    address: SocketAddr,
    /// Said before the line `ready`.
    said: String,
    /// Said since.
    lines: mpsc::Receiver<String>,
}

impl Program {
    fn start(config: &Path) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnamed"));
        command.args(["serve", "--lab", "--listen", "127.0.0.1:0", "--config"]).arg(config);
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (say, lines) = mpsc::channel();
        // Reads on to the end: a full pipe would hold the program.
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| say.send(line).unwrap_or(()))
        });
        let (address, said) = ((Ipv4Addr::LOCALHOST, 0).into(), String::new());
        let mut program = Program { child, address, said, lines };
        while program.address.port() == 0 {
            let line = program.lines.recv_timeout(Duration::from_secs(10)).unwrap();
            match line.strip_prefix("ready ") {
                Some(address) => program.address = address.parse().unwrap(),
                None => program.said += &line,
            }
        }
        program
    }

    /// Waits for a line with this.
    fn hears(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(10)).unwrap();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// TTL of the first answer record.
    fn ttl(&self, name: &str) -> u32 {
        let reply = self.ask(name, RrType::A);
        let message = Message::parse(&reply).unwrap();
        let first = message.section(Section::Answer).next();
        first.unwrap_or_else(|| panic!("{name}: no answer, RCODE {}", message.rcode())).ttl()
    }

    fn rcode(&self, name: &str, rtype: RrType) -> u16 {
        Message::parse(&self.ask(name, rtype)).unwrap().rcode()
    }

    fn ask(&self, name: &str, rtype: RrType) -> Vec<u8> {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(self.address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let name: Name = name.parse().unwrap();
        let mut query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0".to_vec();
        query.extend_from_slice(name.as_wire());
        query.extend_from_slice(&[0, rtype.0 as u8, 0, 1]);
        client.send(&query).unwrap();
        let mut reply = [0; 1_500];
        let n = client.recv(&mut reply).unwrap();
        reply[..n].to_vec()
    }

    fn signal_and_wait(mut self, signal: &str) -> (Option<i32>, Duration) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let since = Instant::now();
        let status = self.child.wait().unwrap();
        (status.code(), since.elapsed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder_with(name: &str, interval: &str) -> (PathBuf, PathBuf) {
    let folder = std::env::temp_dir().join(format!("cnamed-{name}-{}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    let config = folder.join("cnamed.toml");
    let text = format!("[cache]\nfile = \"cache.bin\"\nsave-interval = \"{interval}\"\n");
    fs::write(&config, text).unwrap();
    (folder, config)
}

#[test]
fn the_cache_survives_kill_9_and_damage_costs_no_start() {
    let (folder, config) = folder_with("kill9", "1s");
    let file = folder.join("cache.bin");
    let program = Program::start(&config);
    assert_eq!(program.ttl("www.example.com."), 300);
    let waiting = Instant::now();
    while !file.exists() {
        assert!(waiting.elapsed() < Duration::from_secs(10), "nothing saved");
        thread::sleep(Duration::from_millis(20));
    }
    program.signal_and_wait("-KILL");

    let program = Program::start(&config);
    assert!(program.said.contains("0 expired"), "{}", program.said);
    assert!(program.ttl("www.example.com.") < 300, "not asked for again");
    program.signal_and_wait("-KILL");

    let mut octets = fs::read(&file).unwrap();
    let middle = octets.len() / 2;
    octets[middle..middle + 4].fill(0xff);
    fs::write(&file, octets).unwrap();
    let program = Program::start(&config);
    assert!(program.said.contains("is damaged in 1 or more places"), "{}", program.said);
    assert!(program.ttl("www.example.com.") <= 300);
    assert_eq!(program.signal_and_wait("-TERM").0, Some(0));
    fs::remove_dir_all(&folder).unwrap();
}

/// The file keeps denials without their proof. Whether that is found elsewhere or fetched again: nothing
/// that is absent may become a failure.
#[test]
fn what_is_absent_from_a_signed_zone_stays_so_over_a_restart() {
    const NXDOMAIN: u16 = 3;
    let (folder, config) = folder_with("absent", "1d");
    let program = Program::start(&config);
    assert_eq!(program.rcode("nope.host.signed.example.", RrType::MX), NXDOMAIN);
    assert_eq!(program.signal_and_wait("-TERM").0, Some(0));
    let program = Program::start(&config);
    // With it comes a proof that there is nothing below.
    assert_eq!(program.rcode("host.signed.example.", RrType::MX), 0);
    for _ in 0..3 {
        assert_eq!(program.rcode("nope.host.signed.example.", RrType::A), NXDOMAIN);
    }
    program.signal_and_wait("-TERM");
    fs::remove_dir_all(&folder).unwrap();
}

/// What somebody puts in the file's place while the program runs is as dear to them as what was there
/// before it started.
#[test]
fn what_is_put_in_the_files_place_while_it_runs_is_left_alone() {
    const DIARY: &str = "my precious diary";
    let (folder, config) = folder_with("diary", "1s");
    let file = folder.join("cache.bin");
    let saved = |than: &[u8]| {
        let waiting = Instant::now();
        while fs::read(&file).is_ok_and(|now| now == than) || !file.exists() {
            assert!(waiting.elapsed() < Duration::from_secs(10), "nothing saved");
            thread::sleep(Duration::from_millis(20));
        }
    };
    let program = Program::start(&config);
    assert_eq!(program.ttl("www.example.com."), 300);
    saved(b"");
    fs::write(&file, DIARY).unwrap();
    program.rcode("nope.example.com.", RrType::A);
    let told = program.hears("was not written by cnamed");
    assert!(told.contains("the cache is not saved") && told.contains("remove it"), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), DIARY);
    // The place is free again.
    fs::remove_file(&file).unwrap();
    saved(b"");
    program.hears("is kept again");
    fs::write(&file, DIARY).unwrap();
    program.rcode("nope.example.org.", RrType::A);
    assert_eq!(program.signal_and_wait("-TERM").0, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), DIARY, "the last save is none either");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_link_is_followed_and_stays() {
    let (folder, config) = folder_with("link", "1d");
    let (link, disk) = (folder.join("cache.bin"), folder.join("disk"));
    let there = disk.join("kept.bin");
    std::os::unix::fs::symlink("disk/kept.bin", &link).unwrap();
    // It leads nowhere yet: told at the start, and left as it is.
    let program = Program::start(&config);
    assert!(program.said.contains("a symbolic link that leads nowhere"), "{}", program.said);
    assert_eq!(program.ttl("www.example.com."), 300);
    program.signal_and_wait("-TERM");
    assert!(link.is_symlink() && !there.exists());

    fs::create_dir(&disk).unwrap();
    fs::write(&there, "").unwrap();
    for ttl in [300, 299] {
        let program = Program::start(&config);
        assert!(program.ttl("www.example.com.") <= ttl);
        program.signal_and_wait("-TERM");
        assert!(link.is_symlink());
        assert!(fs::metadata(&there).unwrap().len() > 0);
    }
    assert_eq!(fs::read_dir(&disk).unwrap().count(), 1, "nothing is left beside it");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_cache_is_saved_at_a_clean_stop() {
    let (folder, config) = folder_with("stop", "1d");
    let program = Program::start(&config);
    assert_eq!(program.ttl("www.example.com."), 300);
    let (code, took) = program.signal_and_wait("-TERM");
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let program = Program::start(&config);
    assert!(program.ttl("www.example.com.") < 300);
    program.signal_and_wait("-TERM");
    fs::remove_dir_all(&folder).unwrap();
}
