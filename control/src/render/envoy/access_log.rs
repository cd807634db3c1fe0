//! The log: one JSON line per exchange.
//!
//! The filter's event if it made one; else, for what never reached it or broke it, what Envoy knows. Invariant: no header of
//! the request is logged, because the key of a target may stand in it.

use super::Rendering;
use super::shared_budget::service_cluster;
use crate::envoy::*;
use crate::render::plugin::sha256_hex;
use kt_core::config::Otlp;
use kt_core::exchange::ATTRIBUTES;
use kt_core::plan::host_and_port;
use serde_json::json;

/// Filter state in which the filter leaves its event. Empty: the exchange is not to be logged.
const EVENT: &str = "wasm.kt.event";

impl Rendering<'_> {
    pub(super) fn access_log(&self) -> Vec<AccessLog> {
        let mut loggers = Vec::new();
        if self.plan.config.policies.chain.iter().any(|entry| entry.name == "audit-logger") {
            // The event brings its own line end, and no event is no text: a logger without a filter costs least.
            let event = format!("%FILTER_STATE({EVENT}:PLAIN)%");
            loggers.push(self.file(
                None,
                SubstitutionFormatString {
                    omit_empty_values: true,
                    content_type: None,
                    format: Format::TextFormatSource(DataSource::InlineString(event)),
                },
            ));
        }
        loggers.extend(self.collector());
        loggers.push(self.file(
            Some(without_event()),
            SubstitutionFormatString {
                omit_empty_values: false,
                content_type: None,
                format: Format::JsonFormat(self.native_event()),
            },
        ));
        loggers
    }

    fn file(&self, filter: Option<AccessLogFilter>, log_format: SubstitutionFormatString) -> AccessLog {
        AccessLog {
            name: "envoy.access_loggers.file".into(),
            filter,
            typed_config: Any::FileAccessLog(FileAccessLog {
                path: self.deployment.access_log.display().to_string(),
                log_format,
            }),
        }
    }

    /// The event as a log record for a collector.
    fn collector(&self) -> Option<AccessLog> {
        self.otlp()?;
        let state = |key: &str| format!("%FILTER_STATE(wasm.{key}:PLAIN)%");
        let attributes = ATTRIBUTES.iter().map(|(key, name)| KeyValue::text(name, state(key)));
        let envoys = [
            KeyValue::text("http.response.status_code", "%RESPONSE_CODE%"),
            KeyValue::text("url.path", "%PATH(NQ)%"),
        ];
        Some(AccessLog {
            name: "envoy.access_loggers.open_telemetry".into(),
            // An exchange whose event is not wanted has none of the attributes either.
            filter: Some(expression("'wasm.kt.otel.verdict' in filter_state")),
            typed_config: Any::OpenTelemetryAccessLog(OpenTelemetryAccessLog {
                log_name: "kt".into(),
                grpc_service: GrpcService {
                    envoy_grpc: EnvoyGrpc { cluster_name: self.collector_name() },
                    timeout: Seconds::from_secs(1),
                },
                resource_attributes: KeyValues { values: vec![KeyValue::text("service.name", "kt")] },
                body: AnyValue { string_value: state("kt.event") },
                attributes: KeyValues { values: attributes.chain(envoys).collect() },
            }),
        })
    }

    /// The collector, where there is one and the chain has events.
    pub(super) fn otlp(&self) -> Option<&Otlp> {
        let is_wanted = self.plan.config.policies.chain.iter().any(|entry| entry.name == "audit-logger");
        self.plan.config.policy.audit_logger.as_ref()?.otlp.as_ref().filter(|_| is_wanted)
    }

    fn collector_name(&self) -> String {
        self.service_name("kt_collector")
    }

    pub(super) fn collector_cluster(&self) -> Option<Cluster> {
        let (host, port) = host_and_port(&self.otlp()?.address)?;
        Some(service_cluster(self.collector_name(), "kt_collector", host, port))
    }

    /// What Envoy knows, under the names of the audit event.
    fn native_event(&self) -> serde_json::Value {
        let pack = &self.plan.config.pack;
        let literal = |text: &str| text.replace('%', "%%");
        json!({
            "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
            "request_id": "%STREAM_ID%",
            "pack": literal(&pack.name),
            "pack_version": literal(&pack.version),
            "config_sha256": sha256_hex(self.source.as_bytes()),
            "endpoint": "%PATH(NQ)%",
            "status": "%RESPONSE_CODE%",
            "ended": "not_inspected",
            "details": "%RESPONSE_CODE_DETAILS%",
            "flags": "%RESPONSE_FLAGS%",
            "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
            "latency_ms": {"total": "%DURATION%"},
        })
    }
}

/// What the filter has not seen or not survived ends in an error of Envoy's. The status is looked at first, because the
/// expression costs as much as all other logging of an exchange.
fn without_event() -> AccessLogFilter {
    let failed = AccessLogFilter::StatusCodeFilter(StatusCodeFilter {
        comparison: ComparisonFilter {
            op: "GE",
            value: RuntimeUInt32 { default_value: 400, runtime_key: "kt.access_log.least_status".into() },
        },
    });
    let unseen = expression(&format!("!('{EVENT}' in filter_state)"));
    AccessLogFilter::AndFilter(AndFilter { filters: vec![failed, unseen] })
}

/// A filter on an expression over the request, the response and the filter state.
pub(super) fn expression(expression: &str) -> AccessLogFilter {
    let filter = Any::ExpressionFilter(ExpressionFilter { expression: expression.to_owned() });
    AccessLogFilter::ExtensionFilter(Extension::new("cel", filter))
}
