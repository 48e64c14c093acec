//! The parameters by their names.

use crate::world::World;
use crate::world::parameter::Parameter;

impl World {
    /// Puts a parameter of type String in place of the one with this name.
    pub fn put_text_parameter(&mut self, name: &str, value: &str) {
        let parameters = &mut self.services.parameters;
        parameters.retain(|parameter| parameter.name != name);
        parameters.push(Parameter {
            name: name.to_owned(),
            kind: "String".to_owned(),
            versions: vec![value.to_owned()],
            modified: self.now,
        });
    }

    /// The parameter with this name, or with this ARN.
    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        let own = self.parameter_arn("");
        let bare = name.strip_prefix(&own);
        let is = |p: &&Parameter| {
            p.name == name
                || bare.is_some_and(|bare| p.name == bare || p.name.strip_prefix('/') == Some(bare))
        };
        self.services.parameters.iter().find(is)
    }

    pub(crate) fn parameter_arn(&self, path: &str) -> String {
        format!(
            "arn:aws:ssm:{}:{}:parameter/{path}",
            self.region, self.account
        )
    }
}
