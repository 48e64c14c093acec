//! Instance profiles (IAM API reference, `CreateInstanceProfile` and its neighbours).

use serde_json::{Value, json};

use crate::services::iam::answer::{
    Answer, CREATED, absent, conflict, exists, named, page, required,
};
use crate::services::iam::entities::told_role;
use crate::time::date;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::profiles::Profile;

const PROFILE_ID: &str = "AIPASANDBOXSANDBOX000";

pub(crate) fn create_profile(world: &mut World, form: &Form) -> Answer {
    let name = named(form, "InstanceProfileName", 128)?;
    if world.identities.profiles.contains_key(name) {
        return Err(exists(format!("Instance Profile {name} already exists.")));
    }
    let profile = Profile {
        path: form.get("Path").unwrap_or("/").to_owned(),
        role: None,
        created: world.now,
    };
    let told = told(world, name, &profile);
    world.identities.profiles.insert(name.to_owned(), profile);
    Ok(Some(json!({ "InstanceProfile": told })))
}

pub(crate) fn get_profile(world: &World, form: &Form) -> Answer {
    let name = required(form, "InstanceProfileName")?;
    let profile = find(world, name)?;
    Ok(Some(
        json!({ "InstanceProfile": told(world, name, profile) }),
    ))
}

pub(crate) fn delete_profile(world: &mut World, form: &Form) -> Answer {
    let name = required(form, "InstanceProfileName")?;
    let profile = find(world, name)?;
    if profile.role.is_some() {
        let message = "Cannot delete entity, must remove roles from instance profile first.";
        return Err(conflict("DeleteConflict", message));
    }
    world.identities.profiles.remove(name);
    Ok(None)
}

pub(crate) fn add_role(world: &mut World, form: &Form) -> Answer {
    let name = required(form, "InstanceProfileName")?;
    let profile = find(world, name)?;
    let role = known_role(world, form)?;
    if profile.role.as_ref() == Some(&role) {
        let role = required(form, "RoleName")?;
        return Err(exists(format!(
            "Role {role} already exists in Instance Profile {name}."
        )));
    }
    // An instance profile has one role (IAM user guide, "IAM and AWS STS quotas").
    if profile.role.is_some() {
        let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
        return Err(conflict("LimitExceeded", message));
    }
    if let Some(profile) = world.identities.profiles.get_mut(name) {
        profile.role = Some(role);
    }
    Ok(None)
}

pub(crate) fn remove_role(world: &mut World, form: &Form) -> Answer {
    let name = required(form, "InstanceProfileName")?;
    let profile = find(world, name)?;
    let role = required(form, "RoleName")?;
    if profile.role != Some(world.role_arn(role)) {
        return Err(absent(format!(
            "Role {role} in Instance Profile {name} cannot be found."
        )));
    }
    if let Some(profile) = world.identities.profiles.get_mut(name) {
        profile.role = None;
    }
    Ok(None)
}

pub(crate) fn list_profiles(world: &World, form: &Form) -> Answer {
    let prefix = form.get("PathPrefix").unwrap_or("/");
    let all = world.identities.profiles.iter();
    let found = all.filter(|(_, profile)| profile.path.starts_with(prefix));
    let told = found.map(|(name, profile)| told(world, name, profile));
    page(form, "InstanceProfiles", told.collect())
}

pub(crate) fn list_profiles_for_role(world: &World, form: &Form) -> Answer {
    let role = known_role(world, form)?;
    let all = world.identities.profiles.iter();
    let found = all.filter(|(_, profile)| profile.role.as_ref() == Some(&role));
    let told = found.map(|(name, profile)| told(world, name, profile));
    page(form, "InstanceProfiles", told.collect())
}

/// The ARN of the role that a request names.
fn known_role(world: &World, form: &Form) -> Result<String, ApiError> {
    let name = required(form, "RoleName")?;
    let arn = world.role_arn(name);
    match world.is_known(&arn) {
        true => Ok(arn),
        false => Err(absent(format!(
            "The role with name {name} cannot be found."
        ))),
    }
}

fn find<'a>(world: &'a World, name: &str) -> Result<&'a Profile, ApiError> {
    let found = world.identities.profiles.get(name);
    found.ok_or_else(|| absent(format!("Instance Profile {name} cannot be found.")))
}

fn told(world: &World, name: &str, profile: &Profile) -> Value {
    let roles = profile.role.iter().map(|arn| told_role(world, arn));
    let created = Some(profile.created).filter(|at| *at > 0);
    json!({
        "Arn": world.profile_arn(name, &profile.path),
        "CreateDate": created.map_or_else(|| CREATED.to_owned(), date),
        "InstanceProfileId": PROFILE_ID,
        "InstanceProfileName": name,
        "Path": profile.path,
        "Roles": roles.collect::<Vec<_>>(),
    })
}
