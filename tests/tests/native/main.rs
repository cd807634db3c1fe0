//! The scenario corpus run natively, on the engine alone: no ABI, no Envoy, every way of arriving.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod held;
mod law;

use kt_core::exchange::Gateway;
use kt_core::plan;
use kt_tests::scenario::{self, Arrival, Call, Host, ModelAnswer, Outcome, native};
use serde_json::{Value, json};
use std::rc::Rc;

/// Keeps the gateway of the latest configuration.
#[derive(Default)]
struct Native {
    latest: Option<(Value, Rc<Gateway>)>,
}

impl Native {
    fn gateway(&mut self, config: &Value) -> Rc<Gateway> {
        if let Some((known, gateway)) = &self.latest
            && known == config
        {
            return gateway.clone();
        }
        let mut served = config.clone();
        served["providers"]["targets"][0]["base_url"] = json!("http://upstream.test/v1");
        let plan = plan::check(&served).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let gateway = Gateway::new(plan.downstream("")).unwrap_or_else(|problems| panic!("{problems:#?}"));
        // Every arrival brings the same texts: all but the first are recalled.
        let gateway = Rc::new(gateway.with_memory());
        self.latest = Some((config.clone(), gateway.clone()));
        gateway
    }
}

impl Host for Native {
    fn exchange(&mut self, config: &Value, call: &Call, answer: &ModelAnswer) -> Outcome {
        native::run(&self.gateway(config), call, answer)
    }
}

#[test]
fn every_scenario_holds_for_every_arrival() {
    let mut arrivals = vec![Arrival::Whole, Arrival::ByEvent];
    arrivals.extend([1, 2, 3, 5, 7, 11, 64, 100].map(Arrival::ByBytes));
    scenario::check_all(&mut Native::default(), &arrivals, |config| scenario::targets(config) == 1);
}
