//! What leads to the environments beside their CNAMEs and is to follow them: preview
//! hostnames, and the rules of a shared load balancer (`listener_rules.rs`).
//!
//! At every turn, where each should lead follows from the state and the last look; it is
//! compared with what is read, and set right by writes that may be repeated. Nothing of it
//! is kept but the plan, so that a crash is only another look.

use std::collections::BTreeMap;

use super::listener_rules::needs_rules;
use super::{DriveError, Driver, signalled};
use crate::clock::{Deadline, Moment, Stopwatch};
use crate::cloud::{Cloud, LookError, Outcome, Refusal, Sighting};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::machine::{Cause, Effect, Kind, Seen, State, Step};
use crate::plan::{Goal, Plan, Role};
use crate::preview::{Preview, Record, Standing};

/// What this process has seen of what follows.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// The CNAMEs of both as last seen: a hostname may still lead to one that is gone.
    cnames: BTreeMap<Role, String>,
    /// The hostnames that are not as they should be.
    wrong: Vec<String>,
    /// The hostnames that somebody else has changed, and what they hold.
    theirs: BTreeMap<String, String>,
    /// Since when, and in which state, a step waits for what follows.
    waits: Option<(Kind, Moment)>,
}

/// Whether the machine's step may be taken.
pub(super) enum Turn {
    /// It may.
    Now,
    /// What follows is to be seen right first.
    Later,
    /// This state is to be entered: what follows cannot be set right.
    Instead(State),
}

/// Where the preview hostnames are to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lead {
    /// To the environment under test, which answers under this name.
    To(String),
    /// Where they led before.
    Back,
}

/// What is to be done with a preview hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Due {
    /// Nothing: it is as it should be.
    Nothing,
    /// Nothing: somebody else has made it hold this.
    Theirs(String),
    /// To make it hold this.
    Replace(Record),
}

impl Following {
    /// Counts a look in.
    pub fn look(&mut self, plan: &Plan, sighting: &Sighting) {
        for role in [Role::Blue, Role::Green] {
            let ours = role == Role::Blue || sighting.green_is_ours;
            let found = sighting.of(plan, role).filter(|_| ours);
            if let Some(cname) = found.and_then(|found| found.cname.clone()) {
                self.cnames.insert(role, cname);
            }
        }
    }

    /// What is left of the preview hostnames at an end, in words; none where all are as
    /// they were before.
    pub fn left_over(&self) -> Option<String> {
        let mut words = Vec::new();
        if !self.wrong.is_empty() {
            words.push(format!(
                "not seen to be put back: {}",
                self.wrong.join(", ")
            ));
        }
        let theirs = self.theirs.iter();
        words.extend(theirs.map(|(host, holds)| format!("left as found: {host}, {holds}")));
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Where the preview hostnames are to lead before a step; none where that is not
    /// known.
    fn lead(&self, deployment: &Deployment, step: &Step) -> Option<Lead> {
        if leads_to_an_end(step) {
            return Some(Lead::Back);
        }
        let Some(role) = under_test(deployment) else {
            return Some(Lead::Back);
        };
        let cname = self.cnames.get(&role)?;
        // A stale look may show it where production is.
        let production = cname.eq_ignore_ascii_case(&deployment.plan.production_cname);
        (!production).then(|| Lead::To(cname.clone()))
    }

    /// Whether a record leads to one of the two environments, and not to production:
    /// nobody else makes it so.
    fn is_ours(&self, plan: &Plan, seen: &Record) -> bool {
        !seen.leads_to(&plan.production_cname)
            && self.cnames.values().any(|cname| seen.leads_to(cname))
    }

    fn due(&self, plan: &Plan, preview: &Preview, host: &str, seen: &Record, lead: &Lead) -> Due {
        let wanted = match (lead, preview.before(host)) {
            (Lead::To(target), _) => match preview.standing(host, target, seen) {
                Standing::Pointing => return Due::Nothing,
                Standing::AsBefore => return Due::Replace(Record::preview(target)),
                Standing::Elsewhere(_) => Record::preview(target),
            },
            (Lead::Back, _) if preview.is_put_back(host, seen) => return Due::Nothing,
            (Lead::Back, Some(before)) => before.clone(),
            (Lead::Back, None) => return Due::Nothing,
        };
        if self.is_ours(plan, seen) {
            Due::Replace(wanted)
        } else {
            Due::Theirs(seen.in_words())
        }
    }
}

/// Whose environment the preview hostnames lead to in the present state. On the way back
/// there is nothing to preview.
fn under_test(deployment: &Deployment) -> Option<Role> {
    let plan = &deployment.plan;
    match deployment.state.kind() {
        Kind::Testing | Kind::AwaitingCutover if plan.goal == Goal::Release => Some(Role::Blue),
        Kind::Warming | Kind::AwaitingSwap if plan.tests_green() => Some(Role::Green),
        Kind::Testing
        | Kind::AwaitingCutover
        | Kind::Warming
        | Kind::AwaitingSwap
        | Kind::Preparing
        | Kind::Cloning
        | Kind::DeployingGreen
        | Kind::TestingGreen
        | Kind::SwappingToGreen
        | Kind::DrainingBlue
        | Kind::Deploying
        | Kind::AbortingDeploy
        | Kind::SwappingToBlue
        | Kind::Baking
        | Kind::ReturningToGreen
        | Kind::ReturningToBlue
        | Kind::TerminatingGreen
        | Kind::TerminatingBlue
        | Kind::Held
        | Kind::Discarding
        | Kind::Completed
        | Kind::RolledBack
        | Kind::Stuck => None,
    }
}

/// Whether a step ends the deployment.
fn leads_to_an_end(step: &Step) -> bool {
    matches!(step, Step::Enter(next) if next.is_end())
}

/// Whether a step must find every preview hostname as it should be: it makes a name lead
/// elsewhere or nowhere, ends the deployment, or pauses it so that people can look.
fn needs_previews(step: &Step) -> bool {
    match step {
        Step::Enter(next) => {
            next.is_end() || matches!(next, State::AwaitingSwap | State::AwaitingCutover)
        }
        Step::Ask { effect, .. } | Step::Once { effect, .. } => matches!(
            effect,
            Effect::Swap { .. } | Effect::TerminateGreen { .. } | Effect::TerminateBlue { .. }
        ),
        Step::Wait { .. } | Step::Rest => false,
    }
}

impl<C: Cloud> Driver<'_, C> {
    /// Sets right what follows, as far as it can be done now, and says whether the step
    /// may be taken. Rules are waited for as long as the state has patience; preview
    /// hostnames, on which the environments' own course does not depend, no longer than
    /// that patience, which begins anew afterwards.
    pub(super) async fn set_right(
        &mut self,
        deployment: &Deployment,
        seen: &Seen,
        step: &Step,
        patience_spent: bool,
    ) -> Result<Turn, DriveError> {
        let rules = self.set_rules(deployment, seen, step).await?;
        if let Some(why) = rules.filter(|_| needs_rules(step)) {
            match step {
                // It was given up, and now it is known why.
                Step::Enter(next)
                    if patience_spent
                        && matches!(next.cause(), Some(Cause::OutOfPatience { .. })) =>
                {
                    let cause = Cause::RuleStays { why };
                    return Ok(Turn::Instead(next.clone().because(cause)));
                }
                _ if !patience_spent => return Ok(Turn::Later),
                _ => {}
            }
        }
        let previews_are_right = self.set_previews(deployment, step).await?;
        if previews_are_right {
            self.following.waits = None;
        }
        if previews_are_right || !needs_previews(step) {
            return Ok(Turn::Now);
        }
        let (now, kind) = (self.clock.now(), deployment.state.kind());
        let since = match self.following.waits {
            Some((waiting, since)) if waiting == kind => since,
            _ => now,
        };
        self.following.waits = Some((kind, since));
        if now.since(since) < deployment.patience() {
            self.began_at = now;
            return Ok(Turn::Later);
        }
        let hosts = self.following.wrong.clone();
        self.tell(deployment, Happened::HostsGivenUp { hosts });
        Ok(Turn::Now)
    }

    /// Makes the preview hostnames lead where they should; true where all are seen to, or
    /// to hold what somebody else has put there.
    async fn set_previews(
        &mut self,
        deployment: &Deployment,
        step: &Step,
    ) -> Result<bool, DriveError> {
        let Some(preview) = &deployment.plan.preview else {
            return Ok(true);
        };
        // Until green is there nothing has been pointed at it.
        let is_early = matches!(deployment.state.kind(), Kind::Preparing | Kind::Cloning);
        let Some(lead) = self.following.lead(deployment, step) else {
            return Ok(false);
        };
        if is_early && !leads_to_an_end(step) {
            return Ok(true);
        }
        self.following.wrong.clear();
        let mut away = false;
        for host in &preview.hosts {
            if away {
                self.following.wrong.push(host.clone());
                continue;
            }
            let seen = tokio::select! {
                biased;
                seen = self.cloud.record(&preview.zone_id, host) => seen,
                () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
            };
            let seen = match seen {
                Ok(seen) => seen,
                Err(LookError::Credentials(why)) => return Err(DriveError::Credentials(why)),
                Err(error) => {
                    let waits = Happened::HostWaits {
                        host: host.clone(),
                        is_read: false,
                        why: error.to_string(),
                    };
                    self.tell(deployment, waits);
                    away = true;
                    self.following.wrong.push(host.clone());
                    continue;
                }
            };
            let plan = &deployment.plan;
            let due = self.following.due(plan, preview, host, &seen, &lead);
            if let Due::Theirs(holds) = due {
                let told = self.following.theirs.insert(host.clone(), holds.clone());
                if told.as_ref() != Some(&holds) {
                    let (host, holds) = (host.clone(), holds.to_string());
                    self.tell(deployment, Happened::HostForeign { host, holds });
                }
                continue;
            }
            self.following.theirs.remove(host);
            if let Due::Replace(to) = due {
                self.following.wrong.push(host.clone());
                self.replace(deployment, preview, host, &seen, &to).await?;
            }
        }
        Ok(self.following.wrong.is_empty())
    }

    /// Asks for a hostname to hold something else. The next look shows what became of it.
    async fn replace(
        &mut self,
        deployment: &Deployment,
        preview: &Preview,
        host: &str,
        from: &Record,
        to: &Record,
    ) -> Result<(), DriveError> {
        let Some(send_by) = self.may_send(deployment).await? else {
            return Ok(());
        };
        let asked = Happened::Asked {
            operation: "ChangeResourceRecordSets".to_owned(),
            subject: Some(format!("{host}: {}", to.in_words())),
        };
        self.tell(deployment, asked);
        let zone_id = &preview.zone_id;
        let outcome = tokio::select! {
            biased;
            outcome = self.cloud.replace_record(zone_id, host, from, to, &send_by) => outcome,
            () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
        };
        match outcome {
            Outcome::Applied { .. } | Outcome::NotApplied(Refusal::AlreadySo(_)) => Ok(()),
            Outcome::NotApplied(Refusal::Credentials(why)) => Err(DriveError::Credentials(why)),
            Outcome::Unclear(why)
            | Outcome::NotApplied(
                Refusal::Throttled(why)
                | Refusal::Busy(why)
                | Refusal::Unreachable(why)
                | Refusal::Denied(why)
                | Refusal::Invalid(why),
            ) => {
                let waits = Happened::HostWaits {
                    host: host.to_owned(),
                    is_read: true,
                    why,
                };
                self.tell(deployment, waits);
                Ok(())
            }
        }
    }

    /// Until when a write may be sent; none where the lease had to be waited for, so that
    /// what was seen proves nothing any more.
    pub(super) async fn may_send(
        &mut self,
        deployment: &Deployment,
    ) -> Result<Option<Deadline>, DriveError> {
        if *self.interrupted.borrow() {
            return Err(DriveError::Signal);
        }
        if let Err(error) = self.journal.secure().await {
            self.until_secure(deployment, error).await?;
            return Ok(None);
        }
        let written = Stopwatch::start(&self.clock);
        Ok(Some(
            self.journal.send_by(written, Deadline::default()).await,
        ))
    }
}
