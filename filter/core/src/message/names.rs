//! The names that mean something to the gateway: keys of objects, and the words that some values choose from.
//!
//! Knows nothing of where they stand. A name is looked up once and is a number from then on. Invariant: two spellings of one
//! name, with or without escapes, are one [`Name`].

macro_rules! names {
    ($($name:ident = $written:literal,)*) => {
        /// What a key or a word says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Name {
            $($name,)*
            /// Anything else.
            Other,
        }

        /// Every name but [`Name::Other`], with the way it is written, in the order of their numbers.
        static NAMES: [(Name, &str); Name::Other as usize] = [$((Name::$name, $written),)*];
    };
}

names! {
    Arguments = "arguments",
    Assistant = "assistant",
    Audio = "audio",
    AudioUrl = "audio_url",
    CachedTokens = "cached_tokens",
    Choices = "choices",
    Comment = "$comment",
    CompletionTokens = "completion_tokens",
    CompletionTokensDetails = "completion_tokens_details",
    Const = "const",
    Content = "content",
    Custom = "custom",
    Data = "data",
    Default = "default",
    Definitions = "definitions",
    Defs = "$defs",
    Delta = "delta",
    DependentSchemas = "dependentSchemas",
    Description = "description",
    Developer = "developer",
    Document = "document",
    DocumentUrl = "document_url",
    Documents = "documents",
    Enum = "enum",
    Error = "error",
    Examples = "examples",
    File = "file",
    FileUrl = "file_url",
    FinishReason = "finish_reason",
    Function = "function",
    FunctionCall = "function_call",
    Functions = "functions",
    Image = "image",
    ImageFile = "image_file",
    ImageUrl = "image_url",
    IncludeUsage = "include_usage",
    Index = "index",
    Input = "input",
    InputAudio = "input_audio",
    InputFile = "input_file",
    InputImage = "input_image",
    InputText = "input_text",
    InputTokens = "input_tokens",
    InputTokensDetails = "input_tokens_details",
    JsonSchema = "json_schema",
    Logprobs = "logprobs",
    MaxCompletionTokens = "max_completion_tokens",
    MaxTokens = "max_tokens",
    Message = "message",
    Messages = "messages",
    Model = "model",
    Name = "name",
    OutputAudio = "output_audio",
    OutputText = "output_text",
    OutputTokens = "output_tokens",
    OutputTokensDetails = "output_tokens_details",
    Parameters = "parameters",
    PatternProperties = "patternProperties",
    Prediction = "prediction",
    Prompt = "prompt",
    PromptCacheHitTokens = "prompt_cache_hit_tokens",
    PromptTokens = "prompt_tokens",
    PromptTokensDetails = "prompt_tokens_details",
    Properties = "properties",
    Query = "query",
    Reasoning = "reasoning",
    ReasoningContent = "reasoning_content",
    ReasoningDetails = "reasoning_details",
    ReasoningTokens = "reasoning_tokens",
    Reference = "reference",
    Refusal = "refusal",
    ResponseFormat = "response_format",
    Results = "results",
    Role = "role",
    Schema = "schema",
    Stream = "stream",
    StreamOptions = "stream_options",
    Suffix = "suffix",
    Summary = "summary",
    System = "system",
    Text = "text",
    Thinking = "thinking",
    Title = "title",
    TokenId = "token_id",
    TokenIds = "token_ids",
    TokenLogprobs = "token_logprobs",
    Tokens = "tokens",
    Tool = "tool",
    ToolCalls = "tool_calls",
    Tools = "tools",
    TopLogprobs = "top_logprobs",
    TotalTokens = "total_tokens",
    Transcript = "transcript",
    Type = "type",
    Usage = "usage",
    User = "user",
    XGroq = "x_groq",
}

const PLACES: usize = 512;

/// Numbers of the names by their [`place`]. Two names in one place do not compile: then it takes other factors.
static TABLE: [u8; PLACES] = {
    let mut table = [Name::Other as u8; PLACES];
    let mut n = 0;
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    while n < NAMES.len() {
        let place = place(NAMES[n].1.as_bytes());
        assert!(table[place] == Name::Other as u8);
        table[place] = n as u8;
        n += 1;
    }
    table
};

/// Different for every name.
#[inline(always)]
#[allow(
    clippy::indexing_slicing,
    reason = "not empty, and neither its half nor its quarter is beyond its end"
)]
const fn place(written: &[u8]) -> usize {
    let length = written.len();
    if length == 0 {
        return 0;
    }
    let ends = written[0] as usize * 236 + written[length - 1] as usize * 287;
    let middle = written[length / 2] as usize * 240 + written[length / 4] as usize * 3;
    (length * 409 + ends + middle) % PLACES
}

impl Name {
    /// The name that is written so.
    #[inline]
    pub(super) fn of(written: &str) -> Name {
        let number = TABLE.get(place(written.as_bytes())).copied().unwrap_or(Name::Other as u8);
        match NAMES.get(usize::from(number)) {
            Some((name, spelled)) if *spelled == written => *name,
            _ => Name::Other,
        }
    }

    /// A bit of its own; none for [`Name::Other`].
    #[inline]
    pub(super) fn bit(self) -> u128 {
        if self == Name::Other { 0 } else { 1 << self as u32 }
    }

    /// The value of such a key spells out the tokens of an answer: OpenAI's and Together's log probabilities, token ids.
    pub(super) fn spells_tokens(self) -> bool {
        matches!(
            self,
            Name::Logprobs
                | Name::TopLogprobs
                | Name::TokenId
                | Name::TokenIds
                | Name::Tokens
                | Name::TokenLogprobs
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_has_a_bit() {
        let mut bits = 0;
        for (name, written) in NAMES {
            assert_eq!(Name::of(written), name, "{written}");
            assert_eq!(bits & name.bit(), 0, "{written}");
            bits |= name.bit();
        }
    }

    #[test]
    fn what_is_no_name_is_another() {
        for written in ["", "x", "Content", "conten", "contents", "content ", "c\\u006fntent", "größe"] {
            assert_eq!(Name::of(written), Name::Other, "{written}");
        }
    }
}
