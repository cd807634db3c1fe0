//! One cluster per target, and a twin for its streams where they may take longer.
//!
//! Invariant: all attempts of a request share one set of headers, so every chain here sets or removes `authorization`
//! before the request leaves. The key of one target once reached another that way.

use super::files::config_source;
use super::mesh::{Kind, Mesh, WASM_TYPE};
use super::{Error, Rendering};
use crate::envoy::*;
use crate::render::plugin;
use kt_core::attempt::streaming_twin;
use kt_core::config;
use kt_core::targets::{KeySource, Target};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Envoy's defaults (three retries at once) would turn a provider's outage into errors under load. The gateway bounds load
/// at the listener.
pub(super) const UNBOUNDED: u32 = 1_000_000;

/// The filter's role in clusters.
pub(super) const ATTEMPT: &str = "kt_attempt";

/// Name of a cluster in metrics, whatever its generation.
pub(super) fn stat_name(target: &Target) -> String {
    format!("kt_{}", target.id)
}

fn secret_name(target: &Target) -> String {
    format!("kt_key_{}", target.id)
}

impl Rendering<'_> {
    /// Names under which the filter knows a target's clusters, and the clusters' own.
    pub(super) fn cluster_names(&self, target: &Target) -> impl Iterator<Item = (String, String)> + use<> {
        let generation =
            self.generation.map(|generation| format!("@{}", generation.number)).unwrap_or_default();
        let twin = target.has_streaming_twin().then(|| streaming_twin(&target.id));
        let names = [target.id.clone()].into_iter().chain(twin);
        let named = names.map(|name| {
            let cluster = match self.mesh {
                Some(mesh) => mesh.cluster(self.plan, target, &name),
                None => format!("kt_{name}{generation}"),
            };
            (name, cluster)
        });
        named.collect::<Vec<_>>().into_iter()
    }

    pub(super) fn clusters(&self, target: &Target) -> Result<Vec<Cluster>, Error> {
        let limits = [target.timeout, target.stream_timeout];
        self.cluster_names(target)
            .zip(limits)
            .map(|((_, name), limit)| self.cluster(target, name, limit))
            .collect()
    }

    /// The files that hold keys, where Envoy reads them once. Their contents are never rendered.
    pub(super) fn static_secrets(&self) -> Vec<Secret> {
        if self.notes_folder().is_some() {
            return Vec::new();
        }
        self.plan.targets.iter().filter_map(|target| self.secret(target)).map(|(_, secret)| secret).collect()
    }

    /// The key file of a target, if it has one, with the name of the secret.
    pub(super) fn secret(&self, target: &Target) -> Option<(String, Secret)> {
        let KeySource::File(file) = &target.key else { return None };
        let name = secret_name(target);
        // Envoy watches the folder, and takes no path without one.
        let file = match Path::new(file).parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new(".").join(file),
            _ => PathBuf::from(file),
        };
        let folder = file.parent().unwrap_or(Path::new("/")).display().to_string();
        let watched_directory = self.notes_folder().map(|_| WatchedDirectory { path: folder });
        let secret = SecretSource { filename: file.display().to_string(), watched_directory };
        Some((name.clone(), Secret { name, generic_secret: GenericSecret { secret } }))
    }

    fn cluster(&self, target: &Target, name: String, limit: Duration) -> Result<Cluster, Error> {
        let endpoint = &target.endpoint;
        let is_address = endpoint.ip().is_some();
        let stat_name = stat_name(target);
        let endpoint_breaker = endpoint_breaker(target);
        // A target that others can step in for must be able to fail, also while its name has no address.
        let may_have_none = !is_address && plugin::has_attempt_role(self.plan);
        let mut lb_endpoint =
            LbEndpoint::at(endpoint.authority(), Address::new(endpoint.host.clone(), endpoint.port));
        lb_endpoint.load_balancing_weight = may_have_none.then_some(NEARLY_ALL);
        let lb_endpoints = [lb_endpoint].into_iter().chain(may_have_none.then(nowhere)).collect();
        Ok(Cluster {
            alt_stat_name: (name != stat_name).then_some(stat_name),
            connect_timeout: Seconds(target.connect_timeout),
            outlier_detection: endpoint_breaker.map(outlier_detection),
            common_lb_config: (endpoint_breaker.is_some() || may_have_none).then(|| CommonLbConfig {
                // Zero would answer 503 for a target whose only endpoint is ejected, instead of going on to the next target.
                healthy_panic_threshold: Percent { value: 1 },
                // By default a second ejected endpoint is still used for up to a second.
                update_merge_window: Seconds::from_secs(0),
            }),
            transport_socket: endpoint.tls.then(|| self.tls(&endpoint.host, endpoint.ip())),
            typed_extension_protocol_options: self.protocol_options(target, limit)?,
            ..plain(name, is_address, lb_endpoints)
        })
    }

    /// How a target is spoken to: the time of one attempt, the protocol, and the filters that every attempt passes.
    pub(super) fn protocol_options(
        &self,
        target: &Target,
        limit: Duration,
    ) -> Result<BTreeMap<String, Any>, Error> {
        let protocol = Any::HttpProtocolOptions(HttpProtocolOptions {
            common_http_protocol_options: HttpProtocolCommonOptions {
                // The wall clock of one attempt; ending it counts as a reset, so the next target is tried.
                max_stream_duration: Some(Seconds(limit)),
                ..HttpProtocolCommonOptions::default()
            },
            upstream_protocol_options: upstream_protocol(target.endpoint.tls),
            outlier_detection: endpoint_breaker(target).and_then(|_| error_matcher(&target.retry)),
            http_filters: self.attempt_filters(target)?,
        });
        let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        Ok(BTreeMap::from([(name.to_owned(), protocol)]))
    }

    fn tls(&self, host: &str, address: Option<IpAddr>) -> Extension {
        let san_type = if address.is_some() { SanType::IpAddress } else { SanType::Dns };
        let context = Any::UpstreamTlsContext(UpstreamTlsContext {
            sni: address.is_none().then(|| host.to_owned()),
            common_tls_context: CommonTlsContext {
                validation_context: CertificateValidationContext {
                    trusted_ca: DataSource::Filename(self.deployment.ca_file.display().to_string()),
                    match_typed_subject_alt_names: vec![SubjectAltNameMatcher {
                        san_type,
                        matcher: StringMatcher::Exact(host.to_owned()),
                    }],
                },
            },
        });
        Extension::new("envoy.transport_sockets.tls", context)
    }

    /// What every attempt passes on its way out.
    fn attempt_filters(&self, target: &Target) -> Result<Vec<Extension>, Error> {
        let mut filters = Vec::new();
        if plugin::has_attempt_role(self.plan) {
            // First, so that the filter never sees the key of the target before.
            filters.push(header_mutation(remove_authorization()));
            filters.push(match self.mesh {
                // Istio sends the filters by their names, which lets its agent fetch an image.
                Some(Mesh { kind: Kind::Istio { .. }, .. }) => {
                    Extension::discovered(super::instance(ATTEMPT, Some(&target.id)), WASM_TYPE)
                }
                _ => Extension::new(super::WASM_FILTER, self.attempt_wasm(target)?),
            });
        }
        match &target.key {
            KeySource::Env(name) => {
                let value = format!("Bearer %ENVIRONMENT({name})%");
                let set = Mutation::Append(HeaderValueOption::overwrite("authorization", value));
                filters.push(header_mutation(set));
            }
            // The filter lets the caller's own key through where the request names the provider, and only there.
            KeySource::Usual(name) => {
                let value = format!("Bearer %ENVIRONMENT({name})%");
                let set = Mutation::Append(HeaderValueOption::unless_present("authorization", value));
                filters.push(header_mutation(set));
            }
            KeySource::File(_) => filters.push(self.injected_credential(target)),
            // With several targets the filter restores the caller's key; with one it was never taken away.
            KeySource::Client => {}
            KeySource::None if plugin::has_attempt_role(self.plan) => {}
            KeySource::None => filters.push(header_mutation(remove_authorization())),
        }
        filters.push(Extension::new("envoy.filters.http.upstream_codec", Any::UpstreamCodec {}));
        Ok(filters)
    }

    /// The filter's role in a target's cluster.
    pub(super) fn attempt_wasm(&self, target: &Target) -> Result<Any, Error> {
        self.wasm(ATTEMPT, Some(&target.id), &plugin::attempt(target))
    }

    fn injected_credential(&self, target: &Target) -> Extension {
        let name = secret_name(target);
        let sds_config = self.note(&name).map(|note| config_source(&note));
        let credential = Any::GenericCredential(GenericCredential {
            credential: SdsSecretConfig { name, sds_config },
            header: "authorization".into(),
            header_value_prefix: "Bearer ".into(),
        });
        Extension::new(
            "envoy.filters.http.credential_injector",
            Any::CredentialInjector(CredentialInjector {
                overwrite: true,
                credential: Extension::new("envoy.http.injected_credentials.generic", credential),
            }),
        )
    }
}

/// Share of a target's own addresses while all of them are ejected, in parts of which [`nowhere`] gets one.
const NEARLY_ALL: u32 = 1000;

/// An address that refuses every connection at once: nobody can listen on port 0. It counts as unhealthy, so it is only taken where
/// there is nothing else; a refused connection then leads to the next target, where a cluster without an address would end the
/// request.
fn nowhere() -> LbEndpoint {
    LbEndpoint {
        health_status: Some(HealthStatus::Unhealthy),
        load_balancing_weight: Some(1),
        ..LbEndpoint::at("nowhere", Address::new("127.0.0.1", 0))
    }
}

/// A cluster without TLS and with nothing but what all have. `is_address`: nobody has to look the endpoints up.
pub(super) fn plain(name: String, is_address: bool, lb_endpoints: Vec<LbEndpoint>) -> Cluster {
    Cluster {
        alt_stat_name: None,
        r#type: if is_address { DiscoveryType::Static } else { DiscoveryType::StrictDns },
        dns_lookup_family: (!is_address).then_some(DnsLookupFamily::V4Preferred),
        connect_timeout: Seconds::from_secs(1),
        upstream_connection_options: UpstreamConnectionOptions {
            tcp_keepalive: TcpKeepalive { keepalive_probes: 3, keepalive_time: 60, keepalive_interval: 10 },
        },
        circuit_breakers: unbounded(),
        outlier_detection: None,
        common_lb_config: None,
        load_assignment: ClusterLoadAssignment {
            cluster_name: name.clone(),
            endpoints: vec![LocalityLbEndpoints { lb_endpoints }],
        },
        transport_socket: None,
        typed_extension_protocol_options: BTreeMap::new(),
        name,
    }
}

/// No limit but the listener's.
pub(super) fn unbounded() -> CircuitBreakers {
    CircuitBreakers {
        thresholds: vec![Thresholds {
            max_connections: UNBOUNDED,
            max_pending_requests: UNBOUNDED,
            max_requests: UNBOUNDED,
            max_retries: UNBOUNDED,
        }],
    }
}

fn remove_authorization() -> Mutation {
    Mutation::Remove("authorization".into())
}

fn header_mutation(mutation: Mutation) -> Extension {
    let mutations = Mutations { request_mutations: vec![mutation] };
    Extension::new("envoy.filters.http.header_mutation", Any::HeaderMutation(HeaderMutation { mutations }))
}

/// HTTP/2 where the upstream offers it during the TLS handshake; without TLS there is no offer.
fn upstream_protocol(tls: bool) -> UpstreamProtocolOptions {
    if tls {
        UpstreamProtocolOptions::AutoConfig(AutoHttpConfig {
            http2_protocol_options: Http2ProtocolOptions {
                max_concurrent_streams: None,
                initial_stream_window_size: 1024 * 1024,
                initial_connection_window_size: 4 * 1024 * 1024,
            },
        })
    } else {
        UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig::Http1 {
            http_protocol_options: Http1ProtocolOptions {
                allow_chunked_length: false,
                accept_http_10: false,
            },
        })
    }
}

/// The breaker of a target that may have several addresses. A single address is the target itself, and ejecting that would only
/// put its cluster into panic.
pub(super) fn endpoint_breaker(target: &Target) -> Option<&config::CircuitBreaker> {
    target.circuit_breaker.as_ref().filter(|_| target.endpoint.ip().is_none())
}

/// Counts the statuses that lead to another attempt against an endpoint, 429 included, and no others.
fn error_matcher(retry: &config::Retry) -> Option<HttpOutlierDetection> {
    let statuses: Vec<String> = retry.retryable_status_codes.iter().map(u16::to_string).collect();
    let string_match = StringMatcher::SafeRegex(SafeRegex { regex: statuses.join("|") });
    let status = StringHeaderMatcher { name: ":status".into(), string_match };
    (!statuses.is_empty()).then(|| HttpOutlierDetection {
        error_matcher: ErrorMatcher {
            http_response_headers_match: HttpHeadersMatch { headers: vec![status] },
        },
    })
}

/// Ejects single endpoints of a target. The breaker of the target as a whole is the filter's.
pub(super) fn outlier_detection(breaker: &config::CircuitBreaker) -> OutlierDetection {
    let recovery = Seconds::from_secs(breaker.recovery_timeout_seconds);
    OutlierDetection {
        consecutive_5xx: breaker.failure_threshold,
        interval: Seconds::from_millis(500),
        base_ejection_time: recovery,
        max_ejection_time: recovery,
        max_ejection_percent: 100,
        enforcing_success_rate: 0,
        enforcing_failure_percentage: 0,
        enforcing_consecutive_gateway_failure: 0,
    }
}
