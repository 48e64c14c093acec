//! Whether green will reach what blue reaches: security groups admit groups.

use super::super::check::{Check, Finding};
use super::inspector::Inspector;
use crate::cloud::LookError;
use crate::plan::{SecurityGroup, Strategy};

impl Inspector<'_> {
    /// What names the group that the service made for blue's instances, and that group, which
    /// is known although what names it may not be read.
    pub(super) async fn security_groups(
        &self,
    ) -> Result<(Finding, Option<SecurityGroup>), LookError> {
        let check = Check::SecurityGroups;
        let name = &self.blue.name;
        let Some(own) = self.cloud.own_group(&self.blue.id).await? else {
            let none = format!("Elastic Beanstalk has made no security group for {name}");
            return Ok((check.passed(none), None));
        };
        let (admit, reach) = self.cloud.groups_that_name(&own).await?;
        // What belongs to the same stack is deleted with it.
        let of_stack = format!("awseb-{}-stack-", self.blue.id);
        let foreign = |groups: Vec<SecurityGroup>| {
            let mut groups = groups;
            groups.retain(|group| group.id != own.id && !group.name.starts_with(&of_stack));
            groups
        };
        let (admit, reach) = (foreign(admit), foreign(reach));
        let is_promoted = self.wanted.strategy == Strategy::Promote;
        let naming = match is_promoted {
            true => [admit, reach].concat(),
            false => admit,
        };
        let made = format!(
            "{} ({}), which Elastic Beanstalk made for {name}",
            own.id, own.name
        );
        if naming.is_empty() {
            return Ok((check.passed(format!("no rule names {made}")), Some(own)));
        }
        let mut named: Vec<_> = naming.iter().map(in_words).collect();
        named.sort();
        named.dedup();
        let named = named.join(", ");
        let remedy = check.about().remedy;
        let found = match is_promoted {
            true => {
                let then = format!(
                    "rules of {named} name {made}: green is not admitted, and {name} could not be \
                     terminated"
                );
                check.refused(then, remedy).standing()
            }
            false => check.refused(
                format!("{named} admits {made}; green is not admitted"),
                remedy,
            ),
        };
        Ok((found, Some(own)))
    }
}

fn in_words(group: &SecurityGroup) -> String {
    format!("{} ({})", group.id, group.name)
}
