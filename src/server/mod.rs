//! The door: who may ask, what is answered without asking anybody, the message in and out.
//!
//! Knows: the header rules of a resolver (RFC 1035 §4.1.1, RFC 6891, RFC 7873, RFC 9619), access,
//! special-use names; hands questions of class IN to the resolver. Does not know: sockets
//! (`udp.rs`, `tcp.rs`), ready packets (`door.rs`), how answers come about. Shown by: `tests/scenarios/walk_who_*`,
//! `tests/binary.rs`.

pub mod answers;
pub mod batch;
pub mod connections;
pub mod cookies;
pub mod door;
pub mod explain;
pub mod late;
pub mod load;
pub mod pktinfo;
pub mod tcp;
pub mod turns;
pub mod udp;
pub mod worker;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::cache::scratch::Scratch;
use crate::config::Config;
use crate::failure::Ede;
use crate::policy::acl::Acl;
use crate::policy::local::{ChaosAnswer, Local, LocalAnswer, chaos};
use crate::request::Request;
use crate::resolver::{self, Answer, Rcode, Resolver};
use crate::respond::{self, Asker, AskerEdns};
use crate::rrset::{Class, Question, RrType};
use crate::security::Security;
use crate::trace::{End, Event, Policy, Ttl, Why};
use crate::upstream::cookies::secret;
use crate::wire::{Header, Message, Name, ReadError};
use crate::world::{Transport, World};
use cookies::{CookieAnswer, Keyring};
use door::Keeper;
use late::Late;

const QUERY: u8 = 0;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;

/// What the sockets of one worker are answered by.
pub trait Respond: 'static {
    /// Appends the answer to `out` if it is at hand, at the moment `now`; `false`: it is not.
    fn at_once(&self, request: &[u8], client: SocketAddr, now: Instant, out: &mut Vec<u8>) -> bool;

    /// The answer to one request; `None`: it is dropped without an answer. What waits for it holds nothing of
    /// the request, whose octets and options are the client's choice and as many as a datagram has room for.
    fn respond<'a>(
        &'a self,
        request: &[u8],
        client: SocketAddr,
        over: Transport,
    ) -> impl Future<Output = Option<Vec<u8>>> + use<'a, Self>;
}

/// A running resolver seen from outside: packet in, packet out. Sockets (`udp.rs`, `tcp.rs`), the
/// scenario runner and the property tests all go through [`Service::respond`].
pub struct Service {
    settings: ArcSwap<Settings>,
    resolver: Arc<Resolver>,
    cookies: Keyring,
    late: Late,
    local_names: LocalNames,
    /// Where the clock of ready packets begins.
    started: Instant,
}

/// What a configuration means at the door.
struct Settings {
    config: Arc<Config>,
    allow: Acl,
    trace: Acl,
    local: Arc<Local>,
}

impl Settings {
    fn new(config: Arc<Config>, local_names: LocalNames) -> Settings {
        let mut zones: Vec<Name> = config.routes.iter().map(|route| route.zone.clone()).collect();
        // RFC 6761 §6.2 keeps `test.` from the public root. Who has a root of their own has it for
        // testing, and is asked.
        if config.resolver.has_own_root() {
            zones.extend("test.".parse::<Name>());
        }
        let local = match local_names {
            LocalNames::Answered => Local::new(&zones),
            LocalNames::Resolved => Local::none(),
        };
        let (allow, trace) = (Acl::new(&config.access.allow), Acl::new(&config.access.trace));
        Settings { allow, trace, local: Arc::new(local), config }
    }
}

/// The settings for all of a request, and the era that began with them or before.
struct InForce {
    era: u64,
    settings: Arc<Settings>,
}

impl Deref for InForce {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// Are special-use names (RFC 6761) answered here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalNames {
    /// Yes, as on any network.
    Answered,
    /// No: an embedded world has all names to itself.
    Resolved,
}

/// An RCODE, and why: for a request that is not resolved.
struct Refusal(u16, Option<Ede>);

/// What a first look at a request says.
enum Look {
    /// It is dropped without an answer.
    Drop,
    /// The answer, for which nothing need be looked up.
    Say(Vec<u8>),
    /// It may be answered.
    Admit(Admitted),
}

/// The cookie of a request (RFC 7873 §5.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum SentCookie {
    None,
    /// Without a server's part.
    Client,
    /// We gave it to this address lately.
    Ours,
    /// We did not.
    NotOurs,
}

/// A request that may be answered: all that is kept of it while it waits.
struct Admitted {
    asker: Asker,
    question: Question,
    client: IpAddr,
    came: Instant,
    /// Is the client where it says, since it came by TCP or has a cookie of ours?
    genuine: bool,
    settings: InForce,
}

impl Service {
    /// Builds everything that is not a socket.
    pub fn new(config: Arc<Config>, world: World) -> Arc<Service> {
        Service::with_local_names(config, world, LocalNames::Answered)
    }

    /// The same, saying whether special-use names are answered at the door.
    pub fn with_local_names(config: Arc<Config>, world: World, local_names: LocalNames) -> Arc<Service> {
        let started = world.clock.now();
        let cookies = Keyring::new(secret(&world.rng), started);
        let resolver = Resolver::new(&config, world);
        let settings = Settings::new(config, local_names);
        resolver.keep_local(Arc::clone(&settings.local));
        Arc::new(Service {
            started,
            resolver,
            settings: ArcSwap::from_pointee(settings),
            cookies,
            late: Late::default(),
            local_names,
        })
    }

    /// The resolver behind the door.
    pub fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// Takes a new configuration for all requests from now on. What is cached stays as it was bounded when it was stored, and
    /// is forgotten when stub or forward zones, root hints, trust anchors or `dnssec.sha1` change; failures are always. What is still learned by the old ones is not stored then.
    pub fn reload(&self, config: Arc<Config>) {
        let settings = Settings::new(Arc::clone(&config), self.local_names);
        self.resolver.keep_local(Arc::clone(&settings.local));
        let old = self.settings.swap(Arc::new(settings));
        let cache = self.resolver.cache();
        let places = |config: &Config| (config.routes.clone(), config.resolver.hints.clone());
        cache.rrsets.wall_in(resolver::walls(&config));
        let moved = places(&old.config) != places(&config);
        if moved || old.config.dnssec.sha1_validates != config.dnssec.sha1_validates {
            cache.begin_era(moved);
        }
        cache.failures.clear(); // by limits that may be others now
        cache.rrsets.reload(&config.cache);
        self.resolver.reload(&config);
        cache.stamps.change_all(); // no ready packet outlives the settings it was made by
    }

    fn in_force(&self) -> InForce {
        let era = self.resolver.cache().era();
        InForce { era, settings: self.settings.load_full() }
    }

    /// A moment on the clock of ready packets.
    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Judges the COOKIE option of a request that came from `client` at `now`.
    fn judge_cookie(&self, option: &[u8], client: IpAddr, now: Instant) -> CookieAnswer {
        let world = self.resolver.world();
        // Seconds modulo 2^32: RFC 9018 §4.3 compares them by serial arithmetic.
        let wall = world.clock.wall() as u32;
        self.cookies.at(now, &world.rng).answer(option, client, wall)
    }

    /// Follows the keys of zones with trust anchors (RFC 5011), if that is configured, for as long as it
    /// is polled. `keep` is given what is known of them after each look.
    pub async fn follow_anchors(self: Arc<Self>, keep: impl Fn(&str)) {
        loop {
            let config = Arc::clone(&self.settings.load().config);
            if !config.dnssec.validation || config.dnssec.trust_anchor_state.is_none() {
                return std::future::pending().await;
            }
            let walker = self.resolver.walker();
            let (looked, wait) = walker.follow_anchors(&config).await;
            if looked {
                keep(&walker.anchor_state());
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Answers one request; `None`: it is dropped without an answer.
    pub async fn respond(&self, request: &[u8], client: SocketAddr, over: Transport) -> Option<Vec<u8>> {
        self.answer_look(self.look(request, client, over), None).await
    }

    /// Looks at a request; whoever waits for the answer needs nothing of it any more.
    fn look(&self, request: &[u8], client: SocketAddr, over: Transport) -> Look {
        let came = self.resolver.world().clock.now();
        let settings = self.in_force();
        let Some(header) = Header::read(request) else { return Look::Drop };
        // A reply to nobody's question: answering could go on for ever.
        if header.has(Header::QR) {
            return Look::Drop;
        }
        let mut asker = Asker { id: header.id, flags: header.flags, limit: plain_limit(over), edns: None };
        let message = match Message::parse(request) {
            Ok(message) => message,
            Err(error) => {
                return Look::Say(respond::bare(&asker, malformed(header, error) as u16, None, &[]));
            }
        };
        let client = client.ip();
        match self.admit(&settings, &message, client, over, &mut asker) {
            Ok((question, genuine)) => {
                Look::Admit(Admitted { asker, question, client, came, genuine, settings })
            }
            Err(Refusal(rcode, ede)) => {
                let edes: Vec<Ede> = ede.into_iter().collect();
                Look::Say(respond::bare(&asker, rcode, message.question(), &edes))
            }
        }
    }

    /// The answer to what was looked at. A worker's door may want to keep it.
    async fn answer_look(&self, look: Look, keeper: Option<&Keeper<'_>>) -> Option<Vec<u8>> {
        let admitted = match look {
            Look::Drop => return None,
            Look::Say(answer) => return Some(answer),
            Look::Admit(admitted) => admitted,
        };
        let (client, came, genuine) = (admitted.client, admitted.came, admitted.genuine);
        if !genuine {
            self.late.asked(client, came);
        }
        let answer = self.resolve(admitted, keeper).await;
        if !genuine {
            self.take_turns(client, came).await?;
        }
        Some(answer)
    }

    /// Waits for the client's turn if its answer is late; `None`: that would take too long.
    async fn take_turns(&self, client: IpAddr, came: Instant) -> Option<()> {
        let now = self.resolver.world().clock.now();
        if now.saturating_duration_since(came) >= late::LATE {
            let Some(wait) = self.late.wait(client, now) else {
                tracing::debug!(%client, "too many late answers: one is dropped");
                return None;
            };
            if !wait.is_zero() {
                tokio::time::sleep(wait).await; // which ends with a whole millisecond
            }
        }
        Some(())
    }

    /// Everything that can be said without looking anything up. With the question: is the client where it
    /// says, since it came by TCP or has a cookie of ours?
    fn admit(
        &self,
        settings: &Settings,
        message: &Message<'_>,
        client: IpAddr,
        over: Transport,
        asker: &mut Asker,
    ) -> Result<(Question, bool), Refusal> {
        let header = message.header();
        let mut genuine = over == Transport::Tcp;
        let mut sent = SentCookie::None;
        let say =
            |rcode: Rcode, code: u16, text: &str| Err(Refusal(rcode as u16, Some(Ede::new(code, text))));
        if let Some(edns) = message.edns() {
            sent = self.read_edns(settings, edns, client, over, asker)?;
            genuine |= sent == SentCookie::Ours;
        }
        if !settings.allow.allows(client) {
            let ede = Ede::new(Ede::PROHIBITED, "this client may not ask here");
            return Err(Refusal(Rcode::Refused as u16, Some(ede)));
        }
        if header.opcode() != QUERY {
            return say(Rcode::NotImp, Ede::NOT_SUPPORTED, "only queries are answered");
        }
        if header.ancount != 0 || header.nscount != 0 {
            return say(Rcode::FormErr, Ede::INVALID_DATA, "a query has no answer or authority records");
        }
        let Some(question) = message.question() else {
            return match sent {
                SentCookie::None => say(Rcode::FormErr, Ede::INVALID_DATA, "there is no question"),
                // It wants a cookie, or to know whether the one that it has is good (RFC 7873 §5.4).
                SentCookie::Client | SentCookie::Ours => Err(Refusal(Rcode::NoError as u16, None)),
                SentCookie::NotOurs => Err(Refusal(BADCOOKIE, None)),
            };
        };
        if !header.has(Header::RD) {
            // Whoever wants to know what is cached here is not told; the code is RFC 8914 §4.21's.
            return say(Rcode::Refused, Ede::NOT_AUTHORITATIVE, "recursion must be desired (RD=1)");
        }
        match question.rtype {
            RrType::AXFR | RrType::IXFR => {
                return say(Rcode::Refused, Ede::NOT_AUTHORITATIVE, "a resolver has no zones to transfer");
            }
            RrType::MAILA | RrType::MAILB => {
                return say(Rcode::NotImp, Ede::NOT_SUPPORTED, "obsolete (RFC 1035 §3.2.3)");
            }
            rtype if !rtype.is_askable() => {
                return say(Rcode::FormErr, Ede::INVALID_DATA, "not a type that can be asked for");
            }
            _ => {}
        }
        if !matches!(question.class, Class::IN | Class::CH) {
            return say(Rcode::Refused, Ede::NOT_SUPPORTED, "only class IN is resolved");
        }
        Ok((question.clone(), genuine))
    }

    /// What EDNS says of the client and its wishes; which cookie it sends.
    fn read_edns(
        &self,
        settings: &Settings,
        edns: &crate::wire::Edns,
        client: IpAddr,
        over: Transport,
        asker: &mut Asker,
    ) -> Result<SentCookie, Refusal> {
        let our_size = settings.config.resolver.edns_buffer_size;
        let wants_trace = edns.option(explain::OPTION_TRACE).is_some();
        let mut ours = AskerEdns { dnssec_ok: edns.dnssec_ok, our_size, wants_trace, ..AskerEdns::default() };
        if over == Transport::Udp {
            asker.limit = respond::udp_limit(edns.udp_size, our_size);
        }
        let mut sent = SentCookie::None;
        if edns.version > 0 {
            asker.edns = Some(ours);
            return Err(Refusal(BADVERS, None));
        }
        if let Some(edns_cookie) = edns.option(respond::OPTION_COOKIE) {
            match self.judge_cookie(edns_cookie, client, self.resolver.world().clock.now()) {
                CookieAnswer::Malformed => {
                    asker.edns = Some(ours);
                    return Err(Refusal(Rcode::FormErr as u16, None));
                }
                CookieAnswer::Reply { option, valid } => {
                    ours.cookie = Some(option.to_vec());
                    let has_server_part = edns_cookie.len() > cookies::CLIENT_OCTETS;
                    sent = match (valid, has_server_part) {
                        (true, _) => SentCookie::Ours,
                        (false, true) => SentCookie::NotOurs,
                        (false, false) => SentCookie::Client,
                    };
                }
            }
        }
        asker.edns = Some(ours);
        Ok(sent)
    }

    async fn resolve(
        &self,
        Admitted { asker, question, client, settings, .. }: Admitted,
        keeper: Option<&Keeper<'_>>,
    ) -> Vec<u8> {
        let settings = &settings;
        if let Some(explained) = explain::asked(&question).filter(|_| settings.trace.allows(client)) {
            return Box::pin(self.explain(settings, &asker, &question, explained)).await; // rare and large
        }
        let server = &settings.config.server;
        if let Some(said) = chaos(&question, server.version.as_deref(), server.identity.as_deref()) {
            return match said {
                ChaosAnswer::Data(set) => respond::build(&respond::local_data(&question, set), &asker),
                ChaosAnswer::Refused => respond::bare(&asker, Rcode::Refused as u16, Some(&question), &[]),
            };
        }
        let wants_trace = asker.edns.as_ref().is_some_and(|edns| edns.wants_trace);
        if wants_trace && settings.trace.allows(client) {
            return Box::pin(self.answer_with_trace(settings, asker, question)).await;
        }
        if let Some(local) = settings.local.answer(&question) {
            return respond::build(&local_answer(&question, local), &asker);
        }
        let request = self.request(settings, &asker, keeper.is_some());
        let answer = self.recurse(&request, question).await;
        if let Some(keeper) = keeper {
            keeper.consider(self, settings, &request, &answer, &asker);
        }
        respond::build(&answer, &asker)
    }

    fn request(&self, settings: &InForce, asker: &Asker, to_be_kept: bool) -> Arc<Request> {
        let (config, world) = (Arc::clone(&settings.config), self.resolver.world());
        let mut request = Request::new(config, world, settings.era, false);
        if asker.flags & Header::CD != 0 {
            request = request.unchecked();
        }
        if to_be_kept {
            request.own = Scratch::new(settings.era, true);
        }
        Arc::new(request)
    }

    /// Answers a question of class IN for somebody in this process, who has made the request and
    /// can look at its trace afterwards: `cnamed trace`.
    pub async fn answer(&self, request: &Arc<Request>, question: Question) -> Answer {
        match self.settings.load_full().local.answer(&question) {
            Some(local) => {
                let answer = local_answer(&question, local);
                note_local(request, &answer);
                answer
            }
            None => self.recurse(request, question).await,
        }
    }

    async fn recurse(&self, request: &Arc<Request>, question: Question) -> Answer {
        // One spelling inside: what is cached and explained does not depend on who asked first.
        let asked = Question { name: question.name.to_lowercase(), ..question.clone() };
        let answer = self.resolver.answer(request, &asked).await;
        let budget = &request.budget;
        tracing::debug!(
            question = %asked, rcode = ?answer.rcode, secure = answer.secure, messages = budget.messages_sent(),
            checks = budget.signatures_checked(), "answered"
        );
        Answer { question, ..answer }
    }
}

fn local_answer(question: &Question, local: LocalAnswer) -> Answer {
    let denial = |rcode, soa: crate::rrset::RrSet| Answer {
        soa: respond::local_data(question, soa).terminal.pop(),
        local: true,
        ..Answer::empty(question, rcode)
    };
    match local {
        LocalAnswer::Data(set) => respond::local_data(question, set),
        LocalAnswer::NoData { soa } => denial(Rcode::NoError, soa),
        LocalAnswer::NxDomain { soa } => denial(Rcode::NxDomain, soa),
    }
}

/// A chain of one hop, which nobody was asked for.
fn note_local(request: &Request, answer: &Answer) {
    let id = request.trace.open();
    let question = || answer.question.clone();
    request.trace.note(id, || Event::Wanted { question: question(), why: Why::Hop, parent: 0 });
    request.trace.note(id, || Event::Policy { policy: Policy::LocalName });
    request.trace.note(0, || {
        let held = answer.terminal.first().or(answer.soa.as_ref());
        let end = match (answer.rcode, answer.terminal.is_empty()) {
            (Rcode::NxDomain, _) => End::NxDomain,
            (_, true) => End::NoData,
            (_, false) => End::Data,
        };
        let ttl = held.map(|held| Ttl { left: held.left, original: held.set.ttl });
        Event::Ended { question: question(), end, ttl, security: Security::Unchecked }
    });
}

fn plain_limit(over: Transport) -> usize {
    match over {
        Transport::Udp => respond::PLAIN_UDP,
        Transport::Tcp => usize::from(u16::MAX),
    }
}

/// What to say of a packet that is not a message.
fn malformed(header: Header, _why: ReadError) -> Rcode {
    if header.opcode() == QUERY { Rcode::FormErr } else { Rcode::NotImp }
}
