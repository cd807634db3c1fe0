//! A text with what it stands for.

/// Categories of unsafe content, in the order of the safety filter.
pub const CATEGORIES: [&str; 10] = [
    "violence",
    "self_harm",
    "sexual",
    "sexual_minors",
    "hate",
    "harassment",
    "weapons",
    "drugs",
    "crime",
    "cyber_abuse",
];

/// What is said about safety.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Safety {
    /// Nothing: the text does not count.
    #[default]
    Unknown,
    /// Harmless.
    Safe,
    /// Unsafe, with a bit for each category; none where only that is known.
    Unsafe(u16),
}

/// One text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The text.
    pub text: String,
    /// Whether it is an attack, where that is known.
    pub attack: Option<bool>,
    /// Whether it is unsafe.
    pub safety: Safety,
    /// Where it comes from; `own` for texts of this repository.
    pub source: String,
    /// Its technique, or its kind.
    pub family: String,
    /// Its language.
    pub lang: String,
}
