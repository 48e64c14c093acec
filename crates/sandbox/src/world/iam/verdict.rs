//! The verdict of policies on a need.

use crate::world::iam::need::Need;

/// The verdict of a policy on a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it and none denies it.
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

/// The verdict of several policies together: a denial wins, and one that allows is enough.
pub(crate) fn judged(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.fold(Verdict::NotAllowed, |all, one| match (all, one) {
        (Verdict::Denied, _) | (_, Verdict::Denied) => Verdict::Denied,
        (Verdict::Allowed, _) | (_, Verdict::Allowed) => Verdict::Allowed,
        (Verdict::NotAllowed, Verdict::NotAllowed) => Verdict::NotAllowed,
    })
}

/// A verdict in the words of AWS.
pub(crate) fn worded(verdict: Verdict, who: &str, need: &Need) -> Result<(), String> {
    let Need {
        action, resource, ..
    } = need;
    let resource = if action.starts_with("s3:") {
        format!("\"{resource}\"")
    } else {
        resource.clone()
    };
    let why = match verdict {
        Verdict::Allowed => return Ok(()),
        Verdict::NotAllowed => {
            format!("because no identity-based policy allows the {action} action")
        }
        Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
    };
    Err(format!(
        "User: {who} is not authorized to perform: {action} on resource: {resource} {why}"
    ))
}
