//! CreateEnvironment and CheckDNSAvailability.

use crate::operations::describe::environment_node;
use crate::operations::done::Done;
use crate::operations::tags::user_tags;
use crate::query::checks::{check_description, check_environment_name, check_prefix};
use crate::query::configuration::{configuration, template_name};
use crate::query::lookup::{require_application, require_version};
use crate::query::namespaces::{check_namespaces, refusal};
use crate::query::options::{merge, remove, settings};
use crate::query::platforms::no_stack;
use crate::query::sizes::{check_sizes, instance_count};
use crate::query::tagged::Tagged;
use crate::wire::answer::node;
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::{Environment, Status, Tier};
use crate::world::quota::QuotaOf;
use crate::world::setting::Setting;
use crate::world::tally::Created;

/// The version label of an environment that was created without one (openraven/magpie#48).
pub(crate) const SAMPLE: &str = "Sample Application";

pub(crate) fn create_environment(world: &mut World, form: &Form, request_id: &str) -> Done {
    let application = form.require("ApplicationName")?.to_owned();
    require_application(world, &application)?;
    let name = form.require("EnvironmentName")?.to_owned();
    check_environment_name(&name)?;
    check_description(form)?;
    if world.environment(&name).is_some() {
        return Err(ApiError::invalid(format!(
            "Environment {name} already exists."
        )));
    }
    check_environments(world)?;
    let label = match form.get("VersionLabel") {
        Some(_) => require_version(world, form)?.1,
        None => SAMPLE.to_owned(),
    };
    let (tier, solution_stack, mut options) = configuration(world, form, &application)?;
    if world.is_retired() {
        return Err(no_stack(&solution_stack));
    }
    let own = settings(form, "OptionSettings");
    check_namespaces(&own)?;
    merge(&mut options, own);
    remove(&mut options, form);
    check_options(world, &options)?;
    let options: Vec<_> = options.into_iter().map(|s| world.as_kept(s)).collect();
    let cname = new_cname(world, form, &name, tier)?;
    let tags = user_tags(form, "Tags", Tagged::Environment)?;
    let enhanced = !options
        .iter()
        .any(|s| s.name == "SystemType" && s.value == "basic");
    let (bundled, defaults) = (world.bundled(&label), world.defaults_of_today());
    let mut kinds = options.iter().filter(|s| s.name == "EnvironmentType");
    let endpoint = match kinds.any(|s| s.value == "SingleInstance") {
        true => world.new_address(),
        false => format!(
            "awseb-{}-{}.{}.elb.amazonaws.com",
            world.letters(8),
            world.number(),
            world.region
        ),
    };
    let mut environment = Environment {
        application,
        id: format!("e-{}", world.letters(10)),
        description: form.get("Description").unwrap_or_default().to_owned(),
        tier,
        cname,
        endpoint,
        solution_stack,
        status: Status::Launching,
        health: "Grey".to_owned(),
        health_status: "Unknown".to_owned(),
        enhanced,
        version_label: label.clone(),
        busy: None,
        operation: 0,
        out_of_service: None,
        request_id: request_id.to_owned(),
        operations_role: form.get("OperationsRole").map(str::to_owned),
        template: template_name(form).map(str::to_owned),
        tags,
        settings: options,
        deployed: None,
        bundled,
        defaults,
        instances: Vec::new(),
        deployment_id: 1,
        created: world.now,
        updated: world.now,
        name,
    };
    let in_force = environment.in_force();
    check_sizes(&in_force)?;
    let count = instance_count(&in_force)?;
    environment.instances = world.instances(count, &label);
    world.created.push(Created {
        id: environment.id.clone(),
        name: environment.name.clone(),
    });
    world.view.environments.push(environment);
    let at = world.view.environments.len() - 1;
    world.balance(at);
    world.make_storage();
    world.begin_launch(at, "createEnvironment is starting.", request_id);
    Ok(Some(environment_node(world, &world.view.environments[at])))
}

/// Refuses one more environment than the account may have.
pub(crate) fn check_environments(world: &World) -> Result<(), ApiError> {
    if world.environments().count() < world.quota(QuotaOf::Environments) {
        return Ok(());
    }
    Err(ApiError::new(
        "TooManyEnvironmentsException",
        "You have reached the limit of environments.",
    ))
}

fn new_cname(
    world: &mut World,
    form: &Form,
    name: &str,
    tier: Tier,
) -> Result<Option<String>, ApiError> {
    match (tier, form.get("CNAMEPrefix")) {
        (Tier::Worker, Some(_)) => Err(ApiError::new(
            "InvalidParameterCombination",
            "CNAMEPrefix may not be specified for a worker environment.",
        )),
        (Tier::Worker, None) => Ok(None),
        (Tier::WebServer | Tier::Cluster, Some(prefix)) => {
            check_prefix(prefix)?;
            let cname = cname_of(world, prefix);
            if is_taken(world, prefix) {
                return Err(ApiError::invalid(format!(
                    "DNS name ({prefix}) is not available."
                )));
            }
            Ok(Some(cname))
        }
        (Tier::WebServer | Tier::Cluster, None) => {
            let own = world.letters(8);
            Ok(Some(format!(
                "{name}.eba-{own}.{}.elasticbeanstalk.com",
                world.region
            )))
        }
    }
}

fn cname_of(world: &World, prefix: &str) -> String {
    format!("{prefix}.{}.elasticbeanstalk.com", world.region)
}

/// Whether the CNAME with this prefix is an environment's, or another account's.
fn is_taken(world: &World, prefix: &str) -> bool {
    world.cname_holder(&cname_of(world, prefix)).is_some()
        || world.quirks.taken_prefixes.contains(&prefix.to_lowercase())
}

pub(crate) fn check_dns(world: &World, form: &Form) -> Done {
    let prefix = form.require("CNAMEPrefix")?;
    check_prefix(prefix)?;
    let cname = cname_of(world, prefix);
    Ok(Some(
        node()
            .text("Available", !is_taken(world, prefix))
            .text("FullyQualifiedCNAME", cname),
    ))
}

/// CreateEnvironment refuses a retired option.
pub(crate) fn check_options(world: &World, options: &[Setting]) -> Result<(), ApiError> {
    let mut options = options.iter();
    match options.find(|setting| world.is_retired_option(setting)) {
        None => Ok(()),
        Some(setting) => Err(refusal(setting)),
    }
}
