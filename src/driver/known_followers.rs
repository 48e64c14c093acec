//! What this process knows of what follows a swap.

use std::collections::BTreeMap;

use crate::clock::Moment;
use crate::cloud::Sighting;
use crate::deployment::Deployment;
use crate::machine::{FollowersSeen, Kind};
use crate::plan::{Plan, Role};

/// What this process knows of the environments' load balancers.
#[derive(Clone, Debug, Default)]
pub(super) enum Balancer {
    /// Nothing yet.
    #[default]
    Unread,
    /// Each environment has its own.
    NotShared,
    /// They share the one with this ARN.
    Shared(String),
}

/// What this process knows of what follows.
#[derive(Debug, Default)]
pub(super) struct Followers {
    /// The CNAMEs of both environments as last seen: a hostname may still lead to one that is gone.
    cnames: BTreeMap<Role, String>,
    /// The load balancer that the environments share.
    pub(super) balancer: Balancer,
    /// The state in which every rule was seen right.
    pub(super) rules_right_in: Option<Kind>,
    /// AWS's last answer, in this state, to a request to change rules that it did not accept.
    pub(super) refused: Option<(Kind, String)>,
    /// Since when, and in which state, a step waits for preview hostnames.
    pub(super) waits: Option<(Kind, Moment)>,
    /// The state in which bluegreen reported that it no longer waits for them.
    pub(super) given_up_in: Option<Kind>,
    /// The hostnames that somebody else has changed, and what they hold.
    pub(super) foreign: BTreeMap<String, String>,
}

impl Followers {
    /// Records what a poll has found.
    pub(super) fn look(&mut self, plan: &Plan, sighting: &Sighting) {
        for role in [Role::Blue, Role::Green] {
            let ours = role == Role::Blue || sighting.green_is_ours;
            let found = sighting.of(plan, role).filter(|_| ours);
            if let Some(cname) = found.and_then(|found| found.cname.clone()) {
                self.cnames.insert(role, cname);
            }
        }
    }

    /// What is known before rules and hostnames are read.
    pub(super) fn seen(&self, deployment: &Deployment, now: Moment) -> FollowersSeen {
        let kind = deployment.state.kind();
        let refused = self.refused.as_ref().filter(|(of, _)| *of == kind);
        let waits = self.waits.filter(|(of, _)| *of == kind);
        FollowersSeen {
            cnames: self.cnames.clone(),
            rules_were_right: self.rules_right_in == Some(kind),
            refused: refused.map(|(_, why)| why.clone()),
            hosts_given_up: waits
                .is_some_and(|(_, since)| now.since(since) >= deployment.patience()),
            ..deployment.followers(now)
        }
    }
}
