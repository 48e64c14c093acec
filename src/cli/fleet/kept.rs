//! A fleet as its file and its record describe it.

use std::path::Path;

use super::super::context::Context;
use super::super::exit::{Exit, Failed};
use super::arguments::VersionArg;
use super::targets::{Prepared, again, found};
use crate::config::Options;
use crate::config::fleet::{FleetFile, Target};
use crate::fleet::{Member, Standing};
use crate::fleets::FleetJournal;
use crate::shared::FleetRecord;
use crate::text::for_shell;

/// A fleet: its file, its record, and how each of its targets is released.
pub(super) struct Fleet {
    /// For the fleet's own record.
    pub context: Context,
    pub file: FleetFile,
    /// Its targets as the file describes them now, in the order of the record.
    pub members: Vec<Member>,
    /// The same targets with their settings.
    pub targets: Vec<Target>,
    /// The text of the file.
    pub text: String,
    /// How they are released, in the same order.
    pub prepared: Vec<Prepared>,
    journal: FleetJournal,
    /// The path of the file, for the commands that messages name.
    path: String,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The fleet that the record holds, whether it is over or not.
    TheRecord,
    /// That one unless it is over.
    ANewRun,
    /// What the file describes, whatever has begun.
    TheFile,
}

impl Fleet {
    /// Reads the file and the record; `definition` knows every setting of a release.
    pub async fn open(
        options: &Options,
        path: &Path,
        version: &VersionArg,
        (of, definition): (Of, &clap::Command),
    ) -> Result<Fleet, Failed> {
        let (file, text) = FleetFile::read(path, definition)?;
        let mut options = options.clone();
        options.bucket = options
            .bucket
            .filter(|b| !b.is_empty())
            .or(file.bucket.clone());
        options.region = options.region.or(file.region.clone());
        let mut context = Context::open(&options).await?;
        context.share_limits();
        let shared = match context.options.no_shared_state || of == Of::TheFile {
            true => None,
            false => {
                context.names_a_bucket("a fleet keeps its record in one, for every machine")?;
                context.shared().await?
            }
        };
        let journal = FleetJournal::new(&file.name, shared);
        let record = match of {
            Of::TheFile => None,
            Of::TheRecord | Of::ANewRun => journal.read(&mut context.store).await?,
        };
        let record = record.filter(|record| !(of == Of::ANewRun && record.state.is_end()));
        let label = version.version_label.as_ref().filter(|l| !l.is_empty());
        let targets = match &record {
            Some(record) => of_record(&file, record)?,
            None => {
                let named = file.targets.iter().map(|target| (target.clone(), None));
                let found = found(&context, &file, definition).await?.into_iter();
                let found = found.map(|(target, query)| (target, Some(query)));
                named.chain(found).collect()
            }
        };
        if targets.is_empty() {
            let message = "no environment has the tags that the fleet's queries name";
            return Err(Failed::new(Exit::Refused, message).hint(
                "nothing was changed; `aws elasticbeanstalk list-tags-for-resource` shows the tags \
                 of one",
            ));
        }
        let (mut members, mut prepared) = (Vec::new(), Vec::new());
        let mut settled = Vec::new();
        for (target, query) in &targets {
            let one = Prepared::new((target, definition), &context.options, label)?;
            members.push(one.member(target, *query));
            prepared.push(one);
            settled.push(target.clone());
        }
        refuse_the_same_twice(&members)?;
        Ok(Fleet {
            context,
            file,
            members,
            targets: settled,
            text,
            prepared,
            journal,
            path: path.display().to_string(),
        })
    }

    /// Writes the record of a fleet that begins; one that is not over stays as it is, where it
    /// releases the same.
    pub async fn begin(&mut self) -> Result<(), Failed> {
        let now = self.context.clock.now();
        let (name, plan) = (self.file.name.clone(), self.file.plan.clone());
        let members = self.members.clone();
        let begun = |record: &mut Option<FleetRecord>| {
            if let Some(record) = record.as_ref().filter(|record| !record.state.is_end()) {
                let releases = |m: &Member| (m.name.clone(), m.version.clone());
                let same = record.members.iter().map(releases);
                return same.eq(members.iter().map(releases));
            }
            *record = Some(FleetRecord::new(&name, plan.clone(), members.clone(), now));
            true
        };
        let (_, is_this) = self.journal.change(&mut self.context.store, begun).await?;
        if is_this {
            return Ok(());
        }
        let file = for_shell(&self.path);
        let message = format!(
            "fleet {} is not over, and releases another version or to other targets",
            self.file.name
        );
        Err(Failed::new(Exit::Busy, message).hint(format!(
            "nothing was changed; `bluegreen fleet status {file}` shows it, `bluegreen fleet resume \
             {file}` continues it, `bluegreen fleet rollback {file}` returns its targets"
        )))
    }

    /// The record as it is now.
    pub async fn record(&mut self) -> Result<FleetRecord, Failed> {
        let found = self.journal.read(&mut self.context.store).await?;
        found.ok_or_else(|| self.missing())
    }

    /// The record after `change`, and what that returns; it runs again where another worker was
    /// faster.
    pub async fn change<T>(
        &mut self,
        mut change: impl FnMut(&mut FleetRecord) -> T,
    ) -> Result<(FleetRecord, T), Failed> {
        let now = self.context.clock.now();
        let of_record = |record: &mut Option<FleetRecord>| {
            record.as_mut().map(|record| {
                let before = record.clone();
                let told = change(record);
                if *record != before {
                    record.updated_at = now;
                }
                told
            })
        };
        let changed = self.journal.change(&mut self.context.store, of_record);
        let (record, told) = changed.await?;
        record.zip(told).ok_or_else(|| self.missing())
    }

    /// The number of the wave with this name.
    pub fn wave(&self, name: &str) -> Result<usize, Failed> {
        let waves = &self.file.plan.waves;
        let found = waves.iter().position(|wave| wave.name == name);
        found.ok_or_else(|| {
            let names: Vec<_> = waves.iter().map(|wave| wave.name.as_str()).collect();
            let message = format!("--wave {name:?}: fleet {} has no such wave", self.file.name);
            let hint = format!("nothing was changed; its waves are {}", names.join(", "));
            Failed::new(Exit::Usage, message).hint(hint)
        })
    }

    /// Notes how those of its deployments stand now that waited for an operator, who may have
    /// continued them by themselves.
    pub async fn update_rested(&mut self) -> Result<(), Failed> {
        let record = self.record().await?;
        let mut stands = Vec::new();
        for (number, member) in record.members.iter().enumerate() {
            let waits = matches!(member.standing, Standing::Held | Standing::Stuck);
            let Some(attempt) = member.attempt.as_ref().filter(|_| waits) else {
                continue;
            };
            let context = self.prepared[number].context(&self.context)?;
            let Ok(found) = context.find(Some(&attempt.deployment)).await else {
                continue;
            };
            if let Some(rest) = found.deployment.state.rest() {
                stands.push((number, attempt.deployment.clone(), Standing::from(rest)));
            }
        }
        self.change(|record| {
            for (number, deployment, standing) in &stands {
                let member = &mut record.members[*number];
                let is_same = member
                    .attempt
                    .as_ref()
                    .is_some_and(|attempt| attempt.deployment == *deployment);
                if is_same && member.standing != *standing {
                    member.standing = *standing;
                    member.why = None;
                }
            }
        })
        .await
        .map(drop)
    }

    /// The path of the file, as a shell takes it.
    pub fn path_for_shell(&self) -> String {
        for_shell(&self.path)
    }

    fn missing(&self) -> Failed {
        let message = format!("fleet {} was never run", self.file.name);
        Failed::new(Exit::NoDeployment, message).hint(format!(
            "begin it with: bluegreen fleet run {}",
            for_shell(&self.path)
        ))
    }
}

/// The targets of a record, with their settings in the file. A fleet keeps its targets and waves.
fn of_record(
    file: &FleetFile,
    record: &FleetRecord,
) -> Result<Vec<(Target, Option<usize>)>, Failed> {
    let changed = |what: &str| {
        let message = format!(
            "fleet {} has begun, and its file has other {what} now",
            file.name
        );
        Failed::new(Exit::Refused, message).hint(
            "nothing was changed; put the file back: a fleet that has begun keeps its targets and \
             its waves until it is over or rolled back",
        )
    };
    if file.plan.waves != record.plan.waves {
        return Err(changed("waves"));
    }
    let is_known = |name: &str| record.members.iter().any(|member| member.name == name);
    if !file.targets.iter().all(|target| is_known(&target.name)) {
        return Err(changed("targets"));
    }
    let of_member = |member: &Member| {
        let target = again(file, member)?;
        match target.wave == member.wave {
            true => Ok((target, member.query)),
            false => Err(changed("waves")),
        }
    };
    record.members.iter().map(of_member).collect()
}

/// Refuses two targets that are the same environment.
fn refuse_the_same_twice(members: &[Member]) -> Result<(), Failed> {
    for (number, member) in members.iter().enumerate() {
        let of = |m: &Member| (m.region.clone(), m.application.clone(), m.blue.clone());
        let mut earlier = members.iter().take(number);
        if let Some(other) = earlier.find(|other| of(other) == of(member)) {
            let message = format!(
                "targets {} and {} are the same environment, {} of {}",
                other.name, member.name, member.blue, member.application
            );
            return Err(Failed::new(Exit::Refused, message)
                .hint("nothing was changed; leave one of them out"));
        }
    }
    Ok(())
}
