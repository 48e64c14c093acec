//! Work on several threads, and what failed of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::load::Machine;

/// The stack of a thread, in bytes: three quarters of the 2 MiB that Rust gives one. A release that
/// comes close to those overflows in these tests, before it does for users.
const STACK: usize = 3 * 512 * 1024;

/// Works on every one of these, on so many threads at a time; with the machine to itself where those
/// are more than two for each core.
///
/// # Panics
/// Where the work on any of them panics. It repeats every panic's message at the end, where people
/// look first in a long log.
#[track_caller]
pub fn in_parallel<T>(
    threads: usize,
    all: impl IntoIterator<Item = T, IntoIter: Send + ExactSizeIterator>,
    work: impl Fn(T) + Sync,
) {
    let all = all.into_iter();
    let machine = (threads.min(all.len()) > 2 * cores()).then(Machine::alone);
    let all = Mutex::new(all);
    let next = || all.lock().expect("no panic holds it").next();
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let worked = thread.spawn_scoped(scope, || {
                if let Some(machine) = &machine {
                    machine.joined();
                }
                while let Some(one) = next() {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(one))) {
                        let said = panic_message(&*panic).to_owned();
                        failed.lock().expect("no panic holds it").push(said);
                    }
                }
            });
            worked.expect("a thread");
        }
    });
    let failed = failed.into_inner().expect("no panic holds it");
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// What a panic said.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<String>() {
        Some(said) => said,
        None => panic.downcast_ref::<&str>().unwrap_or(&"a panic"),
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
