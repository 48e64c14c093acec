//! The tags of the resources of Elastic Beanstalk.

use crate::world::World;
use crate::world::environment::Busy;

/// How long an update of an environment's tags takes. No public log states it: Elastic Beanstalk
/// updates the environment's stack with them.
const SECONDS: u64 = 10;

impl World {
    /// Begins the update of an environment's tags.
    pub(crate) fn begin_tagging(&mut self, at: usize, request_id: &str) {
        let lasts = self.jittered(SECONDS);
        self.begin(at, Busy::Tag, lasts, request_id);
        self.say_of(at, "INFO", "Environment tag update is starting.");
    }

    /// Ends the update of an environment's tags (EB CLI, `ebcli/resources/strings.py`).
    pub(crate) fn end_tagging(&mut self, at: usize) {
        let text = "Environment tag update completed successfully.";
        self.say_of(at, "INFO", text);
    }

    /// Whether a resource that is no environment exists: an application, a version, a template or
    /// a platform, by its ARN.
    pub(crate) fn has_resource(&self, arn: &str) -> bool {
        let Some((what, path)) = self.own_resource(arn) else {
            return false;
        };
        let mut path = path.splitn(2, '/');
        let (application, name) = (path.next().unwrap_or_default(), path.next());
        match (what, name) {
            ("application", None) => {
                let mut applications = self.view.applications.iter();
                applications.any(|a| a.name == application)
            }
            ("applicationversion", Some(label)) => self.version(application, label).is_some(),
            ("configurationtemplate", Some(name)) => {
                let mut templates = self.view.templates.iter();
                templates.any(|t| t.application == application && t.name == name)
            }
            ("platform", _) => self.environments().any(|e| e.solution_stack == arn),
            _ => false,
        }
    }

    /// Keeps the tags of a resource that is no environment.
    pub(crate) fn tag(&mut self, what: &str, path: &str, tags: Vec<(String, String)>) {
        if tags.is_empty() {
            return;
        }
        self.tags.insert(self.beanstalk_arn(what, path), tags);
    }

    /// Forgets the tags of a resource that is gone.
    pub(crate) fn untag(&mut self, what: &str, path: &str) {
        self.tags.remove(&self.beanstalk_arn(what, path));
    }

    /// The kind and the path of a resource of this account's, by its ARN.
    fn own_resource<'a>(&self, arn: &'a str) -> Option<(&'a str, &'a str)> {
        let own = format!("arn:aws:elasticbeanstalk:{}:{}:", self.region, self.account);
        arn.strip_prefix(own.as_str())?.split_once('/')
    }
}
