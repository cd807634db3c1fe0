//! Everything the models may be told of a text, for whoever trains them.
//!
//! Judges nothing and serves no request. Invariant: what it says of a text is what [`Chain::scores`] starts from.
//!
//! [`Chain::scores`]: super::Chain::scores

use super::model::Signs;
use super::prompt_injection::{Injection, lexicon};
use super::safety::Safety;
use crate::config::{PromptInjection, SafetyFilter};
use crate::diagnostic::Diagnostic;
use crate::scan::words::features::{Reading, Readings};
use crate::scan::words::{Lexicon, Words};

/// What is known of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The features of every reading; the text as it stands comes first.
    pub readings: Vec<Reading>,
    /// What the rules of `prompt-injection` see.
    pub injection: Signs,
    /// What the rules of `safety-filter` see.
    pub safety: Signs,
}

/// Both policies as they are by default.
#[derive(Debug)]
pub struct Observer {
    injection: Injection,
    safety: Safety,
    lexicon: Lexicon,
    words: Words,
}

impl Observer {
    /// An observer that has seen nothing. The defaults are valid settings; if they were not, this says why.
    pub fn new() -> Result<Observer, Vec<Diagnostic>> {
        let injection = Injection::compile(&PromptInjection::default())?;
        let safety = Safety::compile(&SafetyFilter::default())?;
        let lexicon = lexicon(Some(&injection), Some(&safety));
        Ok(Observer { injection, safety, lexicon, words: Words::new() })
    }

    /// Looks at one text.
    pub fn observe(&mut self, text: &str) -> Observation {
        let mut readings = Readings::default();
        self.words.scan_into(&self.lexicon, text, &mut readings);
        Observation {
            readings: readings.readings,
            injection: self.injection.signs(&self.words, text),
            safety: self.safety.signs(&self.words, text),
        }
    }
}
