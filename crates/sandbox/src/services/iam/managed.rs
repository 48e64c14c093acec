//! The account's own managed policies and their versions; AWS's can only be read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::services::iam::answer::{
    Answer, CREATED, absent, conflict, encoded, exists, named, required,
};
use crate::services::iam::owned::document;
use crate::time::date;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::identities::{Document, Managed, short};

/// The most characters of a managed policy, white space not counted (IAM user guide, "IAM and
/// AWS STS quotas").
const SIZE_MAX: usize = 6_144;

/// The most versions of one (IAM user guide, "IAM and AWS STS quotas").
const VERSIONS_MAX: usize = 5;

/// The version of AWS's own policy that the sandbox knows.
const VERSION_OF_AWS: u32 = 9;

pub(crate) fn create_policy(world: &mut World, form: &Form) -> Answer {
    let name = named(form, "PolicyName", 128)?;
    let path = form.get("Path").unwrap_or("/");
    let arn = format!("arn:aws:iam::{}:policy{path}{name}", world.account);
    let document = sized(required(form, "PolicyDocument")?)?;
    if world.identities.managed.contains_key(&arn) {
        let message =
            format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(exists(message));
    }
    let managed = Managed {
        versions: BTreeMap::from([(1, document)]),
        default: 1,
        created: world.now,
    };
    world.identities.managed.insert(arn.clone(), managed);
    Ok(Some(json!({ "Policy": told_policy(world, &arn)? })))
}

pub(crate) fn create_policy_version(world: &mut World, form: &Form) -> Answer {
    let arn = required(form, "PolicyArn")?;
    let document = sized(required(form, "PolicyDocument")?)?;
    let now = world.now;
    let managed = own_policy(world, arn)?;
    if managed.versions.len() >= VERSIONS_MAX {
        let message = format!(
            "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new \
             version, you must delete an existing version."
        );
        return Err(conflict("LimitExceeded", message));
    }
    let number = managed.versions.keys().max().map_or(1, |last| last + 1);
    managed.versions.insert(number, document);
    let is_default = form.get("SetAsDefault") == Some("true");
    if is_default {
        managed.default = number;
    }
    Ok(Some(json!({ "PolicyVersion": {
        "VersionId": format!("v{number}"),
        "IsDefaultVersion": is_default,
        "CreateDate": date(now),
    } })))
}

pub(crate) fn get_policy(world: &World, form: &Form) -> Answer {
    let arn = required(form, "PolicyArn")?;
    Ok(Some(json!({ "Policy": told_policy(world, arn)? })))
}

pub(crate) fn get_policy_version(world: &World, form: &Form) -> Answer {
    let arn = required(form, "PolicyArn")?;
    let version = required(form, "VersionId")?;
    let number = number(version);
    let found = match world.identities.managed.get(arn) {
        Some(managed) => number.and_then(|number| managed.versions.get(&number)),
        None => (world.identities.managed_document(arn)).filter(|_| number == Some(VERSION_OF_AWS)),
    };
    let document = found.ok_or_else(|| unknown_version(arn, version))?;
    Ok(Some(json!({ "PolicyVersion": {
        "Document": encoded(&document.text),
        "VersionId": version,
        "IsDefaultVersion": number == Some(default_version(world, arn)),
        "CreateDate": CREATED,
    } })))
}

pub(crate) fn delete_policy(world: &mut World, form: &Form) -> Answer {
    let arn = required(form, "PolicyArn")?;
    let is_single = own_policy(world, arn)?.versions.len() == 1;
    if attachments(world, arn) > 0 {
        let message = "Cannot delete a policy attached to entities.";
        return Err(conflict("DeleteConflict", message));
    }
    if !is_single {
        let message = "This policy has more than one version. Before you delete a policy, you \
                       must delete the policy's versions. The default version is deleted with \
                       the policy.";
        return Err(conflict("DeleteConflict", message));
    }
    world.identities.managed.remove(arn);
    Ok(None)
}

pub(crate) fn delete_policy_version(world: &mut World, form: &Form) -> Answer {
    let arn = required(form, "PolicyArn")?;
    let version = required(form, "VersionId")?;
    let managed = own_policy(world, arn)?;
    let number = number(version).filter(|number| managed.versions.contains_key(number));
    let number = number.ok_or_else(|| unknown_version(arn, version))?;
    if number == managed.default {
        let message = "Cannot delete the default version of a policy.";
        return Err(conflict("DeleteConflict", message));
    }
    managed.versions.remove(&number);
    Ok(None)
}

/// A policy of the account's own, to be changed.
fn own_policy<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut Managed, ApiError> {
    if arn.starts_with("arn:aws:iam::aws:") {
        let message = format!("Policy {arn} is AWS's and cannot be changed.");
        return Err(ApiError {
            status: 403,
            ..ApiError::new("AccessDenied", message)
        });
    }
    let found = world.identities.managed.get_mut(arn);
    found.ok_or_else(|| absent(format!("Policy {arn} was not found.")))
}

fn default_version(world: &World, arn: &str) -> u32 {
    let own = world.identities.managed.get(arn);
    own.map_or(VERSION_OF_AWS, |managed| managed.default)
}

fn attachments(world: &World, arn: &str) -> usize {
    let principals = world.identities.principals.values();
    principals.filter(|p| p.attached.contains(arn)).count()
}

fn told_policy(world: &World, arn: &str) -> Result<Value, ApiError> {
    if world.identities.managed_document(arn).is_none() {
        return Err(absent(format!("Policy {arn} was not found.")));
    }
    let own = world.identities.managed.get(arn);
    let created = own.map_or_else(|| CREATED.to_owned(), |managed| date(managed.created));
    let path = arn.split_once(":policy").map_or("", |(_, path)| path);
    Ok(json!({
        "Arn": arn,
        "AttachmentCount": attachments(world, arn),
        "CreateDate": created,
        "DefaultVersionId": format!("v{}", default_version(world, arn)),
        "IsAttachable": true,
        "Path": path.strip_suffix(short(path)).unwrap_or("/"),
        "PolicyName": short(arn),
    }))
}

/// A document that is not too long for a managed policy.
fn sized(text: &str) -> Result<Document, ApiError> {
    let document = document(text)?;
    match document.size() > SIZE_MAX {
        true => Err(conflict(
            "LimitExceeded",
            format!("Cannot exceed quota for PolicySize: {SIZE_MAX}"),
        )),
        false => Ok(document),
    }
}

fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.parse().ok()
}

fn unknown_version(arn: &str, version: &str) -> ApiError {
    absent(format!(
        "Policy {arn} version {version} does not exist or is not attachable."
    ))
}
