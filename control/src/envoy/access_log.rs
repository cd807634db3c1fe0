//! `envoy.config.accesslog.v3`.

use super::{Extension, GrpcService, SubstitutionFormatString};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct AccessLog {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<AccessLogFilter>,
    pub typed_config: super::Any,
}

#[derive(Debug, Clone, Serialize)]
pub struct FileAccessLog {
    pub path: String,
    pub log_format: SubstitutionFormatString,
}

/// `envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig`.
#[derive(Debug, Clone, Serialize)]
pub struct OpenTelemetryAccessLog {
    pub log_name: String,
    pub grpc_service: GrpcService,
    pub resource_attributes: KeyValues,
    pub body: AnyValue,
    pub attributes: KeyValues,
}

#[derive(Debug, Clone, Serialize)]
pub struct KeyValues {
    pub values: Vec<KeyValue>,
}

#[derive(Debug, Clone, Serialize)]
pub struct KeyValue {
    pub key: String,
    pub value: AnyValue,
}

impl KeyValue {
    pub fn text(key: &str, value: impl Into<String>) -> KeyValue {
        KeyValue { key: key.to_owned(), value: AnyValue { string_value: value.into() } }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct AnyValue {
    pub string_value: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLogFilter {
    AndFilter(AndFilter),
    StatusCodeFilter(StatusCodeFilter),
    ResponseFlagFilter(ResponseFlagFilter),
    ExtensionFilter(Extension),
}

/// Evaluated in order, up to the first that does not hold.
#[derive(Debug, Clone, Serialize)]
pub struct AndFilter {
    pub filters: Vec<AccessLogFilter>,
}

#[derive(Debug, Clone, Serialize)]
pub struct StatusCodeFilter {
    pub comparison: ComparisonFilter,
}

#[derive(Debug, Clone, Serialize)]
pub struct ComparisonFilter {
    pub op: &'static str,
    pub value: RuntimeUInt32,
}

#[derive(Debug, Clone, Serialize)]
pub struct RuntimeUInt32 {
    pub default_value: u32,
    pub runtime_key: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct ResponseFlagFilter {
    pub flags: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ExpressionFilter {
    pub expression: String,
}
