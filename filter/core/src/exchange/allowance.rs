//! What an exchange may spend: reserved before, extended while a stream goes on, settled after.
//!
//! Counts nothing itself. Where a service counts for several gateways, it says by filter state whose budget this is and what was
//! spent, and Envoy tells the service. Invariant: what was reserved is settled once, however the exchange ended.

use super::Exchange;
use super::record::{self, Closing};
use crate::budget::{Amount, Exceeded, Names, STEP_TOKENS, Ticket};
use crate::chain;
use crate::config::{Action, Mode};
use crate::cost::{self, Prices};
use crate::event::Ended;
use crate::message::request::Request;
use crate::message::usage::Usage;
use crate::plugin::Target;
use crate::reply::Reply;

/// Filter state by which Envoy tells the service that counts for several gateways.
pub mod state {
    /// There is a budget for this exchange.
    pub const EVERYBODY: &str = "kt.budget";
    /// Whose it is.
    pub const CALLER: &str = "kt.budget_caller";
    /// The model that is asked for.
    pub const MODEL: &str = "kt.budget_model";
    /// The target that is tried first; in the end, the one that served.
    pub const TARGET: &str = "kt.budget_target";
    /// Tokens that were spent.
    pub const TOKENS: &str = "kt.spent_tokens";
    /// Millionths of a USD that were spent.
    pub const MICRO_USD: &str = "kt.spent_micro_usd";
}

/// What a name is told as that there is none of.
const NOBODY: &str = "none";

/// What was reserved.
#[derive(Debug)]
pub(super) struct Allowance {
    tickets: Vec<Ticket>,
    model: String,
    prices: Option<Prices>,
    /// Text of the answer after which more is reserved.
    bytes: u64,
    action: Action,
    mode: Mode,
}

impl Allowance {
    /// Reaching a limit ends the exchange.
    fn is_enforced(&self) -> bool {
        self.action == Action::Block && self.mode == Mode::Enforce
    }
}

impl Exchange {
    /// Reserves what the request may cost on the target that is tried first.
    pub(super) fn reserve(&mut self, request: &Request, first: Option<&Target>) -> Result<(), Reply> {
        let gateway = self.gateway.clone();
        let budget = gateway.chain.budget(self.active).zip(gateway.budgets.as_ref());
        let Some(((action, mode), budgets)) = budget else { return Ok(()) };
        let asked = request.model.as_ref().map(|model| &*model.name).unwrap_or_default();
        let model = first.and_then(|target| target.model.as_deref()).unwrap_or(asked).to_owned();
        let prices = first.and_then(|target| target.prices);
        let each = request.max_tokens.unwrap_or(STEP_TOKENS);
        let answer = each.saturating_mul(request.choices.unwrap_or(1).max(1));
        // A stream is extended as it goes.
        let answer = if request.stream { answer.min(STEP_TOKENS) } else { answer };
        let amount = amount(cost::estimate(self.record.prompt_bytes), answer, prices.as_ref());
        let names = Names {
            caller: self.client_key().unwrap_or_default(),
            model: &model,
            target: first.map(|target| target.id.as_str()).unwrap_or_default(),
        };
        let (tickets, exceeded) = budgets.reserve(&gateway.key.get(), &names, amount);
        let notes = if gateway.config.shares_budgets {
            let caller = self.client_key().map(|key| chain::caller(&gateway.key.get(), key));
            let name = |given: &str| match record::name(given) {
                "" => NOBODY.to_owned(),
                name => name.to_owned(),
            };
            vec![
                (state::EVERYBODY, "all".to_owned()),
                (state::CALLER, caller.unwrap_or_else(|| NOBODY.to_owned())),
                (state::MODEL, name(&model)),
                (state::TARGET, name(names.target)),
            ]
        } else {
            Vec::new()
        };
        self.notes = notes;
        let allowance = Allowance { tickets, model, prices, bytes: cost::bytes(answer), action, mode };
        let is_enforced = allowance.is_enforced();
        self.allowance = Some(allowance);
        for limit in &exceeded {
            self.record.over_budget(limit, "request", action, mode);
        }
        match exceeded.iter().max_by_key(|limit| limit.reset_s).filter(|_| is_enforced) {
            None => Ok(()),
            Some(limit) => {
                let mut reply = Reply::budget_exceeded(&limit.reset(), limit.wait_s);
                reply.headers.extend(self.record.headers());
                Err(self.refuse(reply, Ended::Blocked))
            }
        }
    }

    /// Reserves more once a stream has said what was reserved for; the limit that does not allow it, where it ends the stream.
    pub(super) fn go_on(&mut self) -> Option<Exceeded> {
        let said_bytes = self.record.said_bytes;
        let allowance = self.allowance.as_mut().filter(|allowance| said_bytes > allowance.bytes)?;
        let budgets = self.gateway.budgets.as_ref()?;
        // An event may say more than one step.
        let steps = (said_bytes - allowance.bytes).div_ceil(cost::bytes(STEP_TOKENS));
        allowance.bytes += steps * cost::bytes(STEP_TOKENS);
        let more = amount(0, steps * STEP_TOKENS, allowance.prices.as_ref());
        let limit = budgets.extend(&mut allowance.tickets, more)?;
        let (action, mode, is_enforced) = (allowance.action, allowance.mode, allowance.is_enforced());
        if !is_enforced {
            // Said once; what is spent is counted in the end.
            allowance.bytes = u64::MAX;
        }
        self.record.over_budget(&limit, "response", action, mode);
        is_enforced.then_some(limit)
    }

    /// Puts what was spent in the place of what was reserved.
    pub(super) fn settle(&mut self, closing: &Closing) {
        let Some(allowance) = self.allowance.take() else { return };
        let Some(budgets) = &self.gateway.budgets else { return };
        let usage = closing.tally.map(|tally| tally.usage).unwrap_or_default();
        let spent = Amount {
            tokens: usage.prompt.unwrap_or(0).saturating_add(usage.billed_completion()),
            usd: closing.cost.unwrap_or_default().0,
        };
        let names = Names {
            caller: self.client_key().unwrap_or_default(),
            model: &allowance.model,
            target: closing.target.as_deref().unwrap_or_default(),
        };
        budgets.settle(allowance.tickets, &self.gateway.key.get(), &names, spent);
        if self.gateway.config.shares_budgets {
            self.notes = vec![
                (state::TOKENS, spent.tokens.to_string()),
                // What is less than a unit counts as one, so that no more is spent than the limit.
                (state::MICRO_USD, spent.usd.div_ceil(MICRO_USD).to_string()),
            ];
            if let Some(target) = &closing.target {
                self.notes.push((state::TARGET, target.clone()));
            }
        }
    }

    /// Filter state to set now; empty where no service counts.
    pub fn take_notes(&mut self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.notes)
    }

    /// Whether a service that counts for several gateways is asked about this exchange.
    pub fn shares_budget(&self) -> bool {
        self.gateway.config.shares_budgets && self.allowance.is_some()
    }

    /// The service says that a budget is gone; headers for the client.
    pub fn over_shared_budget(&mut self) -> Vec<(&'static str, String)> {
        let gateway = self.gateway.clone();
        let (Some(allowance), Some(budgets)) = (&self.allowance, &gateway.budgets) else { return Vec::new() };
        let (action, mode) = (allowance.action, allowance.mode);
        let limit = budgets.shared_exceeded();
        self.record.over_budget(&limit, "request", action, mode);
        // Envoy has written the body.
        let reply = self.refuse(Reply::budget_exceeded(&limit.reset(), limit.wait_s), Ended::Blocked);
        let mut headers = reply.headers;
        headers.extend(self.record.headers());
        headers
    }
}

/// Units of an amount in a millionth of a USD.
const MICRO_USD: u64 = 1_000_000;

fn amount(prompt: u64, completion: u64, prices: Option<&Prices>) -> Amount {
    let usage = Usage { prompt: Some(prompt), completion: Some(completion), ..Usage::default() };
    let usd = prices.map_or(0, |prices| prices.of(&usage).0);
    Amount { tokens: prompt.saturating_add(completion), usd }
}
