//! What the operations of Elastic Beanstalk need (service authorization reference,
//! "Actions, resources, and condition keys for AWS Elastic Beanstalk").

use std::collections::BTreeMap;

use crate::policy::assets::authorize_assets;
use crate::policy::beneath;
use crate::policy::roles::{downstream_role, passes_role, permit_downstream};
use crate::policy::visibility::{NAMES, in_application};
use crate::query::lookup::{find, named};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::Environment;
use crate::world::fault::BundleReader;
use crate::world::iam::need::Need;

/// Whether the caller may make this request.
///
/// # Errors
/// 403: `AccessDenied` for the operation itself, `InsufficientPrivilegesException` for what it does
/// downstream with the caller's rights.
pub(crate) fn authorize(world: &World, form: &Form) -> Result<(), ApiError> {
    let role = downstream_role(world, form);
    if world.is_open() && role.is_none() {
        return Ok(());
    }
    let refused = |code: &str, message| ApiError {
        status: 403,
        code: code.to_owned(),
        message,
    };
    for need in own_needs(world, form) {
        world
            .permit(&need)
            .map_err(|message| refused("AccessDenied", message))?;
    }
    if let Some(need) = passes_role(form) {
        world
            .permit(&need)
            .map_err(|message| refused("InsufficientPrivilegesException", message))?;
    }
    for need in beneath::needs(world, form) {
        permit_downstream(world, role.as_deref(), &need)
            .map_err(|message| refused("InsufficientPrivilegesException", message))?;
    }
    // Nobody documents who reads a bundle, which matters where a key of KMS encrypts it.
    let reader = match world.quirks.bundle_reader {
        None => Some(role.as_deref()),
        Some(BundleReader::Caller) => Some(None),
        Some(BundleReader::Service) => None,
    };
    if let Some(reader) = reader {
        for need in beneath::bundle(world, form) {
            permit_downstream(world, reader, &need)
                .map_err(|message| refused("InsufficientPrivilegesException", message))?;
        }
    }
    authorize_assets(world, form, role.as_deref())
}

/// The operation itself, on each of its resources. A request that names a missing resource gets the
/// operation's own error instead.
fn own_needs(world: &World, form: &Form) -> Vec<Need> {
    let operation = form.operation();
    let on_arn = |arn: &str| vec![Need::new(format!("{NAMES}:{operation}"), arn)];
    match operation {
        "DescribeApplications"
        | "DescribeApplicationVersions"
        | "DescribeEnvironments"
        | "ListAvailableSolutionStacks" => Vec::new(),
        "DescribeEvents" => match listed(world, form) {
            Some(environment) => vec![on_environment(world, form, environment)],
            None => on(
                world,
                form,
                "application",
                form.get("ApplicationName").or(Some("*")),
            ),
        },
        "CreateApplication"
        | "DeleteApplication"
        | "UpdateApplication"
        | "UpdateApplicationResourceLifecycle" => {
            on(world, form, "application", form.get("ApplicationName"))
        }
        "CreateApplicationVersion" => {
            let mut needs = on(world, form, "application", form.get("ApplicationName"));
            needs.extend(on_named(world, form, "applicationversion", "VersionLabel"));
            needs
        }
        "UpdateApplicationVersion" | "DeleteApplicationVersion" => {
            on_named(world, form, "applicationversion", "VersionLabel")
        }
        "CreateConfigurationTemplate"
        | "DeleteConfigurationTemplate"
        | "UpdateConfigurationTemplate" => {
            on_named(world, form, "configurationtemplate", "TemplateName")
        }
        "CreateEnvironment" => {
            let mut needs = on_named(world, form, "environment", "EnvironmentName");
            // Nobody documents whether tags at creation need it (developer guide, "Using tags to
            // control access", has `AddTags` beside `CreateEnvironment`).
            if !form.members("Tags").is_empty() && !world.quirks.tags_need_no_right {
                let tagging = needs.iter().cloned().map(|need| Need {
                    action: format!("{NAMES}:AddTags"),
                    ..need
                });
                needs.extend(tagging.collect::<Vec<_>>());
            }
            needs
        }
        "DescribeConfigurationSettings"
        | "DescribeConfigurationOptions"
        | "ValidateConfigurationSettings" => {
            let template = on_named(world, form, "configurationtemplate", "TemplateName");
            match (named(world, form), form.get("SolutionStackName")) {
                _ if !template.is_empty() => template,
                (Ok(at), _) => vec![on_environment(world, form, &world.view.environments[at])],
                (Err(_), Some(stack)) => on_arn(&world.stack_arn(stack)),
                (Err(_), None) => Vec::new(),
            }
        }
        "DescribePlatformVersion" => form.get("PlatformArn").map(on_arn).unwrap_or_default(),
        "ListTagsForResource" => on_tagged(world, form, operation),
        "UpdateTagsForResource" => {
            let adds = !form.members("TagsToAdd").is_empty();
            let removes = !form.list("TagsToRemove").is_empty();
            let actions = [(adds, "AddTags"), (removes, "RemoveTags")];
            let actions = actions.into_iter().filter(|(asked, _)| *asked);
            actions
                .flat_map(|(_, action)| on_tagged(world, form, action))
                .collect()
        }
        "SwapEnvironmentCNAMEs" => ["Source", "Destination"]
            .iter()
            .filter_map(|side| {
                let id = form.get(&format!("{side}EnvironmentId"));
                let name = form.get(&format!("{side}EnvironmentName"));
                find(world, id, name).ok()
            })
            .map(|at| on_environment(world, form, &world.view.environments[at]))
            .collect(),
        "AbortEnvironmentUpdate"
        | "ApplyEnvironmentManagedAction"
        | "AssociateEnvironmentOperationsRole"
        | "DeleteEnvironmentConfiguration"
        | "DisassociateEnvironmentOperationsRole"
        | "DescribeEnvironmentHealth"
        | "DescribeEnvironmentManagedActionHistory"
        | "DescribeEnvironmentManagedActions"
        | "DescribeEnvironmentResources"
        | "DescribeInstancesHealth"
        | "RebuildEnvironment"
        | "RequestEnvironmentInfo"
        | "RestartAppServer"
        | "RetrieveEnvironmentInfo"
        | "TerminateEnvironment"
        | "UpdateEnvironment" => match named(world, form) {
            Ok(at) => vec![on_environment(world, form, &world.view.environments[at])],
            Err(_) => Vec::new(),
        },
        _ => on_arn("*"),
    }
}

/// The environment that a request names, even one that is terminated and still listed.
fn listed<'a>(world: &'a World, form: &Form) -> Option<&'a Environment> {
    let (id, name) = (form.get("EnvironmentId"), form.get("EnvironmentName"));
    let is_named = |e: &&Environment| {
        (id.is_some() || name.is_some())
            && id.is_none_or(|id| e.id == id)
            && name.is_none_or(|name| e.name == name)
    };
    let listed = world.view.environments.iter().rev();
    listed.chain(world.past.iter().rev()).find(is_named)
}

fn on_environment(world: &World, form: &Form, environment: &Environment) -> Need {
    let arn = environment.arn(&world.region, &world.account);
    with_keys(world, form, &environment.application, arn)
}

/// A resource below the request's application, which bears this parameter's name.
fn on_named(world: &World, form: &Form, what: &str, parameter: &str) -> Vec<Need> {
    let path = form
        .get("ApplicationName")
        .zip(form.get(parameter))
        .map(|(application, name)| format!("{application}/{name}"));
    on(world, form, what, path.as_deref())
}

fn on(world: &World, form: &Form, what: &str, path: Option<&str>) -> Vec<Need> {
    let application = form.get("ApplicationName").unwrap_or_default();
    let need =
        path.map(|path| with_keys(world, form, application, world.beanstalk_arn(what, path)));
    need.into_iter().collect()
}

fn on_tagged(world: &World, form: &Form, action: &str) -> Vec<Need> {
    let Some(arn) = form.get("ResourceArn") else {
        return Vec::new();
    };
    let path = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let application = path.split('/').nth(1).unwrap_or_default();
    let mut need = with_keys(world, form, application, arn.to_owned());
    need.action = format!("{NAMES}:{action}");
    vec![need]
}

/// The operation on a resource, with the keys that the request gives values to.
fn with_keys(world: &World, form: &Form, application: &str, resource: String) -> Need {
    let mut need = in_application(world, form.operation(), application, resource);
    for (key, what, parameter) in [
        (
            "FromApplicationVersion",
            "applicationversion",
            "VersionLabel",
        ),
        (
            "FromConfigurationTemplate",
            "configurationtemplate",
            "TemplateName",
        ),
    ] {
        let source = matches!(form.operation(), "CreateEnvironment" | "UpdateEnvironment");
        if let (true, Some(name)) = (source, form.get(parameter)) {
            let from = world.beanstalk_arn(what, &format!("{application}/{name}"));
            need = need.key(&format!("{NAMES}:{key}"), [from]);
        }
    }
    if let Some(stack) = form.get("SolutionStackName") {
        need = need.key(
            "elasticbeanstalk:FromSolutionStack",
            [world.stack_arn(stack)],
        );
    }
    let source = form
        .get("SourceEnvironmentId")
        .or(form.get("EnvironmentId"));
    let source = find(world, source, form.get("SourceEnvironmentName"));
    if let ("SwapEnvironmentCNAMEs" | "CreateConfigurationTemplate", Ok(at)) =
        (form.operation(), source)
    {
        let from = world.view.environments[at].arn(&world.region, &world.account);
        need = need.key("elasticbeanstalk:FromEnvironment", [from]);
    }
    for list in ["Tags", "TagsToAdd"] {
        for tag in form.members(list) {
            let field = |name| tag.get(name).unwrap_or_default().to_owned();
            need = need.key("aws:TagKeys", [field("Key")]).key(
                &format!("aws:RequestTag/{}", field("Key")),
                [field("Value")],
            );
        }
    }
    need.keys.extend(tags_at(world, &need.resource));
    need.key("aws:RequestedRegion", [world.region.clone()])
}

/// The tags of the resource with this ARN, as condition keys.
fn tags_at(world: &World, arn: &str) -> BTreeMap<String, Vec<String>> {
    let tagged = world
        .environments()
        .find(|e| e.arn(&world.region, &world.account) == arn);
    let others = world.tags.get(arn);
    let tags = tagged.map(|e| &e.tags).or(others);
    let tags = tags.map_or(&[][..], Vec::as_slice);
    tags.iter()
        .map(|(key, value)| {
            let key = format!("aws:resourcetag/{}", key.to_lowercase());
            (key, vec![value.clone()])
        })
        .collect()
}
