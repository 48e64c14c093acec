//! What leads to the environments beside their CNAMEs, as the driver reads and moves it: the rules
//! of a shared load balancer, and preview hostnames. The machine decides where each must lead.

use super::error::DriveError;
use super::known_followers::Balancer;
use super::{Act, Driver, signalled};
use crate::cloud::{Cloud, LookError, Outcome, Refusal};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::machine::{
    Effect, HostSeen, Placement, RulesSeen, Seen, Step, Unread, decide, foreign_hosts,
    hosts_astray, rules_placement,
};
use crate::plan::Role;
use crate::preview::Preview;

impl<C: Cloud> Driver<'_, C> {
    /// Decides what to do next, and reads for it what it depends on.
    pub(super) async fn decide(
        &mut self,
        deployment: &Deployment,
        seen: &mut Seen,
        is_timed_out: bool,
    ) -> Result<Step, DriveError> {
        let now = self.clock.now();
        seen.followers = self.followers.seen(deployment, now);
        let (state, plan) = (&deployment.state, &deployment.plan);
        let mut step = decide(state, plan, seen, is_timed_out);
        while let Step::Read(unread) = step {
            self.read_followers(deployment, seen, unread).await?;
            step = decide(state, plan, seen, is_timed_out);
        }
        self.note_followers(deployment, seen, &step);
        Ok(step)
    }

    async fn read_followers(
        &mut self,
        deployment: &Deployment,
        seen: &mut Seen,
        unread: Unread,
    ) -> Result<(), DriveError> {
        if unread.rules {
            seen.followers.rules = Some(self.read_rules(deployment, seen).await?);
        }
        if let Some(preview) = deployment.plan.preview.as_ref().filter(|_| unread.records) {
            seen.followers.records = Some(self.read_hosts(deployment, preview).await?);
        }
        Ok(())
    }

    async fn read_rules(
        &mut self,
        deployment: &Deployment,
        seen: &Seen,
    ) -> Result<RulesSeen, DriveError> {
        let plan = &deployment.plan;
        let there = match seen.blue {
            Some(_) => Role::Blue,
            None => Role::Green,
        };
        let (cloud, mut balancer) = (self.cloud, self.followers.balancer.clone());
        let reading = async {
            if let Balancer::Unread = balancer {
                let (application, name) = (&plan.target.application, plan.environment(there));
                let shared = cloud.shared_balancer(application, name).await?;
                balancer = shared.map_or(Balancer::NotShared, Balancer::Shared);
            }
            let rules = match &balancer {
                Balancer::Shared(arn) => RulesSeen::Read(cloud.rules(arn).await?),
                Balancer::Unread | Balancer::NotShared => RulesSeen::NotShared,
            };
            Ok((balancer, rules))
        };
        let read = tokio::select! {
            biased;
            read = reading => read,
            () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
        };
        match read {
            Ok((balancer, rules)) => {
                self.followers.balancer = balancer;
                Ok(rules)
            }
            Err(LookError::Credentials(why)) => Err(DriveError::Credentials(why)),
            Err(LookError::Denied(why)) => Err(DriveError::Denied(why)),
            Err(LookError::Passing(why) | LookError::Refused(why)) => {
                let why = format!("cannot see the rules of the shared load balancer: {why}");
                let waits = Happened::RulesWait {
                    why: why.clone(),
                    is_asked: false,
                };
                self.tell(deployment, waits);
                Ok(RulesSeen::Unread(why))
            }
        }
    }

    async fn read_hosts(
        &mut self,
        deployment: &Deployment,
        preview: &Preview,
    ) -> Result<Vec<HostSeen>, DriveError> {
        let mut hosts = Vec::with_capacity(preview.hosts.len());
        let mut away = None;
        for host in &preview.hosts {
            // What does not answer for one host does not for the next.
            if let Some(why) = &away {
                hosts.push(HostSeen::Unread(String::clone(why)));
                continue;
            }
            let read = tokio::select! {
                biased;
                read = self.cloud.record(&preview.zone_id, host) => read,
                () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
            };
            hosts.push(match read {
                Ok(record) => HostSeen::Holds(record),
                Err(LookError::Credentials(why)) => return Err(DriveError::Credentials(why)),
                Err(error) => {
                    let why = error.to_string();
                    let waits = Happened::HostWaits {
                        host: host.clone(),
                        is_read: false,
                        why: why.clone(),
                    };
                    self.tell(deployment, waits);
                    away = Some(why.clone());
                    HostSeen::Unread(why)
                }
            });
        }
        Ok(hosts)
    }

    /// Keeps what the next rounds need of what was read and decided, and reports what is new.
    fn note_followers(&mut self, deployment: &Deployment, seen: &Seen, step: &Step) {
        let (now, kind) = (self.clock.now(), deployment.state.kind());
        let (state, plan) = (&deployment.state, &deployment.plan);
        if let Some(rules) = &seen.followers.rules {
            let standing = rules_placement(state, plan, seen);
            let are_right = standing == Placement::Right;
            self.followers.rules_right_in = are_right.then_some(kind);
            if let (Placement::Unsure(why), RulesSeen::Read(_)) = (standing, rules) {
                let is_asked = false;
                self.tell(deployment, Happened::RulesWait { why, is_asked });
            }
        }
        for (host, holds) in foreign_hosts(plan, seen) {
            let told = self.followers.foreign.insert(host.clone(), holds.clone());
            if told.as_ref() != Some(&holds) {
                self.tell(deployment, Happened::HostForeign { host, holds });
            }
        }
        if let Step::Delay { .. } = step {
            let waits = self.followers.waits.filter(|(of, _)| *of == kind);
            self.followers.waits = Some(waits.unwrap_or((kind, now)));
            self.began_at = now;
        } else if seen.followers.records.is_some() {
            let hosts = hosts_astray(state, plan, seen);
            if hosts.is_empty() {
                self.followers.waits = None;
            } else if seen.followers.hosts_given_up && self.followers.given_up_in != Some(kind) {
                self.followers.given_up_in = Some(kind);
                self.tell(deployment, Happened::HostsGivenUp { hosts });
            }
        }
    }

    /// Reports AWS's answer to a request to move what follows. Only denied permissions make
    /// bluegreen give anything up.
    pub(super) fn moved_followers(
        &mut self,
        deployment: &Deployment,
        effect: &Effect,
        outcome: Outcome,
    ) -> Result<Act, DriveError> {
        let why = match outcome {
            Outcome::Applied { .. } | Outcome::NotApplied(Refusal::AlreadySo(_)) => {
                return Ok(Act::Again);
            }
            Outcome::NotApplied(Refusal::Credentials(why)) => {
                return Err(DriveError::Credentials(why));
            }
            Outcome::NotApplied(Refusal::Denied(why))
                if matches!(effect, Effect::MoveRules { .. }) =>
            {
                return Err(DriveError::Denied(format!(
                    "{}: {why}; users who come by that rule still reach the environment that it \
                     forwards to, so bluegreen neither deploys to that one nor terminates it \
                     meanwhile; allow elasticloadbalancing:ModifyRule on it",
                    effect.kind().operation()
                )));
            }
            Outcome::Unclear(why)
            | Outcome::NotApplied(
                Refusal::Throttled(why)
                | Refusal::Busy(why)
                | Refusal::Unreachable(why)
                | Refusal::Denied(why)
                | Refusal::Invalid(why),
            ) => why,
        };
        let waits = match effect {
            Effect::MoveRules { .. } => {
                let why = format!("AWS does not change {why}");
                self.followers.refused = Some((deployment.state.kind(), why.clone()));
                Happened::RulesWait {
                    why,
                    is_asked: true,
                }
            }
            _ => Happened::HostWaits {
                host: effect.subjects().join(", "),
                is_read: true,
                why,
            },
        };
        self.tell(deployment, waits);
        Ok(Act::Again)
    }
}
