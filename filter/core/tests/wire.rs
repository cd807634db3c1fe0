//! Bodies and streams as they come over the wire, through the public interface of `message` and `sse`.

#[cfg(test)]
mod wire {
    mod delta;
    mod json;
    mod request;
    mod response;
    mod sse;
}
