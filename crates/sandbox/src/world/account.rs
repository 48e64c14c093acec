//! The state of the account and its environments beyond the seed, where a release checks it:
//! quotas, platforms, single instances, databases.

use crate::world::World;
use crate::world::quota::QuotaOf;
use crate::world::setting::Setting;

impl World {
    /// The account has created no environment before: a request also needs the rights that an
    /// account needs once.
    pub fn use_for_the_first_time(&mut self) {
        self.quirks.fresh_account = true;
    }

    /// The most that the account may have of something.
    pub(crate) fn quota(&self, of: QuotaOf) -> usize {
        let usual = match of {
            QuotaOf::Applications => 75,
            QuotaOf::Versions => 1000,
            QuotaOf::Templates => 2000,
            QuotaOf::Environments => 200,
            QuotaOf::Platforms => 50,
            QuotaOf::Addresses => 5,
        };
        self.quirks.quotas.get(&of).copied().unwrap_or(usual)
    }

    /// The state of the platform's branch.
    pub(crate) fn branch_state(&self) -> &str {
        self.quirks.branch_state.as_deref().unwrap_or("Supported")
    }

    /// Whether the branch is retired: no environment can be created on it any more
    /// (developer guide, "Elastic Beanstalk platforms glossary").
    pub(crate) fn is_retired(&self) -> bool {
        self.branch_state().eq_ignore_ascii_case("Retired")
    }

    /// Couples an environment with a database.
    pub(crate) fn couple_database(&mut self, environment: &str) {
        let database = "aws:rds:dbinstance";
        self.set(environment, database, "HasCoupledDatabase", "true");
        self.set(environment, database, "DBEngine", "postgres");
    }

    /// Changes an environment into one of a single instance.
    pub(crate) fn single_out(&mut self, environment: &str) {
        let kind = ("aws:elasticbeanstalk:environment", "EnvironmentType");
        self.set(environment, kind.0, kind.1, "SingleInstance");
        for size in ["MinSize", "MaxSize"] {
            self.set(environment, "aws:autoscaling:asg", size, "1");
        }
        self.scale(environment, 1);
        let address = self.new_address();
        if let Some(environment) = self.environment_mut(environment) {
            environment.endpoint = address;
        }
    }

    /// Sets an option of a living environment, outside the service.
    pub fn set(&mut self, environment: &str, namespace: &str, name: &str, value: &str) {
        let Some(found) = self.environment_mut(environment) else {
            return;
        };
        let settings = &mut found.settings;
        settings.retain(|s| (s.namespace.as_str(), s.name.as_str()) != (namespace, name));
        settings.push(Setting::new(namespace, name, value));
    }

    /// Moves an environment onto a custom platform of the account's own, whose ARN names the
    /// account (API reference, `ListPlatformVersions`; an AWS platform's names none).
    pub(crate) fn customise_platform(&mut self, environment: &str) {
        let arn = self.beanstalk_arn("platform", "shop-platform/1.0.0");
        if let Some(found) = self.environment_mut(environment) {
            found.solution_stack = arn;
        }
    }
}
