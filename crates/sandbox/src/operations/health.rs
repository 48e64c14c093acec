//! Enhanced health.

use crate::operations::done::Done;
use crate::query::lookup::named;
use crate::query::page::page;
use crate::wire::answer::{Node, node};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::world::World;
use crate::world::environment::{Environment, Instance};

pub(crate) fn environment_health(world: &World, form: &Form) -> Done {
    let environment = enhanced(world, form, "DescribeEnvironmentHealth")?;
    let wanted = wanted(form);
    let has = |name: &str| wanted.contains(&name) || wanted.contains(&"All");
    let mut answer = node().text("EnvironmentName", &environment.name);
    if has("HealthStatus") {
        answer = answer.text("HealthStatus", &environment.health_status);
    }
    if has("Status") {
        answer = answer.text("Status", format!("{:?}", environment.status));
    }
    if has("Color") {
        answer = answer.text("Color", &environment.health);
    }
    let lasting = world.lasting_health(&environment.name);
    if has("Causes") {
        answer = answer.texts("Causes", lasting.map(|health| &health.cause));
    }
    if has("ApplicationMetrics") {
        answer = answer.node(
            "ApplicationMetrics",
            metrics(world, environment, requests(world, environment)),
        );
    }
    if has("InstancesHealth") {
        let is_well = |instance: &&Instance| instance.healthy_from <= world.now;
        let well = environment.instances.iter().filter(is_well).count();
        let pending = environment.instances.len() - well;
        let status = lasting.map_or("Ok", |health| &health.status);
        let counts = [
            "NoData", "Unknown", "Ok", "Info", "Warning", "Degraded", "Severe",
        ]
        .into_iter()
        .fold(node(), |counts, name| {
            counts.text(name, if name == status { well } else { 0 })
        })
        .text("Pending", pending);
        answer = answer.node("InstancesHealth", counts);
    }
    if has("RefreshedAt") {
        answer = answer.date("RefreshedAt", world.now);
    }
    Ok(Some(answer))
}

pub(crate) fn instances_health(world: &World, form: &Form) -> Done {
    let environment = enhanced(world, form, "DescribeInstancesHealth")?;
    let wanted = wanted(form);
    let nodes = environment
        .instances
        .iter()
        .zip(shares(world, environment))
        .map(|(instance, requests)| instance_node(world, environment, instance, requests, &wanted))
        .collect();
    let (shown, next) = page(form, nodes)?;
    Ok(Some(
        node()
            .nodes("InstanceHealthList", shown)
            .date("RefreshedAt", world.now)
            .option("NextToken", next),
    ))
}

fn instance_node(
    world: &World,
    environment: &Environment,
    instance: &Instance,
    requests: usize,
    wanted: &[&str],
) -> Node {
    let has = |name: &str| wanted.contains(&name) || wanted.contains(&"All");
    let mut answer = node().text("InstanceId", &instance.id);
    if has("HealthStatus") {
        answer = answer.text("HealthStatus", &environment.health_status);
    }
    if has("Color") {
        answer = answer.text("Color", &environment.health);
    }
    if has("Causes") {
        answer = answer.texts::<String>("Causes", []);
    }
    if has("LaunchedAt") {
        answer = answer.date("LaunchedAt", instance.launched);
    }
    if has("ApplicationMetrics") {
        answer = answer.node("ApplicationMetrics", metrics(world, environment, requests));
    }
    if has("System") {
        let idle = node()
            .text("User", 1.0)
            .text("Nice", 0.0)
            .text("System", 0.5)
            .text("Idle", 98.5)
            .text("IOWait", 0.0)
            .text("IRQ", 0.0)
            .text("SoftIRQ", 0.0);
        answer = answer.node(
            "System",
            node()
                .node("CPUUtilization", idle)
                .texts("LoadAverage", [0.0, 0.0, 0.0]),
        );
    }
    if has("Deployment") {
        let deployment = node()
            .text("VersionLabel", &instance.version_label)
            .text("DeploymentId", instance.deployment_id)
            .text("Status", &instance.deployment_status)
            .date("DeploymentTime", environment.updated);
        answer = answer.node("Deployment", deployment);
    }
    if has("AvailabilityZone") {
        answer = answer.text("AvailabilityZone", format!("{}a", world.region));
    }
    if has("InstanceType") {
        answer = answer.text("InstanceType", "t3.small");
    }
    answer
}

/// The requests of an environment in the last ten seconds: the sum of its instances'.
fn requests(world: &World, environment: &Environment) -> usize {
    let without_instances = match environment.instances.is_empty() {
        true => world.traffic.recent(environment),
        false => 0,
    };
    shares(world, environment).sum::<usize>() + without_instances
}

/// The requests of each instance in the last ten seconds: its share of the clients', and the load
/// balancer's health checks of it.
fn shares(world: &World, environment: &Environment) -> impl Iterator<Item = usize> {
    let checks = match environment.answers() {
        true => health_checks(environment),
        false => 0,
    };
    let many = environment.instances.len();
    let recent = world.traffic.recent(environment);
    (0..many).map(move |nth| recent / many + usize::from(nth < recent % many) + checks)
}

/// The metrics of so many requests in ten seconds.
fn metrics(world: &World, environment: &Environment, requests: usize) -> Node {
    let label = &environment.version_label;
    let mut of_class = [0; 4];
    let class = usize::from(world.quirks.answer_of(label) / 100);
    let errors = requests * world.quirks.errors_of(label) / 100;
    of_class[class.clamp(2, 5) - 2] += requests - errors;
    of_class[3] += errors;
    let codes = ["Status2xx", "Status3xx", "Status4xx", "Status5xx"]
        .into_iter()
        .zip(of_class)
        .fold(node(), |codes, (name, count)| codes.text(name, count));
    let mut metrics = node()
        .text("Duration", 10)
        .text("RequestCount", requests)
        .node("StatusCodes", codes);
    if requests > 0 {
        let took = world.quirks.latencies.get(label).copied();
        // Milliseconds, told in seconds.
        let took = f64::from(u32::try_from(took.unwrap_or(20)).unwrap_or(u32::MAX)) / 1000.0;
        let latency = ["P10", "P50", "P75", "P85", "P90", "P95", "P99", "P999"]
            .into_iter()
            .fold(node(), |latency, name| latency.text(name, took));
        metrics = metrics.node("Latency", latency);
    }
    metrics
}

/// The environment that the request names, where its health is enhanced.
fn enhanced<'a>(
    world: &'a World,
    form: &Form,
    operation: &str,
) -> Result<&'a Environment, ApiError> {
    let environment = &world.view.environments[named(world, form)?];
    if environment.enhanced {
        return Ok(environment);
    }
    Err(ApiError::new(
        "InvalidRequestException",
        format!("{operation} is not supported."),
    ))
}

/// How many requests of the load balancer's health checks an instance gets in ten seconds, rounded
/// up. Each node checks each instance at the interval of each process (developer guide, "General
/// options": `HealthCheckInterval`, 15 seconds, of a network load balancer 30; of a classic one
/// `Interval`, 10 seconds); there is a node in each zone that has one of the load balancer's
/// subnets, and three where none are named. The web server logs these checks, and the agent counts
/// requests from that log.
fn health_checks(environment: &Environment) -> usize {
    let of = |namespace: &str, name: &str| environment.setting(namespace, name);
    let kind = |name: &str| of("aws:elasticbeanstalk:environment", name);
    if kind("EnvironmentType") == Some("SingleInstance") {
        return 0;
    }
    let subnets = of("aws:ec2:vpc", "ELBSubnets").or(of("aws:ec2:vpc", "Subnets"));
    let nodes = subnets.map_or(3, |subnets| subnets.split(',').count());
    let process = "aws:elasticbeanstalk:environment:process:";
    let default = format!("{process}default");
    let mut processes: Vec<&str> = environment
        .settings
        .iter()
        .map(|setting| setting.namespace.as_str())
        .filter(|namespace| namespace.starts_with(process))
        .chain([default.as_str()])
        .collect();
    processes.sort_unstable();
    processes.dedup();
    let seconds = |text: Option<&str>, default: usize| {
        let told = text.and_then(|text| text.parse().ok());
        told.unwrap_or(default).max(1)
    };
    let in_ten = |interval: usize| (nodes * 10).div_ceil(interval);
    match kind("LoadBalancerType") {
        Some(kind @ ("application" | "network")) => {
            let usual = if kind == "network" { 30 } else { 15 };
            let each = processes.into_iter();
            let each = each.map(|name| in_ten(seconds(of(name, "HealthCheckInterval"), usual)));
            each.sum()
        }
        _ => in_ten(seconds(of("aws:elb:healthcheck", "Interval"), 10)),
    }
}

/// The attributes that a request names; without any, only the name is returned.
fn wanted(form: &Form) -> Vec<&str> {
    form.list("AttributeNames")
}
