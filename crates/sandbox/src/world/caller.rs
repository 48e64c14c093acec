//! The caller, and whether the policies of users and roles allow what it requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::wire::error::ApiError;
use crate::world::World;
use crate::world::iam::identities::{Document, SESSION_KEY, Session, session_arn, short};
use crate::world::iam::need::Need;
use crate::world::iam::policy::Policy;
use crate::world::iam::syntax::PolicyError;
use crate::world::iam::verdict::{Verdict, judged, worded};

impl World {
    /// Sets the access key of the requests that follow: a session's, or the default caller's.
    pub(crate) fn asked_with(&mut self, access_key: &str) {
        self.asking = access_key
            .starts_with(SESSION_KEY)
            .then(|| access_key.to_owned());
    }

    /// Checks that a caller's session exists.
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

    /// The session that sends the request; `None` where it is the default caller.
    pub(crate) fn session(&self) -> Option<&Session> {
        self.identities.sessions.get(self.asking.as_ref()?)
    }

    /// Begins a session of a role: its access key, its secret key and its token.
    pub(crate) fn begin_session(&mut self, session: Session) -> (String, String, String) {
        let key = format!("{SESSION_KEY}{}", self.letters(9).to_uppercase());
        self.identities.sessions.insert(key.clone(), session);
        (key, self.letters(40), self.letters(120))
    }

    /// The policies that count for a user or role; `None` where it may do everything.
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

    /// The user or role whose policies count for the present request.
    pub(crate) fn asking_principal(&self) -> String {
        let session = self.session();
        session.map_or_else(|| self.principal(), |session| session.role.clone())
    }

    /// Whether the caller may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.policies_of(&self.asking_principal()).is_none()
    }

    /// The verdict of a user's or role's policies on a need, and the condition keys that they test
    /// and the need has no value of.
    pub(crate) fn judge(&self, arn: &str, need: &Need) -> (Verdict, Vec<String>) {
        let Some(policies) = self.policies_of(arn) else {
            return (Verdict::Allowed, Vec::new());
        };
        let missing = policies.iter().flat_map(|policy| policy.missing(need));
        let missing: BTreeSet<String> = missing.collect();
        let verdict = judged(policies.iter().map(|policy| policy.judge(need)));
        (verdict, missing.into_iter().collect())
    }

    /// Sets what the role of this ARN may do from now on, as its only inline policy.
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

    /// Sets what its default caller may do from now on; `None` for everything.
    pub fn set_policy(&mut self, policy: Option<Policy>) {
        self.policy = policy.map(Arc::new);
    }

    /// Whether the caller's policy allows this; without a policy it does.
    #[must_use]
    pub fn may(&self, need: &Need) -> bool {
        self.permit(need).is_ok()
    }

    /// Whether the caller's policy allows this; without a policy it does.
    ///
    /// # Errors
    /// The words of AWS (IAM user guide, "Troubleshoot access denied error messages").
    pub fn permit(&self, need: &Need) -> Result<(), String> {
        let (verdict, _) = self.judge(&self.asking_principal(), need);
        worded(verdict, &self.caller(), need)
    }

    /// Makes the default caller a session of this role from now on, named with its path, as in
    /// `ci/releases`, or by its ARN where it is another account's; `None` for the user `sandbox`.
    pub fn assume(&mut self, role: Option<&str>) {
        self.role = role.map(str::to_owned);
    }

    /// The caller: the ARN that STS returns.
    pub(crate) fn caller(&self) -> String {
        if let Some(session) = self.session() {
            return session_arn(&session.role, &session.name);
        }
        match &self.role {
            None => self.principal(),
            Some(role) => {
                let elsewhere = role.strip_prefix("arn:aws:iam::");
                let (account, role) = elsewhere
                    .and_then(|named| named.split_once(":role/"))
                    .unwrap_or((&self.account, role));
                format!(
                    "arn:aws:sts::{account}:assumed-role/{}/sandbox",
                    short(role)
                )
            }
        }
    }

    /// The user or role that the default caller is, or is a session of.
    pub(crate) fn principal(&self) -> String {
        let path = self.role.as_ref().map(|role| format!("role/{role}"));
        let path = path.unwrap_or_else(|| "user/sandbox".to_owned());
        format!("arn:aws:iam::{}:{path}", self.account)
    }

    /// The ARN of the role that a request names, as a resource; a name has no path.
    pub(crate) fn role_arn(&self, name: &str) -> String {
        match &self.role {
            Some(role) if short(role) == name => self.principal(),
            _ => match self.identities.role(name) {
                Some(arn) => arn.to_owned(),
                None => format!("arn:aws:iam::{}:role/{name}", self.account),
            },
        }
    }

    /// The ARN of an instance profile.
    pub(crate) fn profile_arn(&self, name: &str, path: &str) -> String {
        format!("arn:aws:iam::{}:instance-profile{path}{name}", self.account)
    }

    /// The ARN of the user that a request names, or of the one that there is.
    pub(crate) fn user_arn(&self, name: Option<&str>) -> String {
        let name = name.unwrap_or("sandbox");
        format!("arn:aws:iam::{}:user/{name}", self.account)
    }

    /// Whether there is such a user or role.
    pub(crate) fn is_known(&self, arn: &str) -> bool {
        arn == self.principal() || self.identities.principals.contains_key(arn)
    }
}
