//! What tokens cost, in exact decimals.
//!
//! Knows no provider and reads no message. Invariant: an amount is a whole number of [`Usd`]'s unit, so sums are exact to the last
//! digit; prices with more than six decimals are refused before they get here.

use crate::message::usage::Usage;
use serde::{Deserialize, Serialize};

/// Dearest price of 1M tokens, in USD; far beyond any, and what the type of a price holds.
pub const MAX_PRICE: f64 = 4000.0;

/// Units of a price: a millionth of a USD for 1M tokens is a [`Usd`] unit for one.
const UNITS: f64 = 1e6;

/// Bytes of text to a token, where no one says how many there were. English text has four to five; the higher count is taken.
const BYTES_PER_TOKEN: u64 = 4;

/// An amount in USD, in units of 10^-12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Usd(pub u64);

/// Prices of a target, in units of 10^-12 USD for one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Input tokens.
    pub prompt: u32,
    /// Output tokens.
    pub completion: u32,
    /// Input tokens from the provider's cache.
    pub cached: u32,
}

/// A price in USD for 1M tokens, in whole units for one token; `None` if it has more than six decimals or is out of range.
pub fn price(usd_per_million: f64) -> Option<u32> {
    if !(0.0..=MAX_PRICE).contains(&usd_per_million) {
        return None;
    }
    let units = (usd_per_million * UNITS).round();
    (units / UNITS == usd_per_million).then_some(units as u32)
}

impl std::fmt::Display for Usd {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        const WHOLE: u64 = 1_000_000_000_000;
        let text = format!("{}.{:012}", self.0 / WHOLE, self.0 % WHOLE);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Tokens that so much text comes to, roughly.
pub fn estimate(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Text that so many tokens come to, roughly.
pub fn bytes(tokens: u64) -> u64 {
    tokens.saturating_mul(BYTES_PER_TOKEN)
}

impl Prices {
    /// What these tokens cost. Counts so large that the amount cannot be held cost the most that can.
    pub fn of(&self, usage: &Usage) -> Usd {
        let prompt = usage.prompt.unwrap_or(0);
        let cached = usage.cached.unwrap_or(0).min(prompt);
        let parts = [
            (prompt - cached, self.prompt),
            (cached, self.cached),
            (usage.billed_completion(), self.completion),
        ];
        let amount = |(tokens, price): (u64, u32)| tokens.saturating_mul(price.into());
        Usd(parts.into_iter().map(amount).fold(0, u64::saturating_add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(price_of: [f64; 3], counts: [u64; 4], expected: u64) {
        let [prompt, completion, cached] = price_of.map(|usd| price(usd).unwrap());
        let [prompt_tokens, completion_tokens, cached_tokens, total] = counts;
        let usage = Usage {
            prompt: Some(prompt_tokens),
            completion: Some(completion_tokens),
            cached: Some(cached_tokens),
            total: Some(total),
            reasoning: None,
        };
        assert_eq!(Prices { prompt, completion, cached }.of(&usage), Usd(expected));
    }

    #[test]
    fn tokens_cost_their_price_to_the_last_digit() {
        check([0.88, 0.88, 0.88], [9, 12, 0, 21], 21 * 880_000);
        check([2.5, 10.0, 1.25], [1000, 10, 900, 1010], 100 * 2_500_000 + 900 * 1_250_000 + 10 * 10_000_000);
        // More of them cached than there were.
        check([1.0, 1.0, 0.5], [10, 0, 99, 10], 10 * 500_000);
        // Reasoning that is counted beside the answer.
        check([1.0, 1.0, 1.0], [10, 5, 0, 40], 40 * 1_000_000);
        check([4000.0, 4000.0, 0.0], [u64::MAX, 1, 0, 0], u64::MAX);
    }

    #[test]
    fn a_price_is_exact_or_none() {
        for (usd, units) in
            [(0.0, 0), (0.88, 880_000), (0.000_001, 1), (4000.0, 4_000_000_000), (0.1, 100_000)]
        {
            assert_eq!(price(usd), Some(units), "{usd}");
        }
        for usd in [-0.5, 4000.5, f64::NAN, 0.000_000_1, 0.123_456_7, 1.0 / 3.0] {
            assert_eq!(price(usd), None, "{usd}");
        }
    }
}
