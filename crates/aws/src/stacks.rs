//! The CloudFormation stacks behind the environments, and the security groups in them.

use super::clients::AwsCloud;
use super::ec2::security_groups;
use super::failure::{failure, look_error};
use super::query::{Query, unreadable, values};
use super::signed::Service;
use crate::classify::Failure;
use crate::cloud::LookError;
use bluegreen_core::plan::SecurityGroup;

const CLOUDFORMATION: Query = Query {
    service: Service {
        id: "CloudFormation",
        name: "cloudformation",
        gov_is_fips: true,
    },
    version: "2010-05-15",
};

impl AwsCloud {
    /// Whether the stack behind an environment is protected against termination; `None` where the
    /// caller can see no stack. A protected environment cannot be terminated.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn termination_protection(
        &self,
        environment_id: &str,
    ) -> Result<Option<bool>, LookError> {
        let root = "/DescribeStacksResult/Stacks/member";
        let read = |document: &str| {
            let of = |name: &str| {
                values(
                    document,
                    "DescribeStacksResponse",
                    &format!("{root}/{name}"),
                )
            };
            let is_there = !of("StackName")?.is_empty();
            let protected = of("EnableTerminationProtection")?;
            Some(is_there.then(|| {
                protected
                    .first()
                    .is_some_and(|protected| protected == "true")
            }))
        };
        let protection = self
            .stack("DescribeStacks", environment_id, &[], read)
            .await?;
        Ok(protection.flatten())
    }

    /// Requests the stack behind an environment; `None` where there is no stack, or not the part of
    /// it that is needed.
    async fn stack<T>(
        &self,
        operation: &'static str,
        environment_id: &str,
        of_it: &[(&str, &str)],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, LookError> {
        let name = format!("awseb-{environment_id}-stack");
        let mut fields = vec![("StackName", name.as_str())];
        fields.extend(of_it);
        match CLOUDFORMATION
            .ask(&self.lazy_clients, operation, &fields, parse)
            .await
        {
            Ok(Some(read)) => Ok(Some(read)),
            Ok(None) => Err(unreadable(operation)),
            Err(error) => match failure(&error) {
                Failure::Service { code, message, .. }
                    if code == "ValidationError" && message.contains("does not exist") =>
                {
                    Ok(None)
                }
                _ => Err(look_error(operation, &error)),
            },
        }
    }

    /// The security group that the service made for an environment's instances; `None` where its
    /// settings say to make none. Only its stack distinguishes it from the groups that others have
    /// put the instances in.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn own_group(
        &self,
        environment_id: &str,
    ) -> Result<Option<SecurityGroup>, LookError> {
        let of_it = [("LogicalResourceId", "AWSEBSecurityGroup")];
        let read = |document: &str| {
            let id = "/DescribeStackResourceResult/StackResourceDetail/PhysicalResourceId";
            values(document, "DescribeStackResourceResponse", id)
        };
        let found = self
            .stack("DescribeStackResource", environment_id, &of_it, read)
            .await?;
        let Some(known_as) = found.and_then(|found| found.into_iter().next()) else {
            return Ok(None);
        };
        // In a VPC that is named the stack tells the id, else the name.
        let filter = match known_as.starts_with("sg-") {
            true => "group-id",
            false => "group-name",
        };
        let found = security_groups(&self.lazy_clients, filter, &known_as).await?;
        Ok(found.into_iter().next())
    }

    /// The security groups whose rules name one: those that admit it, and those that may reach
    /// it.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn groups_that_name(
        &self,
        group: &SecurityGroup,
    ) -> Result<(Vec<SecurityGroup>, Vec<SecurityGroup>), LookError> {
        let clients = &self.lazy_clients;
        let (admit, reach) = tokio::join!(
            security_groups(clients, "ip-permission.group-id", &group.id),
            security_groups(clients, "egress.ip-permission.group-id", &group.id),
        );
        Ok((admit?, reach?))
    }
}
