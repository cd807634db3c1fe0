//! The response format that providers spell in two ways: a JSON Schema beside `json_object`, or inside `json_schema`.
//!
//! Together takes the first, OpenAI refuses it. Knows where the spelling differs, and nothing of targets. Invariant: the
//! schema itself, and everything else of the format, stays byte for byte as it was written.

use super::rewrite::Splice;

/// What stands at the three marks where a schema is given beside the type.
const BESIDE: [&str; 3] = ["\"json_object\"", "\"schema\"", ""];

/// What stands there where it is given inside `json_schema`, which has to have a name.
const NESTED: [&str; 3] = ["\"json_schema\"", "\"json_schema\":{\"name\":\"answer\",\"schema\"", "}"];

/// A response format in one of the two spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Where the value of `type` begins, the key of the schema, and what follows the schema.
    pub marks: [usize; 3],
    /// The schema is inside `json_schema`.
    pub nested: bool,
}

impl Format {
    /// A schema beside `json_object`, by the first bytes of the two values: both must be written without escapes.
    pub(super) fn beside(body: &[u8], kind: Option<usize>, schema: Option<(usize, usize)>) -> Option<Format> {
        let [object, key, _] = BESIDE;
        let ((start, end), kind) = (schema?, kind?);
        body.get(kind..)?.starts_with(object.as_bytes()).then_some(())?;
        let before = body.get(..start)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
        let key = before.strip_suffix(key.as_bytes())?.len();
        Some(Format { marks: [kind, key, end], nested: false })
    }

    /// The splices that lead to the wanted spelling.
    pub fn splices(&self, nested: bool) -> Vec<Splice> {
        if nested == self.nested {
            return Vec::new();
        }
        let (old, new) = if nested { (BESIDE, NESTED) } else { (NESTED, BESIDE) };
        let texts = old.into_iter().zip(new);
        let marks = self.marks.into_iter().zip(texts);
        marks.map(|(at, (old, new))| Splice { range: at..at + old.len(), with: new.into() }).collect()
    }

    /// Appends it to a line of numbers.
    pub fn note(&self, line: &mut String) {
        for number in self.marks.into_iter().chain([usize::from(self.nested)]) {
            line.push(' ');
            line.push_str(&number.to_string());
        }
    }

    /// Reads it back from the rest of such a line.
    pub fn noted(mut numbers: impl Iterator<Item = usize>) -> Option<Format> {
        let marks = [numbers.next()?, numbers.next()?, numbers.next()?];
        Some(Format { marks, nested: numbers.next()? == 1 })
    }
}
