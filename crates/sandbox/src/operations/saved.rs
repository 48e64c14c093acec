//! CreateStorageLocation, and the saved configurations in its bucket.

use crate::operations::platform::arn_of;
use crate::wire::answer::{Node, node};
use crate::world::World;
use crate::world::view::Template;

/// CreateStorageLocation makes the bucket, and puts the saved configurations into it that are from
/// before.
pub(crate) fn storage_location(world: &mut World) -> Node {
    world.make_storage();
    let templates = world.view.templates.clone();
    for template in &templates {
        save(world, template);
    }
    node().text("S3Bucket", world.storage_bucket())
}

/// Writes a template's file into the storage bucket.
pub(crate) fn save(world: &mut World, template: &Template) {
    let path = format!("{}/{}", template.application, template.name);
    let arn = world.beanstalk_arn("configurationtemplate", &path);
    let tags = world.tags.get(&arn).cloned().unwrap_or_default();
    let platform = arn_of(&template.solution_stack);
    let content = template.saved(&platform, &tags);
    world.store(template.saved_at(), content.into_bytes());
}
