//! The `pii-detector` policy.
