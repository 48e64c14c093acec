//! The rules of a shared load balancer that follow a swap.

use aws_sdk_elasticloadbalancingv2 as elb;
use aws_sdk_elasticloadbalancingv2::config::timeout::TimeoutConfig;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, RuleCondition, TagDescription,
};

use super::clients::AwsCloud;
use super::failure::{PAGES_MAX, endless, look_error, outcome_without_effect};
use super::time::SendBy;
use crate::cloud::{LookError, Outcome};
use bluegreen_clock::Deadline;
use bluegreen_core::followers::listener_rules::{
    Balancer, Follow, Rule, RuleMove, TAG_FOLLOW, TargetGroup, Untagged,
};
use bluegreen_core::plan::REQUEST_TIMEOUT;

/// How many resources DescribeTags takes (API reference).
const TAGGED_MAX: usize = 20;
/// The tag that Elastic Beanstalk puts on everything of an environment's.
pub(super) const TAG_ENVIRONMENT_ID: &str = "elasticbeanstalk:environment-id";
/// The tag that CloudFormation puts on everything of a stack's.
const TAG_PART: &str = "aws:cloudformation:logical-id";

impl AwsCloud {
    /// The rules of a load balancer, those that are tagged [`TAG_FOLLOW`] apart, and the
    /// target groups of environments behind it.
    ///
    /// # Errors
    /// [`LookError`]; [`LookError::Refused`] where the tag has an unknown value.
    pub async fn following_rules(&self, load_balancer: &str) -> Result<Balancer, LookError> {
        let rules = self.rules_of(load_balancer).await?;
        let arns = rules.iter().filter_map(|rule| rule.rule_arn.clone());
        let tagged = self.elb_tags(arns.collect()).await?;
        let mut following = Vec::new();
        for (arn, value) in tagged.iter().filter_map(|tagged| tag(tagged, TAG_FOLLOW)) {
            let follow = Follow::of_tag(&value).ok_or_else(|| {
                LookError::Refused(format!(
                    "rule {arn} is tagged {TAG_FOLLOW}={value}: it must be production or staging"
                ))
            })?;
            let rule = rules
                .iter()
                .find(|rule| rule.rule_arn.as_ref() == Some(&arn));
            let actions = rule.and_then(|rule| rule.actions.as_deref());
            following.push(Rule {
                forwards: actions
                    .unwrap_or_default()
                    .iter()
                    .flat_map(targets)
                    .collect(),
                is_default: rule.is_some_and(|rule| rule.is_default == Some(true)),
                follow,
                arn,
            });
        }
        let groups = self.target_groups(load_balancer).await?;
        let is_tagged = |arn: &Option<String>| {
            let mut following = following.iter();
            following.any(|rule| Some(&rule.arn) == arn.as_ref())
        };
        let others = rules.iter().filter(|rule| !is_tagged(&rule.rule_arn));
        let untagged = others.map(untagged).collect();
        Ok(Balancer {
            following,
            untagged,
            groups,
        })
    }

    /// Points rules at other target groups, one after the other.
    pub(super) async fn move_rules(&self, moves: &[RuleMove], send_by: &Deadline) -> Outcome {
        let mut outcomes = Vec::new();
        for change in moves {
            let outcome = self.point_rule(change, send_by).await;
            outcomes.push(outcome.of(&change.rule));
        }
        Outcome::of_all(outcomes)
    }

    /// Points a rule at other target groups. Its other actions, and the weights, stay.
    /// Safe to repeat: a target group that it no longer forwards to is left alone.
    pub async fn point_rule(&self, change: &RuleMove, send_by: &Deadline) -> Outcome {
        let answer = self
            .elb
            .describe_rules()
            .rule_arns(&change.rule)
            .send()
            .await;
        let rule = match answer {
            Ok(answer) => answer.rules.unwrap_or_default().into_iter().next(),
            Err(error) => return unread(look_error("DescribeRules", &error)),
        };
        let actions = rule.and_then(|rule| rule.actions).unwrap_or_default();
        let actions = actions.into_iter().map(|action| moved(action, change));
        let timeout = TimeoutConfig::builder().operation_timeout(REQUEST_TIMEOUT);
        let bounded = elb::config::Builder::new()
            .timeout_config(timeout.build())
            .interceptor(SendBy(send_by.clone()));
        let answer = self
            .elb
            .modify_rule()
            .rule_arn(&change.rule)
            .set_actions(Some(actions.collect()))
            .customize()
            .config_override(bounded)
            .send()
            .await;
        outcome_without_effect(answer)
    }

    /// Every rule of every listener.
    async fn rules_of(&self, load_balancer: &str) -> Result<Vec<elb::types::Rule>, LookError> {
        let mut rules = Vec::new();
        for listener in self.listeners(load_balancer).await? {
            let arn = listener.listener_arn.unwrap_or_default();
            rules.extend(self.rules_on(&arn).await?);
        }
        Ok(rules)
    }

    /// Every rule of a listener.
    pub(super) async fn rules_on(
        &self,
        listener: &str,
    ) -> Result<Vec<elb::types::Rule>, LookError> {
        let mut rules = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .elb
                .describe_rules()
                .listener_arn(listener)
                .set_marker(marker)
                .send()
                .await
                .map_err(|e| look_error("DescribeRules", &e))?;
            rules.extend(page.rules.unwrap_or_default());
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(rules);
            }
        }
        Err(endless("DescribeRules"))
    }

    pub(super) async fn listeners(
        &self,
        load_balancer: &str,
    ) -> Result<Vec<elb::types::Listener>, LookError> {
        let mut listeners = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .elb
                .describe_listeners()
                .load_balancer_arn(load_balancer)
                .set_marker(marker)
                .send()
                .await
                .map_err(|e| look_error("DescribeListeners", &e))?;
            listeners.extend(page.listeners.unwrap_or_default());
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(listeners);
            }
        }
        Err(endless("DescribeListeners"))
    }

    /// The target groups of environments behind a load balancer.
    async fn target_groups(&self, load_balancer: &str) -> Result<Vec<TargetGroup>, LookError> {
        let group = |tagged: &TagDescription| {
            let (arn, environment_id) = tag(tagged, TAG_ENVIRONMENT_ID)?;
            let part = tag(tagged, TAG_PART).map(|(_, part)| part);
            Some(TargetGroup {
                arn,
                environment_id,
                part: part.unwrap_or_default(),
            })
        };
        let arns = self.target_group_arns(load_balancer).await?;
        let tagged = self.elb_tags(arns).await?;
        Ok(tagged.iter().filter_map(group).collect())
    }

    /// The ARN of each target group behind a load balancer, with the id of the environment that
    /// it belongs to, where it belongs to one.
    pub(super) async fn groups_behind(
        &self,
        load_balancer: &str,
    ) -> Result<Vec<(String, Option<String>)>, LookError> {
        let arns = self.target_group_arns(load_balancer).await?;
        let tagged = self.elb_tags(arns.clone()).await?;
        let environment = |arn: &String| {
            let mut of_it = tagged
                .iter()
                .filter(|t| t.resource_arn.as_ref() == Some(arn));
            of_it.find_map(|tagged| Some(tag(tagged, TAG_ENVIRONMENT_ID)?.1))
        };
        let with = |arn: String| (environment(&arn), arn);
        let groups = arns.into_iter().map(with);
        Ok(groups
            .map(|(environment, arn)| (arn, environment))
            .collect())
    }

    async fn target_group_arns(&self, load_balancer: &str) -> Result<Vec<String>, LookError> {
        let mut arns = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .elb
                .describe_target_groups()
                .load_balancer_arn(load_balancer)
                .set_marker(marker)
                .send()
                .await
                .map_err(|e| look_error("DescribeTargetGroups", &e))?;
            let found = page.target_groups.unwrap_or_default().into_iter();
            arns.extend(found.filter_map(|group| group.target_group_arn));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(arns);
            }
        }
        Err(endless("DescribeTargetGroups"))
    }

    pub(super) async fn elb_tags(
        &self,
        arns: Vec<String>,
    ) -> Result<Vec<TagDescription>, LookError> {
        let mut described = Vec::new();
        for arns in arns.chunks(TAGGED_MAX) {
            let answer = self
                .elb
                .describe_tags()
                .set_resource_arns(Some(arns.to_vec()))
                .send()
                .await
                .map_err(|e| look_error("DescribeTags", &e))?;
            described.extend(answer.tag_descriptions.unwrap_or_default());
        }
        Ok(described)
    }
}

/// Nothing was requested, because the rule could not be read.
fn unread(error: LookError) -> Outcome {
    use crate::classify::Refusal;
    Outcome::NotApplied(match error {
        LookError::Passing(why) => Refusal::Unreachable(why),
        LookError::Credentials(why) => Refusal::Credentials(why),
        LookError::Denied(why) => Refusal::Denied(why),
        LookError::Refused(why) => Refusal::Invalid(why),
    })
}

/// A resource's ARN and the value of a tag of it.
pub(super) fn tag(tagged: &TagDescription, key: &str) -> Option<(String, String)> {
    let tags = tagged.tags.as_deref().unwrap_or_default();
    let found = tags.iter().find(|tag| tag.key.as_deref() == Some(key))?;
    let arn = tagged.resource_arn.clone()?;
    Some((arn, found.value.clone().unwrap_or_default()))
}

fn untagged(rule: &elb::types::Rule) -> Untagged {
    let hosts = hosts(rule.conditions.as_deref().unwrap_or_default());
    let actions = rule.actions.as_deref().unwrap_or_default();
    Untagged {
        arn: rule.rule_arn.clone().unwrap_or_default(),
        hosts,
        forwards: actions.iter().flat_map(targets).collect(),
    }
}

/// The hosts that conditions are for.
pub(super) fn hosts(conditions: &[RuleCondition]) -> Vec<String> {
    let conditions = conditions.iter();
    let of_host = conditions.filter(|c| c.field.as_deref() == Some("host-header"));
    let hosts = of_host.flat_map(|condition| {
        let config = condition.host_header_config.as_ref();
        let told = config.and_then(|config| config.values.clone());
        told.or(condition.values.clone()).unwrap_or_default()
    });
    hosts.collect()
}

/// The target groups that an action forwards to.
pub(super) fn targets(action: &Action) -> Vec<String> {
    let config = action.forward_config.as_ref();
    let groups = config.and_then(|config| config.target_groups.as_deref());
    let groups = groups.unwrap_or_default().iter();
    let mut targets: Vec<String> = groups.filter_map(|g| g.target_group_arn.clone()).collect();
    if targets.is_empty() {
        targets.extend(action.target_group_arn.clone());
    }
    targets
}

/// The action with its target groups moved; one that does not forward stays as it is. The service
/// returns no client's secret, and keeps the one it has where the request says so.
fn moved(mut action: Action, change: &RuleMove) -> Action {
    if let Some(oidc) = &mut action.authenticate_oidc_config {
        oidc.client_secret = None;
        oidc.use_existing_client_secret = Some(true);
    }
    if action.r#type != Some(ActionTypeEnum::Forward) {
        return action;
    }
    let to = |arn: String| {
        let found = change.moves.iter().find(|(from, _)| *from == arn);
        found.map_or(arn, |(_, to)| to.clone())
    };
    action.target_group_arn = action.target_group_arn.map(to);
    if let Some(groups) = action
        .forward_config
        .as_mut()
        .and_then(|config| config.target_groups.as_mut())
    {
        for group in groups {
            group.target_group_arn = group.target_group_arn.take().map(to);
        }
    }
    action
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{
        AuthenticateOidcActionConfig, ForwardActionConfig, TargetGroupTuple,
    };

    /// As DescribeRules shows an action that authenticates: without the client's secret. ModifyRule
    /// needs the secret, or the field that keeps the present one.
    #[test]
    fn a_rule_that_authenticates_keeps_its_secret() {
        let oidc = AuthenticateOidcActionConfig::builder()
            .issuer("https://id.example")
            .client_id("shop")
            .build();
        let authenticates = Action::builder()
            .r#type(ActionTypeEnum::AuthenticateOidc)
            .order(1)
            .authenticate_oidc_config(oidc)
            .build();
        let group = TargetGroupTuple::builder()
            .target_group_arn("blue")
            .weight(7);
        let forward = ForwardActionConfig::builder().target_groups(group.build());
        let forwards = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .order(2)
            .target_group_arn("blue")
            .forward_config(forward.build())
            .build();
        let change = RuleMove {
            rule: "r".to_owned(),
            moves: vec![("blue".to_owned(), "green".to_owned())],
        };
        let told = moved(authenticates, &change);
        let oidc = told.authenticate_oidc_config.expect("it authenticates");
        assert_eq!(
            (oidc.client_secret, oidc.use_existing_client_secret),
            (None, Some(true))
        );
        assert_eq!(oidc.client_id.as_deref(), Some("shop"));
        let told = moved(forwards, &change);
        assert_eq!(told.target_group_arn.as_deref(), Some("green"));
        let groups = told.forward_config.and_then(|config| config.target_groups);
        let groups = groups.expect("it forwards");
        let group = (groups[0].target_group_arn.as_deref(), groups[0].weight);
        assert_eq!(group, (Some("green"), Some(7)));
    }
}
