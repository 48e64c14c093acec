//! The CloudFormation stacks behind the environments, and the security groups in them.

use super::AwsCloud;
use super::ec2::security_groups;
use super::failure::{failure, look_error};
use crate::cloud::{Failure, LookError};
use crate::plan::SecurityGroup;

impl AwsCloud {
    /// Whether the stack behind an environment is protected against termination; none
    /// where no stack is to be seen. A protected environment cannot be terminated.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn termination_protection(
        &self,
        environment_id: &str,
    ) -> Result<Option<bool>, LookError> {
        let name = format!("awseb-{environment_id}-stack");
        let request = self
            .seldom
            .cloudformation()
            .describe_stacks()
            .stack_name(name);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match failure(&error) {
                    Failure::Service { code, message, .. }
                        if code == "ValidationError" && message.contains("does not exist") =>
                    {
                        Ok(None)
                    }
                    _ => Err(look_error("DescribeStacks", &error)),
                };
            }
        };
        let stack = answer.stacks.unwrap_or_default().into_iter().next();
        Ok(stack.map(|stack| stack.enable_termination_protection.unwrap_or(false)))
    }

    /// The security group that the service made for an environment's instances; none where it
    /// is told to make none. Its stack alone tells it from those that others have put the
    /// instances in.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn own_group(
        &self,
        environment_id: &str,
    ) -> Result<Option<SecurityGroup>, LookError> {
        let request = self
            .seldom
            .cloudformation()
            .describe_stack_resource()
            .stack_name(format!("awseb-{environment_id}-stack"))
            .logical_resource_id("AWSEBSecurityGroup");
        let resource = match request.send().await {
            Ok(answer) => answer.stack_resource_detail,
            Err(error) => {
                return match failure(&error) {
                    Failure::Service { code, message, .. }
                        if code == "ValidationError" && message.contains("does not exist") =>
                    {
                        Ok(None)
                    }
                    _ => Err(look_error("DescribeStackResource", &error)),
                };
            }
        };
        let Some(known_as) = resource.and_then(|resource| resource.physical_resource_id) else {
            return Ok(None);
        };
        // In a VPC that is named the stack tells the id, else the name.
        let filter = match known_as.starts_with("sg-") {
            true => "group-id",
            false => "group-name",
        };
        let found = security_groups(&self.seldom, filter, &known_as).await?;
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
        let clients = &self.seldom;
        let (admit, reach) = tokio::join!(
            security_groups(clients, "ip-permission.group-id", &group.id),
            security_groups(clients, "egress.ip-permission.group-id", &group.id),
        );
        Ok((admit?, reach?))
    }
}
