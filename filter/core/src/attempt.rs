//! The note that the downstream role leaves for the attempts of one exchange.
//!
//! Envoy keeps one header map and one body for all attempts; an attempt therefore sets absolute values and swaps only the
//! model, and the spelling of the response format where its target wants the other one. The note travels as filter state, never as a header, and holds no key.

pub mod answer;
pub mod trail;
pub(crate) mod wait;

use crate::message::format::Format;
use crate::message::rewrite::{Splice, push_json_string};
use crate::plugin::Attempt;

/// Where an exchange may go, and what an attempt must know to go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptPlan {
    /// The clusters to try, in order: a target's id, or its streaming twin.
    pub clusters: Vec<String>,
    /// The client asked for a stream.
    pub streams: bool,
    /// Path and query as the client sent them, from `/v1` on.
    pub path: String,
    /// Where the body names its model; `None` for bodies that are not ours to edit.
    pub model: Option<ModelSlot>,
}

/// The JSON string in the body that names the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSlot {
    /// First byte of the JSON string, its quote.
    pub start: usize,
    /// Length of the whole body.
    pub body_bytes: usize,
    /// The JSON string that stands there.
    pub written: String,
    /// The JSON string the client sent, if it sent one.
    pub client: Option<String>,
    /// A response format that its target may want spelled differently.
    pub format: Option<Format>,
}

/// What one attempt changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEdit {
    /// Value of `:path`.
    pub path: String,
    /// What changes in the body: the model, where it differs, and the spelling of the response format.
    pub splices: Vec<Splice>,
    /// Value of `content-length` after that.
    pub content_length: Option<usize>,
}

/// Ends the name of the cluster that serves a target's streams, so no id may end in it.
pub const STREAM_SUFFIX: &str = "~s";

/// Name of a target's cluster key when the exchange streams and the target has a limit of its own for that.
pub fn streaming_twin(target: &str) -> String {
    format!("{target}{STREAM_SUFFIX}")
}

/// Begins the note of an exchange that streams. No id starts like this.
const STREAMS: &str = "~";

/// The target a cluster key belongs to.
pub fn target_of(cluster: &str) -> &str {
    cluster.strip_suffix(STREAM_SUFFIX).unwrap_or(cluster)
}

impl AttemptPlan {
    /// The note as text: one line a field. JSON strings hold no line ends, and ids and paths cannot. The attempts add lines of
    /// their own ([`trail`]).
    pub fn to_text(&self) -> String {
        let kind = if self.streams { STREAMS } else { "" };
        let mut text = format!("{kind}{}\n{}\n", self.clusters.join(","), self.path);
        if let Some(slot) = &self.model {
            let client = slot.client.as_deref().unwrap_or_default();
            text.push_str(&format!("{} {}", slot.start, slot.body_bytes));
            if let Some(format) = &slot.format {
                format.note(&mut text);
            }
            text.push_str(&format!("\n{}\n{client}\n", slot.written));
        }
        text
    }

    /// The note back from its text.
    pub fn from_text(text: &str) -> Option<AttemptPlan> {
        let mut lines = text.lines();
        let clusters = lines.next()?;
        let streams = clusters.starts_with(STREAMS);
        let clusters =
            clusters.strip_prefix(STREAMS).unwrap_or(clusters).split(',').map(str::to_owned).collect();
        let path = lines.next()?.to_owned();
        let model = match lines.next().filter(|line| !line.starts_with(trail::MARK)) {
            None => None,
            Some(numbers) => {
                let mut numbers = numbers.split(' ').map_while(|number| number.parse().ok());
                let (start, body_bytes) = (numbers.next()?, numbers.next()?);
                let format = Format::noted(numbers);
                let written = lines.next()?.to_owned();
                let client = lines.next().filter(|client| !client.is_empty()).map(str::to_owned);
                Some(ModelSlot { start, body_bytes, written, client, format })
            }
        };
        Some(AttemptPlan { clusters, streams, path, model })
    }

    /// Leaves out so many attempts after the `done` first ones.
    pub fn skip(&mut self, done: usize, attempts: usize) {
        let kept = self.clusters.iter().enumerate().filter(|(at, _)| !(done..done + attempts).contains(at));
        self.clusters = kept.map(|(_, cluster)| cluster.clone()).collect();
    }

    /// The cluster of the attempt after the `done`th.
    pub fn cluster(&self, done: usize) -> Option<&str> {
        self.clusters.get(done).map(String::as_str)
    }

    /// What an attempt on `target` changes.
    pub fn edit(&self, target: &Attempt) -> AttemptEdit {
        let path = upstream_path(&target.path_prefix, &self.path);
        let Some(slot) = &self.model else {
            return AttemptEdit { path, splices: Vec::new(), content_length: None };
        };
        let wanted = match &target.model {
            Some(model) => Some(json_string(model)),
            None => slot.client.clone(),
        };
        let mut splices = match &slot.format {
            Some(format) => format.splices(target.nests_schema),
            None => Vec::new(),
        };
        if let Some(model) = wanted.filter(|wanted| *wanted != slot.written) {
            let range = slot.start..slot.start + slot.written.len();
            splices.push(Splice { range, with: model.into_bytes() });
        }
        let content_length = splices
            .iter()
            .fold(slot.body_bytes, |length, splice| length - splice.range.len() + splice.with.len());
        AttemptEdit { path, splices, content_length: Some(content_length) }
    }
}

/// `text` as a JSON string.
pub fn json_string(text: &str) -> String {
    let mut raw = String::with_capacity(text.len() + 2);
    push_json_string(text, &mut raw);
    raw
}

/// The path at an upstream whose API lives under `prefix`, for a client path under `/v1`.
pub fn upstream_path(prefix: &str, path: &str) -> String {
    format!("{prefix}{}", path.strip_prefix("/v1").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> AttemptPlan {
        let slot = ModelSlot {
            start: 9,
            body_bytes: 100,
            written: "\"first\"".into(),
            client: Some("\"asked\"".into()),
            format: None,
        };
        AttemptPlan {
            clusters: vec!["a".into(), "b~s".into()],
            streams: true,
            path: "/v1/chat/completions?x=1".into(),
            model: Some(slot),
        }
    }

    fn target(model: Option<&str>) -> Attempt {
        Attempt {
            target: "b".into(),
            model: model.map(str::to_owned),
            authority: "host".into(),
            path_prefix: "/openai/v1".into(),
            client_key: false,
            client_key_if_named: false,
            retryable_status_codes: vec![503],
            max_wait_ms: 5000,
            target_out: crate::config::TargetOut::default(),
            nests_schema: true,
        }
    }

    #[track_caller]
    fn check(model: Option<&str>, expected: (Option<&str>, usize)) {
        let edit = plan().edit(&target(model));
        assert_eq!(edit.path, "/openai/v1/chat/completions?x=1");
        let model = edit.splices.first().map(|splice| std::str::from_utf8(&splice.with).unwrap());
        assert_eq!((model, edit.content_length), (expected.0, Some(expected.1)));
    }

    #[test]
    fn a_note_survives_its_text() {
        assert_eq!(AttemptPlan::from_text(&plan().to_text()), Some(plan()));
        let bare = AttemptPlan { model: None, streams: false, ..plan() };
        assert_eq!(AttemptPlan::from_text(&bare.to_text()), Some(bare));
        let mut formatted = plan();
        let format = Format { marks: [30, 45, 60], nested: true };
        formatted.model.as_mut().unwrap().format = Some(format);
        assert_eq!(AttemptPlan::from_text(&formatted.to_text()), Some(formatted));
    }

    #[test]
    fn an_attempt_spells_the_response_format_as_its_target_wants_it() {
        let beside = r#"{"model":"a","response_format":{"type":"json_object","schema":{"type":"object"}}}"#;
        let nested = r#"{"model":"a","response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}}"#;
        for (written, is_nested) in [(beside, false), (nested, true)] {
            let place = |text: &str| written.find(text).unwrap();
            let end = place(r#"{"type":"object"}"#) + r#"{"type":"object"}"#.len();
            let key = if is_nested { place(r#""json_schema":"#) } else { place(r#""schema""#) };
            let kind = place(r#""response_format""#) + r#""response_format":{"type":"#.len();
            let format = Format { marks: [kind, key, end], nested: is_nested };
            let model = ModelSlot {
                start: 9,
                body_bytes: written.len(),
                written: "\"a\"".into(),
                client: None,
                format: Some(format),
            };
            let plan = AttemptPlan { model: Some(model), ..plan() };
            for (wants_nested, expected) in [(false, beside), (true, nested)] {
                let edit = plan.edit(&Attempt { nests_schema: wants_nested, ..target(Some("bb")) });
                let body = crate::message::rewrite::apply(written.as_bytes(), &edit.splices);
                assert_eq!(edit.content_length, Some(body.len()));
                assert_eq!(String::from_utf8(body).unwrap(), expected.replace("\"a\"", "\"bb\""));
            }
        }
    }

    #[test]
    fn a_note_and_its_trail_do_not_get_into_each_others_way() {
        let unnamed = ModelSlot { client: None, ..plan().model.unwrap() };
        for model in [plan().model, Some(unnamed), None] {
            let plan = AttemptPlan { model, ..plan() };
            let mut note = plan.to_text();
            trail::begin(&mut note, "a", 1);
            trail::end(&mut note, 503, trail::Fault::Status);
            trail::begin(&mut note, "b", 2);
            assert_eq!((AttemptPlan::from_text(&note), trail::lines(&note).count()), (Some(plan), 2));
            assert_eq!(trail::Trail::from_text(&note).last().map(|tried| tried.target.as_str()), Some("b"));
        }
    }

    #[test]
    fn an_attempt_swaps_the_model_and_counts_the_body() {
        check(Some("first"), (None, 100));
        check(Some("the \"other\""), (Some(r#""the \"other\"""#), 100 - 7 + 15));
        check(None, (Some("\"asked\""), 100));
    }
}
