//! Users and roles as answers describe them.

use serde_json::{Value, json};

use crate::services::iam::answer::{
    Answer, CREATED, ROLE_ID, USER_ID, encoded, page, required, unknown,
};
use crate::time::date;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::identities::short;

pub(crate) fn get_role(world: &World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    Ok(Some(json!({ "Role": told_role(world, &arn) })))
}

pub(crate) fn list_roles(world: &World, form: &Form) -> Answer {
    let prefix = form.get("PathPrefix").unwrap_or("/");
    let arns = world.identities.principals.keys();
    let roles = arns.filter(|arn| arn.contains(":role/"));
    let roles = roles.map(|arn| told_role(world, arn)).filter(|role| {
        let path = role["Path"].as_str();
        path.is_some_and(|path| path.starts_with(prefix))
    });
    page(form, "Roles", roles.collect())
}

pub(crate) fn get_user(world: &World, form: &Form) -> Answer {
    let arn = owner(world, form)?;
    Ok(Some(json!({ "User": {
        "Arn": arn,
        "CreateDate": CREATED,
        "Path": "/",
        "UserId": USER_ID,
        "UserName": short(&arn),
    } })))
}

/// A role as an answer describes it.
pub(crate) fn told_role(world: &World, arn: &str) -> Value {
    let role = arn.split_once(":role/").map_or("", |(_, role)| role);
    let known = world.identities.principals.get(arn);
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
pub(crate) fn owner(world: &World, form: &Form) -> Result<String, ApiError> {
    let (kind, name, arn) = match form.operation().contains("Role") {
        true => {
            let name = required(form, "RoleName")?;
            ("role", name, world.role_arn(name))
        }
        false => {
            let name = form.get("UserName");
            ("user", name.unwrap_or("sandbox"), world.user_arn(name))
        }
    };
    match world.is_known(&arn) {
        true => Ok(arn),
        false => Err(unknown(kind, name)),
    }
}
