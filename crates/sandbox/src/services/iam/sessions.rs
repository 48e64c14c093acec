//! Sessions of roles (STS API reference, `AssumeRole`). Their credentials do not expire, except
//! with the fault `expired_credentials`.

use serde_json::{Value, json};

use crate::services::iam::answer::{Answer, ROLE_ID, named, required};
use crate::time::date;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::iam::identities::{Session, session_arn};
use crate::world::iam::need::Need;

/// How long a session lasts where the request does not say, in seconds.
const SECONDS: u64 = 3_600;

pub(crate) fn assume_role(world: &mut World, form: &Form) -> Answer {
    let role = required(form, "RoleArn")?;
    let name = named(form, "RoleSessionName", 64)?;
    let seconds = form.get("DurationSeconds").map(str::parse);
    let seconds = match seconds {
        None => SECONDS,
        Some(Ok(seconds @ 900..=43_200)) => seconds,
        Some(_) => {
            return Err(ApiError::new(
                "ValidationError",
                "DurationSeconds must be from 900 to 43200.",
            ));
        }
    };
    may_assume(world, role)?;
    let session = Session {
        role: role.to_owned(),
        name: name.to_owned(),
    };
    let (key, secret, token) = world.begin_session(session);
    Ok(Some(json!({
        "AssumedRoleUser": {
            "Arn": session_arn(role, name),
            "AssumedRoleId": format!("{ROLE_ID}:{name}"),
        },
        "Credentials": {
            "AccessKeyId": key,
            "Expiration": date(world.now + seconds * 1000),
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    })))
}

/// A role may be assumed by the principals that its trust policy names, and by everyone of the
/// account that it names whose own policies allow it (IAM user guide, "How IAM roles differ from
/// resource-based policies").
fn may_assume(world: &World, role: &str) -> Result<(), ApiError> {
    let need = Need::new("sts:AssumeRole", role);
    let denied = |message: String| ApiError {
        status: 403,
        ..ApiError::new("AccessDenied", message)
    };
    let known = world.identities.principals.get(role);
    let trust = known.and_then(|role| role.trust.as_deref());
    match trust.map(|trust| trusted(trust, &world.asking_principal(), &world.account)) {
        Some(Trusted::ByName) => Ok(()),
        Some(Trusted::OfItsAccount) => world.permit(&need).map_err(denied),
        // Whether there is such a role is nobody's business.
        Some(Trusted::Not) | None => Err(denied(format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
            world.caller()
        ))),
    }
}

/// The callers that a trust policy lets assume its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trusted {
    Not,
    OfItsAccount,
    ByName,
}

fn trusted(trust: &str, principal: &str, account: &str) -> Trusted {
    let document: Value = serde_json::from_str(trust).unwrap_or_default();
    let root = format!("arn:aws:iam::{account}:root");
    let named = statements(&document).iter().filter(|statement| {
        statement["Effect"] == "Allow"
            && texts(&statement["Action"]).contains(&"sts:AssumeRole")
            && statement.get("Condition").is_none()
    });
    let named = named.flat_map(|statement| texts(&statement["Principal"]["AWS"]));
    let how = named.map(|who| match who {
        who if who == principal => Trusted::ByName,
        who if who == root || who == account || who == "*" => Trusted::OfItsAccount,
        _ => Trusted::Not,
    });
    how.max().unwrap_or(Trusted::Not)
}

/// Checks that a trust policy is one: statements that name principals and actions, and no
/// resources.
pub(crate) fn check_trust(text: &str) -> Result<(), ApiError> {
    let malformed = |why: &str| ApiError::new("MalformedPolicyDocument", why);
    let document: Value =
        serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    let statements = statements(&document);
    if statements.is_empty() {
        return Err(malformed(
            "Syntax errors in policy. (there is no statement)",
        ));
    }
    for statement in statements {
        if statement.get("Resource").is_some() {
            return Err(malformed("Has prohibited field Resource"));
        }
        if statement.get("Principal").is_none() {
            return Err(malformed("Missing required field Principal"));
        }
        if statement.get("Action").is_none() {
            return Err(malformed("Missing required field Action"));
        }
    }
    Ok(())
}

fn statements(document: &Value) -> &[Value] {
    match &document["Statement"] {
        Value::Array(statements) => statements,
        one @ Value::Object(_) => std::slice::from_ref(one),
        _ => &[],
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        text => text.as_str().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_policy_names_who_may() {
        let me = "arn:aws:iam::1:user/a";
        for (principal, expected) in [
            (r#"{"AWS":"arn:aws:iam::1:user/a"}"#, Trusted::ByName),
            (
                r#"{"AWS":["2","arn:aws:iam::1:root"]}"#,
                Trusted::OfItsAccount,
            ),
            (r#"{"AWS":"arn:aws:iam::2:root"}"#, Trusted::Not),
            (r#"{"Service":"ec2.amazonaws.com"}"#, Trusted::Not),
        ] {
            let trust = format!(
                r#"{{"Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{principal}}}}}"#
            );
            assert!(check_trust(&trust).is_ok());
            assert_eq!(trusted(&trust, me, "1"), expected, "{principal}");
        }
        for broken in [
            "{",
            "{}",
            r#"{"Statement":[{"Action":"a","Principal":"*","Resource":"*"}]}"#,
        ] {
            let error = check_trust(broken).expect_err(broken);
            assert_eq!(error.code, "MalformedPolicyDocument");
        }
    }
}
