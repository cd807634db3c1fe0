//! `envoy.config.accesslog.v3`.

use super::{Extension, SubstitutionFormatString};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct AccessLog {
    pub name: String,
    pub filter: AccessLogFilter,
    pub typed_config: super::Any,
}

#[derive(Debug, Clone, Serialize)]
pub struct FileAccessLog {
    pub path: String,
    pub log_format: SubstitutionFormatString,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLogFilter {
    ResponseFlagFilter(ResponseFlagFilter),
    ExtensionFilter(Extension),
}

#[derive(Debug, Clone, Serialize)]
pub struct ResponseFlagFilter {
    pub flags: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ExpressionFilter {
    pub expression: String,
}
