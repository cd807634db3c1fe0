//! Loopback ports for servers that cannot be handed a socket, such as Envoy.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where ports are looked for: below those that systems give to clients, and to listeners that ask for any.
///
/// Linux gives from 32768 up (`ip_local_port_range`), RFC 6335 has from 49152. A port from there that was free a moment ago may
/// be the far end of another test's connection the next.
const UNASSIGNED: Range<u32> = 12_000..32_768;

/// How far apart two processes begin, so that those which run at the same time do not meet; a prime, so that they spread.
const APART: u32 = 997;

/// A loopback port that was free a moment ago, and that this process does not give again before it has given all others.
pub fn free_port() -> io::Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = UNASSIGNED.end - UNASSIGNED.start;
    let begin = std::process::id().wrapping_mul(APART);
    for _ in UNASSIGNED {
        let step = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % count;
        let port = u16::try_from(UNASSIGNED.start + step).map_err(io::Error::other)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
