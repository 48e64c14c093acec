//! The CloudFormation stacks behind the environments.

use super::AwsCloud;
use super::failure::{failure, look_error};
use crate::cloud::{Failure, LookError};

impl<P> AwsCloud<P> {
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
}
