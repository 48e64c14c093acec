//! The plan of one deployment: every name, label and limit it will use, chosen before the first
//! effect and kept with every checkpoint, so that a repeated request names the same things.

// Numbers here are read from others.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod bundle;
pub(crate) mod goal;
mod green_tags;
mod limits;
mod names;
pub(crate) mod role;
mod rollout;
mod sample;
mod sizes;
mod strategy;
mod target;
mod template;
mod wishes;

pub use bundle::{Bundle, BundleFile};
pub use goal::Goal;
pub use green_tags::{
    Kept, PAUSE_CUTOVER, PAUSE_SWAP, TAG_BLUE, TAG_BUCKET, TAG_DEPLOYMENT, TAG_PAUSE,
    TAG_PRODUCTION_CNAME, TAG_ROLE, TAG_SIZES, TAG_STRATEGY, TAG_VERSION, TAGS_MAX, is_own_tag,
    label_of_tag, tag_of, tag_value,
};
pub use limits::{Limits, REQUEST_TIMEOUT, SEND_WITHIN};
pub use names::{is_environment_name, is_id};
pub use role::Role;
pub use rollout::Rollout;
pub use sizes::{OwnSizes, Sizes, Which};
pub use strategy::Strategy;
pub use target::Target;
pub use template::{SecurityGroup, TemplateSets, template_name};
pub use wishes::{ApprovalLimit, ProbeOfProduction, Wishes};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use names::{SHOWN, is_label, is_name};

use crate::acceptance::{AcceptanceTest, Front, On, TestCommand};
use crate::followers::preview::Preview;
use crate::text::short;

/// What tests blue during a rollback in place of the release's tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TestsBack {
    /// The tests over HTTP.
    pub tests: Vec<AcceptanceTest>,
    /// The command, where there is one.
    pub command: Option<TestCommand>,
    /// Whether production is tested too.
    pub production: bool,
}

/// The pauses that an operator or an approval has ended. An earlier version of bluegreen removed
/// the wish for the pause instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Passed {
    /// The one before the first swap.
    pub swap: bool,
    /// The one before the last swap, for the version that the plan has.
    pub cutover: bool,
}

/// Everything a deployment has decided beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// The deployment's id, a ULID.
    pub id: String,
    /// The target of the deployment.
    pub target: Target,
    /// Blue's environment id, `e-…`: names can be given again, ids cannot.
    pub blue_id: String,
    /// Green's environment name.
    pub green: String,
    /// The configuration template made for this deployment alone.
    pub template: String,
    /// The CNAME that blue held at the start, and holds again at the end.
    pub production_cname: String,
    /// Where production lives in the end.
    #[serde(default)]
    pub strategy: Strategy,
    /// The version that blue ran at the start.
    pub previous_version: String,
    /// The version to release.
    pub version: String,
    /// Which of the two versions the stages work towards.
    pub goal: Goal,
    /// The source bundle of `version` where it has to be registered.
    pub bundle: Option<Bundle>,
    /// The artifacts bucket.
    pub bucket: String,
    /// Whether the bucket holds a copy of the journal and the target's lock.
    #[serde(default)]
    pub shared_state: bool,
    /// Blue's sizes at the start, which bluegreen restores at the end; none where it has a single
    /// instance and no group, or an earlier version of bluegreen did not read them.
    #[serde(default)]
    pub sizes: Option<Sizes>,
    /// What blue's template sets; none where bluegreen has not read it yet.
    #[serde(default)]
    pub template_sets: Option<TemplateSets>,
    /// The security group that the service made for blue's instances; none where there is
    /// none, or it may not be read.
    #[serde(default)]
    pub blue_group: Option<SecurityGroup>,
    /// How many instances blue ran at the start: green is made with at least as many.
    #[serde(default)]
    pub instances: u32,
    /// The ARN of blue's operations role at the start, with which bluegreen creates green; none
    /// where blue has none, or an earlier version of bluegreen did not read it.
    #[serde(default)]
    pub operations_role: Option<String>,
    /// Green's tags: blue's own and ours.
    pub green_tags: Vec<(String, String)>,
    /// How requests for a path reach an environment.
    #[serde(default)]
    pub front: Front,
    /// What tests blue during a rollback, where an operator has named it; else the tests of the
    /// release.
    #[serde(default)]
    pub tests_back: Option<TestsBack>,
    /// Whether to stop before the first swap until an operator resumes.
    #[serde(default)]
    pub pause_before_swap: bool,
    /// The pauses that are over.
    #[serde(default)]
    pub passed: Passed,
    /// The preview hostnames; none where the operator wants none, or bluegreen no longer knows what
    /// they held before.
    #[serde(default)]
    pub preview: Option<Preview>,
    /// The checks that refused and were overridden.
    #[serde(default)]
    pub allowed: Vec<Allowed>,
    /// Whether to stop before the last swap until an operator resumes.
    pub pause_before_cutover: bool,
    /// What the operator wishes, among the plan's own keys.
    #[serde(flatten)]
    pub wishes: Wishes,
}

/// A check that refused before a release, and that the operator has overridden.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Allowed {
    /// The check, as in `coupled-database`.
    pub check: String,
    /// What it had found.
    pub evidence: String,
}

impl Plan {
    /// A release as it begins, from what must be known of every one; what else is known of blue,
    /// the bundle and the preview hostnames is put in.
    #[must_use]
    pub fn of(
        kept: &Kept<'_>,
        target: Target,
        green: &str,
        previous_version: &str,
        wishes: Wishes,
    ) -> Plan {
        Plan {
            id: kept.id.to_owned(),
            target,
            blue_id: kept.blue_id.to_owned(),
            green: green.to_owned(),
            template: template_name(kept.id),
            production_cname: kept.production_cname.to_owned(),
            strategy: kept.strategy,
            previous_version: previous_version.to_owned(),
            version: kept.version.to_owned(),
            goal: Goal::Release,
            bundle: None,
            bucket: kept.bucket.to_owned(),
            shared_state: kept.shared_state,
            sizes: kept.sizes,
            template_sets: None,
            blue_group: None,
            instances: 0,
            operations_role: None,
            green_tags: Vec::new(),
            front: Front::Http,
            tests_back: None,
            pause_before_swap: kept.pause_before_swap,
            passed: Passed::default(),
            preview: None,
            allowed: Vec::new(),
            pause_before_cutover: kept.pause_before_cutover,
            wishes,
        }
    }

    /// Checks that its ids and names are such as this program and AWS give, and that those that
    /// follow from each other agree.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self) -> Result<(), String> {
        is_id(&self.id)?;
        let Target {
            account,
            region,
            application,
            blue,
        } = &self.target;
        let names = [
            (
                "account",
                account,
                account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()),
            ),
            ("region", region, is_name(region, b"-")),
            (
                "application",
                application,
                !application.is_empty() && is_label(application),
            ),
            ("blue", blue, is_environment_name(blue)),
            (
                "green",
                &self.green,
                is_environment_name(&self.green) && self.green != *blue,
            ),
            ("blue_id", &self.blue_id, is_name(&self.blue_id, b"-")),
            ("template", &self.template, is_name(&self.template, b"-")),
            (
                "production_cname",
                &self.production_cname,
                is_name(&self.production_cname, b"-."),
            ),
            (
                "previous_version",
                &self.previous_version,
                is_label(&self.previous_version),
            ),
            ("version", &self.version, is_label(&self.version)),
        ];
        match names.into_iter().find(|(_, _, is_one)| !is_one) {
            Some((what, name, _)) => Err(format!("{what} cannot be {:?}", short(name, SHOWN))),
            None => Ok(()),
        }
    }

    /// The version label that blue must run at the end.
    #[must_use]
    pub fn goal_version(&self) -> &str {
        match self.goal {
            Goal::Release => &self.version,
            Goal::Previous => &self.previous_version,
        }
    }

    /// The version that goes out of production, and the one that goes live.
    #[must_use]
    pub fn from_to(&self) -> (&str, &str) {
        match self.goal {
            Goal::Release => (&self.previous_version, &self.version),
            Goal::Previous => (&self.version, &self.previous_version),
        }
    }

    /// Whether this release puts back what an earlier one of the same target had replaced.
    #[must_use]
    pub fn undoes(&self, earlier: &Plan) -> bool {
        self.version == earlier.previous_version && self.previous_version == earlier.version
    }

    /// The version label that green is launched on: the one blue runs when it is cloned, or the one
    /// to release where green keeps production.
    #[must_use]
    pub fn green_version(&self) -> &str {
        match (self.strategy, self.goal) {
            (Strategy::Promote, _) | (Strategy::Restore, Goal::Previous) => &self.version,
            (Strategy::Restore, Goal::Release) | (Strategy::Rehearse, _) => &self.previous_version,
        }
    }

    /// The sizes that green is made with, where they are not blue's own.
    #[must_use]
    pub fn green_sizes(&self) -> Option<Sizes> {
        let own = self.sizes?;
        let wanted = own.holding(self.instances);
        (wanted != own).then_some(wanted)
    }

    /// The variables that the tests take values from.
    #[must_use]
    pub fn test_variables(&self) -> Vec<String> {
        let names = self.wishes.tests.iter().flat_map(AcceptanceTest::variables);
        names.map(str::to_owned).collect()
    }

    /// Whether green is tested over HTTP before it takes traffic.
    #[must_use]
    pub fn tests_green(&self) -> bool {
        let asked = self.wishes.test_green || self.strategy == Strategy::Promote;
        // On the way back green runs what production runs.
        asked && self.goal == Goal::Release
    }

    /// What tests blue towards a goal over HTTP. A test that applies to the release alone does not
    /// run during a rollback.
    #[must_use]
    pub fn tests_towards(&self, goal: Goal) -> Vec<&AcceptanceTest> {
        match (goal, &self.tests_back) {
            (Goal::Release, _) => self.wishes.tests.iter().collect(),
            (Goal::Previous, Some(back)) => back.tests.iter().collect(),
            (Goal::Previous, None) => {
                let tests = self.wishes.tests.iter();
                tests.filter(|test| test.on == On::Always).collect()
            }
        }
    }

    /// The command that tests further towards a goal.
    #[must_use]
    pub fn command_towards(&self, goal: Goal) -> Option<&TestCommand> {
        match (goal, &self.tests_back) {
            (Goal::Previous, Some(back)) => back.command.as_ref(),
            (Goal::Release, _) | (Goal::Previous, None) => self.wishes.test_command.as_ref(),
        }
    }

    /// Whether production is tested too while it is monitored.
    #[must_use]
    pub fn tests_production(&self) -> bool {
        match (self.goal, &self.tests_back) {
            (Goal::Previous, Some(back)) => back.production,
            (Goal::Release, _) | (Goal::Previous, None) => self.wishes.test_production,
        }
    }

    /// Whether the deployment stops before the first swap.
    #[must_use]
    pub fn stops_before_swap(&self) -> bool {
        self.pause_before_swap && !self.passed.swap && self.goal == Goal::Release
    }

    /// Whether the deployment stops before the last swap.
    #[must_use]
    pub fn stops_before_cutover(&self) -> bool {
        self.pause_before_cutover && !self.passed.cutover && self.goal == Goal::Release
    }

    /// The environment on which bluegreen monitors production before it terminates the other one.
    #[must_use]
    pub fn destination(&self) -> Role {
        match self.strategy {
            Strategy::Restore | Strategy::Rehearse => Role::Blue,
            Strategy::Promote => Role::Green,
        }
    }

    /// Whether it rehearses a release: blue is never touched.
    #[must_use]
    pub fn rehearses(&self) -> bool {
        self.strategy == Strategy::Rehearse
    }

    /// The environment name of a role.
    #[must_use]
    pub fn environment(&self, role: Role) -> &str {
        match role {
            Role::Blue => &self.target.blue,
            Role::Green => &self.green,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::health::Health;

    /// A plan with a value of its own in every field, as a journal had it when each setting was
    /// declared by the plan itself.
    const EVERY_FIELD: &str = include_str!("plan/every_field.json");

    type Keys = BTreeMap<String, Value>;

    fn parsed(keys: &Keys) -> serde_json::Result<Plan> {
        serde_json::from_str(&serde_json::to_string(keys).expect("JSON"))
    }

    #[test]
    fn a_plan_of_before_opens_and_is_written_with_the_same_keys() {
        let before: Keys = serde_json::from_str(EVERY_FIELD).expect("JSON");
        let plan = parsed(&before).expect("it opens");
        assert_eq!(
            plan.bundle
                .as_ref()
                .and_then(|b| b.file.as_ref())
                .map(|f| f.bytes),
            Some(u64::MAX)
        );
        assert_eq!(plan.wishes.limits.patience, Duration::MAX);
        assert_eq!(plan.wishes.healthy, Health::Warning);
        let text = serde_json::to_string(&plan).expect("JSON");
        let after: Keys = serde_json::from_str(&text).expect("JSON");
        assert_eq!(after, before);
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("it opens"), plan);
        let mut newer = before;
        newer.insert("of_a_newer_program".to_owned(), Value::Bool(true));
        assert_eq!(parsed(&newer).expect("it opens"), plan);
    }

    /// The first program's plans had one test, and most keys not yet.
    #[test]
    fn a_plan_of_the_first_program_opens() {
        let mut keys: Keys = serde_json::from_str(EVERY_FIELD).expect("JSON");
        let first = [
            "id",
            "target",
            "blue_id",
            "green",
            "template",
            "production_cname",
            "previous_version",
            "version",
            "goal",
            "bundle",
            "bucket",
            "green_tags",
            "pause_before_cutover",
        ];
        let test = keys["tests"][0].clone();
        keys.retain(|key, _| first.contains(&key.as_str()));
        keys.insert("test".to_owned(), test);
        keys.insert("limits".to_owned(), serde_json::json!({}));
        let plan = parsed(&keys).expect("it opens");
        assert_eq!(plan.wishes.tests[0].url, "/health");
        let expected = Wishes {
            tests: plan.wishes.tests.clone(),
            test_green: false,
            ..Wishes::default()
        };
        assert_eq!(plan.wishes, expected);
        for missing in ["test", "limits"] {
            let mut without = keys.clone();
            without.remove(missing);
            assert!(parsed(&without).is_err(), "{missing}");
        }
    }

    /// Also where an operator has named the tests of a rollback: a version that takes its place
    /// later is tested as the release was.
    #[test]
    fn the_release_is_tested_as_it_was_planned() {
        let mut plan = Plan::sample("01J");
        let mut of_release = AcceptanceTest::get("/new");
        of_release.on = On::Release;
        plan.wishes.tests.push(of_release);
        let urls = |plan: &Plan, goal| {
            let urls = plan.tests_towards(goal).into_iter();
            urls.map(|test| test.url.clone()).collect::<Vec<_>>()
        };
        assert_eq!(urls(&plan, Goal::Release), ["/", "/new"]);
        assert_eq!(urls(&plan, Goal::Previous), ["/"]);
        plan.tests_back = Some(TestsBack {
            tests: vec![AcceptanceTest::get("/old")],
            command: None,
            production: false,
        });
        assert_eq!(urls(&plan, Goal::Release), ["/", "/new"]);
        assert_eq!(urls(&plan, Goal::Previous), ["/old"]);
        assert!(plan.tests_production());
        plan.goal = Goal::Previous;
        assert!(!plan.tests_production());
    }
}
