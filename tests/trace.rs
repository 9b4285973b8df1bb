//! The trace tells of the resolution that answered: its aliases are those of the answer, in order, and its
//! messages are those that were sent.

use std::sync::Arc;

use cnamed::cache::hop::Alias;
use cnamed::config::Config;
use cnamed::request::Request;
use cnamed::resolver::Resolver;
use cnamed::rrset::{Question, RrSet, RrType};
use cnamed::trace::Event;
use cnamed::wire::Name;
use cnamed::world::{Clock, Rng, World};

use crate::client::Counted;
use crate::properties::graph::Graph;
use crate::properties::in_virtual_time;

const GRAPHS: u64 = 200;

/// Owner, target and the owner of the DNAME, if one is behind it.
type Followed = (Name, Option<Name>, Option<Name>);

fn followed(alias: &Alias) -> Followed {
    let redirection = alias.redirection();
    let cname = redirection.cname().expect("no overlong alias has an owner to compare");
    let dname: Option<&RrSet> = redirection.dname();
    (cname.owner.clone(), cname.target(), dname.map(|dname| dname.owner.clone()))
}

/// Asks cold and warm; how many aliases were compared.
async fn compare(graph: &Graph, seed: u64) -> Result<usize, String> {
    let lab = graph.world();
    let mut config = Config::default();
    config.dnssec.validation = false; // the graphs are not signed
    config.resolver.hints = lab.hints();
    config.resolver.root_priming = false;
    config.cache.prefetch = false;
    let (config, network) = (Arc::new(config), Counted::new(lab));
    let world = World { network: network.clone(), clock: Clock::system(), rng: Rng::seeded(seed) };
    let resolver = Resolver::new(&config, world.clone());
    let question = Question::new(graph.chain[0].clone(), RrType::A);
    let mut compared = 0;
    for look in ["cold", "warm"] {
        let request = Arc::new(Request::new(Arc::clone(&config), &world, 0, true));
        let answer = resolver.answer(&request, &question).await;
        let events: Vec<Event> = request.trace.events().into_iter().map(|timed| timed.event).collect();
        let of_trace: Vec<Followed> = events
            .iter()
            .filter_map(|event| match event {
                Event::AliasFollowed { owner, target, dname, .. } => {
                    Some((owner.clone(), target.clone(), dname.as_ref().map(|(above, _)| above.clone())))
                }
                _ => None,
            })
            .collect();
        let told = answer.hops.iter().filter(|alias| !matches!(alias, Alias::Overlong { .. }));
        let of_answer: Vec<Followed> = told.map(followed).collect();
        let comparable = answer.failure.is_none() && answer.hops.len() == of_answer.len();
        if comparable && of_trace != of_answer {
            return Err(format!("{question} {look}: {of_trace:?} in the trace, {of_answer:?} in the answer"));
        }
        compared += if comparable { of_answer.len() } else { 0 };
        let (sent, told) =
            (network.take(), events.iter().filter(|e| matches!(e, Event::Sent { .. })).count());
        if sent != told {
            return Err(format!("{question} {look}: {sent} messages, and {told} in the trace"));
        }
    }
    Ok(compared)
}

#[test]
fn the_aliases_of_the_trace_are_those_of_the_answer() {
    let mut compared = 0;
    for seed in 0..GRAPHS {
        let graph = Graph::random(seed);
        compared += in_virtual_time(seed, &graph, compare(&graph, seed)).unwrap_or_else(|e| panic!("{e}"));
    }
    assert!(compared > 500, "only {compared} aliases were compared");
}
