//! IAM, version 2010-05-08: what the caller's own policy says of actions, simulated; and
//! STS, version 2011-06-15: who the caller is.
//!
//! There is one principal, a user or the role whose session the caller is, and one policy.
//! Which statements decided is not told.

use serde_json::{Value, json};

use crate::policy::{Need, Verdict};
use crate::wire::{ApiError, Form};
use crate::world::World;

pub(super) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

pub(super) const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The usual number of results in an answer, and the most (API reference, `MaxItems`).
const ITEMS: usize = 100;
const ITEMS_MAX: usize = 1000;

const ROLE_ID: &str = "AROASANDBOXSANDBOX000";

type Answer = Result<Value, ApiError>;

impl World {
    pub(super) fn iam(&self, form: &Form) -> Answer {
        match form.operation() {
            "GetRole" => self.get_role(form),
            "SimulatePrincipalPolicy" => self.simulate(form),
            operation => Err(ApiError::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2010-05-08"),
            )),
        }
    }

    pub(super) fn sts(&self, form: &Form) -> Answer {
        match form.operation() {
            "GetCallerIdentity" => {
                let user = match &self.role {
                    None => "AIDASANDBOXSANDBOX000".to_owned(),
                    Some(_) => format!("{ROLE_ID}:sandbox"),
                };
                Ok(json!({
                    "Arn": self.caller(),
                    "UserId": user,
                    "Account": self.caller().split(':').nth(4),
                }))
            }
            operation => Err(ApiError::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2011-06-15"),
            )),
        }
    }

    /// The caller is a session of this role from now on, named with its path, as in
    /// `ci/releases`, or by its ARN where it is another account's; none for the user
    /// `sandbox`.
    pub fn assume(&mut self, role: Option<&str>) {
        self.role = role.map(str::to_owned);
    }

    /// Who asks: the ARN that STS tells.
    pub(crate) fn caller(&self) -> String {
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

    /// The user or role whose policy counts.
    fn principal(&self) -> String {
        let path = self.role.as_ref().map(|role| format!("role/{role}"));
        let path = path.unwrap_or_else(|| "user/sandbox".to_owned());
        format!("arn:aws:iam::{}:{path}", self.account)
    }

    /// The ARN of the role that a request names, as a resource; a name has no path.
    pub(crate) fn role_arn(&self, name: &str) -> String {
        match &self.role {
            Some(role) if short(role) == name => self.principal(),
            _ => format!("arn:aws:iam::{}:role/{name}", self.account),
        }
    }

    fn get_role(&self, form: &Form) -> Answer {
        let name = required(form, "RoleName")?;
        let Some(role) = self.role.as_ref().filter(|role| short(role) == name) else {
            return Err(unknown("role", name));
        };
        let path = role.strip_suffix(name).unwrap_or_default();
        Ok(json!({ "Role": {
            "Arn": self.principal(),
            "CreateDate": "2024-01-01T00:00:00Z",
            "Path": format!("/{path}"),
            "RoleId": ROLE_ID,
            "RoleName": name,
        } }))
    }

    fn simulate(&self, form: &Form) -> Answer {
        let source = required(form, "PolicySourceArn")?;
        let (kind, path) = entity(source)?;
        if source != self.principal() {
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
            .map(|action| self.evaluated(form, action, &resources))
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
        Ok(json!({
            "EvaluationResults": shown,
            "IsTruncated": is_truncated,
            "Marker": is_truncated.then(|| next.to_string()),
        }))
    }

    /// What the policy says of an action on each resource, and on all together.
    fn evaluated(&self, form: &Form, action: &str, resources: &[&str]) -> Value {
        let each: Vec<(&str, &str, Vec<String>)> = resources
            .iter()
            .map(|resource| {
                let need = context(form, Need::new(action, *resource));
                let (decision, missing) = self.decided(&need);
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

    /// The decision in IAM's words, and the keys that conditions ask for and the request
    /// does not give.
    fn decided(&self, need: &Need) -> (&'static str, Vec<String>) {
        let Some(policy) = &self.policy else {
            return ("allowed", Vec::new());
        };
        let decision = match policy.judge(need) {
            Verdict::Allowed => "allowed",
            Verdict::NotAllowed => "implicitDeny",
            Verdict::Denied => "explicitDeny",
        };
        (decision, policy.missing(need))
    }
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
