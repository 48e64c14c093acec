//! Parameters of SSM's Parameter Store.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::json;

use super::clients::AwsCloud;
use super::failure::{failure, look_error};
use super::json::Json;
use super::signed::Service;
use crate::classify::Failure;
use crate::cloud::LookError;
use bluegreen_core::followers::preview::ParameterValue;

const SSM: Json = Json {
    service: Service {
        id: "SSM",
        name: "ssm",
        gov_is_fips: true,
    },
    target: "AmazonSSM",
};

/// The answer (API reference, `GetParameter`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(default)]
    value: String,
}

/// The value may be a secret.
impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameter").finish_non_exhaustive()
    }
}

impl AwsCloud {
    /// What the parameters with these names hold, secure ones decrypted.
    ///
    /// # Errors
    /// [`LookError`]; it names a parameter that does not exist.
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
        let asked = json!({ "Name": name, "WithDecryption": true });
        let answer = SSM.ask(&self.lazy_clients, "GetParameter", &asked).await;
        let Found { parameter } = answer.map_err(|e| match failure(&e) {
            Failure::Service { code, .. } if code == "ParameterNotFound" => LookError::Refused(
                format!("there is no SSM parameter {name}: is its name right, and the region?"),
            ),
            _ => match look_error("GetParameter", &e) {
                LookError::Denied(why) => LookError::Denied(format!("SSM parameter {name}: {why}")),
                other => other,
            },
        })?;
        let Parameter { kind, value: text } = parameter;
        Ok(if kind == "StringList" {
            ParameterValue::List(text.split(',').map(str::to_owned).collect())
        } else {
            ParameterValue::Text(text)
        })
    }
}
