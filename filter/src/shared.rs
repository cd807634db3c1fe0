//! What workers share, by Envoy's shared data, and what is shown of targets, by its metrics.

use crate::{host, metrics};
use kt_core::routing::{Metric, Shared};

/// Shared data of all plugins with the same `vm_id`.
pub(crate) struct SharedData;

impl Shared for SharedData {
    fn now_ns(&self) -> u64 {
        host::now_ns()
    }

    fn read(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        host::shared(key)
    }

    fn write(&self, key: &str, value: &[u8], version: u32) -> bool {
        host::set_shared(key, value, version)
    }

    fn measure(&self, metric: Metric, id: &str, value: u64) {
        metrics::record(metric.kind(), &[metric.name(), ";target=", id], value);
    }
}
