//! Configuration of a plugin instance, and the birth of its streams.
//!
//! Refuses a configuration that does not compile, which makes Envoy keep the one it has.

use crate::attempt::AttemptFilter;
use crate::cut;
use crate::downstream::DownstreamFilter;
use crate::host;
use kt_core::exchange::Gateway;
use kt_core::plugin::{Attempt, PluginConfig};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use std::rc::Rc;

/// One plugin instance.
#[derive(Default)]
pub(crate) struct Root {
    role: Role,
}

#[derive(Default)]
enum Role {
    /// Not configured yet, or refused.
    #[default]
    None,
    Downstream(Rc<Gateway>),
    Attempt(Rc<Attempt>),
}

impl Context for Root {}

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
                    self.role = Role::Downstream(Rc::new(gateway));
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
        cut::tick();
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
