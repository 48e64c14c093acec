//! Who loads the machine: many at a time, or one alone.
//!
//! A process that gets no core for the length of a lease, or for as long as a poll holds, stops or
//! rolls back, as it should, and its test fails. A test that keeps every core busy therefore has the
//! machine to itself.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard};

/// Who loads the machine now.
struct Load {
    /// How many sandboxes are served, beside each other.
    sandboxes: usize,
    is_taken: bool,
    /// How many wait to have the machine alone: no other sandbox goes before them.
    waiting: usize,
}

static LOAD: Mutex<Load> = Mutex::new(Load {
    sandboxes: 0,
    is_taken: false,
    waiting: 0,
});
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// Whether this thread belongs to a test that has its part already: a second sandbox, or one of
    /// those that work in parallel.
    static HAS_A_PART: Cell<bool> = const { Cell::new(false) };
}

fn load() -> MutexGuard<'static, Load> {
    LOAD.lock().expect("no panic holds it")
}

/// A sandbox's part of the machine, until it is dropped.
pub struct Part(bool);

impl Part {
    /// Waits until nobody has the machine alone, or wants to.
    pub fn of_a_sandbox() -> Part {
        if HAS_A_PART.replace(true) {
            return Part(false);
        }
        let reserved = |load: &mut Load| load.is_taken || load.waiting > 0;
        let mut load = CHANGED
            .wait_while(load(), reserved)
            .expect("no panic holds it");
        load.sandboxes += 1;
        Part(true)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.0 {
            HAS_A_PART.set(false);
            load().sandboxes -= 1;
            CHANGED.notify_all();
        }
    }
}

/// The machine, alone, until it is dropped.
pub struct Machine(());

impl Machine {
    /// Waits until no sandbox is served and nobody has it.
    pub fn alone() -> Machine {
        let mut waiting = load();
        waiting.waiting += 1;
        let busy = |load: &mut Load| load.is_taken || load.sandboxes > 0;
        let mut load = CHANGED
            .wait_while(waiting, busy)
            .expect("no panic holds it");
        load.waiting -= 1;
        load.is_taken = true;
        Machine(())
    }

    /// What this thread does belongs to whoever has the machine.
    pub fn joined(&self) {
        HAS_A_PART.set(true);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        load().is_taken = false;
        CHANGED.notify_all();
    }
}
