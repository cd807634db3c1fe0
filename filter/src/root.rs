//! Configuration of a plugin instance, and the birth of its streams.
//!
//! Refuses a configuration that does not compile, which makes Envoy keep the one it has.

use crate::attempt::AttemptFilter;
use crate::audit;
use crate::cut;
use crate::downstream::DownstreamFilter;
use crate::host;
use crate::metrics;
use crate::shared::SharedData;
use kt_core::exchange::Gateway;
use kt_core::measure::Kind;
use kt_core::plugin::{Attempt, PluginConfig};
use kt_core::routing::Routing;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use std::rc::Rc;
use std::time::Duration;

/// One plugin instance.
#[derive(Default)]
pub(crate) struct Root {
    role: Role,
    /// Probes on their way: the number of the call and the target's id.
    probes: Vec<(u32, String)>,
}

#[derive(Default)]
enum Role {
    /// Not configured yet, or refused.
    #[default]
    None,
    Downstream(Rc<Gateway>),
    Attempt(Rc<Attempt>),
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, _body: usize, _trailers: usize) {
        let Some(at) = self.probes.iter().position(|(call, _)| *call == token) else { return };
        let (_, target) = self.probes.swap_remove(at);
        if let Some(routing) = self.routing() {
            // A call that failed has no headers.
            routing.probed(&target, (headers > 0).then(host::call_status).flatten());
        }
    }
}

impl Root {
    fn routing(&self) -> Option<&Routing> {
        match &self.role {
            Role::Downstream(gateway) => gateway.routing(),
            _ => None,
        }
    }

    /// How often to look for health probes; zero is never.
    fn usual_tick(&self) -> Duration {
        let milliseconds = self.routing().and_then(Routing::probe_tick_ms).unwrap_or(0);
        Duration::from_millis(milliseconds.into())
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let Some(bytes) = host::plugin_configuration() else {
            log::error!("the plugin has no configuration; render one with `kt-control render`");
            return false;
        };
        match PluginConfig::read(&bytes) {
            Err(error) => {
                log::error!("the plugin configuration cannot be read: {error}");
                false
            }
            Ok(PluginConfig::Attempt(attempt)) => {
                self.role = Role::Attempt(Rc::new(attempt));
                true
            }
            Ok(PluginConfig::Downstream(plugin)) => match Gateway::new(*plugin) {
                Ok(gateway) => {
                    let gateway = gateway.with_shared(Rc::new(SharedData)).with_memory();
                    audit::share_key(&gateway);
                    metrics::record(Kind::Counter, &["kt_vm_starts_total"], 1);
                    gateway.declare(&mut metrics::record);
                    self.role = Role::Downstream(Rc::new(gateway));
                    if self.usual_tick() != Duration::ZERO {
                        host::tick_every(self.usual_tick());
                    }
                    true
                }
                Err(problems) => {
                    problems.iter().for_each(|problem| log::error!("{problem}"));
                    false
                }
            },
        }
    }

    fn on_tick(&mut self) {
        cut::tick(self.usual_tick());
        let Some(routing) = self.routing() else { return };
        let mut probes = Vec::new();
        for target in routing.probes_due() {
            let Some(probe) = &target.probe else { continue };
            // Through the target's own cluster: its connections, its TLS, its key.
            match host::call(&target.cluster, &target.authority, &probe.path, probe.timeout_ms) {
                Some(call) => probes.push((call, target.id.clone())),
                None => routing.probed(&target.id, None),
            }
        }
        self.probes.append(&mut probes);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        match &self.role {
            Role::None => None,
            Role::Downstream(gateway) => Some(Box::new(DownstreamFilter::new(id, gateway.clone()))),
            Role::Attempt(attempt) => Some(Box::new(AttemptFilter::new(attempt.clone()))),
        }
    }
}
