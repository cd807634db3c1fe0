//! Ends streams that the gateway has cut, for clients that do not close them.
//!
//! proxy-wasm cannot end an answer, only reset it, and a reset in the callback that writes the last frame would lose the frame. So
//! the client gets [`GRACE`] to close, as every SDK does at once, and then the stream is reset: the upstream is cancelled and no
//! more tokens are billed. Invariant: a stream is in the list from its cut until it is logged, so every id is alive.

use crate::host;
use std::cell::RefCell;
use std::time::Duration;

/// From the last frame to the reset. Long enough for a slow client to have read the frame.
const GRACE: Duration = Duration::from_millis(500);

/// How often the list is looked at while there is something in it.
const TICK: Duration = Duration::from_millis(100);

thread_local! {
    /// Cut streams and when they are to be reset, in nanoseconds since 1970. All root contexts of a VM share them.
    static OPEN: RefCell<Vec<(u32, u64)>> = const { RefCell::new(Vec::new()) };
}

/// The stream has got its last frame.
pub(crate) fn begin(context: u32) {
    let due = host::now_ns() + GRACE.as_nanos() as u64;
    OPEN.with_borrow_mut(|open| open.push((context, due)));
    host::tick_every(TICK);
}

/// The stream is over.
pub(crate) fn end(context: u32) {
    OPEN.with_borrow_mut(|open| open.retain(|(known, _)| *known != context));
}

/// Resets what is due. Once nothing is left, the tick comes as often as it `usual`ly does.
pub(crate) fn tick(usual: Duration) {
    let now = host::now_ns();
    let (due, rest): (Vec<_>, Vec<_>) = OPEN.take().into_iter().partition(|(_, due)| *due <= now);
    if rest.is_empty() {
        host::tick_every(usual);
    }
    OPEN.set(rest);
    due.into_iter().for_each(|(context, _)| host::reset(context));
}
