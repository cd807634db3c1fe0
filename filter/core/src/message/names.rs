//! The names that mean something to the gateway: keys of objects, and the words that some values choose from.
//!
//! Knows nothing of where they stand. Keys that only every answer has are here as well: a name costs less than a key that
//! has to be remembered. A name is looked up once and is a number from then on. Invariant: two spellings of one
//! name, with or without escapes, are one [`Name`].

use super::plain::BLOCK;

macro_rules! names {
    ($($name:ident = $written:literal,)*) => {
        /// What a key or a word says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(clippy::enum_variant_names, reason = "the wire has a key `name`")]
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
    CallId = "call_id",
    Choices = "choices",
    Code = "code",
    Comment = "$comment",
    CompletionTokens = "completion_tokens",
    CompletionTokensDetails = "completion_tokens_details",
    Const = "const",
    Content = "content",
    ContentIndex = "content_index",
    Conversation = "conversation",
    Created = "created",
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
    EncryptedContent = "encrypted_content",
    Enum = "enum",
    Error = "error",
    Examples = "examples",
    File = "file",
    FileUrl = "file_url",
    FinishReason = "finish_reason",
    Format = "format",
    Function = "function",
    FunctionCall = "function_call",
    Functions = "functions",
    Id = "id",
    Image = "image",
    ImageFile = "image_file",
    ImageGenerationCall = "image_generation_call",
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
    Instructions = "instructions",
    Item = "item",
    ItemReference = "item_reference",
    JsonSchema = "json_schema",
    Logprobs = "logprobs",
    MaxCompletionTokens = "max_completion_tokens",
    MaxOutputTokens = "max_output_tokens",
    MaxTokens = "max_tokens",
    Message = "message",
    Messages = "messages",
    Model = "model",
    N = "n",
    Name = "name",
    Obfuscation = "obfuscation",
    Object = "object",
    Output = "output",
    OutputAudio = "output_audio",
    OutputIndex = "output_index",
    OutputText = "output_text",
    OutputTokens = "output_tokens",
    OutputTokensDetails = "output_tokens_details",
    Parameters = "parameters",
    Part = "part",
    PatternProperties = "patternProperties",
    Prediction = "prediction",
    PreviousResponseId = "previous_response_id",
    Prompt = "prompt",
    PromptCacheHitTokens = "prompt_cache_hit_tokens",
    PromptTokens = "prompt_tokens",
    PromptTokensDetails = "prompt_tokens_details",
    Properties = "properties",
    Query = "query",
    Reasoning = "reasoning",
    ReasoningContent = "reasoning_content",
    ReasoningDetails = "reasoning_details",
    ReasoningText = "reasoning_text",
    ReasoningTokens = "reasoning_tokens",
    Reference = "reference",
    Refusal = "refusal",
    Response = "response",
    ResponseFormat = "response_format",
    Result = "result",
    Results = "results",
    Role = "role",
    Schema = "schema",
    SequenceNumber = "sequence_number",
    ServiceTier = "service_tier",
    Status = "status",
    Stream = "stream",
    StreamOptions = "stream_options",
    Suffix = "suffix",
    Summary = "summary",
    SummaryIndex = "summary_index",
    SummaryText = "summary_text",
    System = "system",
    SystemFingerprint = "system_fingerprint",
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

const PLACES: usize = 1024;

/// Numbers of the names by their [`Head::place`]. Two names in one place do not compile: then it takes other factors.
static TABLE: [u8; PLACES] = {
    let mut table = [Name::Other as u8; PLACES];
    let mut n = 0;
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    while n < NAMES.len() {
        let place = Head::of(NAMES[n].1).place();
        assert!(table[place] == Name::Other as u8);
        table[place] = n as u8;
        n += 1;
    }
    table
};

/// The beginning of every name, by its number.
static HEADS: [Head; NAMES.len()] = {
    let mut heads = [Head { low: 0, high: 0 }; NAMES.len()];
    let mut n = 0;
    #[allow(clippy::indexing_slicing, reason = "at compile time")]
    while n < NAMES.len() {
        heads[n] = Head::of(NAMES[n].1);
        n += 1;
    }
    heads
};

/// The first sixteen bytes of a key as two numbers, its length added: what is compared instead of the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    low: u64,
    high: u64,
}

impl Head {
    /// Of a key of `length` bytes that begins as `block` does.
    #[inline(always)]
    pub(super) const fn new(block: &[u8; BLOCK], length: usize) -> Head {
        let block = u128::from_le_bytes(*block);
        let (low, high) = (block as u64, (block >> 64) as u64);
        let (low, high) = match length {
            0..8 => (low & ((1 << (8 * length)) - 1), 0),
            8..16 => (low, high & ((1 << (8 * (length - 8))) - 1)),
            _ => (low, high),
        };
        Head { low, high: high.wrapping_add(length as u64) }
    }

    pub(super) const fn of(written: &str) -> Head {
        let written = written.as_bytes();
        let mut block = [0; BLOCK];
        let mut n = 0;
        #[allow(clippy::indexing_slicing, reason = "both lengths are asked")]
        while n < BLOCK && n < written.len() {
            block[n] = written[n];
            n += 1;
        }
        Head::new(&block, written.len())
    }

    /// Bits that differ between most keys; chosen so that the highest ten differ between all names.
    #[inline(always)]
    pub(super) const fn hash(self) -> u64 {
        self.low
            .wrapping_mul(0x4514_c84e_a5af_8ee1)
            .wrapping_add(self.high.wrapping_mul(0x9020_6374_31a3_49bd))
    }

    #[inline(always)]
    const fn place(self) -> usize {
        (self.hash() >> 54) as usize
    }
}

impl Name {
    /// The name that is written so.
    pub(super) fn of(written: &str) -> Name {
        Name::with(Head::of(written), written)
    }

    /// The same, where the head is known.
    #[inline]
    pub(super) fn with(head: Head, written: &str) -> Name {
        let number = usize::from(TABLE.get(head.place()).copied().unwrap_or(Name::Other as u8));
        match (HEADS.get(number), NAMES.get(number)) {
            (Some(known), Some((name, spelled)))
                if *known == head
                    && spelled.len() == written.len()
                    && (written.len() <= BLOCK || *spelled == written) =>
            {
                *name
            }
            _ => Name::Other,
        }
    }

    /// A bit of its own, in one of two words.
    #[inline]
    pub(super) fn bits(self) -> [u64; 2] {
        let bit = 1 << (self as u32 & 63);
        if (self as u32) < 64 { [bit, 0] } else { [0, bit] }
    }

    /// The strings of such a key are no text, wherever it stands: identifiers, words of the format, bytes in letters.
    pub(super) fn is_opaque(self) -> bool {
        matches!(
            self,
            Name::Id
                | Name::Type
                | Name::Index
                | Name::Object
                | Name::CallId
                | Name::Status
                | Name::FinishReason
                | Name::Data
                | Name::ImageUrl
                | Name::AudioUrl
                | Name::FileUrl
                | Name::InputAudio
                | Name::EncryptedContent
                | Name::Obfuscation
        )
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
        let mut seen = [0, 0];
        for (name, written) in NAMES {
            assert_eq!(Name::of(written), name, "{written}");
            for (seen, bits) in seen.iter_mut().zip(name.bits()) {
                assert_eq!(*seen & bits, 0, "{written}");
                *seen |= bits;
            }
        }
        assert_eq!(seen.map(u64::count_ones).iter().sum::<u32>() as usize, NAMES.len());
    }

    #[test]
    fn what_is_no_name_is_another() {
        for written in [
            "",
            "x",
            "Content",
            "conten",
            "contents",
            "content ",
            "c\\u006fntent",
            "größe",
            "completion_token",
            "completion_tokens_detail",
            "completion_tokens_detailz",
        ] {
            assert_eq!(Name::of(written), Name::Other, "{written}");
        }
    }
}
