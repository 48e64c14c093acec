//! What may stop a deployment or roll it back beside AWS: approvals while it is paused, and the
//! operator's hooks at its changes of state.

use super::error::DriveError;
use super::word::Word;
use super::{Driver, signalled};
use crate::approval::Approval;
use crate::cloud::Cloud;
use crate::command::{Ran, Run};
use crate::deployment::Deployment;
use crate::events::Happened;
use crate::heap::on_heap;
use crate::hooks::{self, Hook, OnFailure, Passage};
use crate::machine::{Cause, Kind, Order, State, unapproved};
use crate::plan::Goal;
use crate::store::Output;

impl<C: Cloud> Driver<'_, C> {
    /// Requests the approval of a pause, where the plan has one, and acts on the answer; false
    /// where the deployment rests.
    pub(super) async fn is_approved(
        &mut self,
        deployment: &mut Deployment,
    ) -> Result<bool, DriveError> {
        let asks = deployment.awaits_approval();
        let Some(approver) = self.approver.clone().filter(|_| asks) else {
            return Ok(false);
        };
        let answer = tokio::select! {
            biased;
            answer = approver.ask(&deployment.plan.id) => answer,
            () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
        };
        let approval = answer.clone();
        self.tell(deployment, Happened::ApprovalAsked { approval });
        match answer {
            Approval::Granted => {
                self.order(deployment, Order::Approve, "it was approved", None)
                    .await?;
                return Ok(true);
            }
            Approval::Refused(said) => {
                let cause = Cause::ApprovalRefused { said };
                let why = cause.to_string();
                self.order(deployment, Order::Retreat, &why, Some(cause))
                    .await?;
                return Ok(true);
            }
            Approval::Wait | Approval::Unclear(_) => {}
        }
        let waited = self.clock.now().since(deployment.entered_at);
        match deployment.plan.wishes.approval {
            Some(approval) if waited >= approval.limit => {
                let cause = Cause::NotApproved {
                    seconds: approval.limit.as_secs(),
                };
                match unapproved(&deployment.state, cause.clone()) {
                    Some(next) if !approval.goes_back => {
                        self.enter(deployment, next, None).await?;
                        Ok(true)
                    }
                    _ => {
                        let why = cause.to_string();
                        self.order(deployment, Order::Retreat, &why, Some(cause))
                            .await
                    }
                }
            }
            _ => {
                self.pause(deployment).await?;
                Ok(true)
            }
        }
    }

    /// Runs the hooks that are due at a change of state, after which the deployment moves towards
    /// `goal`. They may run again where this process ends before the change is written down.
    pub(super) async fn hooks(
        &mut self,
        deployment: &Deployment,
        from: Option<Kind>,
        to: &State,
        goal: Goal,
    ) -> Result<Word, DriveError> {
        let passage = Passage {
            from,
            to: to.kind(),
        };
        let due: Vec<Hook> = hooks::due(&deployment.plan.wishes.hooks, passage, goal)
            .cloned()
            .collect();
        let mut word = Word::GoOn;
        for hook in due {
            let id = &deployment.plan.id;
            let transitions = self.journal.store().transitions(id)?;
            let shown = (self.shown)(deployment.clone(), transitions);
            let mut run = hook.run(id, &hooks::document(&hook, passage, &shown));
            run.secret = deployment.plan.test_variables();
            let name = hook.to_string();
            self.tell(deployment, Happened::HookBegan { hook: name });
            let ran = on_heap(|| self.run_hook(deployment, &hook, &run)).await?;
            let output = Output {
                at: self.clock.now(),
                what: format!("hook {hook}"),
                ended: ran.end.clone(),
                output: ran.output.clone(),
            };
            self.journal.keep_output(id, output)?;
            let ended = ran.in_words();
            let told = Happened::HookEnded {
                hook: hook.to_string(),
                end: ran.end.clone(),
                told: ended.clone(),
                lasted: ran.lasted,
            };
            self.tell(deployment, told);
            if ran.passed() {
                continue;
            }
            word = match hook.on_failure {
                OnFailure::Ignore => continue,
                // Nothing stops the way back.
                _ if goal == Goal::Previous => continue,
                OnFailure::Rollback => Word::GoBack(failed(&hook, ended)),
                OnFailure::Hold => Word::Hold(failed(&hook, ended)),
            };
            break;
        }
        Ok(word)
    }
}

impl<C: Cloud> Driver<'_, C> {
    /// Runs a hook's command, and tells its lines as it writes them.
    async fn run_hook(
        &mut self,
        deployment: &Deployment,
        hook: &Hook,
        run: &Run,
    ) -> Result<Ran, DriveError> {
        let (sender, mut lines) = tokio::sync::mpsc::channel(LINES_WAITING_MAX);
        let mut running = self.runner.run(run, Some(sender));
        let ran = loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => self.tell_line(deployment, hook, line),
                ran = &mut running => break ran,
                () = signalled(self.interrupted.clone()) => return Err(DriveError::Signal),
            }
        };
        while let Ok(line) = lines.try_recv() {
            self.tell_line(deployment, hook, line);
        }
        Ok(ran)
    }

    fn tell_line(&mut self, deployment: &Deployment, hook: &Hook, line: String) {
        let hook = hook.to_string();
        self.tell(deployment, Happened::HookOutput { hook, line });
    }
}

/// How many lines of a hook may wait to be reported.
const LINES_WAITING_MAX: usize = 64;

fn failed(hook: &Hook, ended: String) -> Cause {
    Cause::HookFailed {
        hook: hook.to_string(),
        stage: hook.stage,
        ended,
    }
}
