//! Futures that would fill a thread's stack.

use std::pin::Pin;

/// Puts a large future on the heap as it is made.
///
/// Without optimisation `Box::pin(future())` keeps the future's place in the frame of whoever awaits
/// it, for as long as they do; here it is in a frame that ends at once. A deployment awaits a dozen
/// futures inside one another, some with the SDK's calls in them, and a thread that is not a
/// program's first has 2 MiB of stack.
#[inline(never)]
pub fn on_heap<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}
