//! To be written.
use crate::config::{Action, ApplyTo, PiiDetector};
use crate::diagnostic::Diagnostic;
use crate::scan::Match;
/// x
pub struct Pii(Action, ApplyTo);
impl Pii {
    pub fn compile(c: &PiiDetector, _a: Option<&[u8]>) -> Result<Pii, Vec<Diagnostic>> { Ok(Pii(c.action, c.apply_to)) }
    pub fn action(&self) -> Action { self.0 }
    pub fn apply_to(&self) -> ApplyTo { self.1 }
    pub fn inspect(&self, _t: &str, _f: usize, _m: &mut Vec<Match>) {}
    pub fn open_from(&self, t: &str, _f: usize) -> usize { t.len() }
    pub fn marker(&self, _k: &str, _m: &str, o: &mut String) { o.push('*') }
}
