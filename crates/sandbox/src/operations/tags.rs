//! The tags of environments.

use crate::operations::done::Done;
use crate::query::checks::check_length;
use crate::wire::answer::node;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;

pub(crate) fn list_tags(world: &World, form: &Form) -> Done {
    let arn = form.require("ResourceArn")?;
    let at = by_arn(world, arn)?;
    let environment = &world.view.environments[at];
    let own = [
        ("elasticbeanstalk:environment-id", &environment.id),
        ("elasticbeanstalk:environment-name", &environment.name),
        ("Name", &environment.name),
    ];
    let own = own
        .into_iter()
        .map(|(k, v)| node().text("Key", k).text("Value", v));
    let user = environment
        .tags
        .iter()
        .map(|(k, v)| node().text("Key", k).text("Value", v));
    Ok(Some(
        node()
            .text("ResourceArn", arn)
            .nodes("ResourceTags", user.chain(own)),
    ))
}

pub(crate) fn update_tags(world: &mut World, form: &Form) -> Done {
    let at = by_arn(world, form.require("ResourceArn")?)?;
    let add = user_tags(form, "TagsToAdd")?;
    let remove: Vec<String> = form
        .list("TagsToRemove")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut tags = world.view.environments[at].tags.clone();
    tags.retain(|(key, _)| !remove.contains(key) && !add.iter().any(|(k, _)| k == key));
    tags.extend(add);
    check_tag_count(tags.len())?;
    world.view.environments[at].tags = tags;
    Ok(None)
}

fn by_arn(world: &World, arn: &str) -> Result<usize, ApiError> {
    world
        .view
        .environments
        .iter()
        .position(|e| e.is_alive() && e.arn(&world.region, &world.account) == arn)
        .ok_or_else(|| {
            ApiError::new(
                "ResourceNotFoundException",
                format!("Resource not found for arn '{arn}'."),
            )
        })
}

/// Tags of its owner's on an environment: of the fifty that a resource may have the service
/// itself sets three (developer guide, "Tagging Elastic Beanstalk application resources").
pub(crate) const TAGS_MAX: usize = 47;

/// Refuses more tags of its owner's than an environment may have.
pub(crate) fn check_tag_count(count: usize) -> Result<(), ApiError> {
    match count > TAGS_MAX {
        true => Err(ApiError::new(
            "TooManyTagsException",
            format!("The number of tags exceeds {TAGS_MAX}."),
        )),
        false => Ok(()),
    }
}

/// The tags of a request; those that the service reserves are refused.
pub(crate) fn user_tags(form: &Form, name: &str) -> Result<Vec<(String, String)>, ApiError> {
    let tags: Vec<_> = form
        .members(name)
        .iter()
        .map(|tag| {
            let field = |name| tag.get(name).unwrap_or_default().to_owned();
            (field("Key"), field("Value"))
        })
        .collect();
    check_tag_count(tags.len())?;
    for (key, value) in &tags {
        check_length("tagKey", key, 1, 128)?;
        check_length("tagValue", value, 0, 256)?;
        let lower = key.to_lowercase();
        if lower.starts_with("aws:") || lower.starts_with("elasticbeanstalk:") || key == "Name" {
            return Err(ApiError::invalid(format!("Tag key {key} is reserved.")));
        }
    }
    Ok(tags)
}
