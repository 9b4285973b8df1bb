//! One worker's door: ready packets first, the long way for the rest, and what comes back that way
//! ready to be kept.
//!
//! Knows: what of a plain question is judged before a ready packet may answer it (access, cookie,
//! size), what makes an answer one that can be kept. Deliberately does not know: sockets, how answers
//! come about. A ready packet says what the long way would say at that moment: turning them off
//! changes no answer. Shown by: `tests/ready.rs`.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::answers::{Answers, Kept, REFRESH_PAUSE};
use super::cookies::CookieAnswer;
use super::{Respond, Service, Settings};
use crate::cache::stamps::Stamp;
use crate::config::Config;
use crate::request::Request;
use crate::resolver::{Answer, refresh_at};
use crate::respond::{self, Asker};
use crate::wire::Name;
use crate::wire::ready::{Ask, Clock, OptOut, Ready};
use crate::world::Transport;

/// Of `cache.max-memory` what all workers' ready packets may take together.
const PERCENT: u64 = 10;

/// A worker's way to the resolver that all share.
pub struct Door {
    service: Arc<Service>,
    answers: RefCell<Answers>,
}

impl Door {
    /// One of `workers` doors.
    pub fn new(service: Arc<Service>, workers: usize) -> Door {
        let all = service.settings.load().config.cache.max_memory / 100 * PERCENT;
        let own = usize::try_from(all).unwrap_or(usize::MAX) / workers.max(1);
        Door { service, answers: RefCell::new(Answers::new(own)) }
    }

    /// A door that keeps nothing: every answer is made anew.
    pub fn without_answers(service: Arc<Service>) -> Door {
        Door { service, answers: RefCell::new(Answers::new(0)) }
    }

    fn answer(&self, ask: &Ask<'_>, client: SocketAddr, now: Instant, out: &mut Vec<u8>) -> Option<()> {
        let service = &*self.service;
        let settings = service.settings.load();
        if !settings.allow.allows(client.ip()) {
            return None;
        }
        let mut answers = self.answers.borrow_mut();
        let came = now;
        let now = service.nanos(now);
        let cache = service.resolver.cache();
        let ready = answers.get(ask, now, &cache.stamps, |places| cache.rrsets.touch(places))?;
        let our_size = settings.config.resolver.edns_buffer_size;
        let Some(edns) = ask.edns else {
            return ready.write(ask, None, respond::PLAIN_UDP, now, out).then_some(());
        };
        let cookie = match edns.cookie {
            None => None,
            Some(option) => match service.judge_cookie(option, client.ip(), came) {
                CookieAnswer::Reply { option, .. } => Some(option),
                CookieAnswer::Malformed => return None,
            },
        };
        let opt = OptOut { udp_size: our_size, cookie: cookie.as_ref().map(|option| &option[..]) };
        let limit = respond::udp_limit(edns.udp_size, our_size);
        ready.write(ask, Some(opt), limit, now, out).then_some(())
    }
}

impl Respond for Door {
    fn at_once(&self, request: &[u8], client: SocketAddr, now: Instant, out: &mut Vec<u8>) -> bool {
        // By reference: its key has room for the longest name.
        Ask::peek(request).as_ref().is_some_and(|ask| self.answer(ask, client, now, out).is_some())
    }

    fn respond<'a>(
        &'a self,
        request: &[u8],
        client: SocketAddr,
        over: Transport,
    ) -> impl Future<Output = Option<Vec<u8>>> + use<'a> {
        let service = &self.service;
        // Before the settings are looked at.
        let kept = Ask::peek(request).map(|ask| (ask.key().to_vec(), Keeper::settings(service)));
        let look = service.look(request, client, over);
        async move {
            let Some((key, settings)) = &kept else { return service.answer_look(look, None).await };
            let keep = |kept| self.answers.borrow_mut().put(key, kept);
            service.answer_look(look, Some(&Keeper { key, keep: &keep, settings: *settings })).await
        }
    }
}

/// Who wants to keep the answer to a question.
pub(super) struct Keeper<'a> {
    key: &'a [u8],
    keep: &'a dyn Fn(Kept),
    /// Looked at before the settings are: changes when they do.
    settings: Stamp,
}

impl Keeper<'_> {
    fn settings(service: &Service) -> Stamp {
        service.resolver.cache().stamps.of(&Name::root(), true)
    }

    /// Keeps the answer if it came from the cache alone and is not to be told with reservations.
    pub(super) fn consider(
        &self,
        service: &Service,
        settings: &Settings,
        request: &Request,
        answer: &Answer,
        asker: &Asker,
    ) {
        let Some(mut rested) = request.own.rested() else { return };
        let Some((message, clocks)) = respond::template(answer, asker) else { return };
        let clocks: Vec<Clock> =
            clocks.into_iter().map(|(at, expires)| Clock { at, expires: service.nanos(expires) }).collect();
        let Some(packet) = Ready::pack(&message, self.key, &clocks, answer.secure) else { return };
        rested.stamps.push(self.settings);
        let now = service.nanos(service.resolver.world().clock.now());
        // What is nearly over is being asked for since this answer was made.
        let at = refresh(service, &settings.config, answer).max(now.saturating_add(REFRESH_PAUSE));
        (self.keep)(Kept::new(&packet, &rested, at, now));
    }
}

/// The moment from which the long way is to be gone once: where one of the hops is to be fetched ahead of
/// its time.
fn refresh(service: &Service, config: &Config, answer: &Answer) -> u64 {
    if !config.cache.prefetch {
        return u64::MAX;
    }
    let hops = answer.hops.iter().flat_map(|alias| alias.sets());
    let all = hops.chain(&answer.terminal).chain(&answer.additional);
    all.filter_map(refresh_at).min().map_or(u64::MAX, |at| service.nanos(at))
}
