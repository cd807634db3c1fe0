//! Makes new inputs of old ones.

/// What parsers look for.
const DICTIONARY: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\\\",
    "\\u0040",
    "\\ud83d",
    "\\ude00",
    "\\u",
    "\\n",
    "null",
    "true",
    "1e9",
    "-0",
    "4111111111111111",
    "alice@example.com",
    "@example.",
    "DE89 3704 0044 0532 0130 00",
    "project night",
    "harvest moon",
    " how to ",
    "password=",
    "-----BEGIN PRIVATE KEY-----",
    "+1 415 555 ",
    "\"messages\":",
    "\"role\":\"tool\"",
    "\"content\":",
    "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"",
    "\"text\":",
    "\"delta\":",
    "\"choices\":[",
    "\"index\":1",
    "\"finish_reason\":\"stop\"",
    "\"logprobs\":{}",
    "\"input\":",
    "\"output\":[",
    "\"type\":",
    "\"response\":{",
    "response.output_text.delta",
    "response.completed",
    "\"output_index\":2",
    "\"arguments\":",
    "\"summary\":[",
    "\"a\":1,\"a\":2",
    "data: ",
    "data:",
    "\n\n",
    "\r\n",
    "\r",
    "\n",
    "event: x",
    ": c",
    "id:",
    "[DONE]",
    "\u{feff}",
    "é",
    "😀",
    "\u{0}",
    " ",
];

/// Mutants that others are made of.
const MUTANTS: usize = 256;

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Debug)]
pub(crate) struct Mutator {
    state: u64,
    /// The corpus, then mutants.
    pool: Vec<Vec<u8>>,
    corpus: usize,
}

/// FNV-1a.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

impl Mutator {
    pub(crate) fn new(seed: u64, corpus: &[Vec<u8>]) -> Mutator {
        Mutator { state: seed, pool: corpus.to_vec(), corpus: corpus.len() }
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit.max(1) as u64) as usize
    }

    /// A stretch of `bytes`, short ones more often.
    fn stretch(&mut self, length: usize) -> (usize, usize) {
        let start = self.below(length + 1);
        let longest = 1 << self.below(8);
        (start, (start + self.below(longest + 1)).min(length))
    }

    /// The same without a stretch.
    pub(crate) fn cut(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (start, end) = self.stretch(bytes.len());
        [&bytes[..start], &bytes[end..]].concat()
    }

    /// The next input.
    pub(crate) fn next(&mut self, longest: usize) -> Vec<u8> {
        // What is right gets through the first checks; what is far from it does not.
        let among = if self.below(4) == 0 { self.pool.len() } else { self.corpus };
        let chosen = self.below(among);
        let mut input = self.pool[chosen].clone();
        for _ in 0..1 + self.below(6) {
            let (start, end) = self.stretch(input.len());
            let with: Vec<u8> = match self.below(7) {
                0 => Vec::new(),
                1 => {
                    let word = DICTIONARY[self.below(DICTIONARY.len())];
                    [word.as_bytes(), &input[start..end]].concat()
                }
                2 => DICTIONARY[self.below(DICTIONARY.len())].into(),
                3 => input[start..end].repeat(1 + self.below(3)),
                4 => {
                    let mut bytes = input[start..end].to_vec();
                    if !bytes.is_empty() {
                        let at = self.below(bytes.len());
                        bytes[at] ^= 1 << self.below(8);
                    }
                    bytes
                }
                5 => {
                    let other = self.below(self.pool.len());
                    let (start, end) = self.stretch(self.pool[other].len());
                    self.pool[other][start..end].to_vec()
                }
                _ => vec![self.below(256) as u8],
            };
            input.splice(start..end, with);
        }
        input.truncate(longest);
        // Mutants of mutants reach further than mutants of what is right.
        if self.below(16) == 0 {
            match self.pool.len() < self.corpus + MUTANTS {
                true => self.pool.push(input.clone()),
                false => {
                    let at = self.corpus + self.below(MUTANTS);
                    self.pool[at] = input.clone();
                }
            }
        }
        input
    }
}
