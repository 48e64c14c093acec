//! Lets time pass in a world, and requests that were held up arrive.

use crate::time::Millis;
use crate::world::World;
use crate::world::due::Late;
use crate::{operations, services};

/// Lets everything happen that is due up to `now`, in order of time.
pub fn advance(world: &mut World, now: Millis) {
    while let Some(arrival) = world.pass_until(now) {
        let before = std::mem::replace(&mut world.asking, arrival.asking);
        // Nobody waits for the answer any more.
        let _ = match &arrival.request {
            Late::Query(form) => operations::perform(world, form),
            Late::Service(request) => services::perform(world, request),
        };
        world.asking = before;
        world.changed();
    }
}
