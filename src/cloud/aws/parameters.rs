//! Parameters of SSM's Parameter Store.

use std::collections::BTreeMap;

use aws_sdk_ssm::types::ParameterType;

use super::AwsCloud;
use super::failure::{failure, look_error};
use crate::cloud::{Failure, LookError};
use crate::preview::ParameterValue;

impl AwsCloud {
    /// What the parameters with these names hold, secure ones decrypted.
    ///
    /// # Errors
    /// [`LookError`]; a parameter that is not there is told by its name.
    pub async fn parameters(
        &self,
        names: &[&str],
    ) -> Result<BTreeMap<String, ParameterValue>, LookError> {
        let mut values = BTreeMap::new();
        for name in names {
            values.insert((*name).to_owned(), self.parameter(name).await?);
        }
        Ok(values)
    }

    async fn parameter(&self, name: &str) -> Result<ParameterValue, LookError> {
        let request = self
            .seldom
            .ssm()
            .get_parameter()
            .name(name)
            .with_decryption(true);
        let answer = request.send().await.map_err(|e| match failure(&e) {
            Failure::Service { code, .. } if code == "ParameterNotFound" => LookError::Refused(
                format!("there is no SSM parameter {name}: is its name right, and the region?"),
            ),
            _ => match look_error("GetParameter", &e) {
                LookError::Denied(why) => LookError::Denied(format!("SSM parameter {name}: {why}")),
                other => other,
            },
        })?;
        let found = answer.parameter;
        let is_list = found
            .as_ref()
            .is_some_and(|p| p.r#type == Some(ParameterType::StringList));
        let text = found.and_then(|p| p.value).unwrap_or_default();
        Ok(if is_list {
            ParameterValue::List(text.split(',').map(str::to_owned).collect())
        } else {
            ParameterValue::Text(text)
        })
    }
}
