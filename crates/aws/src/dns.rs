//! Hosted zones of Route 53: reads records, and replaces what a hostname holds.

use aws_config::timeout::TimeoutConfig;
use aws_sdk_route53 as route53;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, RrType};

use super::clients::AwsCloud;
use super::failure::{PAGES_MAX, endless, failure, look_error};
use super::time::SendBy;
use crate::classify::describe;
use crate::classify::{Failure, Refusal, classify};
use crate::cloud::{LookError, Outcome};
use bluegreen_clock::Deadline;
use bluegreen_core::followers::preview::{Record, RecordSet, same_name};
use bluegreen_core::plan::REQUEST_TIMEOUT;

mod sets;

/// A hosted zone.
#[derive(Clone, Debug)]
pub struct HostedZone {
    client: route53::Client,
    id: String,
}

impl AwsCloud {
    /// The hosted zone with this id.
    #[must_use]
    pub fn hosted_zone(&self, id: &str) -> HostedZone {
        HostedZone {
            client: self.lazy_clients.route53().clone(),
            id: id.to_owned(),
        }
    }
}

impl HostedZone {
    /// The zone's name, without its last dot.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn name(&self) -> Result<String, LookError> {
        let answer = self.client.get_hosted_zone().id(&self.id).send().await;
        let answer = answer.map_err(|e| self.unfit("GetHostedZone", &e))?;
        let name = answer.hosted_zone.map(|zone| zone.name);
        Ok(name.unwrap_or_default().trim_end_matches('.').to_owned())
    }

    /// What a hostname holds now.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn record(&self, host: &str) -> Result<Record, LookError> {
        self.sets(Some(host)).await.map(Record::of)
    }

    /// Every record set of the zone.
    ///
    /// # Errors
    /// [`LookError`].
    pub async fn records(&self) -> Result<Vec<RecordSet>, LookError> {
        self.sets(None).await
    }

    /// The record sets of a hostname, or of the whole zone.
    async fn sets(&self, host: Option<&str>) -> Result<Vec<RecordSet>, LookError> {
        let mut found = Vec::new();
        let mut from = (host.map(str::to_owned), None::<RrType>, None::<String>);
        for _ in 0..PAGES_MAX {
            let (name, kind, identifier) = from;
            let page = self
                .client
                .list_resource_record_sets()
                .hosted_zone_id(&self.id)
                .set_start_record_name(name)
                .set_start_record_type(kind)
                .set_start_record_identifier(identifier)
                .send()
                .await
                .map_err(|e| self.unfit("ListResourceRecordSets", &e))?;
            for set in page.resource_record_sets {
                // The sets of a name follow one another.
                if host.is_some_and(|host| !same_name(host, &set.name)) {
                    return Ok(found);
                }
                found.push(sets::read(set));
            }
            if !page.is_truncated || page.next_record_name.is_none() {
                return Ok(found);
            }
            from = (
                page.next_record_name,
                page.next_record_type,
                page.next_record_identifier,
            );
        }
        Err(endless("ListResourceRecordSets"))
    }

    /// Makes a hostname that holds `from` hold `to`, in one batch: Route 53 deletes exactly `from`
    /// or refuses all of it, so that what somebody else has put there meanwhile stays. Safe to
    /// repeat: where an earlier attempt is the reason for the refusal, the outcome says that it is
    /// already so. An unclear one may still arrive while its signature is valid, and is applied
    /// then if the hostname holds `from` again.
    pub async fn replace(
        &self,
        host: &str,
        from: &Record,
        to: &Record,
        send_by: &Deadline,
    ) -> Outcome {
        if from.same(to) {
            let words = format!("{host} is {} already", to.in_words());
            return Outcome::NotApplied(Refusal::AlreadySo(words));
        }
        let batch = match batch(host, from, to) {
            Ok(batch) => batch,
            Err(error) => {
                let words = format!("the record of {host} cannot be written: {error}");
                return Outcome::NotApplied(Refusal::Invalid(words));
            }
        };
        let answer = self
            .client
            .change_resource_record_sets()
            .hosted_zone_id(&self.id)
            .change_batch(batch)
            .customize()
            .config_override(bounded(send_by))
            .send()
            .await;
        let failure = match answer {
            Ok(_) => {
                return Outcome::Applied {
                    request_id: None,
                    environment_id: None,
                };
            }
            Err(error) => failure(&error),
        };
        match classify(None, &failure) {
            Some(Refusal::Invalid(words)) if is_misfit(&failure) => {
                self.why_refused(host, to, words).await
            }
            Some(refusal) => Outcome::NotApplied(refusal),
            None => Outcome::Unclear(describe(&failure)),
        }
    }

    /// Why Route 53 refused a batch: it was applied before, or somebody else has changed the
    /// record.
    async fn why_refused(&self, host: &str, to: &Record, words: String) -> Outcome {
        match self.record(host).await {
            Ok(seen) if seen.same(to) => Outcome::NotApplied(Refusal::AlreadySo(words)),
            Ok(seen) => {
                let words = format!("{host} holds {} now: {words}", seen.in_words());
                Outcome::NotApplied(Refusal::Invalid(words))
            }
            Err(error) => Outcome::Unclear(format!("{words}; {error}")),
        }
    }

    /// Names a missing zone by its id.
    fn unfit<E>(
        &self,
        operation: &str,
        error: &route53::error::SdkError<E, route53::config::http::HttpResponse>,
    ) -> LookError
    where
        E: route53::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match failure(error) {
            Failure::Service { code, .. } if code == "NoSuchHostedZone" => {
                LookError::Refused(format!(
                    "there is no hosted zone {}: is --hosted-zone-id right, and the account?",
                    self.id
                ))
            }
            _ => look_error(operation, error),
        }
    }
}

fn is_misfit(failure: &Failure) -> bool {
    matches!(failure, Failure::Service { code, .. } if code == "InvalidChangeBatch" || code == "InvalidInput")
}

/// The changes in their order: a CNAME may stand only where nothing else does.
fn batch(host: &str, from: &Record, to: &Record) -> Result<ChangeBatch, BuildError> {
    let change = |action: &ChangeAction, set: &RecordSet| {
        let set = sets::written(set)?;
        let change = Change::builder().action(action.clone());
        change.resource_record_set(set).build()
    };
    let mut batch = ChangeBatch::builder().comment("bluegreen");
    for set in from.sets(host) {
        batch = batch.changes(change(&ChangeAction::Delete, &set)?);
    }
    for set in to.sets(host) {
        batch = batch.changes(change(&ChangeAction::Create, &set)?);
    }
    batch.build()
}

/// Limits all attempts together to the time that one request may take.
fn bounded(send_by: &Deadline) -> route53::config::Builder {
    let timeout = TimeoutConfig::builder().operation_timeout(REQUEST_TIMEOUT);
    route53::config::Builder::new()
        .timeout_config(timeout.build())
        .interceptor(SendBy(send_by.clone()))
}
