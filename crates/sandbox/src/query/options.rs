//! The option settings of a request.

use crate::wire::form::Form;
use crate::world::setting::{SCHEDULED_ACTION, Setting};

/// The option settings of a request.
pub(crate) fn settings(form: &Form, name: &str) -> Vec<Setting> {
    form.members(name)
        .iter()
        .map(|member| {
            let field = |name| member.get(name).unwrap_or_default();
            let setting = Setting::new(field("Namespace"), field("OptionName"), field("Value"));
            // Every other resource is the one that the option has anyway.
            let is_scheduled = setting.namespace == SCHEDULED_ACTION;
            let resource = member.get("ResourceName").filter(|_| is_scheduled);
            Setting {
                resource: resource.map(str::to_owned),
                ..setting
            }
        })
        .collect()
}

/// Later settings win.
pub(crate) fn merge(settings: &mut Vec<Setting>, newer: Vec<Setting>) {
    for setting in newer {
        settings.retain(|s| !s.is_of(&setting));
        settings.push(setting);
    }
}

/// Removes the options in a request's `OptionsToRemove`: their setting from another source, or
/// their default, is in force again (API reference, `UpdateEnvironment`).
pub(crate) fn remove(settings: &mut Vec<Setting>, form: &Form) {
    for member in form.members("OptionsToRemove") {
        let field = |name| member.get(name).unwrap_or_default();
        let of = (field("Namespace"), field("OptionName"));
        settings.retain(|s| (s.namespace.as_str(), s.name.as_str()) != of);
    }
}

/// The service's words for an option that it does not know.
pub(crate) fn unknown_option(setting: &Setting) -> String {
    format!(
        "Invalid option specification (Namespace: '{}', OptionName: '{}'): Unknown configuration \
         setting.",
        setting.namespace, setting.name
    )
}
