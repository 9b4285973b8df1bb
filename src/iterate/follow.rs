//! Trust anchors that follow their zones: RFC 5011's looks at their keys, RFC 8145's word to them.
//!
//! Knows: which zones have anchors that follow, how their keys are fetched, and that what was proven
//! with anchors that have changed is forgotten. Does not know: the states of a key
//! (`dnssec::rollover`), where they are kept (`cli::anchors`), when to look (it says until when).
//!
//! Shown by: `tests/scenarios/dnssec_rollover_*`, `dnssec_key_tag_query*`.

use std::sync::Arc;
use std::time::Duration;

use super::flights::Usage;
use super::{Scope, Walker};
use crate::cache::hop::Hop;
use crate::config::Config;
use crate::dnssec::Reason;
use crate::dnssec::anchors::TrustAnchors;
use crate::dnssec::crypto::Policy;
use crate::dnssec::keys::Anchor;
use crate::dnssec::rollover::{self, Sight, State, TrustPoint};
use crate::request::Request;
use crate::rrset::{Question, RrType};
use crate::wire::Name;
use crate::world::lock;

/// The longest until the next look, also when the wall clock goes back meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// No time may lie further ahead (RFC 5011 §2.3); one in a file does after the clock was set back.
const FURTHEST: u64 = 15 * 86_400;

/// The anchors of a configuration as what was seen of their zones has changed them.
fn followed(config: &Config, points: &[TrustPoint]) -> TrustAnchors {
    let configured = TrustAnchors::of(&config.dnssec);
    if config.dnssec.trust_anchor_state.is_none() {
        return configured;
    }
    let of_zone = |(zone, anchors): (&Name, &[Anchor])| {
        let point = points.iter().find(|point| point.zone == *zone);
        let trusted = point.map_or_else(|| anchors.to_vec(), |point| point.trusted(anchors));
        trusted.into_iter().map(|anchor| (zone.clone(), anchor)).collect::<Vec<_>>()
    };
    TrustAnchors::new(configured.iter().flat_map(of_zone), &config.dnssec.negative)
}

impl Walker {
    /// Which keys need no proof.
    pub fn anchors(&self) -> Arc<TrustAnchors> {
        self.anchors.load_full()
    }

    /// Takes the trust anchors of a new configuration.
    pub fn reload(&self, config: &Config) {
        self.adopt(followed(config, &lock(&self.points)));
    }

    /// Takes what was known of the zones' keys when the process ended last.
    pub fn restore_anchors(&self, config: &Config, points: Vec<TrustPoint>) {
        let latest = self.world.clock.wall() + FURTHEST;
        let points = points.into_iter().map(|point| TrustPoint { next: point.next.min(latest), ..point });
        *lock(&self.points) = points.collect();
        self.reload(config);
    }

    /// What is known of them now, as text.
    pub fn anchor_state(&self) -> String {
        rollover::write(&lock(&self.points))
    }

    /// What was proven with other anchors is forgotten.
    fn adopt(&self, anchors: TrustAnchors) {
        if anchors != **self.anchors.load() {
            self.anchors.store(Arc::new(anchors));
            self.cache.begin_era(false);
        }
    }

    /// Looks at the keys of every zone with anchors whose time has come. Says whether there was one,
    /// and when to come again.
    pub async fn follow_anchors(self: &Arc<Self>, config: &Arc<Config>) -> (bool, Duration) {
        let configured = TrustAnchors::of(&config.dnssec);
        let mut looked = false;
        let mut wait = LONGEST_WAIT;
        for (zone, anchors) in configured.iter() {
            let known = lock(&self.points).iter().find(|point| point.zone == *zone).cloned();
            let mut point = known.unwrap_or_else(|| TrustPoint::new(zone.clone()));
            if point.next <= self.world.clock.wall() {
                self.look_at(config, &mut point, anchors).await;
                looked = true;
            }
            let left = point.next.saturating_sub(self.world.clock.wall()).max(1);
            wait = wait.min(Duration::from_secs(left));
            let mut points = lock(&self.points);
            points.retain(|point| point.zone != *zone);
            points.push(point);
        }
        if looked {
            self.reload(config);
        }
        (looked, wait)
    }

    async fn look_at(self: &Arc<Self>, config: &Arc<Config>, point: &mut TrustPoint, anchors: &[Anchor]) {
        let request =
            Arc::new(Request::new(Arc::clone(config), &self.world, self.cache.era(), false).unchecked());
        let question = Question::new(point.zone.clone(), RrType::DNSKEY);
        let scope = Scope::refresh(request.trace.open());
        let found = self.look_up_hop(&request, &question, &scope, Usage::Raw).await;
        let (before, was_trusted) = (point.clone(), !point.trusted(anchors).is_empty());
        let now = self.world.clock.wall();
        let policy = Policy { sha1: config.dnssec.sha1_validates };
        let seen = match &found {
            Ok(Hop::Data(sets)) => match sets.first() {
                Some(held) => {
                    let checks = request.budget.checks();
                    point.see(&held.set, anchors, Sight { now, policy: &policy, checks: &checks })
                }
                None => Err(Reason::DnskeyMissing),
            },
            _ => Err(Reason::ChainBroken),
        };
        if let Err(reason) = seen {
            point.postpone(now);
            tracing::warn!("the keys of {} could not be looked at for RFC 5011: {reason}", point.zone);
        }
        tell_changes(&before, point);
        if was_trusted && point.trusted(anchors).is_empty() {
            let zone = &point.zone;
            tracing::error!(
                "every trust anchor of {zone} was revoked: nothing is proven from there any more"
            );
        }
    }

    /// Tells a zone, whose keys are about to be fetched, which of them are trusted (RFC 8145 §5.2),
    /// beside the question that wanted them. Not where the operator has pinned the anchors: then they
    /// say nothing of whether a rollover reached this place.
    pub(super) fn tell_tags(self: &Arc<Self>, request: &Request, zone: &Name) {
        let config = &request.config;
        let follows = config.dnssec.trust_anchor_state.is_some();
        if !follows && config.dnssec.anchors != Config::default().dnssec.anchors {
            return;
        }
        let Some(name) = self.anchors.load().key_tag_query(zone) else { return };
        let (walker, config, era) = (Arc::clone(self), Arc::clone(config), request.era);
        tokio::spawn(async move {
            let request = Arc::new(Request::new(config, &walker.world, era, false).unchecked());
            let scope = Scope::hop(request.trace.open());
            // Whatever comes back is cached like anything else.
            let _ = walker.find(&request, &Question::new(name, RrType::NULL), &scope).await;
        });
    }
}

/// Says in the log what has become of each key.
fn tell_changes(before: &TrustPoint, now: &TrustPoint) {
    for own in &now.keys {
        let was = before.keys.iter().find(|was| was.key == own.key).map(|was| was.state);
        if was == Some(own.state) {
            continue;
        }
        let (zone, tag) = (&now.zone, own.key.tag);
        match own.state {
            State::AddPend => tracing::info!("{zone} has a new key {tag}: trusted if it stays for 30 days"),
            State::Valid => tracing::info!("the key {tag} of {zone} is trusted"),
            State::Missing => tracing::warn!("the key {tag} of {zone} is gone, and still trusted"),
            State::Revoked => tracing::warn!("the key {tag} of {zone} was revoked: not trusted any more"),
            State::Removed => tracing::info!("the revoked key {tag} of {zone} is gone"),
        }
    }
}
