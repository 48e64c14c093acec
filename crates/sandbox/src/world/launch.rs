//! How a launch ends, and what makes it fail.

use crate::time::{Millis, parse_date};
use crate::world::World;
use crate::world::environment::{Busy, Environment, Status};
use crate::world::fault::LaunchFault;
use crate::world::quota::QuotaOf;
use crate::world::setting::{SCHEDULED_ACTION, Setting};
use crate::world::view::Version;

/// How long until the service finds out that it cannot make an environment's resources at
/// all: public event logs show a second or two.
const AT_ONCE_SECONDS: u64 = 2;

/// How a launch has ended.
enum End {
    /// Ready, with this health.
    Ready(&'static str, &'static str),
    /// The service terminates it.
    Terminating,
    /// Gone.
    Terminated,
}

impl World {
    /// Whether the service no longer knows an option.
    pub(crate) fn is_retired_option(&self, of: &Setting) -> bool {
        let mut retired = self.quirks.retired_options.iter();
        retired.any(|(namespace, name)| (namespace, name) == (&of.namespace, &of.name))
    }

    /// How long a launch takes, in milliseconds: one that cannot begin is over at once.
    pub(crate) fn launch_lasts(&mut self, name: &str) -> Millis {
        self.jittered(match self.launch_fault(name) {
            Some(LaunchFault::Profile) => AT_ONCE_SECONDS,
            _ => self.timings.launch_seconds,
        })
    }

    /// Whether the launch of an environment will end without success.
    pub(crate) fn launch_will_fail(&self, at: usize) -> bool {
        let environment = &self.view.environments[at];
        let fault = self.launch_fault(&environment.name);
        fault.is_some_and(|fault| fault != LaunchFault::Warned)
            || self.lost_version(environment).is_some()
            || !self.broken_resources(environment).is_empty()
    }

    /// The version of an environment, where its bundle is gone.
    fn lost_version(&self, environment: &Environment) -> Option<&Version> {
        let version = self.version(&environment.application, &environment.version_label);
        version.filter(|version| {
            let bundle = (version.bucket.clone(), version.key.clone());
            self.lost_bundles.contains(&bundle)
        })
    }

    fn launch_fault(&self, name: &str) -> Option<LaunchFault> {
        let mut faults = self.quirks.launch_faults.iter();
        faults.find(|(of, _)| of == name).map(|(_, fault)| *fault)
    }

    /// Notes which bundles that launches under way need are in none of the buckets.
    pub(crate) fn note_lost_bundles(&mut self, is_lost: impl Fn(&str, &str) -> bool) {
        let launching = self.environments().filter(|e| e.busy == Some(Busy::Launch));
        let needed = launching.filter_map(|e| self.version(&e.application, &e.version_label));
        let lost = needed.filter(|v| is_lost(&v.bucket, &v.key));
        self.lost_bundles = lost.map(|v| (v.bucket.clone(), v.key.clone())).collect();
    }

    /// Why the stack of an environment cannot be made of its settings: each resource that
    /// fails, and its event.
    fn broken_resources(&self, environment: &Environment) -> Vec<(String, String)> {
        let mut broken = Vec::new();
        for action in self.past_actions(environment) {
            // Amazon EC2 Auto Scaling, PutScheduledUpdateGroupAction.
            broken.push((
                "AWSEBScheduledAction".to_owned(),
                format!(
                    "Creating Auto Scaling scheduled action named: {action} failed Reason: Given \
                     start time is in the past (Service: AmazonAutoScaling; Status Code: 400; \
                     Error Code: ValidationError)"
                ),
            ));
        }
        // EC2 API reference, "Error codes", `AddressLimitExceeded`.
        if environment.address().is_some()
            && self.addresses().len() > self.quota(QuotaOf::Addresses)
        {
            broken.push((
                "AWSEBEIP".to_owned(),
                "Creating EIP failed Reason: The maximum number of addresses has been reached. \
                 (Service: AmazonEC2; Status Code: 400; Error Code: AddressLimitExceeded)"
                    .to_owned(),
            ));
        }
        // aws/elastic-beanstalk-roadmap#97.
        let prefix = environment.setting("aws:elbv2:loadbalancer", "access_logs.s3.prefix");
        if prefix.is_some_and(|prefix| prefix.starts_with('/') || prefix.ends_with('/')) {
            broken.push((
                "AWSEBV2LoadBalancer".to_owned(),
                "Creating load balancer failed Reason: The value of 'access_logs.s3.prefix' cannot \
                 start or end with '/'"
                    .to_owned(),
            ));
        }
        // aws/aws-elastic-beanstalk-cli#528.
        if self.quirks.no_launch_configurations && !environment.needs_launch_template() {
            broken.push((
                "AWSEBAutoScalingLaunchConfiguration".to_owned(),
                "Creating Auto Scaling launch configuration failed Reason: Resource handler \
                 returned message: \"The Launch Configuration creation operation is not available \
                 in your account. Use launch templates to create configuration templates for your \
                 Auto Scaling groups."
                    .to_owned(),
            ));
        }
        broken
    }

    /// The one-time scheduled actions of an environment whose time is over.
    fn past_actions(&self, environment: &Environment) -> Vec<String> {
        let of = |name: &str, resource: &Option<String>| {
            let mut settings = environment.settings.iter();
            let found = settings.find(|s| {
                s.namespace == SCHEDULED_ACTION && s.name == name && s.resource == *resource
            });
            found.map(|s| s.value.clone()).filter(|v| !v.is_empty())
        };
        let starts = environment.settings.iter();
        let starts = starts.filter(|s| s.namespace == SCHEDULED_ACTION && s.name == "StartTime");
        starts
            .filter(|s| of("Recurrence", &s.resource).is_none())
            .filter(|s| parse_date(&s.value).is_some_and(|at| at < self.now))
            .map(|s| s.resource.clone().unwrap_or_default())
            .collect()
    }

    /// Ends a launch that goes wrong; false where nothing is wrong with it.
    pub(crate) fn launch_goes_wrong(&mut self, at: usize) -> bool {
        let environment = self.view.environments[at].clone();
        let (id, name) = (&environment.id, &environment.name);
        let fault = self.launch_fault(name);
        let mut broken = self.broken_resources(&environment);
        if matches!(fault, Some(LaunchFault::Stack | LaunchFault::RolledBack)) {
            let group = "AWSEBSecurityGroup".to_owned();
            let why = "Resource creation cancelled";
            let event = format!(
                "Creating security group named: awseb-{id}-stack-AWSEBSecurityGroup failed Reason: {why}"
            );
            broken.push((group, event));
        }
        let mut said = Vec::new();
        let mut error = |text: String| said.push(("ERROR", text));
        if !broken.is_empty() {
            let resources: Vec<_> = broken.iter().map(|(name, _)| name.as_str()).collect();
            error(format!(
                "Stack named 'awseb-{id}-stack' aborted operation. Current state: 'CREATE_FAILED'  \
                 Reason: The following resource(s) failed to create: [{}]. ",
                resources.join(", ")
            ));
            for (_, event) in &broken {
                error(event.clone());
            }
        }
        let lost = self.lost_version(&environment);
        if let Some(version) = lost {
            // The words of CreateApplicationVersion (hsingh/ansible-elastic-beanstalk#40).
            error(format!(
                "Unable to download from S3 location (Bucket: {}  Key: {}). Reason: Not Found",
                version.bucket, version.key
            ));
        }
        let end = match fault {
            Some(LaunchFault::Errors | LaunchFault::Timeouts) => {
                let with = match fault {
                    Some(LaunchFault::Timeouts) => {
                        "command timeouts. Try increasing the timeout period."
                    }
                    _ => "errors. For more information, see troubleshooting documentation.",
                };
                error(format!(
                    "Create environment operation is complete, but with {with}"
                ));
                End::Ready("Red", "Severe")
            }
            Some(LaunchFault::Profile) => {
                error("Environment must have instance profile associated with it.".to_owned());
                error("Failed to launch environment.".to_owned());
                End::Terminated
            }
            Some(LaunchFault::RolledBack) => {
                error("Failed to launch environment.".to_owned());
                End::Terminating
            }
            Some(LaunchFault::Warned) => {
                error("Your WSGIPath refers to a file that does not exist.".to_owned());
                self.say_all(at, said);
                return false;
            }
            _ if lost.is_some() => {
                error("Failed to launch environment.".to_owned());
                End::Ready("Grey", "Unknown")
            }
            _ if !broken.is_empty() => {
                said.push((
                    "INFO",
                    format!(
                        "Launched environment: {name}. However, there were issues during launch. \
                         See event log for details."
                    ),
                ));
                End::Ready("Grey", "Unknown")
            }
            _ => return false,
        };
        self.say_all(at, said);
        self.leave_failed(at, &end);
        true
    }

    fn leave_failed(&mut self, at: usize, end: &End) {
        if let End::Ready(health, status) = end {
            self.turn(at, health, status, "");
        }
        let environment = &mut self.view.environments[at];
        match end {
            End::Ready("Red", _) => {}
            End::Ready(..) => environment.instances.clear(),
            End::Terminating => {
                environment.instances.clear();
                let request_id = environment.request_id.clone();
                let lasts = self.jittered(self.timings.terminate_seconds);
                self.begin(at, Busy::Terminate, lasts, &request_id);
            }
            End::Terminated => {
                environment.status = Status::Terminated;
                environment.instances.clear();
                self.unbalance(&self.view.environments[at].id.clone());
            }
        }
    }

    fn say_all(&mut self, at: usize, said: Vec<(&str, String)>) {
        for (severity, text) in said {
            self.say_of(at, severity, &text);
        }
    }
}
