//! The identities that may send requests, and what IAM's policies let them do: the user, the roles,
//! their policies, and the sessions of roles.
//!
//! The sandbox plays an account whose caller is an administrator: user `sandbox` may do everything
//! until a policy is put on or attached to it. A role that IAM knows may do what its policies
//! allow, as in AWS, and with none it may do nothing. A role that IAM does not know, which
//! environments may still name as their operations role, may do everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::world::iam::policy::Policy;
use crate::world::iam::profiles::Profile;
use crate::world::iam::syntax::PolicyError;
use crate::world::names::{ACCOUNT, ROLE};

/// The beginning of the access keys of sessions, by which the sandbox knows its own.
pub(crate) const SESSION_KEY: &str = "ASIASANDBOX";

/// AWS's own policy for administrators of environments, version 9 of 12 February 2026 (AWS managed
/// policy reference, "AdministratorAccess-AWSElasticBeanstalk"), without its last statement, which
/// is about tags of ECS's.
const ADMINISTRATOR: (&str, &str) = (
    "arn:aws:iam::aws:policy/AdministratorAccess-AWSElasticBeanstalk",
    include_str!("managed/AdministratorAccess-AWSElasticBeanstalk.json"),
);

/// A policy's document as it was given, and as it judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Document {
    pub text: String,
    pub policy: Arc<Policy>,
}

/// A user or a role, by its policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Principal {
    /// The inline policies by their names.
    pub inline: BTreeMap<String, Document>,
    /// The ARNs of the attached ones.
    pub attached: BTreeSet<String>,
    /// Whether it may do only what its policies allow: for a user from its first policy on.
    pub is_held: bool,
    /// The trust policy: who may assume a role; `None` for a user.
    pub trust: Option<String>,
    pub created: Millis,
}

/// A managed policy of the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Managed {
    /// Its versions by their numbers.
    pub versions: BTreeMap<u32, Document>,
    /// The number of the version that counts.
    pub default: u32,
    pub created: Millis,
}

/// A session of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The role's ARN.
    pub role: String,
    pub name: String,
}

/// All identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identities {
    /// By their ARNs.
    pub principals: BTreeMap<String, Principal>,
    /// The account's own managed policies by their ARNs.
    pub managed: BTreeMap<String, Managed>,
    /// By their access keys.
    pub sessions: BTreeMap<String, Session>,
    /// The instance profiles by their names.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

impl TryFrom<String> for Document {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Document, PolicyError> {
        let policy = Arc::new(Policy::parse(&text)?);
        Ok(Document { text, policy })
    }
}

impl From<Document> for String {
    fn from(document: Document) -> String {
        document.text
    }
}

impl Document {
    /// How many characters IAM counts: white space is left out (IAM user guide, "IAM and AWS STS
    /// quotas").
    pub fn size(&self) -> usize {
        self.text.chars().filter(|c| !c.is_whitespace()).count()
    }
}

impl Identities {
    /// The user, who may do everything, and the role for releases, which may do nothing yet, and
    /// which everyone of the account may assume whose own policies allow it.
    pub fn seeded() -> Identities {
        let trust = format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\
             \"sts:AssumeRole\",\"Principal\":{{\"AWS\":\"arn:aws:iam::{ACCOUNT}:root\"}}}}]}}"
        );
        let role = Principal {
            is_held: true,
            trust: Some(trust),
            ..Principal::default()
        };
        let user = format!("arn:aws:iam::{ACCOUNT}:user/sandbox");
        Identities {
            principals: BTreeMap::from([
                (user, Principal::default()),
                (format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"), role),
            ]),
            managed: BTreeMap::new(),
            sessions: BTreeMap::new(),
            profiles: BTreeMap::new(),
        }
    }

    /// The ARN of the role with this name.
    pub fn role(&self, name: &str) -> Option<&str> {
        let arns = self.principals.keys().map(String::as_str);
        let mut roles = arns.filter(|arn| arn.contains(":role/"));
        roles.find(|arn| arn.rsplit('/').next() == Some(name))
    }

    /// The document of a managed policy that counts: the account's own or AWS's.
    pub fn managed_document(&self, arn: &str) -> Option<&Document> {
        static BY_AWS: LazyLock<Option<Document>> =
            LazyLock::new(|| Document::try_from(ADMINISTRATOR.1.to_owned()).ok());
        if arn == ADMINISTRATOR.0 {
            return BY_AWS.as_ref();
        }
        let managed = self.managed.get(arn)?;
        managed.versions.get(&managed.default)
    }

    /// The policies of a user or role; `None` where it may do everything.
    pub(crate) fn policies(&self, arn: &str) -> Option<Vec<Arc<Policy>>> {
        let principal = self.principals.get(arn)?;
        let attached = principal.attached.iter();
        let attached = attached.filter_map(|arn| self.managed_document(arn));
        let all = principal.inline.values().chain(attached);
        let all: Vec<_> = all.map(|document| document.policy.clone()).collect();
        (principal.is_held || !all.is_empty()).then_some(all)
    }
}

/// The ARN of a session of a role.
pub(crate) fn session_arn(role: &str, session: &str) -> String {
    let account = role.split(':').nth(4).unwrap_or_default();
    format!(
        "arn:aws:sts::{account}:assumed-role/{}/{session}",
        short(role)
    )
}

/// A role's name without its path.
pub(crate) fn short(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::iam::need::Need;
    use crate::world::iam::verdict::Verdict;

    #[test]
    fn the_managed_policy_can_be_judged_by() {
        let identities = Identities::seeded();
        let document = identities.managed_document(ADMINISTRATOR.0);
        let policy = &document.expect("it is there").policy;
        let stack = "arn:aws:cloudformation:us-east-1:123456789012:stack/awseb-e-1-stack/1";
        let judge = |action, resource| policy.judge(&Need::new(action, resource));
        assert_eq!(judge("cloudformation:CreateStack", stack), Verdict::Allowed);
        let bundle = "arn:aws:s3:::shop-artifacts/shop/v1.zip";
        assert_eq!(judge("s3:GetObject", bundle), Verdict::NotAllowed);
    }
}
