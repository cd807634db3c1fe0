//! Server-sent events, as bytes.
//!
//! Follows the grammar of the WHATWG HTML standard, section 9.2, and knows nothing of what events say. Invariant: the
//! bytes of all frames, in order, are the bytes that came in.

pub mod decode;
pub mod encode;
