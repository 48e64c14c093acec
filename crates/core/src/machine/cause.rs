//! Why a deployment was held, rolled back or got stuck.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::drift::Drift;
use super::kind::Kind;
use super::remedy::with_remedy;
use crate::plan::Role;
use crate::text::for_shell;

/// Why a deployment is held, was rolled back or is stuck.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "cause")]
pub enum Cause {
    /// An operator cancelled the release.
    AskedToRetreat,
    /// A state took longer than its timeout.
    OutOfPatience {
        /// The state's kind.
        during: Kind,
        /// What both environments were like in the end.
        seen: String,
    },
    /// AWS refused a request, for good.
    Refused {
        /// The operation, as the API reference names it.
        operation: String,
        /// The service's own words.
        message: String,
    },
    /// A rule of the shared load balancer did not come to forward where it must.
    RuleStays {
        /// Which one, and what keeps it.
        why: String,
    },
    /// Somebody else's environment has green's name.
    GreenNameTaken {
        /// Green's environment name.
        green: String,
    },
    /// Green differs from blue.
    GreenDiffers {
        /// In what it differs.
        differences: Vec<String>,
    },
    /// Elastic Beanstalk could not launch green.
    LaunchFailed {
        /// The events' own words, oldest first.
        messages: Vec<String>,
    },
    /// Green was terminated before users were on it.
    GreenGone,
    /// Blue is gone.
    BlueGone {
        /// Green's environment name, where users are on it.
        #[serde(default)]
        serving: Option<String>,
        /// Blue's environment name.
        #[serde(default)]
        blue: Option<String>,
    },
    /// The environment that held production is gone.
    ProductionTerminated {
        /// Its name.
        environment: String,
        /// Its id, empty where it is not known.
        id: String,
        /// The other environment's name, where that is left.
        left: Option<String>,
    },
    /// Somebody else has put something on an environment that the deployment would overwrite
    /// or remove.
    ChangedMeanwhile {
        /// Which one it is.
        on: Role,
        /// Its name.
        environment: String,
        /// What was changed.
        changes: Vec<Drift>,
    },
    /// The version could not be processed.
    VersionFailed {
        /// The version label.
        version: String,
    },
    /// The version is not registered, and there is no bundle to register it with.
    VersionMissing {
        /// The version label.
        version: String,
    },
    /// The version label is registered with another bundle.
    VersionConflict {
        /// The version label.
        version: String,
        /// Where the registered one lies, `bucket/key`.
        registered: String,
    },
    /// The deploy did not reach blue.
    DeployFailed {
        /// The events' own words.
        message: String,
    },
    /// Blue did not answer its test.
    TestFailed {
        /// The request that bluegreen sent, as in `GET http://…/`.
        asked: String,
        /// What came back.
        got: String,
    },
    /// A command of the operator's that holds the deployment failed.
    HookFailed {
        /// Which one, as in `before Testing`.
        hook: String,
        /// Its stage.
        stage: Kind,
        /// How it ended.
        ended: String,
    },
    /// The approver has refused the pause's approval.
    ApprovalRefused {
        /// What the answer said.
        said: String,
    },
    /// Nobody approved a pause in time.
    NotApproved {
        /// How long bluegreen waited for the approval, in seconds.
        seconds: u64,
    },
    /// Production was unhealthy while it was monitored.
    SickWhileBaking {
        /// What was seen.
        seen: String,
    },
    /// A substantial share of the traffic does not follow the production CNAME.
    TrafficStays {
        /// The environment that it still reaches.
        on: Role,
        /// How much it is, in words.
        seen: String,
    },
    /// The production CNAME is not where the deployment left it.
    ProductionMoved {
        /// The state's kind in which that was seen.
        during: Kind,
        /// Who holds it now, in words; none where nobody is known to.
        #[serde(default)]
        holder: Option<String>,
    },
    /// Blue runs a version that this deployment did not put there.
    VersionMoved {
        /// The version label that blue shows.
        version: String,
    },
    /// An operator has cleaned up an orphaned deployment.
    Orphaned {
        /// That deployment's id.
        deployment: String,
    },
    /// After the rollback blue runs another version than the previous one.
    NotRolledBack {
        /// The version blue runs.
        version: String,
        /// What stopped the rollback.
        message: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::AskedToRetreat => write!(f, "an operator cancelled it"),
            Cause::OutOfPatience { during, seen } => {
                write!(
                    f,
                    "{} took longer than its timeout: {}",
                    during.meaning(),
                    with_remedy(seen)
                )
            }
            Cause::Refused { operation, message } => {
                write!(f, "AWS refused {operation}: {}", with_remedy(message))
            }
            Cause::RuleStays { why } => write!(
                f,
                "a rule of the shared load balancer does not forward where it must: {why}. Users \
                 who come by it still reach the environment that it forwards to, so bluegreen \
                 neither deploys to that one nor terminates it meanwhile; what to do: change the \
                 rule manually, or if it has the tag bluegreen:follow let bluegreen change it \
                 (elasticloadbalancing:ModifyRule on it)"
            ),
            Cause::GreenNameTaken { green } => write!(
                f,
                "an environment named {green} exists and is not this deployment's; \
                 choose another name with --green or remove it"
            ),
            Cause::GreenDiffers { differences } => write!(
                f,
                "green differs from blue: {}; where that may be so, say {}",
                differences.join("; "),
                expecting(differences)
            ),
            Cause::LaunchFailed { messages } => write!(
                f,
                "Elastic Beanstalk could not launch green: {}",
                with_remedy(&messages.join("; "))
            ),
            Cause::GreenGone => write!(f, "green went away before it served"),
            Cause::BlueGone {
                serving: Some(green),
                blue: Some(blue),
            } => write!(
                f,
                "somebody else has terminated {blue} while {green} served production: users are \
                 safe on {green}, which is the only environment now, so do not terminate it. The \
                 next release names it: bluegreen run --blue {} --green {}",
                for_shell(green),
                for_shell(blue)
            ),
            Cause::BlueGone { .. } => write!(f, "blue is gone"),
            Cause::ProductionTerminated {
                environment,
                id,
                left,
            } => production_terminated(f, environment, id, left.as_deref()),
            Cause::ChangedMeanwhile {
                on,
                environment,
                changes,
            } => changed(f, *on, environment, changes),
            Cause::VersionFailed { version } => {
                write!(f, "Elastic Beanstalk could not process version {version}")
            }
            Cause::VersionMissing { version } => {
                write!(f, "version {version} is not registered any more")
            }
            Cause::VersionConflict {
                version,
                registered,
            } => write!(
                f,
                "version {version} is registered with another bundle, {registered}"
            ),
            Cause::DeployFailed { message } => {
                write!(f, "the deploy failed: {}", with_remedy(message))
            }
            Cause::TestFailed { asked, got } => write!(f, "{asked} answered {got}"),
            Cause::HookFailed { hook, ended, .. } => write!(f, "the hook {hook} failed: {ended}"),
            Cause::ApprovalRefused { said } => write!(f, "the approval was refused: {said}"),
            Cause::NotApproved { seconds } => {
                let limit = humantime::format_duration(std::time::Duration::from_secs(*seconds));
                write!(f, "nobody approved it within {limit}")
            }
            Cause::SickWhileBaking { seen } => write!(f, "production was sick: {seen}"),
            Cause::TrafficStays { on, seen } => write!(
                f,
                "traffic does not follow the production CNAME: {on} still gets {seen}. Clients or \
                 proxies keep its addresses, or a DNS record leads to its load balancer; let them \
                 use the CNAME. A run or a resume waits longer with --drain-limit, or gives their \
                 requests up with --accept-traffic-loss"
            ),
            Cause::ProductionMoved { during, holder } => match holder {
                Some(holder) => write!(
                    f,
                    "the production CNAME is not where this deployment left it: somebody else has \
                     moved it, and {holder} holds it now (seen while {}). Nothing was swapped \
                     back; decide which environment is to serve",
                    during.meaning()
                ),
                None => write!(
                    f,
                    "the production CNAME is not where this deployment left it: neither blue nor \
                     green holds it (seen while {}). Nothing was swapped; see who answers users",
                    during.meaning()
                ),
            },
            Cause::VersionMoved { version } => write!(
                f,
                "production runs version {version}, which this deployment did not put there: \
                 somebody else has deployed it, and users have it. Nothing was undone"
            ),
            Cause::Orphaned { deployment } => {
                write!(
                    f,
                    "an operator removed what deployment {deployment} had left"
                )
            }
            Cause::NotRolledBack { version, message } => {
                write!(f, "blue still serves version {version}: {message}")
            }
        }
    }
}

/// An outage, and what ends it.
fn production_terminated(
    f: &mut fmt::Formatter<'_>,
    environment: &str,
    id: &str,
    left: Option<&str>,
) -> fmt::Result {
    write!(
        f,
        "OUTAGE: somebody else has terminated {environment} while it served production, and \
         nobody answers users"
    )?;
    if !id.is_empty() {
        // Developer guide, "Rebuilding Elastic Beanstalk environments": within six weeks, under
        // the same name, id and CNAME.
        write!(
            f,
            ". Restore it: aws elasticbeanstalk rebuild-environment --environment-id {}",
            for_shell(id)
        )?;
    }
    match left {
        Some(left) => write!(
            f,
            "; {left} is left and answers under its own CNAME, so do not terminate it"
        ),
        None => Ok(()),
    }
}

/// What was changed, whether users are safe, and what the operator can do next.
fn changed(
    f: &mut fmt::Formatter<'_>,
    on: Role,
    environment: &str,
    changes: &[Drift],
) -> fmt::Result {
    let told = changes.iter().map(ToString::to_string);
    let told = told.collect::<Vec<_>>().join("; ");
    match on {
        Role::Green => write!(
            f,
            "somebody else has changed {environment} while it served production: {told}. Users \
             have these changes, and a swap back to blue would take them away. Put them on blue \
             as well (a version with resume --version-label), then resume; or give them up with \
             resume --discard-changes, or rollback --discard-changes"
        ),
        Role::Blue => write!(
            f,
            "somebody else has changed {environment} while it was idle: {told}. Users are not on \
             it. resume --discard-changes, or rollback --discard-changes, deploys over it; resume \
             --version-label LABEL releases what it runs"
        ),
    }
}

/// The flags that expect these differences, as a shell takes them.
fn expecting(differences: &[String]) -> String {
    let flag = |difference: &String| {
        let what = difference.split(": ").next().unwrap_or_default();
        format!("--expect-difference {}", for_shell(what))
    };
    differences.iter().map(flag).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_with_the_flags_that_expect_them() {
        let differences = [
            "aws:elasticbeanstalk:command:Timeout: 600, where blue has 300: or so",
            "aws:autoscaling:scheduledaction:MinSize[nightly]: missing, where blue has 1",
            "tag cost center: missing, where blue has it's",
        ];
        let cause = Cause::GreenDiffers {
            differences: differences.map(str::to_owned).into(),
        };
        let told = cause.to_string();
        let (_, flags) = told.split_once("say ").expect("flags");
        assert_eq!(
            flags,
            "--expect-difference aws:elasticbeanstalk:command:Timeout \
             --expect-difference 'aws:autoscaling:scheduledaction:MinSize[nightly]' \
             --expect-difference 'tag cost center'"
        );
    }
}
