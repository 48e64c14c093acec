//! The logs of instances, as the service pulls them into its bucket.

use crate::time::{Millis, system_time};
use crate::world::World;
use crate::world::due::Happening;
use crate::world::environment::{Environment, Instance};
use crate::world::storage::{Errand, Pulled};
use crate::world::view::Event;

/// How long it takes to pull the logs of an environment's instances. No public log states it to
/// the second; EB CLI waits two minutes at most.
const SECONDS: u64 = 10;
/// How long the pulled logs stay in the bucket: 15 minutes (API model,
/// `EnvironmentInfoDescription`).
pub(crate) const KEPT: Millis = 15 * 60 * 1000;
/// The log of the agent that deploys (developer guide, "Viewing logs").
const ENGINE: &str = "/var/log/eb-engine.log";

impl World {
    /// Begins to pull the logs of an environment's instances: `tail` or `bundle`.
    pub(crate) fn begin_pulling(&mut self, at: usize, kind: &str, request_id: &str) {
        let id = self.view.environments[at].id.clone();
        self.say_for(
            at,
            request_id,
            "requestEnvironmentInfo is starting.".to_owned(),
        );
        let what = Happening::LogsPulled {
            id,
            kind: kind.to_owned(),
            request_id: request_id.to_owned(),
        };
        self.plan(SECONDS, what);
    }

    pub(crate) fn end_pulling(&mut self, id: &str, kind: &str, request_id: &str) {
        self.discard_old_logs();
        let environments = self.view.environments.iter();
        let Some(at) = environments
            .clone()
            .position(|e| e.id == id && e.is_alive())
        else {
            return;
        };
        let environment = self.view.environments[at].clone();
        let bucket = self.storage_bucket();
        self.storage.errands.push(Errand::Make { bucket });
        for instance in &environment.instances {
            self.pull(&environment, instance, kind);
            let done = match kind {
                "bundle" => "bundling",
                _ => "tailing",
            };
            let text = format!(
                "[Instance: {}] Successfully finished {done} 1 log(s)",
                instance.id
            );
            self.say_for(at, request_id, text);
        }
        let text = "Pulled logs for environment instances.".to_owned();
        self.say_for(at, request_id, text);
    }

    fn pull(&mut self, environment: &Environment, instance: &Instance, kind: &str) {
        let log = self.engine_log(environment, instance);
        let (name, content) = match kind {
            "bundle" => (format!("BundleLogs-{}.zip", self.now), zipped(&log)),
            _ => (
                format!("TailLogs-{}.txt", self.now),
                tail(&log).into_bytes(),
            ),
        };
        let key = format!(
            "resources/environments/logs/{kind}/{}/{}/{name}",
            environment.id, instance.id
        );
        self.store(key.clone(), content);
        self.storage.pulled.push(Pulled {
            environment_id: environment.id.clone(),
            kind: kind.to_owned(),
            instance_id: instance.id.clone(),
            at: self.now,
            key,
        });
    }

    /// Removes the logs that were pulled too long ago.
    fn discard_old_logs(&mut self) {
        let kept_from = self.now.saturating_sub(KEPT);
        let pulled = std::mem::take(&mut self.storage.pulled);
        let (kept, old): (Vec<_>, Vec<_>) = pulled.into_iter().partition(|p| p.at >= kept_from);
        self.storage.pulled = kept;
        for pulled in old {
            self.unstore(pulled.key);
        }
    }

    /// An event of an environment that belongs to a request which does not occupy it.
    fn say_for(&mut self, at: usize, request_id: &str, message: String) {
        let environment = Environment {
            request_id: request_id.to_owned(),
            ..self.view.environments[at].clone()
        };
        self.say(&environment, "INFO", message);
    }

    /// The agent's log of an instance: its last deployment. The lines are those of public
    /// `eb-engine.log`s of Amazon Linux 2023.
    fn engine_log(&self, environment: &Environment, instance: &Instance) -> String {
        let began = self.deployed_at(environment, instance);
        let mut log = Log::from(began);
        let command = match instance.deployment_id {
            0 | 1 => "self-startup",
            _ => "app-deploy",
        };
        log.info("Starting...");
        log.info("Starting EBPlatform-PlatformEngine");
        log.info("no eb envtier info file found, skip loading env tier info.");
        log.info("Engine received EB command cfn-hup-exec");
        log.info(&format!(
            "Executing the {command} workflow: {}",
            instance.version_label
        ));
        for step in [
            "StageApplication",
            "RunAppDeployPreBuildHooks",
            "InstallDependency",
            "RunAppDeployPreDeployHooks",
            "EnableServices",
        ] {
            log.info(&format!("Executing instruction: {step}"));
        }
        let failed = instance.deployment_status == "Failed";
        match instance.deployment_status.as_str() {
            "Failed" => log.say(
                "ERROR",
                &format!(
                    "An error occurred during execution of command [{command}] - [FlipApplication]. \
                     Stop running the command. Error: deployment {} failed with error exit status 1",
                    instance.deployment_id
                ),
            ),
            "In Progress" => return log.text,
            _ => {
                log.info("Executing instruction: FlipApplication");
                log.info("Executing instruction: RunAppDeployPostDeployHooks");
                log.info("Executing cleanup logic");
            }
        }
        let (status, code) = if failed {
            ("FAILURE", 1)
        } else {
            ("SUCCESS", 0)
        };
        let result = format!(
            "CommandService Response: {{\"status\":\"{status}\",\"api_version\":\"1.0\",\
             \"results\":[{{\"status\":\"{status}\",\"msg\":\"Engine execution has {}\",\
             \"returncode\":{code},\"events\":[]}}]}}",
            match failed {
                true => "encountered an error.",
                false => "succeeded.",
            }
        );
        log.info(&result);
        log.info(&format!(
            "Platform Engine finished execution on command: {command}"
        ));
        log.text
    }

    /// When the last deployment to an instance began: the newest event that begins one, and not
    /// before the instance was launched.
    fn deployed_at(&self, environment: &Environment, instance: &Instance) -> Millis {
        let begins = |event: &&Event| {
            event.environment_id.as_deref() == Some(&environment.id)
                && event.message == "Deploying new version to instance(s)."
        };
        let found = self.view.events.iter().rev().find(begins);
        found.map_or(instance.launched, |event| event.at.max(instance.launched))
    }
}

/// A log in which every line is a tenth of a second after the one before it.
struct Log {
    at: Millis,
    text: String,
}

impl Log {
    fn from(at: Millis) -> Log {
        Log {
            at,
            text: String::new(),
        }
    }

    fn info(&mut self, line: &str) {
        self.say("INFO", line);
    }

    fn say(&mut self, severity: &str, line: &str) {
        let time = humantime::format_rfc3339_micros(system_time(self.at)).to_string();
        let time = time.replace('-', "/").replace('T', " ");
        let time = time.trim_end_matches('Z');
        self.text.push_str(&format!("{time} [{severity}] {line}\n"));
        self.at += 100;
    }
}

/// The last hundred lines (EB CLI, `logs`), below the log's name.
fn tail(log: &str) -> String {
    let rule = "-".repeat(40);
    let lines: Vec<&str> = log.lines().collect();
    let last = &lines[lines.len().saturating_sub(100)..];
    format!("{rule}\n{ENGINE}\n{rule}\n{}\n", last.join("\n"))
}

/// A zip archive of the log below its path.
fn zipped(log: &str) -> Vec<u8> {
    let write = || -> Result<Vec<u8>, rawzip::Error> {
        let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
        let (mut entry, config) = archive.new_file(ENGINE.trim_start_matches('/')).start()?;
        let mut writer = config.wrap(&mut entry);
        std::io::Write::write_all(&mut writer, log.as_bytes())?;
        let (_, descriptor) = writer.finish()?;
        entry.finish(descriptor)?;
        archive.finish()
    };
    // Writing into memory cannot fail.
    write().unwrap_or_default()
}
