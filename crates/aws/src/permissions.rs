//! The caller, and what its IAM policies allow it to do.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
};

use super::clients::AwsCloud;
use super::failure::{PAGES_MAX, endless, failure, look_error};
use crate::classify::Failure;
use crate::cloud::LookError;

/// The caller, as `GetCallerIdentity` of STS names it; no policy can deny that request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: String,
    /// The ARN: of a user, of a role's session, or of the root user.
    pub arn: String,
    /// The ARN of the user or role whose policies count; `None` for the root user and for federated
    /// users, whose permissions cannot be simulated. A role's ARN has no path here: a session's ARN
    /// does not hold it.
    pub principal: Option<String>,
}

/// One question of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// As in `elasticbeanstalk:UpdateEnvironment`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// The service that a role is passed to, as in `ec2.amazonaws.com`.
    pub passed_to: Option<String>,
}

/// An action that a simulation does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// As in `elasticbeanstalk:UpdateEnvironment`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// Why.
    pub why: Denial,
}

/// Why a simulation does not allow an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No policy allows it.
    NotAllowed,
    /// A policy denies it.
    Explicit,
    /// The principal's permissions boundary does not allow it.
    Boundary,
    /// A service control policy of the organization does not allow it.
    Organization,
    /// Conditions of the policies need these keys, which the simulation did not get: the request
    /// itself may be allowed.
    Undecided(Vec<String>),
}

/// The context keys of a release's requests: those that docs/start/iam-policy.json needs, and those
/// that policies may test on every request.
const CONTEXT: [(&str, ContextKeyTypeEnum, &str); 4] = [
    ("aws:SecureTransport", ContextKeyTypeEnum::Boolean, "true"),
    (
        "route53:ChangeResourceRecordSetsRecordTypes",
        ContextKeyTypeEnum::StringList,
        "CNAME",
    ),
    (
        "iam:AWSServiceName",
        ContextKeyTypeEnum::String,
        "autoscaling.amazonaws.com",
    ),
    (
        "aws:ResourceTag/bluegreen:follow",
        ContextKeyTypeEnum::String,
        "production",
    ),
];

impl AwsCloud {
    /// The identity of these credentials.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn caller(&self) -> Result<Caller, LookError> {
        let answer = self.lazy_clients.sts().get_caller_identity().send().await;
        let answer = answer.map_err(|e| look_error("GetCallerIdentity", &e))?;
        let arn = answer.arn.unwrap_or_default();
        Ok(Caller {
            account: answer.account.unwrap_or_default(),
            principal: principal(&arn),
            arn,
        })
    }

    /// Which of these actions the policies of a user or role do not allow, in the order of their
    /// resources. Nothing is done, and the policies of the resources themselves do not count. One
    /// request a resource, and one for each service that a role is passed to.
    ///
    /// # Errors
    /// [`LookError`]; [`LookError::Denied`] where the caller may not simulate.
    pub async fn simulate(
        &self,
        principal_arn: &str,
        asked: &[Asked],
    ) -> Result<Vec<Denied>, LookError> {
        let mut together: BTreeMap<(&str, Option<&str>), Vec<String>> = BTreeMap::new();
        for asked in asked {
            let of = (asked.resource.as_str(), asked.passed_to.as_deref());
            let same = together.entry(of).or_default();
            if !same.contains(&asked.action) {
                same.push(asked.action.clone());
            }
        }
        let mut principal = principal_arn.to_owned();
        let mut denied = Vec::new();
        for (of, actions) in together {
            let mut told = self.simulated(&principal, of, &actions).await?;
            if told.is_none()
                && let Some(whole) = self.role_with_path(&principal).await
            {
                principal = whole;
                told = self.simulated(&principal, of, &actions).await?;
            }
            denied.extend(told.ok_or_else(|| unknown(&principal))?);
        }
        Ok(denied)
    }

    /// The actions on a resource that are not allowed; `None` where there is no such principal.
    async fn simulated(
        &self,
        principal: &str,
        (resource, passed_to): (&str, Option<&str>),
        actions: &[String],
    ) -> Result<Option<Vec<Denied>>, LookError> {
        let mut denied = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES_MAX {
            let request = self
                .lazy_clients
                .iam()
                .simulate_principal_policy()
                .policy_source_arn(principal)
                .set_action_names(Some(actions.to_vec()))
                .resource_arns(resource)
                .set_context_entries(Some(self.context(principal, passed_to)))
                .set_marker(marker);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) => {
                    return match failure(&error) {
                        Failure::Service { code, .. } if code == "NoSuchEntity" => Ok(None),
                        _ => Err(look_error("SimulatePrincipalPolicy", &error)),
                    };
                }
            };
            let results = page.evaluation_results.unwrap_or_default();
            denied.extend(results.into_iter().filter_map(|r| not_allowed(r, resource)));
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(Some(denied));
            }
        }
        Err(endless("NoSuchEntity"))
    }

    /// The managed policy AdministratorAccess-AWSElasticBeanstalk lets instances be launched by a
    /// launch template alone, and terminated by the tag of an environment's stack.
    fn context(&self, principal: &str, passed_to: Option<&str>) -> Vec<ContextEntry> {
        let region = self.eb.config().region().map(ToString::to_string);
        let region = region.unwrap_or_default();
        let part = |at| principal.split(':').nth(at).unwrap_or_default();
        let (partition, account) = (part(1), part(4));
        let arn = |service: &str, what: &str| {
            format!("arn:{partition}:{service}:{region}:{account}:{what}")
        };
        let stack = "ec2:ResourceTag/aws:cloudformation:stack-id";
        let own = [
            ("ec2:LaunchTemplate", arn("ec2", "launch-template/lt-1")),
            (stack, arn("cloudformation", "stack/awseb-e-1-stack/1")),
            ("aws:RequestedRegion", region.clone()),
        ];
        let passed = passed_to.map(|service| ("iam:PassedToService", service.to_owned()));
        let own = own.into_iter().chain(passed);
        let own = own.map(|(key, value)| (key, ContextKeyTypeEnum::String, value));
        let fixed = CONTEXT.into_iter();
        let fixed = fixed.map(|(key, kind, value)| (key, kind, value.to_owned()));
        let entry = |(key, kind, value): (&str, ContextKeyTypeEnum, String)| {
            ContextEntry::builder()
                .context_key_name(key)
                .context_key_type(kind)
                .context_key_values(value)
                .build()
        };
        fixed.chain(own).map(entry).collect()
    }

    /// The ARN of a role with its path; `None` where the caller may not read it, which
    /// docs/start/iam-policy.json does not require.
    async fn role_with_path(&self, arn: &str) -> Option<String> {
        let (_, name) = arn.split_once(":role/")?;
        let answer = self
            .lazy_clients
            .iam()
            .get_role()
            .role_name(name)
            .send()
            .await;
        answer.ok()?.role.map(|role| role.arn)
    }
}

/// The user or role behind a caller's ARN (IAM user guide, "IAM identifiers").
fn principal(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &[_, partition, service, _, account, who] = parts.as_slice() else {
        return None;
    };
    match (service, who.split('/').collect::<Vec<_>>().as_slice()) {
        ("iam", ["user" | "role", ..]) => Some(arn.to_owned()),
        ("sts", ["assumed-role", role, ..]) => {
            Some(format!("arn:{partition}:iam::{account}:role/{role}"))
        }
        _ => None,
    }
}

fn unknown(principal: &str) -> LookError {
    LookError::Refused(format!(
        "IAM knows no {principal}: a role may have a path, which a session does not tell, \
         and which is read where iam:GetRole is allowed"
    ))
}

/// Why a result does not allow its action. The simulation got one resource, so that the result for
/// it and the one for all are the same.
fn not_allowed(result: EvaluationResult, resource: &str) -> Option<Denied> {
    let specific = result.resource_specific_results.unwrap_or_default();
    let specific = specific
        .into_iter()
        .find(|s| s.eval_resource_name == resource);
    let (decision, missing, boundary) = match specific {
        Some(specific) => (
            specific.eval_resource_decision,
            specific.missing_context_values,
            specific.permissions_boundary_decision_detail,
        ),
        None => (
            result.eval_decision,
            result.missing_context_values,
            result.permissions_boundary_decision_detail,
        ),
    };
    let missing = missing.unwrap_or_default();
    let why = match decision {
        PolicyEvaluationDecisionType::Allowed => return None,
        _ if result
            .organizations_decision_detail
            .is_some_and(|o| !o.allowed_by_organizations) =>
        {
            Denial::Organization
        }
        _ if !missing.is_empty() => Denial::Undecided(missing),
        PolicyEvaluationDecisionType::ExplicitDeny => Denial::Explicit,
        _ if boundary.is_some_and(|b| !b.allowed_by_permissions_boundary) => Denial::Boundary,
        _ => Denial::NotAllowed,
    };
    Some(Denied {
        action: result.eval_action_name,
        resource: resource.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_lead_to_their_roles() {
        for (arn, expected) in [
            (
                "arn:aws:sts::123456789012:assumed-role/releases/i-0abc",
                Some("arn:aws:iam::123456789012:role/releases"),
            ),
            (
                "arn:aws-cn:sts::123456789012:assumed-role/releases/a@b.example",
                Some("arn:aws-cn:iam::123456789012:role/releases"),
            ),
            (
                "arn:aws:iam::123456789012:user/ci/releases",
                Some("arn:aws:iam::123456789012:user/ci/releases"),
            ),
            ("arn:aws:iam::123456789012:root", None),
            ("arn:aws:sts::123456789012:federated-user/ann", None),
            ("", None),
        ] {
            assert_eq!(principal(arn).as_deref(), expected, "{arn}");
        }
    }
}
