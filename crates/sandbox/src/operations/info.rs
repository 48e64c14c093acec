//! RequestEnvironmentInfo and RetrieveEnvironmentInfo: the logs of an environment's instances.

use crate::operations::done::Done;
use crate::query::lookup::named;
use crate::wire::answer::node;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::logs::KEPT;

pub(crate) fn request_info(world: &mut World, form: &Form, request_id: &str) -> Done {
    let kind = kind_of(form)?;
    let at = named(world, form)?;
    world.begin_pulling(at, &kind, request_id);
    Ok(None)
}

pub(crate) fn retrieve_info(world: &World, form: &Form) -> Done {
    let kind = kind_of(form)?;
    let id = &world.view.environments[named(world, form)?].id;
    let kept_from = world.now.saturating_sub(KEPT);
    let of_it = world.storage.pulled.iter().filter(|pulled| {
        pulled.environment_id == *id && pulled.kind == kind && pulled.at >= kept_from
    });
    let told = of_it.map(|pulled| {
        node()
            .text("InfoType", &pulled.kind)
            .text("Ec2InstanceId", &pulled.instance_id)
            .date("SampleTimestamp", pulled.at)
            .text("Message", url(world, &pulled.key))
    });
    Ok(Some(node().nodes("EnvironmentInfo", told)))
}

/// `tail` or `bundle`. A third kind, `analyze`, is Amazon Bedrock's work, which is not here.
fn kind_of(form: &Form) -> Result<String, ApiError> {
    match form.require("InfoType")? {
        kind @ ("tail" | "bundle") => Ok(kind.to_owned()),
        kind => Err(ApiError::invalid(format!(
            "Value {kind} at 'infoType' failed to satisfy constraint: Member must satisfy enum value set: [tail, bundle]"
        ))),
    }
}

/// Where a client reads an object of the storage bucket: at the address at which it reaches the
/// sandbox. The service's URL is presigned; here anybody may read.
fn url(world: &World, key: &str) -> String {
    let bucket = world.storage_bucket();
    let host = &world.storage.reached_at;
    match host.is_empty() || host.ends_with(".amazonaws.com") {
        true => format!("https://{bucket}.s3.{}.amazonaws.com/{key}", world.region),
        false => format!("http://{host}/{bucket}/{key}"),
    }
}
