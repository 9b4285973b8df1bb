//! `cnamed serve`: from the configuration to the last answer.
//!
//! Knows: the order of starting and stopping, threads, signals, what the operator is told. Does not
//! know: requests. Each worker is one thread with one runtime: what a request needs (sockets,
//! cache misses, timers) stays in it. Shown by `sockets::serve_*`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use ipnet::IpNet;
use sd_notify::NotifyState;
use tokio::runtime::{Builder, LocalOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Barrier, mpsc, oneshot};
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

use super::anchors::{self, StateFile};
use super::saver::Saver;
use super::{BAD_USAGE, ServeArgs, complain, terminal};
use crate::config::{self, Config};
use crate::lab;
use crate::server::Service;
use crate::server::connections::Connections;
use crate::server::door::Door;
use crate::server::load::Stop;
use crate::server::worker::{self, Listeners};
use crate::upstream::{Sockets, descriptors, sockets};
use crate::world::{Clock, Network, Rng, World};

/// How long workers may answer what is in flight after SIGTERM. contract.md promises the end within
/// 2 s; the rest is for the threads to end.
const GRACE: Duration = Duration::from_millis(1_500);

/// How long after that the workers' threads are waited for.
const THREADS_GRACE: Duration = Duration::from_millis(300);

/// Runs until SIGTERM or SIGINT. Exit code 0: stopped as asked; 1: could not start, or a worker
/// failed; 2: the configuration is wrong.
pub fn run(args: &ServeArgs) -> ExitCode {
    let config = match super::configuration(args.config.as_deref()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if let Err(why) = listen_arguments(args) {
        complain(&why);
        return ExitCode::from(BAD_USAGE);
    }
    match start(args, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&format!("cnamed: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn start(args: &ServeArgs, config: Config) -> Result<(), String> {
    let lab = if args.lab { Some(lab_world(args.lab_zones.as_deref())?) } else { None };
    let config = with_arguments(config, args, lab.as_deref());
    let refilter = start_log(&config)?;
    let threads = worker_count(&config);
    let descriptors = descriptors::raise_limit(); // before the listeners, which may be many
    refuse_too_few(descriptors, threads, config.server.listen.len())?;
    if lab.is_none() {
        try_sources(&config.resolver)?;
    }
    let (listeners, bound) = bind_all(args, &config, threads)?;
    let fixed = fixed_descriptors(threads, bound.len());
    let share = descriptors::share(descriptors, fixed);
    let wanted = fixed + descriptors::RESERVED + share.upstream + share.tcp_clients;
    descriptors::make_room(wanted.min(descriptors));
    tracing::debug!(threads, ?share, "descriptors");
    warn_if_open(&config, &bound);
    complain_of_trust(&config);

    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start the runtime: {e}"))?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(|e| format!("cannot listen for signals: {e}"))?;
        let service = service(&config, lab.as_ref(), share.upstream);
        let state = StateFile::of(&config);
        service.resolver().walker().restore_anchors(&config, state.read()?);
        let resolver = service.resolver();
        let saver = Saver::start(&config, args.lab, resolver.cache(), resolver.world())
            .map_err(|e| format!("cannot start the thread that keeps the cache: {e}"))?;
        let (stop, hear_stop) = Stop::new();
        let mut workers = Workers::spawn(listeners, &service, share.tcp_clients, &hear_stop)?;
        workers.built().await?;
        ready(&bound);
        let follow = || Box::pin(Arc::clone(&service).follow_anchors(|text| state.write(text)));
        let mut following = follow();
        let mut started = Started { args, lab, config, bound, refilter, saver };
        let mut rereading = Rereading::default();
        let ended = loop {
            tokio::select! {
                said = signals.said() => match said {
                    Said::Stop => break Ok(()),
                    Said::Reload => begin_reload(args.config.as_deref(), &mut rereading),
                },
                read = rereading.ended() => {
                    reload(&service, &mut started, read);
                    following = follow();
                    if std::mem::take(&mut rereading.once_more) {
                        begin_reload(args.config.as_deref(), &mut rereading);
                    }
                }
                () = &mut following => {}
                why = workers.failure() => break Err(why),
            }
        };
        notify(&[NotifyState::Stopping]);
        tracing::info!("stopping: answering what is in flight");
        let _nobody_left = stop.send(true);
        let saved = timeout(GRACE + THREADS_GRACE, started.saver.stop());
        let ((), saved) = tokio::join!(workers.end(), saved);
        if saved.is_err() {
            tracing::warn!("the cache could not be saved in time: cache.file stays as it was saved before");
        }
        // Taking a large cache apart, entry by entry, would take longer than all the rest.
        std::mem::forget(Arc::clone(service.resolver().cache()));
        ended
    })
}

/// `--listen` is judged as `server.listen` is.
fn listen_arguments(args: &ServeArgs) -> Result<(), String> {
    if args.listen.is_empty() {
        return Ok(());
    }
    Config::check_listen(&args.listen).map_err(|errors| {
        let lines = errors.0.iter().map(|e| format!("cnamed serve: --listen {}: {}", e.value, e.what));
        lines.collect::<Vec<_>>().join("\n")
    })
}

/// Everything that is not a socket for clients.
fn service(config: &Config, lab: Option<&Arc<lab::World>>, upstream: usize) -> Arc<Service> {
    let network: Arc<dyn Network> = match lab {
        Some(lab) => Arc::clone(lab) as Arc<dyn Network>,
        None => {
            let sources = config.resolver.source_addresses.clone();
            Arc::new(Sockets::with_limit(sources, Rng::os(), upstream))
        }
    };
    let world = World { network, clock: Clock::system(), rng: Rng::os() };
    Service::new(Arc::new(config.clone()), world)
}

/// What serving was started with: what a reload cannot change is still so.
struct Started<'a> {
    args: &'a ServeArgs,
    lab: Option<Arc<lab::World>>,
    config: Config,
    bound: Vec<SocketAddr>,
    refilter: Refilter,
    saver: Saver,
}

/// The configuration with the command line on top.
fn with_arguments(mut config: Config, args: &ServeArgs, lab: Option<&lab::World>) -> Config {
    if !args.listen.is_empty() {
        config.server.listen.clone_from(&args.listen);
    }
    if let Some(lab) = lab {
        enter_lab(&mut config, lab);
    }
    config
}

/// The settings of a resolver inside the embedded world: its root, and its trust anchors where the
/// configuration names none of its own.
pub(super) fn enter_lab(config: &mut Config, lab: &lab::World) {
    config.resolver.hints = lab.hints();
    if config.dnssec.anchors == Config::default().dnssec.anchors {
        config.dnssec.anchors = lab.anchors();
    }
    // Without an anchor there is nothing to be proven, and nothing to be said about it.
    config.dnssec.validation &= !config.dnssec.anchors.is_empty();
}

/// The embedded world, or that of a folder.
pub(super) fn lab_world(folder: Option<&Path>) -> Result<Arc<lab::World>, String> {
    match folder {
        Some(folder) => lab::World::from_folder(folder).map_err(|e| e.to_string()),
        None => lab::World::embedded().map_err(|e| e.to_string()),
    }
}

/// Takes a new filter; does nothing where RUST_LOG decides.
type Refilter = Box<dyn Fn(&str) -> Result<(), String>>;

fn start_log(config: &Config) -> Result<Refilter, String> {
    let from_environment = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let filter = match &from_environment {
        Some(filter) => parse_filter("RUST_LOG", filter)?,
        None => parse_filter("log.filter", &config.log.filter)?,
    };
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(terminal::wants_colour(&io::stderr()))
        .with_env_filter(filter)
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.try_init().map_err(|e| format!("cannot start the log: {e}"))?;
    Ok(Box::new(move |filter| match from_environment {
        Some(_) => Ok(()),
        None => handle.reload(parse_filter("log.filter", filter)?).map_err(|e| e.to_string()),
    }))
}

fn parse_filter(setting: &str, filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter)
        .map_err(|e| format!("{setting} = \"{filter}\": {e}; for example: \"info\", \"cnamed=debug\""))
}

fn worker_count(config: &Config) -> usize {
    match config.server.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// Descriptors of workers and their listeners, UDP and TCP.
fn fixed_descriptors(threads: usize, addresses: usize) -> usize {
    threads.saturating_mul(descriptors::PER_WORKER + 2 * addresses)
}

/// Looks for the descriptors without which nothing can be served, while a missing one is just that: later
/// the runtime would panic, or an address seem not to be there. Tried and not counted, since a parent may
/// have left some open.
fn refuse_too_few(limit: usize, threads: usize, addresses: usize) -> Result<(), String> {
    /// Standard streams: part of [`descriptors::RESERVED`], and open already.
    const STANDARD: usize = 3;
    let fixed = fixed_descriptors(threads, addresses);
    let least = descriptors::share(0, fixed);
    let needed = fixed + descriptors::RESERVED + least.upstream + least.tcp_clients;
    let mut free = Vec::new();
    while free.len() + STANDARD < needed {
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(descriptor) => free.push(descriptor),
            Err(_) => {
                let taken = limit.saturating_sub(free.len());
                let enough = needed + taken.saturating_sub(STANDARD);
                return Err(format!(
                    "{enough} file descriptors are needed (worker threads: {threads}, addresses to listen on: \
                     {addresses}), but the limit is {limit}, of which {taken} are taken: raise it with `ulimit -n \
                     {enough}` (systemd: LimitNOFILE={enough}), or lower server.threads"
                ));
            }
        }
    }
    Ok(())
}

/// All listeners of all workers, before any is served. Of the default addresses one that this
/// machine does not have (::1 without IPv6) is left out; of chosen ones none.
fn bind_all(
    args: &ServeArgs,
    config: &Config,
    threads: usize,
) -> Result<(Vec<Listeners>, Vec<SocketAddr>), String> {
    let chosen = args.config.is_some() || !args.listen.is_empty();
    let mut listeners: Vec<Listeners> = (0..threads).map(|_| Listeners::default()).collect();
    let mut bound = Vec::new();
    for address in &config.server.listen {
        match worker::bind(*address, &mut listeners) {
            Ok(address) => bound.push(address),
            Err(e) if !chosen && address.is_ipv6() && is_missing(&e.reason) => {
                tracing::info!(%address, "not listened on: this machine has no such address");
            }
            Err(e) => return Err(e.to_string()),
        }
    }
    if bound.is_empty() {
        return Err("nothing to listen on: server.listen is empty; give at least one address, for example \
                    \"127.0.0.1:53\""
            .to_owned());
    }
    Ok((listeners, bound))
}

fn is_missing(reason: &io::Error) -> bool {
    reason.kind() == io::ErrorKind::AddrNotAvailable || reason.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Binds a socket to each address from which servers are to be asked: with one that is not this machine's
/// questions would fail, and nothing else would say why.
pub(super) fn try_sources(resolver: &config::Resolver) -> Result<(), String> {
    let is_used = |source: &&IpAddr| if source.is_ipv4() { resolver.ipv4 } else { resolver.ipv6 };
    for source in resolver.source_addresses.iter().filter(is_used) {
        sockets::try_source(*source).map_err(|reason| {
            let nobody_has_it = if is_missing(&reason) { "No interface here has this address: " } else { "" };
            format!(
                "cannot ask from {source}: {reason}. {nobody_has_it}correct resolver.source-addresses, or leave it \
                 out for the system's choice"
            )
        })?;
    }
    Ok(())
}

/// The line that contract.md promises, whatever the log's filter, and systemd's word for it.
fn ready(bound: &[SocketAddr]) {
    let addresses: Vec<String> = bound.iter().map(SocketAddr::to_string).collect();
    complain(&format!("ready {}", addresses.join(" ")));
    notify(&[NotifyState::Ready]);
}

/// Nobody to tell is no error.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// What SIGTERM, SIGINT and SIGHUP say.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

enum Said {
    Stop,
    Reload,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    async fn said(&mut self) -> Said {
        tokio::select! {
            _ = self.terminate.recv() => Said::Stop,
            _ = self.interrupt.recv() => Said::Stop,
            _ = self.reload.recv() => Said::Reload,
        }
    }
}

/// The threads that serve.
struct Workers {
    ended: mpsc::UnboundedReceiver<Result<(), String>>,
    running: usize,
    /// Where all of them and their owner meet before the first of them serves.
    built: Arc<Barrier>,
}

impl Workers {
    fn spawn(
        listeners: Vec<Listeners>,
        service: &Arc<Service>,
        tcp_clients: usize,
        stop: &Stop,
    ) -> Result<Workers, String> {
        let running = listeners.len();
        let connections = Connections::new(tcp_clients);
        let (built, all_done) = (Arc::new(Barrier::new(running + 1)), Arc::new(Barrier::new(running)));
        let (tell, ended) = mpsc::unbounded_channel();
        for (number, listeners) in listeners.into_iter().enumerate() {
            let (door, connections) = (Door::new(Arc::clone(service), running), Arc::clone(&connections));
            let (stop, tell) = (stop.clone(), tell.clone());
            let together = Together { built: Arc::clone(&built), all_done: Arc::clone(&all_done) };
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    let end = work(listeners, door, connections, stop, &together);
                    let _nobody_waits = tell.send(end.map_err(|e| format!("worker {number}: {e}")));
                })
                .map_err(|e| format!("cannot start worker {number}: {e}"))?;
        }
        Ok(Workers { ended, running, built })
    }

    /// Waits until each has what it needs; from then on they serve.
    async fn built(&mut self) -> Result<(), String> {
        let built = Arc::clone(&self.built);
        tokio::select! {
            why = self.failure() => Err(why),
            _ = built.wait() => Ok(()),
        }
    }

    /// Waits for one to end, which none does before it is told to.
    async fn failure(&mut self) -> String {
        let ended = self.ended.recv().await;
        self.running = self.running.saturating_sub(1);
        match ended {
            Some(Err(why)) => why,
            _ => "a worker ended unasked".to_owned(),
        }
    }

    /// Waits until all have ended, as long as there is time.
    async fn end(mut self) {
        let all = async {
            while self.running > 0 && self.ended.recv().await.is_some() {
                self.running -= 1;
            }
        };
        if timeout(GRACE + THREADS_GRACE, all).await.is_err() {
            tracing::warn!("a worker does not end: left behind");
        }
    }
}

/// Where workers wait for each other: before the first of them serves, and before the first leaves.
struct Together {
    built: Arc<Barrier>,
    all_done: Arc<Barrier>,
}

/// One worker, in its own thread.
fn work(
    listeners: Listeners,
    door: Door,
    connections: Arc<Connections>,
    stop: Stop,
    together: &Together,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    let told = stop.clone();
    runtime.block_on(async move {
        together.built.wait().await;
        stay(worker::serve(listeners, door, connections, stop), told, &together.all_done).await
    })
}

/// Serves until told to stop; then until all workers are done, as long as there is time. A resolution that
/// another worker's client waits for may live here: none leaves first.
async fn stay(
    serving: impl Future<Output = io::Result<()>>,
    mut told: Stop,
    all_done: &Barrier,
) -> io::Result<()> {
    let mut serving = pin!(serving);
    let mut ended = tokio::select! {
        biased; // told to stop before it began, serving ends at once and must not leave either
        () = told.requested() => None,
        ended = &mut serving => Some(ended),
    };
    // The word may also come between those two polls.
    let unasked = told.requested().now_or_never().is_none();
    if let Some(ended) = ended.take_if(|_| unasked) {
        return ended;
    }
    let finished = timeout(GRACE, async {
        let ended = match ended {
            Some(ended) => ended,
            None => serving.await,
        };
        all_done.wait().await;
        ended
    });
    finished.await.unwrap_or_else(|_late| {
        tracing::warn!("stopped with requests unanswered");
        Ok(())
    })
}

/// A configuration that is read in a thread of its own: a file system that is dead keeps nobody waiting who
/// has something else to do, and not more than one thread.
#[derive(Default)]
struct Rereading {
    under_way: Option<oneshot::Receiver<Result<Config, String>>>,
    /// It may have changed since that began.
    once_more: bool,
}

impl Rereading {
    /// Begins, unless another is under way; that one is then not the last.
    fn begin(
        &mut self,
        read: impl FnOnce() -> Result<Config, String> + Send + 'static,
    ) -> Result<(), String> {
        self.once_more = self.under_way.is_some();
        if self.once_more {
            return Ok(());
        }
        let (tell, told) = oneshot::channel();
        let begun = thread::Builder::new().name("reload".to_owned()).spawn(move || {
            let _nobody_waits = tell.send(read());
        });
        begun.map_err(|e| format!("cannot start a thread that reads it: {e}"))?;
        self.under_way = Some(told);
        Ok(())
    }

    /// Waits for what was read; for ever where nothing is.
    async fn ended(&mut self) -> Result<Config, String> {
        let Some(told) = &mut self.under_way else { return std::future::pending().await };
        let read = told.await;
        self.under_way = None;
        read.unwrap_or_else(|_| Err("the thread that reads it has ended".to_owned()))
    }
}

/// SIGHUP: the configuration is to be read again.
fn begin_reload(path: Option<&Path>, rereading: &mut Rereading) {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    notify(&states);
    let Some(path) = path.map(Path::to_owned) else {
        tracing::warn!("nothing to reload: started without --config");
        return notify(&[NotifyState::Ready]);
    };
    let read = move || Config::reload(&path).map_err(|errors| errors.to_string());
    match rereading.begin(read) {
        Ok(()) if rereading.once_more => {
            tracing::warn!(
                "the configuration is still being read since an earlier SIGHUP: once more after that"
            );
        }
        Ok(()) => {}
        Err(why) => {
            not_reloaded(&why);
            notify(&[NotifyState::Ready]);
        }
    }
}

/// A good configuration is taken, a bad one refused with its reason.
fn reload(service: &Service, started: &mut Started<'_>, read: Result<Config, String>) {
    match read {
        Ok(read) => {
            let mut new = with_arguments(read, started.args, started.lab.as_deref());
            warn_if_restart_needed(&started.config, &new);
            if started.lab.is_none()
                && new.resolver.source_addresses != started.config.resolver.source_addresses
                && let Err(why) = try_sources(&new.resolver)
            {
                tracing::warn!("that restart would fail: {why}");
            }
            // What stands in another file would have to be read first.
            new.dnssec.trust_anchor_state.clone_from(&started.config.dnssec.trust_anchor_state);
            warn_if_open(&new, &started.bound);
            complain_of_trust(&new);
            if let Err(why) = (started.refilter)(&new.log.filter) {
                tracing::error!("the log filter stays: {why}");
            }
            started.saver.configured(&new);
            service.reload(Arc::new(new));
            tracing::info!("configuration reloaded");
        }
        Err(why) => not_reloaded(&why),
    }
    notify(&[NotifyState::Ready]);
}

fn not_reloaded(why: &str) {
    tracing::error!("configuration not reloaded, the old one stays: {why}");
}

/// Says which settings, or which clock, cannot lead to a proof.
fn complain_of_trust(config: &Config) {
    for complaint in anchors::complaints(config, Clock::system().wall()) {
        tracing::warn!("{complaint}");
    }
}

/// Settings that are only read at the start: told at each reload for as long as the file says something else.
fn warn_if_restart_needed(running: &Config, new: &Config) {
    let changed = [
        ("server.listen", running.server.listen != new.server.listen),
        ("server.threads", running.server.threads != new.server.threads),
        ("dnssec.trust-anchor-state", running.dnssec.trust_anchor_state != new.dnssec.trust_anchor_state),
        ("cache.max-memory", running.cache.max_memory != new.cache.max_memory),
        ("resolver.source-addresses", running.resolver.source_addresses != new.resolver.source_addresses),
    ];
    for (setting, _) in changed.iter().filter(|(_, changed)| *changed) {
        tracing::warn!("{setting} changed: takes effect after a restart");
    }
}

/// An open resolver is a tool for attacks on others (RFC 5358).
fn warn_if_open(config: &Config, bound: &[SocketAddr]) {
    let public = |address: &SocketAddr| address.ip().is_unspecified() || !is_private(&address.ip().into());
    let Some(address) = bound.iter().find(|address| public(address)) else { return };
    for net in config.access.allow.iter().filter(|net| !is_private(net)) {
        tracing::warn!(
            "access.allow contains {net} and {address} may be reached from outside: an open resolver is used to \
             attack others (RFC 5358); allow only your own networks"
        );
    }
}

/// Lies `net` in address space that the internet does not route?
fn is_private(net: &IpNet) -> bool {
    const PRIVATE: [(IpAddr, u8); 9] = [
        (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8), // RFC 1122 §3.2.1.3
        (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),  // RFC 1918
        (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12), // RFC 1918
        (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16), // RFC 1918
        (IpAddr::V4(Ipv4Addr::new(100, 64, 0, 0)), 10), // RFC 6598
        (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16), // RFC 3927
        (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),       // RFC 4291 §2.5.3
        (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7), // RFC 4193
        (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10), // RFC 4291 §2.5.6
    ];
    PRIVATE.iter().any(|(address, length)| IpNet::new_assert(*address, *length).contains(net))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_space_is_known() {
        for (net, private) in [
            ("127.0.0.0/8", true),
            ("10.1.0.0/16", true),
            ("192.168.1.7/32", true),
            ("fd00::/8", true),
            ("::1/128", true),
            ("0.0.0.0/0", false),
            ("::/0", false),
            ("192.0.2.0/24", false),
            ("172.0.0.0/8", false),
            ("2001:db8::/32", false),
        ] {
            assert_eq!(is_private(&net.parse().unwrap()), private, "{net}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_worker_leaves_before_the_others_when_told_to_stop() {
        let all_done = Barrier::new(2);
        let (say, told) = Stop::new();
        // It hears the word just after it was looked for, and ends in its first poll.
        let serving = async {
            say.send(true).unwrap();
            Ok(())
        };
        let mut staying = pin!(stay(serving, told, &all_done));
        assert!(timeout(GRACE / 2, &mut staying).await.is_err(), "left alone");
        let (left, _) = tokio::join!(staying, all_done.wait());
        left.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_ends_unasked_waits_for_nobody() {
        let (_say, told) = Stop::new();
        let serving = async { Err(io::Error::other("broken")) };
        let left = timeout(GRACE / 2, stay(serving, told, &Barrier::new(2))).await;
        assert_eq!(left.unwrap().unwrap_err().to_string(), "broken");
    }

    #[tokio::test]
    async fn what_cannot_be_read_keeps_one_thread_and_nobody_else() {
        let mut rereading = Rereading::default();
        let (answer, dead) = std::sync::mpsc::channel::<()>();
        let read = move || dead.recv().map(|()| Config::default()).map_err(|e| e.to_string());
        rereading.begin(read).unwrap();
        for _ in 0..3 {
            rereading.begin(|| panic!("a second thread")).unwrap();
            assert!(rereading.once_more);
            assert!(timeout(Duration::from_millis(20), rereading.ended()).await.is_err());
        }
        answer.send(()).unwrap();
        assert_eq!(rereading.ended().await, Ok(Config::default()));
        rereading.begin(|| Err("bad".to_owned())).unwrap();
        assert!(!rereading.once_more);
        assert_eq!(rereading.ended().await, Err("bad".to_owned()));
        assert!(timeout(Duration::from_millis(20), rereading.ended()).await.is_err(), "nothing to wait for");
    }

    #[test]
    fn a_bad_log_filter_names_the_setting() {
        let why = parse_filter("log.filter", "cnamed=loud").unwrap_err();
        assert!(why.starts_with("log.filter = \"cnamed=loud\""), "{why}");
        assert!(parse_filter("log.filter", "info,cnamed=debug").is_ok());
    }
}
