//! A fleet as its file and its record describe it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::super::context::Context;
use super::super::exit::{Exit, Failed};
use super::arguments::VersionArg;
use super::attempt::Ended;
use super::targets::{Prepared, again, found};
use crate::config::Options;
use crate::config::fleet::{FleetFile, Target};
use crate::config::layers::of_a_release;
use crate::fleet::{FleetState, Member, Standing};
use crate::fleets::FleetJournal;
use crate::plan::Goal;
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
    /// What reads the deployments of each target, once it was needed: each new one would open the
    /// journal and load the credentials anew.
    readers: Vec<OnceCell<Context>>,
    /// Whether there was no record, or one that is over for this file.
    begins: bool,
    /// The path of the file, for the commands that messages name.
    path: String,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The fleet that the record holds, whether it is over or not.
    TheRecord,
    /// That one, unless it is over and the file releases something else, or `anew` is ordered.
    ANewRun {
        /// Whether a fleet begins anew that has released the same.
        anew: bool,
    },
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
        let release = &of_a_release(definition);
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
            Of::TheRecord | Of::ANewRun { .. } => journal.read(&mut context.store).await?,
        };
        let label = version.version_label.as_ref().filter(|l| !l.is_empty());
        let record = match (record, of) {
            (Some(record), Of::ANewRun { anew }) if record.state.is_end() => {
                let same =
                    !anew && releases_the_same(&context, &file, &record, (release, label)).await?;
                same.then_some(record)
            }
            (record, _) => record,
        };
        let targets = match &record {
            Some(record) => of_record(&file, record)?,
            None => {
                let named = file.targets.iter().map(|target| (target.clone(), None));
                let found = found(&context, &file, release).await?.into_iter();
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
            let mut one = Prepared::new((target, release), &context.options, label)?;
            if matches!(of, Of::ANewRun { .. }) && record.is_none() {
                // Every wave releases the version that the first one has.
                one.settle_its_version(&context).await?;
            }
            members.push(one.member(target, *query));
            let known = record
                .as_ref()
                .map(|record| &record.members[members.len() - 1]);
            if let Some(kept) = known.filter(|known| !known.standing.begins_again()) {
                // What has begun with a version ends with it.
                one.args.version(kept.version.clone());
            }
            prepared.push(one);
            settled.push(target.clone());
        }
        refuse_the_same_twice(&members, &prepared)?;
        Ok(Fleet {
            context,
            file,
            members,
            targets: settled,
            text,
            readers: prepared.iter().map(|_| OnceCell::new()).collect(),
            prepared,
            begins: record.is_none(),
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
        let begins = self.begins;
        let begun = |record: &mut Option<FleetRecord>| {
            if let Some(record) = record
                .as_ref()
                .filter(|record| !begins || !record.state.is_end())
            {
                let differs = differs(&record.members, &members);
                return match record.state {
                    FleetState::RolledBack => Begun::WasRolledBack,
                    _ if differs => Begun::IsAnother,
                    _ => Begun::Continues,
                };
            }
            let mut members = members.clone();
            for member in &mut members {
                member.live = record
                    .as_ref()
                    .and_then(|before| live_of(before, &member.name));
            }
            *record = Some(FleetRecord::new(&name, plan.clone(), members, now));
            Begun::Continues
        };
        let (_, begun) = self.journal.change(&mut self.context.store, begun).await?;
        let file = for_shell(&self.path);
        match begun {
            Begun::Continues => return Ok(()),
            Begun::IsAnother => {}
            Begun::WasRolledBack => {
                let message = format!(
                    "fleet {} has released this version, and was rolled back",
                    self.file.name
                );
                return Err(Failed::new(Exit::Refused, message).hint(format!(
                    "nothing was changed; if you want to release it again: bluegreen fleet run {file} \
                     --anew"
                )));
            }
        }
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

    /// Notes how its deployments stand now: their process may be gone, and an operator may have
    /// continued one by its id.
    pub async fn update_rested(&mut self) -> Result<(), Failed> {
        let record = self.record().await?;
        let ended = self.rested(&record).await?;
        if ended.is_empty() {
            return Ok(());
        }
        self.change(|record| {
            for (number, before, ended) in &ended {
                let member = &mut record.members[*number];
                if member == before {
                    ended.note(member);
                }
            }
        })
        .await
        .map(drop)
    }

    /// What reads the deployments of a target, by its number.
    pub fn reader(&self, number: usize) -> Result<&Context, Failed> {
        let reader = &self.readers[number];
        if reader.get().is_none() {
            let _ = reader.set(self.prepared[number].context(&self.context)?);
        }
        reader
            .get()
            .ok_or_else(|| Failed::bug(&"a reader was made and is not there"))
    }

    /// The record with its targets as their deployments stand now.
    pub async fn as_it_stands(&self, mut record: FleetRecord) -> Result<FleetRecord, Failed> {
        for (number, _, ended) in self.rested(&record).await? {
            ended.note(&mut record.members[number]);
        }
        Ok(record)
    }

    /// The targets whose deployment rests and which the record says stand in another way, as it has
    /// them.
    async fn rested(&self, record: &FleetRecord) -> Result<Vec<(usize, Member, Ended)>, Failed> {
        let mut rested = Vec::new();
        for (number, member) in record.members.iter().enumerate() {
            let may_rest = matches!(
                member.standing,
                Standing::UnderWay | Standing::Interrupted | Standing::Held | Standing::Stuck
            );
            let Some(attempt) = member.attempt.as_ref().filter(|_| may_rest) else {
                continue;
            };
            let reader = self.reader(number)?;
            let Ok(Some(found)) = reader.known(&attempt.deployment).await else {
                continue;
            };
            let is_undone = attempt.goal == Goal::Previous && member.standing == Standing::Stuck;
            if found.deployment.state.rests() && !is_undone {
                let ended = Ended::Rests(Box::new(found.deployment));
                let mut noted = member.clone();
                ended.note(&mut noted);
                if noted.standing != member.standing {
                    rested.push((number, member.clone(), ended));
                }
            }
        }
        Ok(rested)
    }

    /// Refuses another version than that with which the fleet has begun, for what has not failed.
    pub fn releases_what_it_began_with(&self, record: &FleetRecord) -> Result<(), Failed> {
        let open = record.members.iter().zip(&self.members);
        let mut open = open.filter(|(kept, _)| kept.is_open());
        let other = open.find(|(kept, now)| now.version.is_some() && kept.version != now.version);
        let Some((kept, now)) = other else {
            return Ok(());
        };
        let version = |member: &Member| member.version.clone().unwrap_or("the newest".to_owned());
        let message = format!(
            "fleet {} releases {} to {}, and the file or --version-label says {}",
            self.file.name,
            version(kept),
            kept.name,
            version(now)
        );
        Err(Failed::new(Exit::Refused, message).hint(
            "nothing was changed; a fleet that has begun keeps its version: continue it with that one, or \
             roll it back and run the other one",
        ))
    }

    /// The flags with which a target's deployment is found from everywhere.
    pub fn place_of(&self, member: &Member) -> String {
        let number = self.members.iter().position(|one| one.name == member.name);
        let Some(prepared) = number.map(|number| &self.prepared[number]) else {
            return String::new();
        };
        let options = &prepared.options;
        let bucket = Some(prepared.config.bucket.clone()).filter(|_| !options.no_shared_state);
        let flags = [
            ("bucket", bucket),
            ("region", options.region.clone()),
            ("profile", options.profile.clone()),
            ("role", options.role.clone()),
            ("external-id", options.external_id.clone()),
        ];
        let given = flags.into_iter().filter_map(|(name, value)| {
            let value = value.filter(|value| !value.is_empty())?;
            Some(format!(" --{name} {}", for_shell(&value)))
        });
        given.collect()
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

/// What became of the order to begin a fleet.
#[derive(Clone, Copy)]
enum Begun {
    /// It begins, or is under way, or has released the same.
    Continues,
    /// One that releases something else is not over.
    IsAnother,
    /// It has released the same, and was rolled back.
    WasRolledBack,
}

/// The deployment that has released what a target runs, as a fleet that is over knows it.
fn live_of(before: &FleetRecord, name: &str) -> Option<String> {
    let member = before.members.iter().find(|member| member.name == name)?;
    let attempt = member.attempt.as_ref();
    let is_live = member.standing == Standing::Completed;
    let attempt = attempt.filter(|attempt| is_live && attempt.goal == Goal::Release);
    Some(attempt?.deployment.clone())
}

/// Whether the file has other targets than the record, or another version for one that is open.
fn differs(kept: &[Member], now: &[Member]) -> bool {
    let other = |(kept, now): (&Member, &Member)| {
        let names_another = now.version.is_some() && kept.version != now.version;
        kept.name != now.name || kept.is_open() && names_another
    };
    kept.len() != now.len() || kept.iter().zip(now).any(other)
}

/// Whether the file releases what a fleet that is over has released, to the same targets.
async fn releases_the_same(
    context: &Context,
    file: &FleetFile,
    record: &FleetRecord,
    (release, label): (&clap::Command, Option<&String>),
) -> Result<bool, Failed> {
    let Ok(targets) = of_record(file, record) else {
        return Ok(false);
    };
    for ((target, _), member) in targets.iter().zip(&record.members) {
        let mut one = Prepared::new((target, release), &context.options, label)?;
        one.settle_its_version(context).await?;
        if one.args.version_label() != member.version {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Refuses targets that use an environment of the same name: each is blue or green of one alone.
fn refuse_the_same_twice(members: &[Member], prepared: &[Prepared]) -> Result<(), Failed> {
    let mut used = BTreeMap::new();
    for (member, prepared) in members.iter().zip(prepared) {
        let (options, config) = (&prepared.options, &prepared.config);
        let account = (&options.profile, &options.role, &options.region);
        for name in [&config.blue, &config.green] {
            if let Some(other) = used.insert((account, name), &member.name) {
                let message = format!(
                    "targets {other} and {} both use the environment {name}",
                    member.name
                );
                return Err(Failed::new(Exit::Refused, message).hint(
                    "nothing was changed; leave one of them out, or give one another `green`",
                ));
            }
        }
    }
    Ok(())
}
