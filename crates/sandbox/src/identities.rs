//! Who may ask, and what IAM's policies let them do: the user, the roles, their policies, and
//! the sessions of roles.
//!
//! The sandbox plays an account whose administrator asks: user `sandbox` may do everything until
//! a policy is put on or attached to him. A role that IAM knows may do what its policies allow,
//! as in AWS, and with none it may do nothing. A role that IAM does not know, which environments
//! may still name as their operations role, may do everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::model::Millis;
use crate::policy::{Need, Policy, PolicyError, Verdict, judged};
use crate::seed::ACCOUNT;
use crate::wire::ApiError;
use crate::world::World;

/// The role that the seeded account has for releases.
pub const ROLE: &str = "releases";

/// What the access keys of sessions begin with, which this sandbox has given out.
const SESSION_KEY: &str = "ASIASANDBOX";

/// AWS's own policy for whoever manages environments, version 9 of 12 February 2026 (AWS managed
/// policy reference, "AdministratorAccess-AWSElasticBeanstalk"), without its last statement,
/// which is about tags of ECS's.
const ADMINISTRATOR: (&str, &str) = (
    "arn:aws:iam::aws:policy/AdministratorAccess-AWSElasticBeanstalk",
    include_str!("policy/managed/AdministratorAccess-AWSElasticBeanstalk.json"),
);

/// A policy's document as it was given, and as it judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Document {
    pub text: String,
    policy: Arc<Policy>,
}

/// A user or a role, by its policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Principal {
    /// The inline policies by their names.
    pub inline: BTreeMap<String, Document>,
    /// The ARNs of the attached ones.
    pub attached: BTreeSet<String>,
    /// Whether only what its policies allow is allowed: for a user from his first one on.
    pub is_held: bool,
    /// Who may take a role on; none for a user.
    pub trust: Option<String>,
    pub created: Millis,
}

/// A managed policy of the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Managed {
    /// Its versions by their numbers.
    pub versions: BTreeMap<u32, Document>,
    /// The one that counts.
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

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identities {
    /// By their ARNs.
    pub principals: BTreeMap<String, Principal>,
    /// The account's own managed policies by their ARNs.
    pub managed: BTreeMap<String, Managed>,
    /// By their access keys.
    sessions: BTreeMap<String, Session>,
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
    /// The user, who may do everything, and the role for releases, which may do nothing yet and
    /// which whoever is of the account and may take it on can take on.
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

    /// The policies of a user or role; none where it may do everything.
    fn policies(&self, arn: &str) -> Option<Vec<Arc<Policy>>> {
        let principal = self.principals.get(arn)?;
        let attached = principal.attached.iter();
        let attached = attached.filter_map(|arn| self.managed_document(arn));
        let all = principal.inline.values().chain(attached);
        let all: Vec<_> = all.map(|document| document.policy.clone()).collect();
        (principal.is_held || !all.is_empty()).then_some(all)
    }
}

impl World {
    /// The requests that follow are of this access key's: a session's, or the default caller's.
    pub(crate) fn asked_with(&mut self, access_key: &str) {
        self.asking = access_key
            .starts_with(SESSION_KEY)
            .then(|| access_key.to_owned());
    }

    /// That there is such a session, where one asks.
    ///
    /// # Errors
    /// 403 `InvalidClientTokenId` (STS API reference, "Common Errors").
    pub(crate) fn check_session(&self) -> Result<(), ApiError> {
        match (&self.asking, self.session()) {
            (Some(_), None) => Err(ApiError {
                status: 403,
                ..ApiError::new(
                    "InvalidClientTokenId",
                    "The security token included in the request is invalid.",
                )
            }),
            _ => Ok(()),
        }
    }

    /// The session that asks; none where it is the default caller.
    pub(crate) fn session(&self) -> Option<&Session> {
        self.identities.sessions.get(self.asking.as_ref()?)
    }

    /// Begins a session of a role: its access key, its secret key and its token.
    pub(crate) fn begin_session(&mut self, session: Session) -> (String, String, String) {
        let key = format!("{SESSION_KEY}{}", self.letters(9).to_uppercase());
        self.identities.sessions.insert(key.clone(), session);
        (key, self.letters(40), self.letters(120))
    }

    /// The policies that count for a user or role; none where it may do everything.
    fn policies_of(&self, arn: &str) -> Option<Vec<Arc<Policy>>> {
        let of_iam = self.identities.policies(arn);
        let of_process = self.policy.as_ref().filter(|_| arn == self.principal());
        match (of_iam, of_process) {
            (None, None) => None,
            (of_iam, of_process) => {
                let mut all = of_iam.unwrap_or_default();
                all.extend(of_process.cloned());
                Some(all)
            }
        }
    }

    /// The user or role whose policies count for the request that is carried out.
    pub(crate) fn asking_principal(&self) -> String {
        let session = self.session();
        session.map_or_else(|| self.principal(), |session| session.role.clone())
    }

    /// Whether whoever asks may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.policies_of(&self.asking_principal()).is_none()
    }

    /// What the policies of a user or role say of a need, and the condition keys that they ask
    /// for and the need has no value of.
    pub(crate) fn judge(&self, arn: &str, need: &Need) -> (Verdict, Vec<String>) {
        let Some(policies) = self.policies_of(arn) else {
            return (Verdict::Allowed, Vec::new());
        };
        let missing = policies.iter().flat_map(|policy| policy.missing(need));
        let missing: BTreeSet<String> = missing.collect();
        let verdict = judged(policies.iter().map(|policy| policy.judge(need)));
        (verdict, missing.into_iter().collect())
    }

    /// What the role of this ARN may do from now on, as its only inline policy.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn set_role_policy(&mut self, role: &str, document: &str) -> Result<(), PolicyError> {
        let document = Document::try_from(document.to_owned())?;
        let principals = &mut self.identities.principals;
        let principal = principals.entry(role.to_owned()).or_default();
        principal.is_held = true;
        principal.inline = BTreeMap::from([("sandbox".to_owned(), document)]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
