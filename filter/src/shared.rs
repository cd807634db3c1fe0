//! What workers share, by Envoy's shared data, and what is shown of targets, by its metrics.

use crate::host;
use kt_core::routing::{Metric, Shared};
use proxy_wasm::types::MetricType;
use std::cell::RefCell;

/// Shared data of all plugins with the same `vm_id`.
#[derive(Default)]
pub(crate) struct SharedData {
    /// Numbers of the metrics that were defined, by target and metric. 0 is not known yet; Envoy's numbers start above it.
    metrics: RefCell<Vec<u32>>,
}

impl SharedData {
    fn metric(&self, metric: Metric, target: usize, id: &str) -> Option<u32> {
        let mut metrics = self.metrics.borrow_mut();
        let position = target * Metric::COUNT + metric.index();
        if metrics.len() <= position {
            metrics.resize(position + 1, 0);
        }
        let known = metrics.get_mut(position)?;
        if *known == 0 {
            let kind = match metric {
                Metric::Attempts(_) => MetricType::Counter,
                Metric::Breaker | Metric::Healthy => MetricType::Gauge,
                Metric::Latency => MetricType::Histogram,
            };
            // The labels stand in the name; the bootstrap says how to take them out.
            *known = host::define_metric(kind, &[metric.name(), ";target=", id].concat())?;
        }
        Some(*known)
    }
}

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

    fn measure(&self, metric: Metric, target: usize, id: &str, value: u64) {
        let Some(number) = self.metric(metric, target, id) else { return };
        match metric {
            Metric::Attempts(_) => host::count_metric(number),
            _ => host::record_metric(number, value),
        }
    }
}
