//! Tests of routing that need TLS and HTTP/2 upstreams; see `tests/routes`.
