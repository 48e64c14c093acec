//! The operations of the Query API.

mod applications;
mod create;
mod describe;
mod events;
mod health;
mod levels;
mod platform;
mod roles;
mod templates;
mod update;

pub(crate) use platform::STACK;

use std::time::Duration;

use crate::faults::{FaultEffect, Page, Reaches};
use crate::wire::{ApiError, Form, Node, answer};
use crate::world::World;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer: the HTTP status and the body.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The XML.
        body: String,
        /// The request's id.
        request_id: String,
    },
    /// An answer that is not AWS's.
    Foreign(Page),
    /// The same, this much later.
    Slow(Box<Reply>, Duration),
    /// The connection closes without an answer.
    HangUp,
}

impl Reply {
    /// The same so many milliseconds later.
    pub(crate) fn after(self, milliseconds: u64) -> Reply {
        Reply::Slow(Box::new(self), Duration::from_millis(milliseconds))
    }
}

/// The result of an operation; none for a void one.
type Done = Result<Option<Node>, ApiError>;

impl World {
    /// Carries out a request at the world's present time, faults included.
    pub fn apply(&mut self, form: &Form) -> Reply {
        let operation = form.operation().to_owned();
        *self.calls.entry(operation.clone()).or_default() += 1;
        match self.struck(&operation, "") {
            None => self.perform(form),
            Some(FaultEffect::DropAnswer) => {
                let _ = self.perform(form);
                Reply::HangUp
            }
            Some(FaultEffect::SlowAnswer { milliseconds }) => {
                self.perform(form).after(milliseconds)
            }
            Some(FaultEffect::DropRequest) => Reply::HangUp,
            Some(FaultEffect::Late { seconds }) => {
                self.hold_up(form.clone(), seconds);
                Reply::HangUp
            }
            Some(FaultEffect::ForeignAnswer { page, reaches }) => {
                match reaches {
                    Reaches::Never => {}
                    Reaches::AtOnce => drop(self.perform(form)),
                    Reaches::After(seconds) => self.hold_up(form.clone(), seconds),
                }
                Reply::Foreign(page)
            }
            Some(effect) => {
                let request_id = self.request_id();
                refused(&refusal(&effect), request_id)
            }
        }
    }

    /// Carries out a request as the service does when nothing goes wrong.
    pub(crate) fn perform(&mut self, form: &Form) -> Reply {
        let request_id = self.request_id();
        let operation = form.operation();
        let admitted = self.check_session();
        let done = match admitted.and_then(|()| self.authorize(form)) {
            Ok(()) => self.dispatch(operation, form, &request_id),
            Err(denied) => {
                self.denied(operation);
                Err(denied)
            }
        };
        let is_stale = || self.quirks.stale_seconds > 0 && *self.seen() != self.view;
        if operation.starts_with("Describe") && is_stale() {
            *self.strikes.entry("stale_reads".to_owned()).or_default() += 1;
        }
        match done {
            Ok(result) => {
                self.changed();
                Reply::Answer {
                    status: 200,
                    body: answer(operation, result, &request_id),
                    request_id,
                }
            }
            Err(error) => refused(&error, request_id),
        }
    }

    fn dispatch(&mut self, operation: &str, form: &Form, request_id: &str) -> Done {
        match operation {
            "AbortEnvironmentUpdate" => self.abort_update(form, request_id),
            "AssociateEnvironmentOperationsRole" => self.associate_role(form),
            "CheckDNSAvailability" => self.check_dns(form),
            "CreateApplication" => self.create_application(form),
            "CreateApplicationVersion" => self.create_version(form),
            "CreateConfigurationTemplate" => self.create_template(form),
            "CreateEnvironment" => self.create_environment(form, request_id),
            "CreateStorageLocation" => Ok(Some(self.storage_location())),
            "DeleteApplicationVersion" => self.delete_version(form),
            "DeleteConfigurationTemplate" => self.delete_template(form),
            "DescribeAccountAttributes" => Ok(Some(self.account_attributes())),
            "DescribeApplications" => Ok(Some(self.describe_applications(form))),
            "DescribeApplicationVersions" => self.describe_versions(form),
            "DescribeConfigurationOptions" => self.describe_options(form),
            "DescribeConfigurationSettings" => self.describe_settings(form),
            "DescribeEnvironmentHealth" => self.environment_health(form),
            "DescribeEnvironmentManagedActionHistory" => self.managed_action_history(form),
            "DescribeEnvironmentManagedActions" => self.managed_actions(form),
            "DescribeEnvironmentResources" => self.environment_resources(form),
            "DescribeEnvironments" => self.describe_environments(form),
            "DescribeEvents" => self.describe_events(form),
            "DescribeInstancesHealth" => self.instances_health(form),
            "DescribePlatformVersion" => self.describe_platform(form),
            "DisassociateEnvironmentOperationsRole" => self.disassociate_role(form),
            "ListAvailableSolutionStacks" => Ok(Some(self.solution_stacks())),
            "ListPlatformBranches" => Ok(Some(self.platform_branches())),
            "ListPlatformVersions" => self.list_platforms(form),
            "ListTagsForResource" => self.list_tags(form),
            "RestartAppServer" => self.restart(form, request_id),
            "SwapEnvironmentCNAMEs" => self.swap(form, request_id),
            "TerminateEnvironment" => self.terminate(form, request_id),
            "UpdateApplicationVersion" => self.update_version(form),
            "UpdateEnvironment" => self.update_environment(form, request_id),
            "UpdateTagsForResource" => self.update_tags(form),
            "ValidateConfigurationSettings" => self.validate_settings(form),
            _ => Err(ApiError::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2010-12-01"),
            )),
        }
    }

    /// The index of the living environment that a request names by id or name.
    pub(crate) fn named(&self, form: &Form) -> Result<usize, ApiError> {
        let (id, name) = (form.get("EnvironmentId"), form.get("EnvironmentName"));
        self.find(id, name)
    }

    pub(crate) fn find(&self, id: Option<&str>, name: Option<&str>) -> Result<usize, ApiError> {
        if id.is_none() && name.is_none() {
            return Err(ApiError::new(
                "InvalidParameterCombination",
                "Either the EnvironmentName or the EnvironmentId parameter must be specified.",
            ));
        }
        let found = self.view.environments.iter().position(|e| {
            e.is_alive() && id.is_none_or(|id| e.id == id) && name.is_none_or(|name| e.name == name)
        });
        found.ok_or_else(|| {
            ApiError::invalid(match (id, name) {
                (Some(id), _) => format!("No Environment found for EnvironmentId = '{id}'."),
                (None, name) => format!(
                    "No Environment found for EnvironmentName = '{}'.",
                    name.unwrap_or_default()
                ),
            })
        })
    }

    fn require_application(&self, name: &str) -> Result<(), ApiError> {
        if self.view.applications.iter().any(|a| a.name == name) {
            Ok(())
        } else {
            Err(ApiError::invalid(format!(
                "No Application named '{name}' found."
            )))
        }
    }
}

fn refused(error: &ApiError, request_id: String) -> Reply {
    Reply::Answer {
        status: error.status,
        body: error.to_xml(&request_id),
        request_id,
    }
}

/// The answer of a fault that refuses.
pub(crate) fn refusal(effect: &FaultEffect) -> ApiError {
    match effect {
        FaultEffect::Throttle => ApiError::new("Throttling", "Rate exceeded"),
        FaultEffect::ExpiredCredentials => ApiError {
            status: 403,
            code: "ExpiredToken".to_owned(),
            message: "The security token included in the request is expired".to_owned(),
        },
        FaultEffect::ClockSkewed => ApiError {
            status: 403,
            code: "SignatureDoesNotMatch".to_owned(),
            message: "Signature expired: 20270115T080000Z is now earlier than 20270115T081000Z (20270115T081500Z - 5 min.)".to_owned(),
        },
        FaultEffect::Refuse {
            status,
            code,
            message,
        } => ApiError {
            status: *status,
            code: code.clone(),
            message: message.clone(),
        },
        _ => ApiError {
            status: 500,
            code: "InternalFailure".to_owned(),
            message: "An internal error has occurred.".to_owned(),
        },
    }
}

/// A page of a list, and the token of the next one.
fn page<T>(form: &Form, all: Vec<T>) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = match form.get("MaxRecords").or_else(|| form.get("MaxItems")) {
        None => 1000,
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=1000).contains(n))
            .ok_or_else(|| ApiError::invalid(format!("Value {text} at 'maxRecords' failed to satisfy constraint: Member must be between 1 and 1000")))?,
    };
    let start: usize = match form.get("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("after-")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| ApiError::invalid("The pagination token is invalid."))?,
    };
    let total = all.len();
    let shown: Vec<T> = all.into_iter().skip(start).take(size).collect();
    let next = start + shown.len();
    Ok((shown, (next < total).then(|| format!("after-{next}"))))
}

/// A limit on a name's length.
fn check_length(what: &str, value: &str, least: usize, most: usize) -> Result<(), ApiError> {
    let length = value.chars().count();
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "Value {value} at '{what}' failed to satisfy constraint: Member must have length between {least} and {most}"
    )))
}
