//! All that is asked about one name, one question after the other.
//!
//! Knows: that each question is to be answered by the zones, not by what an earlier one left in the
//! cache (a CNAME that is remembered hides what stands beside it), while delegations and what is known
//! of servers may stay. Does not know: which questions (`lint::plan`), what the answers mean. There is
//! no second resolver: every question goes through the door that a client's does.
//!
//! Shown by: `tests/check.rs`.

use std::sync::Arc;

use tokio::time::Instant;

use crate::config::Config;
use crate::dnssec::rollover::TrustPoint;
use crate::lint::{Case, plan};
use crate::render::Report;
use crate::request::Request;
use crate::rrset::{Question, RrType};
use crate::server::Service;
use crate::wire::Name;
use crate::world::World;

/// Asks about one name at a time.
pub struct Inspector {
    config: Arc<Config>,
    service: Arc<Service>,
}

/// What came of a name.
pub struct Inspected {
    /// For the rules.
    pub case: Case,
    /// Nobody was reached, not even the root.
    pub is_offline: bool,
}

impl Inspector {
    /// One with an empty cache of its own; `points`: what is known of the keys of zones with anchors.
    pub fn new(config: Arc<Config>, world: World, points: Vec<TrustPoint>) -> Inspector {
        let service = Service::new(Arc::clone(&config), world);
        service.resolver().walker().restore_anchors(&config, points);
        Inspector { config, service }
    }

    /// Asks everything that the rules want to know of `name`.
    pub async fn inspect(&self, name: &Name) -> Inspected {
        let types = |types: &[RrType]| -> Vec<Question> {
            types.iter().map(|rtype| Question::new(name.clone(), *rtype)).collect()
        };
        let mut own = self.ask_all(types(&plan::FIRST)).await;
        let is_offline = own.iter().all(Report::has_no_network);
        let wildcard = match plan::wildcard(name, &own) {
            Some(question) => Some(self.ask(question).await),
            None => None,
        };
        let more = self.ask_all(types(&plan::more(name, &own))).await;
        own.extend(more);
        let targets = self.ask_all(plan::targets(&own)).await;
        Inspected { case: Case { name: name.clone(), own, targets, wildcard }, is_offline }
    }

    async fn ask_all(&self, questions: Vec<Question>) -> Vec<Report> {
        let mut reports = Vec::with_capacity(questions.len());
        for question in questions {
            reports.push(self.ask(question).await);
        }
        reports
    }

    async fn ask(&self, question: Question) -> Report {
        let resolver = self.service.resolver();
        resolver.cache().forget_answers();
        let request =
            Arc::new(Request::new(Arc::clone(&self.config), resolver.world(), resolver.cache().era(), true));
        let answer = self.service.answer(&request, question).await;
        Report::new(answer, &request, Instant::now().duration_since(request.arrived))
    }
}
