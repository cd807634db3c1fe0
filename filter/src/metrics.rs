//! Envoy's metrics, by their names.
//!
//! Decides no names. Invariant: a series is defined once in a VM, and found again without writing its name.

use crate::host;
use kt_core::fnv;
use kt_core::measure::Kind;
use proxy_wasm::types::MetricType;
use std::cell::RefCell;

thread_local! {
    /// Hashes of names and Envoy's numbers for them, by hash. The names are bounded, see `kt_core::measure`.
    static KNOWN: RefCell<Vec<(u64, u32)>> = const { RefCell::new(Vec::new()) };
}

/// Adds a value. The labels stand in the name; the bootstrap says how to take them out.
pub(crate) fn record(kind: Kind, parts: &[&str], value: u64) {
    let hash = parts.iter().fold(fnv::EMPTY, |hash, part| fnv::add(hash, part.as_bytes()));
    let number = KNOWN.with_borrow_mut(|known| match known.binary_search_by_key(&hash, |(hash, _)| *hash) {
        Ok(position) => known.get(position).map(|(_, number)| *number),
        Err(position) => {
            let kind = match kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let number = host::define_metric(kind, &parts.concat())?;
            known.insert(position, (hash, number));
            Some(number)
        }
    });
    match (number, kind) {
        (None, _) => {}
        (Some(number), Kind::Counter) => host::count_metric(number, value),
        (Some(number), _) => host::record_metric(number, value),
    }
}
