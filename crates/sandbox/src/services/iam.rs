//! IAM, version 2010-05-08: roles, the policies of roles and of the user, and what they say of
//! actions, simulated; and STS, version 2011-06-15: who the caller is, and sessions of roles.
//!
//! Which statements decided is not told.

mod managed;
mod owned;
mod sessions;

use serde_json::{Value, json};

use crate::policy::{Need, Verdict};
use crate::wire::{ApiError, Form, date};
use crate::world::World;

pub(super) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

pub(super) const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The usual number of results in an answer, and the most (API reference, `MaxItems`).
const ITEMS: usize = 100;
const ITEMS_MAX: usize = 1000;

/// When what the account is seeded with was made.
const CREATED: &str = "2024-01-01T00:00:00Z";

const ROLE_ID: &str = "AROASANDBOXSANDBOX000";
const USER_ID: &str = "AIDASANDBOXSANDBOX000";

/// The result of an operation; none for a void one.
type Answer = Result<Option<Value>, ApiError>;

impl World {
    pub(super) fn iam(&mut self, form: &Form) -> Answer {
        match form.operation() {
            "AttachRolePolicy" | "AttachUserPolicy" => self.attach_policy(form),
            "CreatePolicy" => self.create_policy(form),
            "CreatePolicyVersion" => self.create_policy_version(form),
            "CreateRole" => self.create_role(form),
            "DeletePolicy" => self.delete_policy(form),
            "DeletePolicyVersion" => self.delete_policy_version(form),
            "DeleteRole" => self.delete_role(form),
            "DeleteRolePolicy" | "DeleteUserPolicy" => self.delete_inline(form),
            "DetachRolePolicy" | "DetachUserPolicy" => self.detach_policy(form),
            "GetPolicy" => self.get_policy(form),
            "GetPolicyVersion" => self.get_policy_version(form),
            "GetRole" => self.get_role(form),
            "GetRolePolicy" | "GetUserPolicy" => self.get_inline(form),
            "GetUser" => self.get_user(form),
            "ListAttachedRolePolicies" | "ListAttachedUserPolicies" => self.list_attached(form),
            "ListRolePolicies" | "ListUserPolicies" => self.list_inline(form),
            "PutRolePolicy" | "PutUserPolicy" => self.put_inline(form),
            "SimulatePrincipalPolicy" => self.simulate(form),
            operation => Err(ApiError::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2010-05-08"),
            )),
        }
    }

    pub(super) fn sts(&mut self, form: &Form) -> Answer {
        match form.operation() {
            "AssumeRole" => self.assume_role(form),
            "GetCallerIdentity" => {
                let arn = self.caller();
                let user = match arn.split_once(":assumed-role/") {
                    None => USER_ID.to_owned(),
                    Some((_, session)) => format!("{ROLE_ID}:{}", short(session)),
                };
                Ok(Some(json!({
                    "Account": arn.split(':').nth(4),
                    "Arn": arn,
                    "UserId": user,
                })))
            }
            operation => Err(ApiError::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2011-06-15"),
            )),
        }
    }

    /// The default caller is a session of this role from now on, named with its path, as in
    /// `ci/releases`, or by its ARN where it is another account's; none for the user
    /// `sandbox`.
    pub fn assume(&mut self, role: Option<&str>) {
        self.role = role.map(str::to_owned);
    }

    /// Who asks: the ARN that STS tells.
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

    /// The ARN of the user that a request names, or of the one that there is.
    pub(crate) fn user_arn(&self, name: Option<&str>) -> String {
        let name = name.unwrap_or("sandbox");
        format!("arn:aws:iam::{}:user/{name}", self.account)
    }

    /// Whether there is such a user or role.
    fn is_known(&self, arn: &str) -> bool {
        arn == self.principal() || self.identities.principals.contains_key(arn)
    }

    fn get_role(&self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        Ok(Some(json!({ "Role": self.told_role(&arn) })))
    }

    fn get_user(&self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        Ok(Some(json!({ "User": {
            "Arn": arn,
            "CreateDate": CREATED,
            "Path": "/",
            "UserId": USER_ID,
            "UserName": short(&arn),
        } })))
    }

    /// A role as it is told of.
    fn told_role(&self, arn: &str) -> Value {
        let role = arn.split_once(":role/").map_or("", |(_, role)| role);
        let known = self.identities.principals.get(arn);
        let trust = known.and_then(|role| role.trust.as_deref());
        let created = known.map(|role| role.created).filter(|at| *at > 0);
        json!({
            "Arn": arn,
            "AssumeRolePolicyDocument": trust.map(encoded),
            "CreateDate": created.map_or_else(|| CREATED.to_owned(), date),
            "Path": format!("/{}", role.strip_suffix(short(role)).unwrap_or_default()),
            "RoleId": ROLE_ID,
            "RoleName": short(role),
        })
    }

    /// The ARN of the user or role that a request names.
    fn owner(&self, form: &Form) -> Result<String, ApiError> {
        let (kind, name, arn) = match form.operation().contains("Role") {
            true => {
                let name = required(form, "RoleName")?;
                ("role", name, self.role_arn(name))
            }
            false => {
                let name = form.get("UserName");
                ("user", name.unwrap_or("sandbox"), self.user_arn(name))
            }
        };
        match self.is_known(&arn) {
            true => Ok(arn),
            false => Err(unknown(kind, name)),
        }
    }

    fn simulate(&self, form: &Form) -> Answer {
        let source = required(form, "PolicySourceArn")?;
        let (kind, path) = entity(source)?;
        if !self.is_known(source) {
            return Err(unknown(kind, short(path)));
        }
        let actions = form.list("ActionNames");
        if actions.is_empty() {
            return Err(missing("actionNames"));
        }
        if let Some(action) = actions.iter().find(|action| !action.contains(':')) {
            return Err(ApiError::new(
                "InvalidInput",
                format!("Invalid Action: {action}"),
            ));
        }
        let mut resources = form.list("ResourceArns");
        if resources.is_empty() {
            resources.push("*");
        }
        let results: Vec<Value> = actions
            .into_iter()
            .map(|action| self.evaluated(form, source, action, &resources))
            .collect();
        let size = match form.get("MaxItems") {
            None => ITEMS,
            Some(text) => text
                .parse()
                .ok()
                .filter(|size| (1..=ITEMS_MAX).contains(size))
                .ok_or_else(|| unfit("maxItems"))?,
        };
        let start: usize = match form.get("Marker") {
            None => 0,
            Some(marker) => marker
                .parse()
                .map_err(|_| ApiError::new("InvalidInput", "Invalid Marker."))?,
        };
        let next = start.saturating_add(size);
        let is_truncated = next < results.len();
        let shown: Vec<Value> = results.into_iter().skip(start).take(size).collect();
        Ok(Some(json!({
            "EvaluationResults": shown,
            "IsTruncated": is_truncated,
            "Marker": is_truncated.then(|| next.to_string()),
        })))
    }

    /// What the policies of a user or role say of an action on each resource, and on all
    /// together.
    fn evaluated(&self, form: &Form, source: &str, action: &str, resources: &[&str]) -> Value {
        let each: Vec<(&str, &str, Vec<String>)> = resources
            .iter()
            .map(|resource| {
                let need = context(form, Need::new(action, *resource));
                let (verdict, missing) = self.judge(source, &need);
                let decision = in_words(verdict);
                (*resource, decision, missing)
            })
            .collect();
        let worst = ["explicitDeny", "implicitDeny"]
            .into_iter()
            .find(|worst| each.iter().any(|(_, decision, _)| decision == worst));
        let mut missing: Vec<&String> = each.iter().flat_map(|(.., missing)| missing).collect();
        missing.sort();
        missing.dedup();
        let specific: Vec<Value> = each
            .iter()
            .filter(|(resource, ..)| *resource != "*")
            .map(|(resource, decision, missing)| {
                json!({
                    "EvalResourceName": resource,
                    "EvalResourceDecision": decision,
                    "MissingContextValues": missing,
                })
            })
            .collect();
        json!({
            "EvalActionName": action,
            // A template of the resource's ARN since 2026; the sandbox has none.
            "EvalResourceName": "*",
            "EvalDecision": worst.unwrap_or("allowed"),
            "MissingContextValues": missing,
            "ResourceSpecificResults": specific,
        })
    }
}

/// The decision in IAM's words.
fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => "allowed",
        Verdict::NotAllowed => "implicitDeny",
        Verdict::Denied => "explicitDeny",
    }
}

/// The ARN of a session of a role.
fn session_arn(role: &str, session: &str) -> String {
    let account = role.split(':').nth(4).unwrap_or_default();
    format!(
        "arn:aws:sts::{account}:assumed-role/{}/{session}",
        short(role)
    )
}

/// A document as IAM answers it: percent-encoded by RFC 3986 (API reference, `GetRolePolicy`).
fn encoded(document: &str) -> String {
    percent_encoding::utf8_percent_encode(document, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A need with the context entries of a request.
fn context(form: &Form, need: Need) -> Need {
    form.members("ContextEntries")
        .iter()
        .fold(need, |need, entry| {
            let key = entry.get("ContextKeyName").unwrap_or_default();
            let values = entry.list("ContextKeyValues");
            need.key(key, values.into_iter().map(str::to_owned))
        })
}

/// The kind and path of the user, group or role that an ARN names.
fn entity(arn: &str) -> Result<(&str, &str), ApiError> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let named = match parts.as_slice() {
        [_, _, "iam", _, _, who] => who.split_once('/'),
        _ => None,
    };
    let known = named.filter(|(kind, _)| ["user", "group", "role"].contains(kind));
    known.ok_or_else(|| {
        ApiError::new(
            "InvalidInput",
            format!("Invalid Entity Arn: {arn} does not clearly define entity type and name."),
        )
    })
}

/// A role's name without its path.
fn short(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}

fn unknown(kind: &str, name: &str) -> ApiError {
    ApiError {
        status: 404,
        ..ApiError::new(
            "NoSuchEntity",
            format!("The {kind} with name {name} cannot be found."),
        )
    }
}

fn required<'a>(form: &'a Form, member: &str) -> Result<&'a str, ApiError> {
    form.get(member).ok_or_else(|| missing(member))
}

fn missing(member: &str) -> ApiError {
    ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ),
    )
}

fn unfit(member: &str) -> ApiError {
    ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have value between 1 and {ITEMS_MAX}"
        ),
    )
}
