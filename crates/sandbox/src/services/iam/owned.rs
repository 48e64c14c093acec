//! Roles, and the policies of a role or of the user: inline ones and attached ones.

use serde_json::json;

use super::{Answer, encoded, required, short, unknown};
use crate::identities::{Document, Principal};
use crate::policy::PolicyError;
use crate::wire::{ApiError, Form};
use crate::world::World;

/// The most characters of all inline policies of a user and of a role together, white space not
/// counted (IAM user guide, "IAM and AWS STS quotas").
const USER_MAX: usize = 2_048;
const ROLE_MAX: usize = 10_240;

/// The most managed policies of a user or role (the same).
const ATTACHED_MAX: usize = 10;

impl World {
    pub(super) fn create_role(&mut self, form: &Form) -> Answer {
        let name = named(form, "RoleName", 64)?;
        if self.is_known(&self.role_arn(name)) {
            return Err(exists(format!("Role with name {name} already exists.")));
        }
        let trust = required(form, "AssumeRolePolicyDocument")?;
        super::sessions::check_trust(trust)?;
        let path = form.get("Path").unwrap_or("/");
        if !path.starts_with('/') || !path.ends_with('/') {
            return Err(ApiError::new(
                "ValidationError",
                "The specified value for path is invalid. It must begin and end with /.",
            ));
        }
        let arn = format!("arn:aws:iam::{}:role{path}{name}", self.account);
        let role = Principal {
            is_held: true,
            trust: Some(trust.to_owned()),
            created: self.now,
            ..Principal::default()
        };
        self.identities.principals.insert(arn.clone(), role);
        Ok(Some(json!({ "Role": self.told_role(&arn) })))
    }

    pub(super) fn delete_role(&mut self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let left = match self.identities.principals.get(&arn) {
            Some(role) if !role.inline.is_empty() => "delete",
            Some(role) if !role.attached.is_empty() => "detach all",
            _ => {
                self.identities.principals.remove(&arn);
                return Ok(None);
            }
        };
        let message = format!("Cannot delete entity, must {left} policies first.");
        Err(conflict("DeleteConflict", message))
    }

    pub(super) fn put_inline(&mut self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let name = named(form, "PolicyName", 128)?;
        let document = document(required(form, "PolicyDocument")?)?;
        let (kind, most) = match arn.contains(":role/") {
            true => ("role", ROLE_MAX),
            false => ("user", USER_MAX),
        };
        let principal = self.identities.principals.entry(arn.clone()).or_default();
        let others = principal.inline.iter().filter(|(other, _)| *other != name);
        let size = others.map(|(_, document)| document.size()).sum::<usize>() + document.size();
        if size > most {
            let whom = short(&arn);
            let message = format!("Maximum policy size of {most} bytes exceeded for {kind} {whom}");
            return Err(conflict("LimitExceeded", message));
        }
        principal.is_held = true;
        principal.inline.insert(name.to_owned(), document);
        Ok(None)
    }

    pub(super) fn get_inline(&self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let name = named(form, "PolicyName", 128)?;
        let found = self.identities.principals.get(&arn);
        let found = found.and_then(|principal| principal.inline.get(name));
        let document = found.ok_or_else(|| unknown_inline(&arn, name))?;
        Ok(Some(json!({
            owner_field(&arn): short(&arn),
            "PolicyName": name,
            "PolicyDocument": encoded(&document.text),
        })))
    }

    pub(super) fn delete_inline(&mut self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let name = named(form, "PolicyName", 128)?;
        let principal = self.identities.principals.get_mut(&arn);
        let removed = principal.and_then(|principal| principal.inline.remove(name));
        removed.ok_or_else(|| unknown_inline(&arn, name))?;
        Ok(None)
    }

    pub(super) fn list_inline(&self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let found = self.identities.principals.get(&arn);
        let names: Vec<_> = found.map_or_else(Vec::new, |p| p.inline.keys().collect());
        Ok(Some(json!({ "PolicyNames": names, "IsTruncated": false })))
    }

    pub(super) fn attach_policy(&mut self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let policy = required(form, "PolicyArn")?;
        if self.identities.managed_document(policy).is_none() {
            let message = format!("Policy {policy} does not exist or is not attachable.");
            return Err(absent(message));
        }
        let kind = if arn.contains(":role/") {
            "Role"
        } else {
            "User"
        };
        let principal = self.identities.principals.entry(arn).or_default();
        if principal.attached.len() >= ATTACHED_MAX && !principal.attached.contains(policy) {
            let message = format!("Cannot exceed quota for PoliciesPer{kind}: {ATTACHED_MAX}");
            return Err(conflict("LimitExceeded", message));
        }
        principal.is_held = true;
        principal.attached.insert(policy.to_owned());
        Ok(None)
    }

    pub(super) fn detach_policy(&mut self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let policy = required(form, "PolicyArn")?;
        let principal = self.identities.principals.get_mut(&arn);
        match principal.is_some_and(|principal| principal.attached.remove(policy)) {
            true => Ok(None),
            false => Err(absent(format!("Policy {policy} was not found."))),
        }
    }

    pub(super) fn list_attached(&self, form: &Form) -> Answer {
        let arn = self.owner(form)?;
        let found = self.identities.principals.get(&arn);
        let attached = found.map(|principal| principal.attached.iter());
        let told = attached
            .into_iter()
            .flatten()
            .map(|policy| json!({ "PolicyArn": policy, "PolicyName": short(policy) }));
        let told: Vec<_> = told.collect();
        Ok(Some(
            json!({ "AttachedPolicies": told, "IsTruncated": false }),
        ))
    }
}

/// A policy's document, or why it is none that the sandbox can judge by.
pub(super) fn document(text: &str) -> Result<Document, ApiError> {
    let read = Document::try_from(text.to_owned());
    read.map_err(|error| malformed(&error))
}

fn malformed(error: &PolicyError) -> ApiError {
    let message = format!("Syntax errors in policy. ({error})");
    ApiError::new("MalformedPolicyDocument", message)
}

/// A name of so many letters, digits and `+=,.@_-` (IAM user guide, "IAM and AWS STS quotas").
pub(super) fn named<'a>(form: &'a Form, member: &str, most: usize) -> Result<&'a str, ApiError> {
    let name = required(form, member)?;
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.len() <= most && name.chars().all(is_fit) {
        return Ok(name);
    }
    Err(ApiError::new(
        "ValidationError",
        format!(
            "The specified value for {member} is invalid. It must contain only alphanumeric \
             characters and/or the following: +=,.@_- and be at most {most} long"
        ),
    ))
}

pub(super) fn conflict(code: &str, message: impl Into<String>) -> ApiError {
    ApiError {
        status: 409,
        ..ApiError::new(code, message)
    }
}

pub(super) fn exists(message: String) -> ApiError {
    conflict("EntityAlreadyExists", message)
}

pub(super) fn absent(message: String) -> ApiError {
    ApiError {
        status: 404,
        ..ApiError::new("NoSuchEntity", message)
    }
}

fn owner_field(arn: &str) -> &'static str {
    match arn.contains(":role/") {
        true => "RoleName",
        false => "UserName",
    }
}

fn unknown_inline(arn: &str, name: &str) -> ApiError {
    match arn.contains(":role/") {
        true => unknown("role policy", name),
        false => unknown("user policy", name),
    }
}
