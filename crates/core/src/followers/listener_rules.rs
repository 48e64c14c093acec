//! Which rules of a shared load balancer must change so that they follow a swap of CNAMEs. Pure.
//!
//! A swap moves names of Elastic Beanstalk's own, and the rules that it has made for them. Somebody
//! else's rules of a shared load balancer continue to forward to the target groups they name. Those
//! that are tagged [`TAG_FOLLOW`] must follow: `production` the environment that holds the
//! production CNAME, `staging` the other.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::plan::role::Role;

/// The tag of a rule that follows a swap; its value says which environment.
pub const TAG_FOLLOW: &str = "bluegreen:follow";

/// Which environment a rule follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Follow {
    /// The one that holds the production CNAME.
    Production,
    /// The other one.
    Staging,
}

/// Which of the two environments the rules of each kind belong to. While both stand,
/// production's belong to the holder of the production CNAME and staging's to the other;
/// before one is terminated, all belong to the one that stays, because a target group that a
/// rule forwards to cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleOwners {
    /// Whose production's rules are.
    pub production: Role,
    /// Whose staging's rules are.
    pub staging: Role,
}

impl RuleOwners {
    /// Production's for this environment, staging's for the other.
    #[must_use]
    pub fn apart(production: Role) -> RuleOwners {
        RuleOwners {
            production,
            staging: production.other(),
        }
    }

    /// All for this environment.
    #[must_use]
    pub fn together(owner: Role) -> RuleOwners {
        RuleOwners {
            production: owner,
            staging: owner,
        }
    }

    /// The owner of a kind of rule.
    #[must_use]
    pub fn of(self, follow: Follow) -> Role {
        match follow {
            Follow::Production => self.production,
            Follow::Staging => self.staging,
        }
    }
}

impl Follow {
    /// The tag's value.
    #[must_use]
    pub fn of_tag(value: &str) -> Option<Follow> {
        match value {
            "production" => Some(Follow::Production),
            "staging" => Some(Follow::Staging),
            _ => None,
        }
    }
}

/// A rule that follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// What it follows.
    pub follow: Follow,
    /// The ARNs of the target groups it forwards to.
    pub forwards: Vec<String>,
    /// Whether it is its listener's default rule, which cannot be changed as others are
    /// (API reference, `ModifyRule`).
    pub is_default: bool,
}

/// A rule without the tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Untagged {
    /// Its ARN.
    pub arn: String,
    /// The hosts it is for; empty where it is for any.
    pub hosts: Vec<String>,
    /// The ARNs of the target groups it forwards to.
    pub forwards: Vec<String>,
}

impl Untagged {
    /// Whether Elastic Beanstalk has made it for an environment: its only hosts are CNAMEs of
    /// environments (developer guide, "Configuring a shared Application Load Balancer": the
    /// CNAME is added as a host header). It follows a swap by itself.
    #[must_use]
    pub fn is_of_service(&self) -> bool {
        let of_service = |host: &String| {
            let host = host.to_ascii_lowercase();
            [".elasticbeanstalk.com", ".elasticbeanstalk.com.cn"]
                .iter()
                .any(|domain| host.ends_with(domain))
        };
        !self.hosts.is_empty() && self.hosts.iter().all(of_service)
    }

    /// Whether it is for this host. Names are compared without case.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    fn leads_to(&self, groups: &[TargetGroup], environment_id: &str) -> bool {
        self.forwards.iter().any(|target| {
            let mut groups = groups.iter();
            groups.any(|group| group.arn == *target && group.environment_id == environment_id)
        })
    }
}

/// As in `the rule … of www.shop.example`.
impl std::fmt::Display for Untagged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.hosts.as_slice() {
            [] => write!(f, "the rule {} for any host", self.arn),
            hosts => write!(f, "the rule {} for {}", self.arn, hosts.join(", ")),
        }
    }
}

/// The rules of a load balancer, and the target groups of environments behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Balancer {
    /// The rules that follow a swap because they are tagged.
    pub following: Vec<Rule>,
    /// The other rules.
    pub untagged: Vec<Untagged>,
    /// The target groups.
    pub groups: Vec<TargetGroup>,
}

impl Balancer {
    /// The rules of somebody else's that send requests to an environment: they do not follow
    /// a swap, and while they stand its target groups, and with them its stack, cannot be
    /// deleted (API reference, `DeleteTargetGroup`, ResourceInUse).
    pub fn foreign<'a>(&'a self, environment_id: &'a str) -> impl Iterator<Item = &'a Untagged> {
        self.untagged.iter().filter(move |rule| {
            !rule.is_of_service() && rule.leads_to(&self.groups, environment_id)
        })
    }

    /// The rule of Elastic Beanstalk's own that sends requests for the production CNAME to
    /// another environment than the one that holds it, of these two.
    #[must_use]
    pub fn left_behind(
        &self,
        production_cname: &str,
        environments: [&str; 2],
        holder: &str,
    ) -> Option<&Untagged> {
        let mut others = environments.into_iter().filter(|id| *id != holder);
        let other = others.next()?;
        self.untagged.iter().find(|rule| {
            rule.is_of_service()
                && rule.is_for(production_cname)
                && rule.leads_to(&self.groups, other)
        })
    }
}

/// A target group of an environment's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// The environment's id.
    pub environment_id: String,
    /// What it is in the environment's stack: the same in a clone's (the tag
    /// `aws:cloudformation:logical-id`).
    pub part: String,
}

/// What must change in a rule, so that it forwards elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RuleMove {
    /// The rule's ARN.
    pub rule: String,
    /// Each target group that it forwards to and should not, with the one it should.
    pub moves: Vec<(String, String)>,
}

/// A rule cannot follow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "rule {rule} is tagged {TAG_FOLLOW} and forwards to {target_group}, which has no counterpart in environment {environment_id}: are the processes of both environments the same?"
)]
pub struct NoCounterpart {
    /// The rule's ARN.
    pub rule: String,
    /// The target group's ARN.
    pub target_group: String,
    /// The environment that it should forward to.
    pub environment_id: String,
}

/// A rule is tagged to follow, and could not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It is a default rule.
    #[error(
        "rule {0} is tagged {TAG_FOLLOW} and is its listener's default, which cannot be made to forward elsewhere as other rules can: give production a rule of its own, and tag that one"
    )]
    Default(String),
    /// It is production's, and sends nothing there now.
    #[error(
        "rule {rule} is tagged {TAG_FOLLOW}=production and forwards to no target group of environment {environment_id}, which holds production: take the tag off, or point the rule there"
    )]
    Astray {
        /// The rule's ARN.
        rule: String,
        /// The environment that holds production.
        environment_id: String,
    },
}

/// Whether every rule could follow a release of the environment that holds production.
///
/// # Errors
/// The first that could not.
pub fn can_follow(
    rules: &[Rule],
    groups: &[TargetGroup],
    environment_id: &str,
) -> Result<(), Unfit> {
    let own = |target: &String| {
        let mut groups = groups.iter();
        groups.any(|group| group.arn == *target && group.environment_id == environment_id)
    };
    for rule in rules {
        if rule.is_default {
            return Err(Unfit::Default(rule.arn.clone()));
        }
        if rule.follow == Follow::Production && !rule.forwards.iter().any(own) {
            return Err(Unfit::Astray {
                rule: rule.arn.clone(),
                environment_id: environment_id.to_owned(),
            });
        }
    }
    Ok(())
}

/// The moves that make every rule forward where it should: `right` says to which of the
/// two environments, by id, the rules of a kind belong. Target groups of neither are left
/// alone, and so is a rule that forwards where it should.
///
/// # Errors
/// [`NoCounterpart`].
pub fn moves<'a>(
    rules: &[Rule],
    groups: &[TargetGroup],
    environments: [&str; 2],
    right: impl Fn(Follow) -> &'a str,
) -> Result<Vec<RuleMove>, NoCounterpart> {
    let mut found = Vec::new();
    for rule in rules {
        let right = right(rule.follow);
        let is_wrong = |group: &&TargetGroup| {
            environments.contains(&group.environment_id.as_str()) && group.environment_id != right
        };
        let mut moves = Vec::new();
        for target in &rule.forwards {
            let mut wrong = groups.iter().filter(is_wrong);
            let Some(from) = wrong.find(|group| group.arn == *target) else {
                continue;
            };
            let mut there = groups.iter().filter(|g| g.environment_id == right);
            let to = there.find(|group| group.part == from.part);
            let to = to.ok_or_else(|| NoCounterpart {
                rule: rule.arn.clone(),
                target_group: target.clone(),
                environment_id: right.to_owned(),
            })?;
            moves.push((from.arn.clone(), to.arn.clone()));
        }
        if !moves.is_empty() {
            found.push(RuleMove {
                rule: rule.arn.clone(),
                moves,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(environment: &str, part: &str) -> TargetGroup {
        TargetGroup {
            arn: format!("{environment}/{part}"),
            environment_id: environment.to_owned(),
            part: part.to_owned(),
        }
    }

    fn rule(follow: Follow, forwards: &[&str]) -> Rule {
        Rule {
            arn: format!("{follow:?}"),
            follow,
            forwards: forwards.iter().map(|arn| (*arn).to_owned()).collect(),
            is_default: false,
        }
    }

    fn moved(rule: &str, moves: &[(&str, &str)]) -> RuleMove {
        let moves = moves.iter();
        RuleMove {
            rule: rule.to_owned(),
            moves: moves
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
        }
    }

    fn changed(
        rules: &[Rule],
        groups: &[TargetGroup],
        production: &str,
        staging: &str,
    ) -> Result<Vec<RuleMove>, NoCounterpart> {
        moves(rules, groups, ["blue", "green"], |follow| match follow {
            Follow::Production => production,
            Follow::Staging => staging,
        })
    }

    #[test]
    fn rules_follow_the_holder_of_the_name_and_the_other() {
        let groups = [
            group("blue", "web"),
            group("blue", "admin"),
            group("green", "web"),
            group("green", "admin"),
            group("other", "web"),
        ];
        let rules = [
            rule(Follow::Production, &["blue/web", "blue/admin"]),
            rule(Follow::Staging, &["green/web"]),
        ];
        assert_eq!(changed(&rules, &groups, "blue", "green"), Ok(Vec::new()));
        let swapped = changed(&rules, &groups, "green", "blue").unwrap();
        let expected = [
            moved(
                "Production",
                &[("blue/web", "green/web"), ("blue/admin", "green/admin")],
            ),
            moved("Staging", &[("green/web", "blue/web")]),
        ];
        assert_eq!(swapped, expected);
        // Before green goes, nothing may forward to it.
        assert_eq!(
            changed(&rules, &groups, "blue", "blue"),
            Ok(vec![moved("Staging", &[("green/web", "blue/web")])])
        );
        // One of several weighted targets may be right already; strangers stay.
        let mixed = [rule(
            Follow::Production,
            &["other/web", "green/web", "blue/admin"],
        )];
        assert_eq!(
            changed(&mixed, &groups, "green", "blue"),
            Ok(vec![moved("Production", &[("blue/admin", "green/admin")])])
        );
    }

    #[test]
    fn a_process_without_counterpart_is_told() {
        let groups = [group("blue", "admin"), group("green", "web")];
        let rules = [rule(Follow::Production, &["blue/admin"])];
        let error = changed(&rules, &groups, "green", "blue").unwrap_err();
        assert_eq!(error.environment_id, "green");
        assert!(error.to_string().contains("blue/admin"), "{error}");
    }

    /// The host header of Elastic Beanstalk's own rule is the environment's CNAME; a rule with a
    /// name of somebody's own beside it does not follow for that name.
    #[test]
    fn foreign_rules_are_told_from_the_services_own() {
        let untagged = |arn: &str, hosts: &[&str], to: &str| Untagged {
            arn: arn.to_owned(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            forwards: vec![to.to_owned()],
        };
        let cname = "Shop.us-east-1.elasticbeanstalk.com";
        let balancer = Balancer {
            following: vec![rule(Follow::Production, &["blue/web"])],
            untagged: vec![
                untagged("own", &[cname], "blue/web"),
                untagged("both", &[cname, "www.shop.example"], "blue/web"),
                untagged("www", &["www.shop.example"], "blue/web"),
                untagged("any", &[], "blue/web"),
                untagged("others", &["other.example"], "other/web"),
            ],
            groups: vec![group("blue", "web"), group("other", "web")],
        };
        let foreign = |id: &str| -> Vec<String> {
            let found = balancer.foreign(id).map(|rule| rule.arn.clone());
            found.collect()
        };
        assert_eq!(foreign("blue"), ["both", "www", "any"]);
        assert_eq!(foreign("other"), ["others"]);
        let left = |holder| {
            let cname = cname.to_lowercase();
            let found = balancer.left_behind(&cname, ["blue", "green"], holder);
            found.map(|rule| rule.arn.as_str())
        };
        assert_eq!(left("blue"), None);
        assert_eq!(left("green"), Some("own"));
        let text = balancer.untagged[1].to_string();
        assert!(text.contains("both for Shop"), "{text}");
        assert!(balancer.untagged[3].to_string().contains("any host"));
    }

    #[test]
    fn what_cannot_follow_is_named() {
        let groups = [group("blue", "web"), group("other", "web")];
        let check = |rule: Rule| can_follow(&[rule], &groups, "blue");
        assert_eq!(
            check(rule(Follow::Production, &["other/web", "blue/web"])),
            Ok(())
        );
        // Staging has nowhere to lead before there is a green.
        assert_eq!(check(rule(Follow::Staging, &["other/web"])), Ok(()));
        let astray = check(rule(Follow::Production, &["other/web"])).unwrap_err();
        assert!(
            astray
                .to_string()
                .contains("no target group of environment blue")
        );
        let default = Rule {
            is_default: true,
            ..rule(Follow::Staging, &["blue/web"])
        };
        assert_eq!(check(default), Err(Unfit::Default("Staging".to_owned())));
    }
}
