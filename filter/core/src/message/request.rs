//! Reads a request body: its texts, and the few fields the gateway acts on.
//!
//! Leaves every unknown field alone. Invariant: a body that is returned is one that every strict parser reads the same way.

use super::format::Format;
use super::json::Kind;
use super::names::Name;
use super::reader::{Reader, Result};
use super::rewrite::{Splice, json_string};
use super::schema;
use super::text::{Channel, Text};
use super::turn::{self, Arguments};
use super::{BodyError, BodyErrorKind, Endpoint, Unscanned};
use crate::config::Role;
use std::borrow::Cow;
use std::ops::Range;

/// What a request says.
#[derive(Debug, Clone, PartialEq)]
pub struct Request<'a> {
    /// Its texts, in the order of the body.
    pub texts: Vec<Text<'a>>,
    /// The model asked for.
    pub model: Option<Model<'a>>,
    /// The answer is to come as server-sent events.
    pub stream: bool,
    /// Where and how the caller asks for token counts in a stream.
    pub stream_options: Option<StreamOptions>,
    /// A response format that some providers want spelled differently.
    pub format: Option<Format>,
    /// Most tokens the answer may have: `max_completion_tokens`, else `max_tokens` or `max_output_tokens`.
    pub max_tokens: Option<u64>,
    /// Answers asked for at once; absent: one.
    pub choices: Option<u64>,
    /// Where the value of `response_format` is written.
    pub response_format: Option<Range<usize>>,
    /// Parts that cannot be read.
    pub unscanned: Unscanned,
    /// A prompt is given as token ids, which cannot be read either.
    pub token_prompt: bool,
    /// It goes on from text that the provider keeps and that was never seen here.
    pub goes_on_from_unseen: bool,
    /// The answer is to be JSON.
    pub json_answer: bool,
    /// Just after the opening brace of the body.
    pub body_open: usize,
    /// The body has no member.
    empty: bool,
}

/// The model a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Where it is written, quotes included.
    pub span: Range<usize>,
}

/// The value of `stream_options`, an object or `null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Where it is written.
    pub span: Range<usize>,
    /// Value of `include_usage` and where it is written.
    pub include_usage: Option<(bool, Range<usize>)>,
    /// It has another member.
    filled: bool,
}

impl Request<'_> {
    /// Adds the splice that makes the request ask for `model`.
    pub fn ask_for_model(&self, model: &str, splices: &mut Vec<Splice>) {
        let name = json_string(model);
        match &self.model {
            Some(model) => splices.push(Splice { range: model.span.clone(), with: name }),
            None => self.insert(&[b"\"model\":", name.as_slice()].concat(), splices),
        }
    }

    /// Adds the splice that makes the request ask for token counts in a stream; `false` if it does already.
    pub fn ask_for_usage(&self, splices: &mut Vec<Splice>) -> bool {
        const MEMBER: &[u8] = b"\"include_usage\":true";
        match &self.stream_options {
            None => self.insert(b"\"stream_options\":{\"include_usage\":true}", splices),
            Some(StreamOptions { include_usage: Some((true, _)), .. }) => return false,
            Some(StreamOptions { include_usage: Some((false, span)), .. }) => {
                splices.push(Splice { range: span.clone(), with: b"true".to_vec() });
            }
            Some(StreamOptions { span, filled: true, .. }) => {
                let open = span.start + 1;
                splices.push(Splice { range: open..open, with: [MEMBER, b","].concat() });
            }
            Some(StreamOptions { span, .. }) => {
                splices.push(Splice { range: span.clone(), with: [b"{", MEMBER, b"}"].concat() });
            }
        }
        true
    }

    fn insert(&self, member: &[u8], splices: &mut Vec<Splice>) {
        let place = self.body_open..self.body_open;
        let comma: &[u8] = b",";
        let with = match self.empty {
            false => [member, comma].concat(),
            true if splices.iter().any(|splice| splice.range == place) => [comma, member].concat(),
            true => member.to_vec(),
        };
        splices.push(Splice { range: place, with });
    }
}

/// Reads a request body of `endpoint`.
pub fn read(endpoint: Endpoint, body: &[u8]) -> std::result::Result<Request<'_>, BodyError> {
    let mut reader = Reader::new(body, Role::User)?;
    let request = reader.request(endpoint).map_err(|_| reader.cursor.failure())?;
    let (json_answer, unscanned) = (reader.json_answer, reader.unscanned);
    Ok(Request { texts: reader.texts, json_answer, unscanned, ..request })
}
const TOOL: schema::Places = schema::Places {
    whole: "tools[].function",
    name: "tools[].function.name",
    description: "tools[].function.description",
    schema: "tools[].function.parameters",
};
const CUSTOM_TOOL: schema::Places = schema::Places {
    whole: "tools[].custom",
    name: "tools[].custom.name",
    description: "tools[].custom.description",
    schema: "tools[].custom",
};
const FUNCTION: schema::Places = schema::Places {
    whole: "functions[]",
    name: "functions[].name",
    description: "functions[].description",
    schema: "functions[].parameters",
};
const FORMAT: schema::Places = schema::Places {
    whole: "response_format.json_schema",
    name: "response_format.json_schema.name",
    description: "response_format.json_schema.description",
    schema: "response_format.json_schema.schema",
};

impl<'a> Reader<'a> {
    /// The whole body, apart from what the reader collects.
    fn request(&mut self, endpoint: Endpoint) -> Result<Request<'a>> {
        let mut members = self.cursor.body()?;
        let mut request = Request {
            texts: Vec::new(),
            model: None,
            stream: false,
            stream_options: None,
            format: None,
            max_tokens: None,
            choices: None,
            response_format: None,
            unscanned: Unscanned::default(),
            token_prompt: false,
            goes_on_from_unseen: false,
            json_answer: false,
            body_open: self.cursor.offset(),
            empty: true,
        };
        let mut completion_tokens = None;
        while let Some(key) = self.cursor.next_key(&mut members)? {
            request.empty = false;
            match (endpoint, key) {
                (_, Name::Model) => request.model = Some(self.model()?),
                (Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Responses, Name::Stream) => {
                    request.stream = self.flag("stream")?;
                }
                (Endpoint::ChatCompletions | Endpoint::Completions, Name::StreamOptions) => {
                    request.stream_options = Some(self.stream_options()?);
                }
                (_, Name::MaxTokens | Name::MaxOutputTokens) => request.max_tokens = self.count()?,
                (Endpoint::ChatCompletions | Endpoint::Completions, Name::N) => {
                    request.choices = self.count()?
                }
                (_, Name::MaxCompletionTokens) => completion_tokens = self.count()?,
                (Endpoint::ChatCompletions, Name::ResponseFormat) => {
                    self.cursor.kind()?;
                    let start = self.cursor.offset();
                    request.format = self.format()?;
                    request.response_format = Some(start..self.cursor.offset());
                }
                // Some providers serve `prompt` in place of `messages`.
                (Endpoint::ChatCompletions | Endpoint::Completions, Name::Prompt) => {
                    request.token_prompt = self.prompt("prompt", "prompt[]")?;
                }
                (Endpoint::ChatCompletions, key) => self.chat(key)?,
                (Endpoint::Responses, key) => {
                    request.goes_on_from_unseen |= self.responses_request(key)?;
                }
                (Endpoint::Completions, Name::Suffix) => self.text("suffix", [0; 3], Channel::Prompt)?,
                (Endpoint::Embeddings, Name::Input) => {
                    request.token_prompt = self.prompt("input", "input[]")?
                }
                (Endpoint::Rerank, Name::Query) => self.document("query", [0; 3])?,
                (Endpoint::Rerank, Name::Documents) => self.each_item("documents", |reader, number| {
                    reader.document("documents[]", [number, 0, 0])
                })?,
                // What the embedding or the ranking is for.
                (Endpoint::Embeddings | Endpoint::Rerank, _) if self.cursor.key() == "instruction" => {
                    self.text("instruction", [0; 3], Channel::Prompt)?
                }
                _ => self.cursor.skip()?,
            }
        }
        self.cursor.end()?;
        request.max_tokens = completion_tokens.or(request.max_tokens);
        Ok(request)
    }

    /// A member of a chat request that is not common to all endpoints.
    fn chat(&mut self, key: Name) -> Result<()> {
        let role = match key {
            Name::Messages => return self.each_item("messages", Reader::message),
            Name::Prediction => Role::Assistant,
            // What was retrieved for the answer, as Cohere and vLLM take it.
            Name::Documents => Role::Tool,
            Name::Tools | Name::Functions => Role::System,
            _ => return self.cursor.skip(),
        };
        let outer = std::mem::replace(&mut self.role, role);
        match key {
            Name::Tools => self.each_item("tools", |reader, number| {
                reader.each_member_of("tools[]", |reader, key| match key {
                    Name::Function => reader.definition(&TOOL, [number, 0, 0]),
                    Name::Custom => reader.definition(&CUSTOM_TOOL, [number, 0, 0]),
                    _ => reader.cursor.skip(),
                })
            })?,
            Name::Documents => {
                self.each_item("documents", |reader, number| reader.document("documents[]", [number, 0, 0]))?
            }
            Name::Functions => {
                self.each_item("functions", |reader, number| reader.definition(&FUNCTION, [number, 0, 0]))?
            }
            _ => self.each_member_of("prediction", |reader, key| match key {
                Name::Content => reader.prediction(),
                _ => reader.cursor.skip(),
            })?,
        }
        self.role = outer;
        Ok(())
    }

    fn format(&mut self) -> Result<Option<Format>> {
        let outer = std::mem::replace(&mut self.role, Role::System);
        let (mut kind, mut schema) = (None, None);
        self.each_member_of("response_format", |reader, key| match key {
            Name::JsonSchema => reader.definition(&FORMAT, [0; 3]),
            Name::Schema => {
                reader.cursor.kind()?;
                let start = reader.cursor.offset();
                reader.schema("response_format.schema", [0; 3])?;
                schema = Some((start, reader.cursor.offset()));
                Ok(())
            }
            Name::Type => {
                reader.cursor.kind()?;
                kind = Some(reader.cursor.offset());
                reader.format_kind()
            }
            _ => reader.cursor.skip(),
        })?;
        self.role = outer;
        Ok(Format::beside(self.cursor.written(0..self.cursor.offset()).as_bytes(), kind, schema))
    }

    fn message(&mut self, number: u32) -> Result<()> {
        if self.cursor.kind()? != Kind::Object {
            return self.nothing_at("messages[]");
        }
        let first = self.texts.len();
        let role = self.turn(&turn::REQUEST, number, Arguments::Whole)?;
        if let Some(role) = role {
            for text in self.texts.iter_mut().skip(first) {
                text.role = role;
            }
        }
        if role == Some(Role::Tool) {
            self.open_results(first);
        }
        Ok(())
    }

    fn prediction(&mut self) -> Result<()> {
        match self.cursor.kind()? {
            Kind::Array => self.each_item("prediction.content", |reader, number| {
                reader.each_member_of("prediction.content[]", |reader, key| match key {
                    Name::Text => reader.text("prediction.content[].text", [number, 0, 0], Channel::Content),
                    _ => reader.cursor.skip(),
                })
            }),
            _ => self.text("prediction.content", [0; 3], Channel::Content),
        }
    }

    /// A string, a list of strings, or token ids; says whether there are token ids.
    fn prompt(&mut self, place: &'static str, item: &'static str) -> Result<bool> {
        if self.cursor.kind()? != Kind::Array {
            self.text(place, [0; 3], Channel::Prompt)?;
            return Ok(false);
        }
        let mut tokens = false;
        self.each_item(place, |reader, number| match reader.cursor.kind()? {
            Kind::Number => {
                tokens = true;
                reader.cursor.skip()
            }
            Kind::Array => reader.each_item(item, |reader, _| match reader.cursor.kind()? {
                Kind::Number => {
                    tokens = true;
                    reader.cursor.skip()
                }
                _ => reader.nothing_at(item),
            }),
            _ => reader.text(item, [number, 0, 0], Channel::Prompt),
        })?;
        Ok(tokens)
    }

    /// A string, or an object whose strings are the document.
    fn document(&mut self, place: &'static str, at: [u32; 3]) -> Result<()> {
        match self.cursor.kind()? {
            Kind::Object => self.leaves(place, at, Channel::Prompt),
            _ => self.text(place, at, Channel::Prompt),
        }
    }

    fn model(&mut self) -> Result<Model<'a>> {
        if self.cursor.kind()? != Kind::String {
            return Err(self.cursor.stop(BodyErrorKind::WrongShape("model")));
        }
        let (span, name) = self.cursor.value()?;
        Ok(Model { name, span: span.start - 1..span.end + 1 })
    }

    fn flag(&mut self, place: &'static str) -> Result<bool> {
        match self.cursor.kind()? {
            Kind::Bool => self.cursor.boolean(),
            Kind::Null => self.cursor.skip().map(|()| false),
            // Some servers take `1` or `"true"` for true: the answer would come in a form nobody expects.
            _ => Err(self.cursor.stop(BodyErrorKind::WrongShape(place))),
        }
    }

    fn stream_options(&mut self) -> Result<StreamOptions> {
        let kind = self.cursor.kind()?;
        let start = self.cursor.offset();
        let mut options = StreamOptions { span: start..start, include_usage: None, filled: false };
        match kind {
            Kind::Null => self.cursor.skip()?,
            Kind::Object => self.each_member(|reader, key| {
                options.filled = true;
                if key != Name::IncludeUsage {
                    return reader.cursor.skip();
                }
                reader.cursor.kind()?;
                let start = reader.cursor.offset();
                let value = reader.flag("stream_options.include_usage")?;
                options.include_usage = Some((value, start..reader.cursor.offset()));
                Ok(())
            })?,
            _ => return Err(self.cursor.stop(BodyErrorKind::WrongShape("stream_options"))),
        }
        options.span.end = self.cursor.offset();
        Ok(options)
    }
}
