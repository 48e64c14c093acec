//! Enhanced health.

use super::{Done, page};
use crate::model::{Environment, Instance};
use crate::wire::{ApiError, Form, Node, node};
use crate::world::World;

/// How often the load balancer checks an instance in ten seconds: each of three nodes
/// every 15 seconds.
const HEALTH_CHECKS: usize = 2;

impl World {
    pub(super) fn environment_health(&self, form: &Form) -> Done {
        let environment = self.enhanced(form, "DescribeEnvironmentHealth")?;
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
        if has("Causes") {
            answer = answer.texts::<String>("Causes", []);
        }
        if has("ApplicationMetrics") {
            answer = answer.node("ApplicationMetrics", self.metrics(environment));
        }
        if has("InstancesHealth") {
            let is_well = |instance: &&Instance| instance.healthy_from <= self.now;
            let well = environment.instances.iter().filter(is_well).count();
            let pending = environment.instances.len() - well;
            let counts = ["NoData", "Unknown", "Info", "Warning", "Degraded", "Severe"]
                .into_iter()
                .fold(node().text("Ok", well), |counts, name| counts.text(name, 0))
                .text("Pending", pending);
            answer = answer.node("InstancesHealth", counts);
        }
        if has("RefreshedAt") {
            answer = answer.date("RefreshedAt", self.now);
        }
        Ok(Some(answer))
    }

    pub(super) fn instances_health(&self, form: &Form) -> Done {
        let environment = self.enhanced(form, "DescribeInstancesHealth")?;
        let wanted = wanted(form);
        let nodes = environment
            .instances
            .iter()
            .map(|instance| self.instance_node(environment, instance, &wanted))
            .collect();
        let (shown, next) = page(form, nodes)?;
        Ok(Some(
            node()
                .nodes("InstanceHealthList", shown)
                .date("RefreshedAt", self.now)
                .option("NextToken", next),
        ))
    }

    fn instance_node(
        &self,
        environment: &Environment,
        instance: &Instance,
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
            answer = answer.node("ApplicationMetrics", self.metrics(environment));
        }
        if has("System") {
            let idle = node()
                .text("User", "1.0")
                .text("Nice", "0.0")
                .text("System", "0.5")
                .text("Idle", "98.5")
                .text("IOWait", "0.0")
                .text("IRQ", "0.0")
                .text("SoftIRQ", "0.0");
            answer = answer.node(
                "System",
                node()
                    .node("CPUUtilization", idle)
                    .texts("LoadAverage", ["0.0", "0.0", "0.0"]),
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
            answer = answer.text("AvailabilityZone", format!("{}a", self.region));
        }
        if has("InstanceType") {
            answer = answer.text("InstanceType", "t3.small");
        }
        answer
    }

    /// Requests of the last ten seconds, shared by the instances, with the load balancer's
    /// health checks among them.
    fn metrics(&self, environment: &Environment) -> Node {
        let checks = match environment.answers() {
            true => environment.instances.len() * HEALTH_CHECKS,
            false => 0,
        };
        let label = &environment.version_label;
        let requests = self.traffic.recent(environment) + checks;
        let mut of_class = [0; 4];
        let class = usize::from(self.quirks.answer_of(label) / 100);
        let errors = requests * self.quirks.errors_of(label) / 100;
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
            let took = self.quirks.latencies.get(label).copied();
            // Milliseconds, told in seconds.
            let took = f64::from(u32::try_from(took.unwrap_or(20)).unwrap_or(u32::MAX)) / 1000.0;
            let latency = ["P10", "P50", "P75", "P85", "P90", "P95", "P99", "P999"]
                .into_iter()
                .fold(node(), |latency, name| latency.text(name, took));
            metrics = metrics.node("Latency", latency);
        }
        metrics
    }

    /// The environment that is asked for, where its health is enhanced.
    fn enhanced(&self, form: &Form, operation: &str) -> Result<&Environment, ApiError> {
        let environment = &self.view.environments[self.named(form)?];
        if environment.enhanced {
            return Ok(environment);
        }
        Err(ApiError::new(
            "InvalidRequestException",
            format!("{operation} is not supported."),
        ))
    }
}

/// The attributes that a request wants; without any only the name returns.
fn wanted(form: &Form) -> Vec<&str> {
    form.list("AttributeNames")
}
