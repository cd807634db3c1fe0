//! Whole texts of a body, request's or answer's: what the chain finds in them and what is edited.
//!
//! Reads no bodies and answers no one. Invariant: every text is inspected, also behind one that blocks, so that the block of
//! the chain's earliest policy is the one that is reported.

use super::{Exchange, Gateway};
use crate::holdback;
use crate::message::rewrite::Splice;
use crate::message::text::Text;
use crate::policy::{Direction, Facts, Finding, Watch};
use std::ops::Range;

impl Exchange {
    /// Inspects `texts` of `body`, counts what is found and adds the edits to `splices`; the finding that blocks, if one does.
    ///
    /// `leaks` are the values that spell out the tokens of a choice; they go where a text of theirs is edited.
    pub(super) fn inspect_texts(
        &mut self,
        direction: Direction,
        texts: &[Text],
        leaks: &[(u32, Range<usize>)],
        body: &[u8],
        splices: &mut Vec<Splice>,
    ) -> Option<Finding> {
        self.start_watch();
        let gateway = self.gateway.clone();
        let chain = &gateway.chain;
        let mut scratch = gateway.scratch.borrow_mut();
        let mut memory = gateway.memory.borrow_mut();
        let sender = match direction {
            Direction::Request => {
                memory.sender(self.head.header("authorization").unwrap_or_default(), self.active)
            }
            // An answer is new.
            Direction::Response => None,
        };
        let mut findings = Vec::new();
        let mut blocking: Option<Finding> = None;
        for text in texts {
            findings.clear();
            let identity = sender.as_ref().and_then(|sender| sender.identity(text.role, &text.value));
            match identity.and_then(|identity| memory.recall(identity)) {
                Some(known) => findings.extend_from_slice(known),
                None => {
                    chain.inspect(
                        self.active,
                        direction,
                        text.role,
                        &text.value,
                        0,
                        &mut scratch,
                        &mut findings,
                    );
                    if let Some(identity) = identity {
                        memory.keep(identity, &findings);
                    }
                }
            }
            self.record.scanned.count(direction, text.channel.kind(), text.value.len());
            if findings.is_empty() {
                continue;
            }
            self.record.found(&findings, &text.place);
            #[cfg(feature = "compile")]
            self.record.locate(&findings, &text.place);
            let before = splices.len();
            redact(&gateway, text, body, &findings, splices);
            if splices.len() > before {
                hide_tokens(text.choice, leaks, body, splices);
            }
            for finding in findings.drain(..).filter(Finding::blocks) {
                if blocking.as_ref().is_none_or(|known| chain.comes_before(&finding, known)) {
                    blocking = Some(finding);
                }
            }
        }
        drop(scratch);
        self.stop_watch();
        blocking
    }

    /// From here on the time of each policy is taken, where this exchange is one whose time is.
    pub(super) fn start_watch(&self) {
        if self.is_sampled {
            let clock = self.gateway.clock.clone();
            self.gateway.scratch.borrow_mut().watch = clock.map(|clock| Watch { clock, spent_ns: [0; _] });
        }
    }

    /// Counts what was taken.
    pub(super) fn stop_watch(&mut self) {
        if self.is_sampled
            && let Some(watch) = self.gateway.scratch.borrow_mut().watch.take()
        {
            let spent = self.record.policy_ns.get_or_insert_default();
            spent.iter_mut().zip(watch.spent_ns).for_each(|(all, spent)| *all += spent);
        }
    }
}

/// Empties the values that spell out the tokens of a choice, once.
pub(super) fn hide_tokens(
    choice: u32,
    leaks: &[(u32, Range<usize>)],
    body: &[u8],
    splices: &mut Vec<Splice>,
) {
    for (_, range) in leaks.iter().filter(|(of, _)| *of == choice) {
        if !splices.iter().any(|splice| splice.range == *range) {
            splices.push(Splice::empty(range.clone(), body));
        }
    }
}

/// Turns what must be replaced in one text into splices of its body.
pub(super) fn redact(
    gateway: &Gateway,
    text: &Text,
    body: &[u8],
    findings: &[Finding],
    splices: &mut Vec<Splice>,
) {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for merged in holdback::merge(findings) {
        let matched = text.value.get(merged.start..merged.end).unwrap_or_default();
        let mut marker = String::new();
        gateway.chain.marker(merged.finding, matched, &mut marker);
        edits.push((merged.start..merged.end, marker));
    }
    if !edits.is_empty() {
        let edits: Vec<(Range<usize>, &str)> =
            edits.iter().map(|(range, marker)| (range.clone(), marker.as_str())).collect();
        text.edit(body, &edits, splices);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Role;
    use crate::exchange::{Admission, Exchange, Gateway, RequestHead, RequestStep};
    use serde_json::json;
    use std::rc::Rc;

    const TEXT: &str = "Write to alice@example.com about the meeting.";

    fn gateway() -> Rc<Gateway> {
        let document = json!({
            "pack": {"name": "p", "version": "1.0.0"},
            "policies": {"chain": ["pii-detector", "audit-logger"]},
            "providers": {"targets": [{"id": "a", "provider": "openai-compatible", "base_url": "http://a.test"}]},
        });
        let plan = crate::plan::check(&document).unwrap();
        Rc::new(Gateway::new(plan.downstream("")).unwrap().with_memory())
    }

    /// What leaves for the upstream, and the event.
    fn send(gateway: &Rc<Gateway>, key: &str) -> (String, String) {
        let mut exchange = Exchange::new(gateway.clone());
        let headers = [(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", key)];
        let head = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert!(matches!(exchange.admit(RequestHead::new(head.to_vec())), Admission::Inspect));
        let body = json!({"model": "m", "messages": [{"role": "user", "content": TEXT}]}).to_string();
        let Ok(RequestStep::Dispatch(dispatch)) = exchange.request_step(body.as_bytes()) else {
            panic!("the request is not sent on");
        };
        let event = exchange.finish(&Default::default()).unwrap();
        (String::from_utf8(dispatch.body.unwrap()).unwrap(), String::from_utf8(event).unwrap())
    }

    fn remembers(gateway: &Gateway, key: &str) -> bool {
        let memory = gateway.memory.borrow();
        let sender = memory.sender(key, gateway.chain.all()).unwrap();
        memory.recall(sender.identity(Role::User, TEXT).unwrap()).is_some_and(|found| found.len() == 1)
    }

    #[test]
    fn a_text_that_its_caller_sends_again_is_recalled_with_the_same_outcome() {
        let gateway = gateway();
        assert!(!remembers(&gateway, "Bearer one"));
        let first = send(&gateway, "Bearer one");
        assert!(first.0.contains("Write to [REDACTED:EMAIL] about"), "{}", first.0);
        assert!(remembers(&gateway, "Bearer one") && !remembers(&gateway, "Bearer two"));
        let second = send(&gateway, "Bearer one");
        assert_eq!(second, first);
    }
}
