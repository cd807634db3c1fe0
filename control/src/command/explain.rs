//! `policy explain`: the long text of a code; with `--routes`, what the routing keys of a policy file became in Envoy, and who would be tried.
//!
//! Renders, then looks every value up in what was rendered, so that it cannot tell of a field that is not there. The order
//! comes from the same code that decides it inside Envoy. Carries no traffic; knows no target's present health.

mod table;

use super::{Loaded, Result, Status, complain, engine, load, print};
use crate::deployment::{Deployment, usual_wasm};
use crate::explanations;
use crate::render::{envoy, plugin};
use crate::scenario::native;
use anyhow::{anyhow, bail};
use clap::Args;
use kt_core::attempt::{streaming_twin, target_of};
use kt_core::diagnostic::nearest;
use kt_core::exchange::{Exchange, Gateway};
use kt_core::plan::{Plan, Strategy};
use kt_core::plugin::PluginConfig;
use kt_core::targets::Target;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::rc::Rc;

pub use table::{Row, rows};

/// Options of `policy explain`.
#[derive(Debug, Args)]
pub struct Options {
    /// The code of a diagnostic, such as `plain-http`
    #[arg(value_name = "CODE", required_unless_present = "routes", conflicts_with = "routes")]
    code: Option<String>,
    /// Shows what this policy file becomes in Envoy, and the order of targets; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    routes: Option<PathBuf>,
    /// The `model` of the request whose order of targets is shown
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Its `x-provider` header
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// It streams
    #[arg(long)]
    stream: bool,
    /// Prints one object
    #[arg(long)]
    json: bool,
}

/// One attempt that would be made if all before it failed.
#[derive(Debug, Serialize)]
struct Attempt<'a> {
    target: &'a str,
    cluster: String,
    /// Asked of the upstream; `None`: what the client asked for.
    model: Option<&'a str>,
    url: String,
    seconds: u64,
}

#[derive(Debug, Serialize)]
struct Explanation<'a> {
    strategy: &'static str,
    keys: Vec<Row>,
    order: Vec<Attempt<'a>>,
}

/// The long text of a code.
fn explain(code: &str) -> Result<Status> {
    match explanations::of(code) {
        Some(text) => {
            print(&format!("{code}\n\n{text}\n"))?;
            Ok(Status::Fine)
        }
        None => {
            let codes: Vec<String> = explanations::codes().collect();
            match nearest(code, codes.iter().map(String::as_str)) {
                Some(near) => bail!("there is no code `{code}`; did you mean `{near}`?"),
                None => bail!(
                    "there is no code `{code}`; `policy lint` prints codes in brackets, and events have `reason`"
                ),
            }
        }
    }
}

impl Options {
    /// Runs the command.
    pub fn run(self) -> Result<Status> {
        let routes = match (&self.code, &self.routes) {
            (_, Some(routes)) => routes,
            (code, None) => return explain(code.as_deref().unwrap_or_default()),
        };
        let loaded = match load(routes)? {
            Ok(loaded) => loaded,
            Err(findings) => {
                complain(&findings);
                return Ok(Status::Findings);
            }
        };
        let Loaded { source, plan } = &loaded;
        let deployment = Deployment::new(usual_wasm());
        let yaml = envoy::to_yaml(plan, &source.name, &source.text, &deployment)?;
        let rendered: Value = serde_saphyr::from_str(&yaml)
            .map_err(|error| anyhow!("the rendering cannot be read: {error}"))?;
        let config = plugin::downstream(plan, &source.text);
        let filter = serde_json::to_value(&config)?;
        let PluginConfig::Downstream(config) = config else { bail!("the plan has no listener") };
        let clusters = match self.clusters(engine(*config)?) {
            Ok(clusters) => clusters,
            Err(message) => {
                super::note(&format!("error: {message}"));
                return Ok(Status::Findings);
            }
        };
        let explanation = Explanation {
            strategy: about(plan.strategy),
            keys: rows(plan, &source.value, &rendered, &filter),
            order: clusters.iter().filter_map(|cluster| attempt(plan, cluster, self.stream)).collect(),
        };
        if self.json {
            print(&(serde_json::to_string_pretty(&explanation)? + "\n"))?;
        } else {
            print(&self.text(&explanation))?;
        }
        Ok(Status::Fine)
    }

    /// The clusters of the attempts, or what the client would be told.
    fn clusters(&self, gateway: Rc<Gateway>) -> std::result::Result<Vec<String>, String> {
        let mut headers: Vec<(String, String)> =
            [(":method", "POST"), (":path", "/v1/chat/completions"), ("content-type", "application/json")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
        headers.extend(self.provider.iter().map(|name| ("x-provider".to_owned(), name.clone())));
        let mut body = json!({"messages": [{"role": "user", "content": "Hello"}], "stream": self.stream, "model": "any"});
        if let (Some(body), Some(model)) = (body.as_object_mut(), &self.model) {
            body.insert("model".into(), json!(model));
        }
        let mut exchange = Exchange::new(gateway);
        let refused = |reply: kt_core::reply::Reply| {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let message = body.pointer("/error/message").and_then(Value::as_str);
            message.unwrap_or("the request would be refused").to_owned()
        };
        let admitted = native::admit(&mut exchange, headers, body.to_string().as_bytes());
        admitted.map(|dispatch| dispatch.plan.clusters).map_err(refused)
    }

    fn text(&self, explanation: &Explanation) -> String {
        let mut text = format!("{}\n\n", explanation.strategy);
        let mut above = "";
        for row in &explanation.keys {
            let (block, key) = row.key.rsplit_once("].").unwrap_or(("", &row.key));
            if block != above {
                text.push_str(&format!("{block}]\n"));
                above = block;
            }
            let indent = if block.is_empty() { "" } else { "  " };
            text.push_str(&format!(
                "{indent}{key}: {}\n{indent}    {} = {}\n",
                row.value, row.place, row.became
            ));
        }
        let request = [
            self.model.as_ref().map(|model| format!("model `{model}`")),
            self.provider.as_ref().map(|provider| format!("x-provider `{provider}`")),
            self.stream.then(|| "stream".to_owned()),
        ];
        let request: Vec<String> = request.into_iter().flatten().collect();
        let request = if request.is_empty() { "any model".to_owned() } else { request.join(", ") };
        text.push_str(&format!("\nA request ({request}) is tried, until one answers, at:\n"));
        for (i, attempt) in explanation.order.iter().enumerate() {
            text.push_str(&format!(
                "{:3}. {}  {}  model {}  at most {} s\n",
                i + 1,
                attempt.target,
                attempt.url,
                attempt.model.unwrap_or("as asked"),
                attempt.seconds,
            ));
        }
        text
    }
}

fn about(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Single => "single: only the first target that may serve a request is tried",
        Strategy::Fallback => "fallback: the next target serves when one fails",
        Strategy::WeightedRoundRobin => {
            "weighted_round_robin: requests are shared out by weight, the other targets stand behind; below is the first turn"
        }
        Strategy::Latency => {
            "latency: the lowest median time to an answer comes first; below is the order before anything was measured"
        }
        Strategy::LowestCost => "lowest_cost: the cheapest target comes first, the others stand behind it",
        Strategy::Router => {
            "router: a model picks the target of a request for a virtual model, its default and the other routes stand behind; \
             below is the order for any other model"
        }
    }
}

fn attempt<'a>(plan: &'a Plan, cluster: &str, stream: bool) -> Option<Attempt<'a>> {
    let target: &Target = plan.targets.iter().find(|target| target.id == target_of(cluster))?;
    let endpoint = &target.endpoint;
    let scheme = if endpoint.tls { "https" } else { "http" };
    let twin = stream && target.has_streaming_twin();
    Some(Attempt {
        target: &target.id,
        cluster: format!("kt_{}", if twin { streaming_twin(&target.id) } else { target.id.clone() }),
        model: target.model.as_deref(),
        url: format!("{scheme}://{}{}/chat/completions", endpoint.authority(), endpoint.path_prefix),
        seconds: if stream { target.stream_timeout } else { target.timeout }.as_secs(),
    })
}
