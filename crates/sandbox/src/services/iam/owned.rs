//! Roles, and the policies of a role or of the user: inline ones and attached ones.

use serde_json::json;

use crate::services::iam::answer::{
    Answer, absent, conflict, encoded, exists, named, required, unknown,
};
use crate::services::iam::entities::{owner, told_role};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::environment_roles::OF_ROLES;
use crate::world::iam::identities::{Document, Principal, short};
use crate::world::iam::syntax::PolicyError;

/// The most characters of all inline policies of a user and of a role together, white space not
/// counted (IAM user guide, "IAM and AWS STS quotas").
const USER_MAX: usize = 2_048;
const ROLE_MAX: usize = 10_240;

/// The most managed policies of a user or role (IAM user guide, "IAM and AWS STS quotas").
const ATTACHED_MAX: usize = 10;

pub(crate) fn create_role(world: &mut World, form: &Form) -> Answer {
    let name = named(form, "RoleName", 64)?;
    if world.is_known(&world.role_arn(name)) {
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
    let arn = format!("arn:aws:iam::{}:role{path}{name}", world.account);
    let role = Principal {
        is_held: true,
        trust: Some(trust.to_owned()),
        created: world.now,
        ..Principal::default()
    };
    world.identities.principals.insert(arn.clone(), role);
    Ok(Some(json!({ "Role": told_role(world, &arn) })))
}

pub(crate) fn delete_role(world: &mut World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let mut profiles = world.identities.profiles.values();
    if profiles.any(|profile| profile.role.as_ref() == Some(&arn)) {
        let message = "Cannot delete entity, must remove roles from instance profile first.";
        return Err(conflict("DeleteConflict", message));
    }
    let left = match world.identities.principals.get(&arn) {
        Some(role) if !role.inline.is_empty() => "delete",
        Some(role) if !role.attached.is_empty() => "detach all",
        _ => {
            world.identities.principals.remove(&arn);
            return Ok(None);
        }
    };
    let message = format!("Cannot delete entity, must {left} policies first.");
    Err(conflict("DeleteConflict", message))
}

pub(crate) fn put_inline(world: &mut World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let name = named(form, "PolicyName", 128)?;
    let document = document(required(form, "PolicyDocument")?)?;
    let (kind, most) = match arn.contains(":role/") {
        true => ("role", ROLE_MAX),
        false => ("user", USER_MAX),
    };
    let principal = world.identities.principals.entry(arn.clone()).or_default();
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

pub(crate) fn get_inline(world: &World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let name = named(form, "PolicyName", 128)?;
    let found = world.identities.principals.get(&arn);
    let found = found.and_then(|principal| principal.inline.get(name));
    let document = found.ok_or_else(|| unknown_inline(&arn, name))?;
    Ok(Some(json!({
        owner_field(&arn): short(&arn),
        "PolicyName": name,
        "PolicyDocument": encoded(&document.text),
    })))
}

pub(crate) fn delete_inline(world: &mut World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let name = named(form, "PolicyName", 128)?;
    let principal = world.identities.principals.get_mut(&arn);
    let removed = principal.and_then(|principal| principal.inline.remove(name));
    removed.ok_or_else(|| unknown_inline(&arn, name))?;
    Ok(None)
}

pub(crate) fn list_inline(world: &World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let found = world.identities.principals.get(&arn);
    let names: Vec<_> = found.map_or_else(Vec::new, |p| p.inline.keys().collect());
    Ok(Some(json!({ "PolicyNames": names, "IsTruncated": false })))
}

pub(crate) fn attach_policy(world: &mut World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let policy = required(form, "PolicyArn")?;
    let judges = world.identities.managed_document(policy).is_some();
    if !judges && !OF_ROLES.contains(&policy) {
        let message = format!("Policy {policy} does not exist or is not attachable.");
        return Err(absent(message));
    }
    let kind = if arn.contains(":role/") {
        "Role"
    } else {
        "User"
    };
    let principal = world.identities.principals.entry(arn).or_default();
    if principal.attached.len() >= ATTACHED_MAX && !principal.attached.contains(policy) {
        let message = format!("Cannot exceed quota for PoliciesPer{kind}: {ATTACHED_MAX}");
        return Err(conflict("LimitExceeded", message));
    }
    principal.is_held |= judges;
    principal.attached.insert(policy.to_owned());
    Ok(None)
}

pub(crate) fn detach_policy(world: &mut World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let policy = required(form, "PolicyArn")?;
    let principal = world.identities.principals.get_mut(&arn);
    match principal.is_some_and(|principal| principal.attached.remove(policy)) {
        true => Ok(None),
        false => Err(absent(format!("Policy {policy} was not found."))),
    }
}

pub(crate) fn list_attached(world: &World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    let found = world.identities.principals.get(&arn);
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

/// A policy's document, or why the sandbox cannot judge by it.
pub(crate) fn document(text: &str) -> Result<Document, ApiError> {
    let read = Document::try_from(text.to_owned());
    read.map_err(|error| malformed(&error))
}

fn malformed(error: &PolicyError) -> ApiError {
    let message = format!("Syntax errors in policy. ({error})");
    ApiError::new("MalformedPolicyDocument", message)
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
