//! Token counts of an answer, wherever a provider puts them.
//!
//! Does not price them. Invariant: a count that was not sent is `None`, never zero.

use super::json::Kind;
use super::names::Name;
use super::reader::{Reader, Result};

/// Token counts of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Input tokens, cached ones included.
    pub prompt: Option<u64>,
    /// Output tokens, reasoning included.
    pub completion: Option<u64>,
    /// Both.
    pub total: Option<u64>,
    /// Input tokens that came from the provider's cache.
    pub cached: Option<u64>,
    /// Output tokens spent on reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// These counts, completed by those of `earlier`; streams send counts more than once.
    pub fn or(self, earlier: Usage) -> Usage {
        Usage {
            prompt: self.prompt.or(earlier.prompt),
            completion: self.completion.or(earlier.completion),
            total: self.total.or(earlier.total),
            cached: self.cached.or(earlier.cached),
            reasoning: self.reasoning.or(earlier.reasoning),
        }
    }

    /// Output tokens as they are paid for: some providers count reasoning only in the total.
    pub fn billed_completion(&self) -> u64 {
        let beside = self.total.unwrap_or(0).saturating_sub(self.prompt.unwrap_or(0));
        self.completion.unwrap_or(0).max(beside)
    }
}

impl Reader<'_> {
    /// Reads a `usage` object into `usage`; a value of another type says nothing.
    pub(super) fn usage(&mut self, usage: &mut Option<Usage>) -> Result<()> {
        if self.cursor.kind()? != Kind::Object {
            return self.cursor.skip();
        }
        let mut found = Usage::default();
        self.each_member(|reader, key| {
            match key {
                Name::PromptTokens | Name::InputTokens => found.prompt = reader.count()?,
                Name::CompletionTokens | Name::OutputTokens => found.completion = reader.count()?,
                Name::TotalTokens => found.total = reader.count()?,
                Name::CachedTokens | Name::PromptCacheHitTokens => {
                    found.cached = reader.count()?.or(found.cached)
                }
                Name::ReasoningTokens => found.reasoning = reader.count()?.or(found.reasoning),
                Name::PromptTokensDetails | Name::InputTokensDetails => {
                    reader.detail(Name::CachedTokens, &mut found.cached)?;
                }
                Name::CompletionTokensDetails | Name::OutputTokensDetails => {
                    reader.detail(Name::ReasoningTokens, &mut found.reasoning)?;
                }
                _ => reader.cursor.skip()?,
            }
            Ok(())
        })?;
        if found != Usage::default() {
            *usage = Some(found.or(usage.unwrap_or_default()));
        }
        Ok(())
    }

    fn detail(&mut self, name: Name, count: &mut Option<u64>) -> Result<()> {
        if self.cursor.kind()? != Kind::Object {
            return self.cursor.skip();
        }
        self.each_member(|reader, key| {
            match key {
                key if key == name => *count = reader.count()?.or(*count),
                _ => reader.cursor.skip()?,
            }
            Ok(())
        })
    }
}
