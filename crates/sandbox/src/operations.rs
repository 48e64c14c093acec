//! The operations of the Query API.

mod applications;
mod create;
mod describe;
mod done;
mod events;
mod health;
mod info;
mod lifecycle;
mod managed_actions;
mod options;
mod platform;
mod rebuild;
mod roles;
mod saved;
mod settings;
pub(crate) mod table;
mod tags;
mod templates;
mod update;
mod versions;

use crate::operations::done::Done;
use crate::operations::table::Offer;
use crate::policy::beanstalk;
use crate::query::lists::check_lists;
use crate::reply::{Reply, refusal};
use crate::wire::error::ApiError;
use crate::wire::form::Form;
use crate::wire::{answer, json};
use crate::world::World;
use crate::world::fault::{FaultEffect, Reaches};

/// Carries out a request at the world's present time, faults included.
pub fn apply(world: &mut World, form: &Form) -> Reply {
    let operation = form.operation().to_owned();
    *world.calls.entry(operation.clone()).or_default() += 1;
    match world.struck(&operation, "") {
        None => perform(world, form),
        Some(FaultEffect::DropAnswer) => {
            let _ = perform(world, form);
            Reply::HangUp
        }
        Some(FaultEffect::SlowAnswer { milliseconds }) => perform(world, form).after(milliseconds),
        Some(FaultEffect::DropRequest) => Reply::HangUp,
        Some(FaultEffect::Late { seconds }) => {
            world.hold_up(form.clone(), seconds);
            Reply::HangUp
        }
        Some(FaultEffect::ForeignAnswer { page, reaches }) => {
            match reaches {
                Reaches::Never => {}
                Reaches::AtOnce => drop(perform(world, form)),
                Reaches::After(seconds) => world.hold_up(form.clone(), seconds),
            }
            Reply::Foreign(page)
        }
        Some(effect) => {
            let request_id = world.request_id();
            refused(form, &refusal(&effect), request_id)
        }
    }
}

/// Carries out a request as the service does when nothing goes wrong.
pub(crate) fn perform(world: &mut World, form: &Form) -> Reply {
    let request_id = world.request_id();
    let operation = form.operation();
    let admitted = world.check_session().and_then(|()| check_lists(form));
    let done = match admitted.and_then(|()| beanstalk::authorize(world, form)) {
        Ok(()) => dispatch(world, operation, form, &request_id),
        Err(denied) => {
            world.denied(operation);
            Err(denied)
        }
    };
    let is_stale = || world.quirks.stale_seconds > 0 && *world.seen() != world.view;
    if operation.starts_with("Describe") && is_stale() {
        *world.strikes.entry("stale_reads".to_owned()).or_default() += 1;
    }
    match done {
        Ok(result) => {
            if !table::only_reads(operation) {
                world.changed();
            }
            Reply::Answer {
                status: 200,
                body: match form.wants_json() {
                    true => json::answer(operation, result.as_ref(), &request_id),
                    false => answer::answer(operation, result.as_ref(), &request_id),
                },
                request_id,
            }
        }
        Err(error) => refused(form, &error, request_id),
    }
}

fn dispatch(world: &mut World, operation: &str, form: &Form, request_id: &str) -> Done {
    match table::offer(operation) {
        Some(Offer::Done(carry_out)) => carry_out(world, form, request_id),
        Some(Offer::Reads(read)) => read(world, form),
        Some(Offer::Refused(reason)) => Err(ApiError::new(
            "UnsupportedOperation",
            format!("The sandbox does not offer {operation}: {reason}."),
        )),
        None => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2010-12-01"),
        )),
    }
}

fn refused(form: &Form, error: &ApiError, request_id: String) -> Reply {
    Reply::Answer {
        status: error.status,
        body: match form.wants_json() {
            true => json::refusal(error, &request_id),
            false => error.to_xml(&request_id),
        },
        request_id,
    }
}
