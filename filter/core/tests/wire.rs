//! Bodies and streams as they come over the wire, through the public interface of `message` and `sse`.

#![allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails, which is all it has to do")]

#[cfg(test)]
mod wire {
    mod delta;
    mod json;
    mod request;
    mod response;
    mod sse;
}
