//! The seeded application that every new sandbox begins with.

use crate::world::environment::{Environment, Status, Tier};
use crate::world::lifecycle::Lifecycle;
use crate::world::names::{ACCOUNT, BUCKET, BUNDLES, PRODUCTION, STACK};
use crate::world::setting::Setting;
use crate::world::traffic::Traffic;
use crate::world::view::{Application, Version};
use crate::world::{World, bundles};

/// How many clients the model has, each with one request a second.
const CLIENTS: usize = 20;
/// How long each keeps a DNS answer, in seconds: Elastic Beanstalk's own time to
/// live.
const CACHE_SECONDS: u64 = 60;

impl World {
    /// Application `shop` in us-east-1 with versions `v1`, which runs, and `v2`;
    /// web environment `shop-blue`, worker `shop-worker`, and clients.
    #[must_use]
    pub fn seeded(now: u64) -> World {
        let mut world = World::empty("us-east-1", ACCOUNT, now);
        world.view.applications.push(Application {
            name: "shop".to_owned(),
            description: "A shop to rehearse releases on".to_owned(),
            created: now,
            updated: 0,
            lifecycle: Lifecycle::default(),
            deleted_by: None,
        });
        for (label, key) in ["v1", "v2"].into_iter().zip(BUNDLES) {
            let created = now + u64::from(label == "v2");
            world.view.versions.push(Version {
                application: "shop".to_owned(),
                label: label.to_owned(),
                description: String::new(),
                bucket: BUCKET.to_owned(),
                key: key.to_owned(),
                status: "PROCESSED".to_owned(),
                created,
                updated: 0,
                build: None,
            });
        }
        let mut blue = world.ready_environment("shop-blue", Tier::WebServer);
        blue.cname = Some(PRODUCTION.to_owned());
        blue.tags = vec![("team".to_owned(), "storefront".to_owned())];
        let worker = world.ready_environment("shop-worker", Tier::Worker);
        world.view.environments = vec![blue, worker];
        world.seeded = world
            .view
            .environments
            .iter()
            .map(|e| e.name.clone())
            .collect();
        for at in 0..world.view.environments.len() {
            world.tell_launch(at);
        }
        world.seeded_bundles = bundles();
        world.traffic = Traffic::new(PRODUCTION, CLIENTS, CACHE_SECONDS, now);
        world.changed();
        world
    }

    /// Somebody else's environment: in another application, untagged.
    pub(crate) fn seed_foreign(&mut self, name: &str) {
        let mut foreign = self.ready_environment(name, Tier::WebServer);
        "somebody-elses".clone_into(&mut foreign.application);
        foreign.cname = Some(format!(
            "{name}.eba-foreign1.{}.elasticbeanstalk.com",
            self.region
        ));
        self.view.environments.push(foreign);
        self.seeded.push(name.to_owned());
        self.changed();
    }

    /// An environment that has been Ready for long, with the settings of the seeded ones.
    pub(crate) fn ready_environment(&mut self, name: &str, tier: Tier) -> Environment {
        let setting = Setting::new;
        Environment {
            application: "shop".to_owned(),
            name: name.to_owned(),
            id: format!("e-{}", self.letters(10)),
            description: String::new(),
            tier,
            cname: None,
            endpoint: format!(
                "awseb-{}-1.{}.elb.amazonaws.com",
                self.letters(8),
                self.region
            ),
            solution_stack: STACK.to_owned(),
            status: Status::Ready,
            health: "Green".to_owned(),
            health_status: "Ok".to_owned(),
            enhanced: true,
            version_label: "v1".to_owned(),
            busy: None,
            operation: 0,
            out_of_service: None,
            request_id: self.request_id(),
            operations_role: None,
            template: None,
            tags: Vec::new(),
            settings: vec![
                setting("aws:autoscaling:asg", "MinSize", "2"),
                setting("aws:autoscaling:asg", "MaxSize", "4"),
                setting(
                    "aws:elasticbeanstalk:environment",
                    "EnvironmentType",
                    "LoadBalanced",
                ),
                setting(
                    "aws:elasticbeanstalk:environment",
                    "LoadBalancerType",
                    "application",
                ),
                setting(
                    "aws:elasticbeanstalk:environment",
                    "LoadBalancerIsShared",
                    "false",
                ),
                setting(
                    "aws:elasticbeanstalk:environment",
                    "ServiceRole",
                    "service-role/aws-elasticbeanstalk-service-role",
                ),
                setting(
                    "aws:autoscaling:launchconfiguration",
                    "IamInstanceProfile",
                    "aws-elasticbeanstalk-ec2-role",
                ),
                setting(
                    "aws:elasticbeanstalk:healthreporting:system",
                    "SystemType",
                    "enhanced",
                ),
                setting(
                    "aws:elasticbeanstalk:command",
                    "DeploymentPolicy",
                    "AllAtOnce",
                ),
            ],
            deployed: None,
            bundled: Vec::new(),
            defaults: Vec::new(),
            instances: self.instances(2, "v1"),
            deployment_id: 1,
            created: self.now,
            updated: self.now,
        }
    }
}
