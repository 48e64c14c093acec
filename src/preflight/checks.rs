//! The checks, brought together: each reads what it needs and says what it found. Reads
//! only.

mod access;
mod answers;
mod blue;
mod both;
mod green;
mod groups;
mod inspector;
mod launch;
mod release;
mod traffic;
mod unmanaged;

pub(super) use self::inspector::{GRANT, Inspector};

use self::inspector::{Found, Read, unread};
use self::traffic::{previewed, unfit};
use super::check::{Check, Finding};
use super::inspection::{Facts, Inspection};
use crate::cloud::{Configuration, LookError};
use crate::heap::on_heap;

impl Inspector<'_> {
    /// Every check. What cannot be read refuses where a release needs it, and leaves a check
    /// unknown where that alone does.
    ///
    /// # Errors
    /// [`LookError::Credentials`].
    pub async fn inspect(&self) -> Result<Inspection, LookError> {
        let tier = self.worker_tier();
        if tier.refuses() {
            // Nothing else that is checked is of a worker.
            return Ok(Inspection {
                findings: vec![tier],
                facts: None,
                preview: None,
                blue_group: None,
                unmet: Vec::new(),
            });
        }
        let mut findings = vec![
            Check::Application.passed(format!(
                "application {} is in {} of account {}",
                self.target.application, self.target.region, self.target.account
            )),
            Check::Environments.passed(format!("{} is {}", self.blue.name, self.blue.id)),
            tier,
        ];
        let read = on_heap(|| self.read(&mut findings)).await?;
        let facts = self.facts(&read);
        let registers = matches!(&read.version, Ok((_, None)));
        let configuration = read.configuration.as_ref();
        let caller = self.cloud.caller().await;
        let (
            green,
            cname,
            platform,
            action,
            quotas,
            protection,
            records,
            bucket,
            alarms,
            permissions,
            previous,
            answers,
            groups,
            launch,
            unmanaged,
            counted,
        ) = tokio::join!(
            on_heap(|| self.green_name()),
            on_heap(|| self.green_cname()),
            on_heap(|| self.platform_branch(configuration)),
            self.cloud.managed_action(&self.blue.name),
            on_heap(|| self.quotas(registers, configuration)),
            self.termination_protection(),
            self.cloud.zone_records(),
            on_heap(|| self.bucket()),
            on_heap(|| self.alarms()),
            on_heap(|| self.permissions(&caller, &read)),
            on_heap(|| self.previous_version()),
            on_heap(|| self.answers(configuration)),
            self.security_groups(),
            on_heap(|| self.launched(configuration)),
            on_heap(|| self.unmanaged_changes(configuration)),
            self.request_count(),
        );
        let zones = records.as_ref().map(|records| records.found.as_slice());
        let sets = zones.unwrap_or_default().iter().map(|(_, set)| set.clone());
        let sets: Vec<_> = sets.collect();
        let names = self.names(&sets, read.preview.as_ref()).await;
        findings.push(self.tests(&sets, &names, &read, &answers));
        let unmet = answers.iter().filter(|(_, probe)| !probe.passed);
        let unmet = unmet.map(|(at, _)| *at).collect();
        let (groups, blue_group) = match groups {
            Ok((finding, group)) => (Ok(finding), group),
            Err(error) => (Err(error), None),
        };
        for (check, found) in [
            (Check::Credentials, self.credentials(caller)),
            (Check::GreenName, green),
            (Check::GreenCname, cname),
            (Check::PlatformBranch, platform),
            (Check::Quotas, quotas),
            (Check::TerminationProtection, protection),
            (Check::DnsRecords, self.dns_records(&records, &names)),
            (Check::Bucket, bucket),
            (Check::Alarms, alarms),
            (Check::Permissions, permissions),
            (Check::PreviousVersion, previous),
            (Check::SecurityGroups, groups),
            (Check::UnmanagedChanges, unmanaged),
            (Check::RequestCount, counted),
        ] {
            findings.push(known(check, found)?);
        }
        if let Some(launch) = launch {
            findings.push(known(Check::LaunchOptions, launch)?);
        }
        findings.extend(self.versions(read.version));
        let mut inspection = Inspection {
            findings,
            facts,
            preview: read.preview,
            blue_group,
            unmet,
        };
        let update = action.map(|action| self.managed_update(action, &inspection));
        inspection
            .findings
            .push(known(Check::ManagedUpdate, update)?);
        let allow = &self.wanted.allow;
        inspection.findings = inspection
            .findings
            .into_iter()
            .map(|finding| finding.unless_allowed(allow))
            .collect();
        inspection.findings.sort_by_key(|finding| finding.check);
        Ok(inspection)
    }

    /// What is found of blue's options; `None` where they could not be read, which is already
    /// reported.
    async fn launched(&self, configuration: Option<&Configuration>) -> Option<Found> {
        Some(self.launch_options(configuration?).await)
    }

    /// Reads what a release needs, with what is found of it.
    async fn read(&self, findings: &mut Vec<Finding>) -> Result<Read, LookError> {
        let (version, tags, configuration, instances, preview, nodes) = tokio::join!(
            on_heap(|| self.version()),
            self.cloud.tags(&self.blue.arn),
            self.cloud.configuration(&self.config.app, &self.blue.name),
            self.instances(),
            self.preview(),
            self.nodes(),
        );
        let version = match version {
            Err(error) => Err(unread(Check::Version, error)?),
            Ok(version) => version,
        };
        let configuration = match configuration {
            Ok(configuration) => Some(configuration),
            Err(error) => {
                for check in [Check::CoupledDatabase, Check::SharedLoadBalancer] {
                    findings.push(unread(check, error.clone())?);
                }
                for check in [
                    Check::SingleInstance,
                    Check::TwoEnvironments,
                    Check::DeploymentPolicy,
                    Check::ScheduledActions,
                    Check::LaunchOptions,
                ] {
                    findings.push(known(check, Err(error.clone()))?);
                }
                None
            }
        };
        let mut rules = Vec::new();
        if let Some(configuration) = &configuration {
            findings.extend([
                self.coupled_database(configuration),
                self.single_instance(configuration),
                self.two_environments(configuration),
                self.deployment_policy(configuration),
                self.scheduled_actions(configuration),
            ]);
            findings.push(match self.rules(configuration).await {
                Ok(balancer) => {
                    let found = self.shared_balancer(configuration, balancer.as_ref());
                    rules = balancer.map_or_else(Vec::new, |balancer| balancer.following);
                    found
                }
                Err(error) => unread(Check::SharedLoadBalancer, error)?,
            });
        }
        let tags = match tags {
            Ok(tags) => {
                findings.push(self.tags(&tags, configuration.as_ref()));
                Some(tags)
            }
            Err(error) => {
                findings.push(unread(Check::Tags, error)?);
                None
            }
        };
        let instances = match instances {
            Ok((instances, causes)) => {
                let configuration = configuration.as_ref();
                findings.push(self.blue_healthy(instances, &causes, configuration));
                Some(instances)
            }
            Err(error) => {
                findings.push(unread(Check::BlueHealthy, error)?);
                None
            }
        };
        let preview = match preview {
            Ok(preview) => {
                findings.push(previewed(preview.as_ref()));
                preview
            }
            Err(refused) => {
                findings.push(unfit(refused)?);
                None
            }
        };
        findings.push(self.expected_differences(configuration.as_ref(), tags.as_deref()));
        Ok(Read {
            version,
            tags,
            configuration,
            instances,
            preview,
            rules,
            nodes,
        })
    }

    fn facts(&self, read: &Read) -> Option<Facts> {
        Some(Facts {
            production_cname: self.blue.cname.clone()?,
            previous_version: self.blue.version_label.clone()?,
            version: read.version.as_ref().ok()?.0.clone(),
            is_registered: read.version.as_ref().ok()?.1.is_some(),
            tags: read.tags.clone()?,
            configuration: read.configuration.clone()?,
            instances: read.instances?,
            nodes: read.nodes,
        })
    }
}

/// A check that could not read what it needs is unknown; nothing is known without credentials.
fn known(check: Check, found: Found) -> Found {
    match found {
        // The lease is written before anything else.
        Err(LookError::Denied(why)) if check == Check::Bucket => {
            Ok(check.refused(why, check.about().remedy))
        }
        Err(LookError::Passing(why) | LookError::Denied(why)) => Ok(check.unknown(why)),
        // Alarms, buckets and zones that are not there are named so.
        Err(LookError::Refused(why)) => Ok(match check {
            Check::Alarms | Check::Bucket => check.refused(why, check.about().remedy),
            _ => check.unknown(why),
        }),
        found => found,
    }
}
