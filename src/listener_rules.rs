//! Which rules of a shared load balancer must change so that they follow a swap of
//! CNAMEs. Pure.
//!
//! A swap moves names of Elastic Beanstalk's own; a shared load balancer's rules go on to
//! forward to the target groups they name. Rules that are tagged [`TAG_FOLLOW`] are to
//! follow: `production` to the environment that holds the production CNAME, `staging` to
//! the other.

use thiserror::Error;

/// The tag of a rule that follows a swap; its value says which environment.
pub const TAG_FOLLOW: &str = "bluegreen:follow";

/// Which environment a rule follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// The one that holds the production CNAME.
    Production,
    /// The other one.
    Staging,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A target group of an environment's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// The environment's id.
    pub environment_id: String,
    /// What it is in the environment's stack: the same in a clone's (the tag
    /// `aws:cloudformation:logical-id`).
    pub part: String,
}

/// What is to be changed in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
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

/// The changes that make every rule forward where it should: `right` says to which of the
/// two environments, by id, the rules of a kind belong. While both stand, production's
/// belong to the holder of the production CNAME and staging's to the other; before one of
/// them is terminated, all belong to the one that stays, for a target group that a rule
/// forwards to cannot be deleted. Target groups of neither are left alone, and so is a
/// rule that forwards where it should.
///
/// # Errors
/// [`NoCounterpart`].
pub fn changes<'a>(
    rules: &[Rule],
    groups: &[TargetGroup],
    environments: [&str; 2],
    right: impl Fn(Follow) -> &'a str,
) -> Result<Vec<Change>, NoCounterpart> {
    let mut changes = Vec::new();
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
            changes.push(Change {
                rule: rule.arn.clone(),
                moves,
            });
        }
    }
    Ok(changes)
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

    fn moved(rule: &str, moves: &[(&str, &str)]) -> Change {
        let moves = moves.iter();
        Change {
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
    ) -> Result<Vec<Change>, NoCounterpart> {
        changes(rules, groups, ["blue", "green"], |follow| match follow {
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
