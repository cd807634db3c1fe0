//! `google.protobuf.Any`: one line per extension that is used.

use super::*;
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "@type")]
#[rustfmt::skip] // One line per type reads as the table it is.
pub enum Any {
    #[serde(rename = "type.googleapis.com/google.protobuf.StringValue")]
    StringValue(StringValue),
    #[serde(rename = "type.googleapis.com/envoy.config.listener.v3.Listener")]
    Listener(Box<Listener>),
    #[serde(rename = "type.googleapis.com/envoy.config.cluster.v3.Cluster")]
    Cluster(Box<Cluster>),
    #[serde(rename = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret")]
    Secret(Secret),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager")]
    HttpConnectionManager(Box<HttpConnectionManager>),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.decompressor.v3.Decompressor")]
    Decompressor(Decompressor),
    #[serde(rename = "type.googleapis.com/envoy.extensions.compression.gzip.decompressor.v3.Gzip")]
    Gzip {},
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors")]
    Cors {},
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy")]
    CorsPolicy(CorsPolicy),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC")]
    HttpRbac(HttpRbac),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit")]
    LocalRateLimit(LocalRateLimit),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit")]
    GlobalRateLimit(GlobalRateLimit),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm")]
    Wasm(Wasm),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router")]
    Router(Router),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation")]
    HeaderMutation(HeaderMutation),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector")]
    CredentialInjector(CredentialInjector),
    #[serde(rename = "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic")]
    GenericCredential(GenericCredential),
    #[serde(rename = "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec")]
    UpstreamCodec {},
    #[serde(rename = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")]
    PreviousHostsPredicate {},
    #[serde(rename = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration")]
    RouteConfiguration(Box<RouteConfiguration>),
    #[serde(rename = "type.googleapis.com/envoy.config.route.v3.FilterConfig")]
    FilterConfig(FilterConfig),
    #[serde(rename = "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier")]
    MatcherClusterSpecifier(MatcherClusterSpecifier),
    #[serde(rename = "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction")]
    ClusterAction(ClusterAction),
    #[serde(rename = "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput")]
    FilterStateInput(FilterStateInput),
    #[serde(rename = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog")]
    FileAccessLog(FileAccessLog),
    #[serde(rename = "type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig")]
    OpenTelemetryAccessLog(OpenTelemetryAccessLog),
    #[serde(rename = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter")]
    ExpressionFilter(ExpressionFilter),
    #[serde(rename = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext")]
    UpstreamTlsContext(UpstreamTlsContext),
    #[serde(rename = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions")]
    HttpProtocolOptions(HttpProtocolOptions),
    #[serde(rename = "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig")]
    FixedHeapConfig(FixedHeapConfig),
    #[serde(rename = "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig")]
    DownstreamConnectionsConfig(DownstreamConnectionsConfig),
}

/// Several lines, printed as they are.
#[derive(Debug, Clone, Serialize)]
pub struct StringValue {
    pub value: serde_saphyr::LitString,
}
