//! How applications change, and end.

use crate::world::World;
use crate::world::view::{Application, Event};

impl World {
    /// Changes the application of this name, where there is one.
    pub(crate) fn change_application(&mut self, name: &str, change: impl FnOnce(&mut Application)) {
        let mut applications = self.view.applications.iter_mut();
        if let Some(application) = applications.find(|a| a.name == name) {
            change(application);
        }
    }

    /// Deletes an application that a request deletes, once none of its environments is alive.
    pub(crate) fn delete_if_empty(&mut self, name: &str) {
        let mut applications = self.view.applications.iter();
        let found = applications.find(|a| a.name == name);
        let Some(request_id) = found.and_then(|a| a.deleted_by.clone()) else {
            return;
        };
        if self.environments().any(|e| e.application == name) {
            return;
        }
        self.delete_application(name, request_id);
    }

    /// Gives up the deletion of an application: one of its environments stays.
    pub(crate) fn keep_application(&mut self, name: &str) {
        self.change_application(name, |application| application.deleted_by = None);
    }

    /// Deletes an application, its versions and its templates. The bundles stay (API reference,
    /// `DeleteApplication`).
    pub(crate) fn delete_application(&mut self, name: &str, request_id: String) {
        let own = |path: &str| path == name || path.starts_with(&format!("{name}/"));
        let templates = self.view.templates.iter();
        let saved: Vec<String> = templates
            .filter(|t| t.application == name)
            .map(|t| t.saved_at())
            .collect();
        for key in saved {
            self.unstore(key);
        }
        self.view.applications.retain(|a| a.name != name);
        self.view.versions.retain(|v| v.application != name);
        self.view.templates.retain(|t| t.application != name);
        for what in ["application", "applicationversion", "configurationtemplate"] {
            let stem = self.beanstalk_arn(what, "");
            self.tags
                .retain(|arn, _| !arn.strip_prefix(stem.as_str()).is_some_and(own));
        }
        self.emit(Event {
            at: self.now,
            severity: "INFO".to_owned(),
            message: "The application has been deleted successfully.".to_owned(),
            application: name.to_owned(),
            environment: None,
            environment_id: None,
            version_label: None,
            request_id,
        });
    }
}
