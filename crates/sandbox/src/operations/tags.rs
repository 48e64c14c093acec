//! The tags of every resource of Elastic Beanstalk.

use crate::operations::done::Done;
use crate::query::checks::{check_tag_count, check_tags};
use crate::query::tagged::Tagged;
use crate::wire::answer::node;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Status;

/// The tags of a request or of a resource, as keys and values.
type Tags = Vec<(String, String)>;

pub(crate) fn list_tags(world: &World, form: &Form) -> Done {
    let arn = form.require("ResourceArn")?;
    let (user, own) = match environment(world, arn) {
        Some(at) => {
            let environment = &world.view.environments[at];
            let own = [
                ("elasticbeanstalk:environment-id", &environment.id),
                ("elasticbeanstalk:environment-name", &environment.name),
                ("Name", &environment.name),
            ];
            let own = own.map(|(key, value)| (key.to_owned(), value.clone()));
            (environment.tags.clone(), own.to_vec())
        }
        None => (tags_of(world, arn)?, Vec::new()),
    };
    let tags = user.into_iter().chain(own);
    let tags = tags.map(|(k, v)| node().text("Key", k).text("Value", v));
    Ok(Some(
        node().text("ResourceArn", arn).nodes("ResourceTags", tags),
    ))
}

/// UpdateTagsForResource. An environment is Updating meanwhile and says so in its events (EB CLI,
/// `ebcli/operations/tagops`; terraform-provider-aws, `aws_elastic_beanstalk_environment`, waits
/// for it to be Ready again); of other resources the tags change at once.
pub(crate) fn update_tags(world: &mut World, form: &Form, request_id: &str) -> Done {
    let arn = form.require("ResourceArn")?.to_owned();
    let found = environment(world, &arn);
    let kind = match found {
        Some(_) => Tagged::Environment,
        None => Tagged::Other,
    };
    let mut tags = match found {
        Some(at) => world.view.environments[at].tags.clone(),
        None => tags_of(world, &arn)?,
    };
    let add = user_tags(form, "TagsToAdd", kind)?;
    let remove = form.list("TagsToRemove");
    tags.retain(|(key, _)| {
        !remove.contains(&key.as_str()) && !add.iter().any(|(added, _)| added == key)
    });
    tags.extend(add);
    check_tag_count(tags.len(), kind)?;
    let Some(at) = found else {
        world.tags.insert(arn, tags);
        return Ok(None);
    };
    if world.view.environments[at].status != Status::Ready {
        return Err(ApiError::invalid(format!(
            "Environment named {} is in an invalid state for this operation. Must be Ready.",
            world.view.environments[at].name
        )));
    }
    world.view.environments[at].tags = tags;
    world.begin_tagging(at, request_id);
    Ok(None)
}

/// The living environment with this ARN.
fn environment(world: &World, arn: &str) -> Option<usize> {
    let mut environments = world.view.environments.iter();
    environments.position(|e| e.is_alive() && e.arn(&world.region, &world.account) == arn)
}

/// The tags of a resource that is no environment.
fn tags_of(world: &World, arn: &str) -> Result<Tags, ApiError> {
    if world.has_resource(arn) {
        return Ok(world.tags.get(arn).cloned().unwrap_or_default());
    }
    Err(ApiError::new(
        "ResourceNotFoundException",
        format!("Resource not found for arn '{arn}'."),
    ))
}

/// The tags of a request; those that the service reserves are refused.
pub(crate) fn user_tags(form: &Form, name: &str, kind: Tagged) -> Result<Tags, ApiError> {
    let tags: Vec<_> = form
        .members(name)
        .iter()
        .map(|tag| {
            let field = |name| tag.get(name).unwrap_or_default().to_owned();
            (field("Key"), field("Value"))
        })
        .collect();
    check_tags(&tags, kind)?;
    Ok(tags)
}
