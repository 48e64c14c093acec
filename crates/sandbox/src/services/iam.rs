//! IAM, version 2010-05-08: roles, the policies of roles and of the user, and simulations of
//! whether these allow actions; and STS, version 2011-06-15: who the caller is, and sessions of
//! roles.

mod answer;
mod entities;
mod managed;
mod owned;
mod profiles;
mod sessions;
mod simulation;

use serde_json::json;

use crate::services::iam::answer::{Answer, ROLE_ID, USER_ID};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::identities::short;

pub(crate) const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

pub(crate) const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The operations that it offers, sorted.
pub(crate) const OPERATIONS: [&str; 33] = [
    "AddRoleToInstanceProfile",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "CreateInstanceProfile",
    "CreatePolicy",
    "CreatePolicyVersion",
    "CreateRole",
    "DeleteInstanceProfile",
    "DeletePolicy",
    "DeletePolicyVersion",
    "DeleteRole",
    "DeleteRolePolicy",
    "DeleteUserPolicy",
    "DetachRolePolicy",
    "DetachUserPolicy",
    "GetInstanceProfile",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "GetUser",
    "GetUserPolicy",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListInstanceProfiles",
    "ListInstanceProfilesForRole",
    "ListRolePolicies",
    "ListRoles",
    "ListUserPolicies",
    "PutRolePolicy",
    "PutUserPolicy",
    "RemoveRoleFromInstanceProfile",
    "SimulatePrincipalPolicy",
];

pub(crate) fn answer(world: &mut World, form: &Form) -> Answer {
    match form.operation() {
        "AddRoleToInstanceProfile" => profiles::add_role(world, form),
        "AttachRolePolicy" | "AttachUserPolicy" => owned::attach_policy(world, form),
        "CreateInstanceProfile" => profiles::create_profile(world, form),
        "CreatePolicy" => managed::create_policy(world, form),
        "CreatePolicyVersion" => managed::create_policy_version(world, form),
        "CreateRole" => owned::create_role(world, form),
        "DeleteInstanceProfile" => profiles::delete_profile(world, form),
        "DeletePolicy" => managed::delete_policy(world, form),
        "DeletePolicyVersion" => managed::delete_policy_version(world, form),
        "DeleteRole" => owned::delete_role(world, form),
        "DeleteRolePolicy" | "DeleteUserPolicy" => owned::delete_inline(world, form),
        "DetachRolePolicy" | "DetachUserPolicy" => owned::detach_policy(world, form),
        "GetInstanceProfile" => profiles::get_profile(world, form),
        "GetPolicy" => managed::get_policy(world, form),
        "GetPolicyVersion" => managed::get_policy_version(world, form),
        "GetRole" => entities::get_role(world, form),
        "GetRolePolicy" | "GetUserPolicy" => owned::get_inline(world, form),
        "GetUser" => entities::get_user(world, form),
        "ListAttachedRolePolicies" | "ListAttachedUserPolicies" => {
            owned::list_attached(world, form)
        }
        "ListInstanceProfiles" => profiles::list_profiles(world, form),
        "ListInstanceProfilesForRole" => profiles::list_profiles_for_role(world, form),
        "ListRoles" => entities::list_roles(world, form),
        "ListRolePolicies" | "ListUserPolicies" => owned::list_inline(world, form),
        "PutRolePolicy" | "PutUserPolicy" => owned::put_inline(world, form),
        "RemoveRoleFromInstanceProfile" => profiles::remove_role(world, form),
        "SimulatePrincipalPolicy" => simulation::simulate(world, form),
        operation => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2010-05-08"),
        )),
    }
}

/// The operations that it offers, sorted.
pub(crate) const STS_OPERATIONS: [&str; 2] = ["AssumeRole", "GetCallerIdentity"];

pub(crate) fn sts(world: &mut World, form: &Form) -> Answer {
    match form.operation() {
        "AssumeRole" => sessions::assume_role(world, form),
        "GetCallerIdentity" => {
            let arn = world.caller();
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
