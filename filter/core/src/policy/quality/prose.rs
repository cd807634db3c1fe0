//! What an answer's prose tells without understanding it: sentences, refusals, loops, its language.
//!
//! Judges no JSON and decides nothing. Invariant: reads a bounded number of bytes again for each byte of the text.

use crate::fnv;

/// Where a refusal shows: its beginning.
const REFUSAL_BYTES: usize = 240;
/// A longer answer did more than refuse.
const LONGEST_REFUSAL: usize = 1500;

/// How an answer begins that says it will not help; in lower case, apostrophes straight.
static UNWILLING: &[&str] = &[
    "i can't",
    "i cannot",
    "i can not",
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i won't",
    "i will not",
    "i must decline",
    "i have to decline",
    "we cannot",
    "we're unable to",
    "ich kann nicht",
    "ich kann dir nicht",
    "ich kann ihnen nicht",
    "ich kann dabei nicht",
    "kann ich leider nicht",
    "kann ich nicht",
    "je ne peux pas",
    "je ne suis pas en mesure",
    "no puedo",
    "non posso",
    "não posso",
    "ik kan niet",
    "ik kan je niet",
    "ik kan u niet",
    "kan ik niet",
];

/// What it then will not do.
static HELPING: &[&str] = &[
    "help",
    "assist",
    "comply",
    "provide",
    "fulfil",
    "support",
    "discuss",
    "creat",
    "write",
    "generat",
    "answer",
    "do that",
    "do this",
    "with that",
    "with this",
    "engage",
    "share",
    "continue",
    "helfen",
    "beantwort",
    "unterstütz",
    "bereitstell",
    "schreiben",
    "machen",
    "aider",
    "fournir",
    "répondre",
    "écrire",
    "ayudar",
    "proporcionar",
    "responder",
    "hacer",
    "aiutar",
    "fornire",
    "rispondere",
    "ajudar",
    "fornecer",
    "helpen",
    "beantwoord",
    "geven",
];

/// The answer refuses.
pub(super) fn is_refusal(text: &str) -> bool {
    if text.len() > LONGEST_REFUSAL {
        return false;
    }
    let start = text.trim_start();
    let start = start.get(..start.floor_char_boundary(REFUSAL_BYTES)).unwrap_or_default();
    let start = lower(start).replace('’', "'");
    UNWILLING.iter().any(|phrase| {
        start.find(phrase).and_then(|at| start.get(at + phrase.len()..)).is_some_and(|rest| {
            let sentence = rest.split(['.', '!', '?', '\n']).next().unwrap_or_default();
            HELPING.iter().any(|word| sentence.contains(word))
        })
    })
}

/// Sentences, or what stands for one: a line with letters, a part that ends in a full stop.
pub(super) fn sentences(text: &str) -> usize {
    let mut count = 0;
    let mut words = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        words |= letter.is_alphanumeric();
        let ends = match letter {
            '.' | '!' | '?' => letters.peek().is_none_or(|next| !next.is_alphanumeric()),
            '。' | '！' | '？' | '\n' => true,
            _ => false,
        };
        if ends && words {
            count += 1;
            words = false;
        }
    }
    count + usize::from(words)
}

/// The longest stretch that is looked for as the turn of a loop.
const LONGEST_TURN: usize = 256;
/// Turns, and bytes, after which it is a loop and not a style.
const TURNS: usize = 5;
const LOOP_BYTES: usize = 80;
/// Lines, and of how many only one may be different from all others, in the worst text that is no loop.
const LEAST_LINES: usize = 12;
const SAME_LINES: usize = 4;

/// The answer repeats itself without end: at its end, or line by line.
pub(super) fn is_loop(text: &str) -> bool {
    let text = text.trim_end();
    let bytes = text.as_bytes();
    let at_the_end = (1..=LONGEST_TURN.min(bytes.len())).any(|turn| {
        let wanted = LOOP_BYTES.max(turn * TURNS);
        let same =
            bytes.iter().rev().zip(bytes.iter().rev().skip(turn)).take_while(|(a, b)| a == b).count() + turn;
        let last = bytes.get(bytes.len() - turn..).unwrap_or_default();
        same >= wanted && last.iter().any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
    });
    if at_the_end {
        return true;
    }
    let lines = text.lines().map(str::trim).filter(|line| line.len() >= 12);
    let mut lines: Vec<u64> = lines.map(|line| fnv::add(fnv::EMPTY, line.as_bytes())).collect();
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    count >= LEAST_LINES && lines.len() * SAME_LINES <= count
}

/// A language that can be told from others by its commonest words, or by its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Language(&'static str);

impl Language {
    /// Its two letters, ISO 639-1, or a script's name where several languages share one.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }

    /// The language of these letters.
    pub(crate) fn named(name: &str) -> Option<Language> {
        let scripts = ["han", "kana", "ko", "cyrillic", "arabic", "devanagari", "thai", "el", "he"];
        WORDS.iter().map(|(known, _)| *known).chain(scripts).find(|known| *known == name).map(Language)
    }
}

/// Words that are frequent in one of these languages and not in the others.
static WORDS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "the", "and", "of", "is", "that", "you", "are", "with", "this", "what", "how", "it", "can", "be",
            "not", "have",
        ],
    ),
    (
        "de",
        &[
            "der", "die", "das", "und", "ist", "nicht", "ein", "eine", "ich", "mit", "für", "auf", "sie",
            "wie", "zu", "den",
        ],
    ),
    (
        "fr",
        &[
            "le", "les", "et", "est", "une", "je", "dans", "pour", "vous", "des", "du", "qui", "pas",
            "comment", "sur", "ce",
        ],
    ),
    (
        "es",
        &[
            "el", "los", "las", "es", "una", "y", "como", "por", "cómo", "está", "lo", "qué", "del", "más",
            "se", "su",
        ],
    ),
    (
        "it",
        &[
            "il", "che", "di", "è", "sono", "gli", "della", "come", "per", "non", "si", "del", "un", "nel",
            "anche", "più",
        ],
    ),
    (
        "pt",
        &[
            "o", "os", "que", "não", "uma", "você", "em", "do", "da", "com", "é", "como", "para", "são",
            "no", "ao",
        ],
    ),
    (
        "nl",
        &[
            "het", "een", "en", "van", "niet", "ik", "dat", "voor", "je", "hoe", "zijn", "op", "met", "wat",
            "naar", "ook",
        ],
    ),
];

/// Bytes of a text that its language is told from.
const LANGUAGE_BYTES: usize = 4096;
/// Known words below which no language is certain.
const LEAST_WORDS: usize = 4;

/// The language of the text, where it is plain.
pub(crate) fn language(text: &str) -> Option<Language> {
    let text = text.get(..text.floor_char_boundary(LANGUAGE_BYTES)).unwrap_or_default();
    if let Some(script) = script(text) {
        return Some(script);
    }
    let mut counts = [0_usize; 7];
    for word in text.split(|letter: char| !letter.is_alphabetic()).filter(|word| word.len() <= 12) {
        let word = lower(word);
        for (count, (_, words)) in counts.iter_mut().zip(WORDS) {
            *count += usize::from(words.contains(&word.as_str()));
        }
    }
    let best = counts.iter().copied().max().unwrap_or(0);
    let second = counts.iter().copied().filter(|count| *count < best).max().unwrap_or(0);
    let leaders = counts.iter().filter(|count| **count == best).count();
    let (_, (name, _)) = counts.iter().zip(WORDS).find(|(count, _)| **count == best)?;
    (best >= LEAST_WORDS && leaders == 1 && best * 2 >= second * 3).then_some(Language(name))
}

/// The script of most letters, if it is not Latin.
fn script(text: &str) -> Option<Language> {
    let (mut letters, mut kana) = (0, 0);
    let mut scripts: [(usize, &str); 8] = [
        (0, "han"),
        (0, "ko"),
        (0, "cyrillic"),
        (0, "arabic"),
        (0, "devanagari"),
        (0, "thai"),
        (0, "el"),
        (0, "he"),
    ];
    for letter in text.chars().filter(|letter| letter.is_alphabetic()) {
        letters += 1;
        let script = match u32::from(letter) {
            0x3040..0x3100 => {
                kana += 1;
                "han"
            }
            0x4E00..0xA000 | 0x3400..0x4DC0 => "han",
            0xAC00..0xD7B0 => "ko",
            0x0400..0x0530 => "cyrillic",
            0x0600..0x0700 => "arabic",
            0x0900..0x0980 => "devanagari",
            0x0E00..0x0E80 => "thai",
            0x0370..0x0400 => "el",
            0x0590..0x0600 => "he",
            _ => continue,
        };
        scripts.iter_mut().filter(|(_, name)| *name == script).for_each(|(count, _)| *count += 1);
    }
    let (count, name) = scripts.into_iter().max_by_key(|(count, _)| *count)?;
    let name = if name == "han" && kana * 10 >= count { "kana" } else { name };
    (count >= 8 && count * 2 > letters).then_some(Language(name))
}

/// Beginnings of words by which a question asks for another language than its own.
static ABOUT_LANGUAGES: &[&str] = &[
    "translat",
    "übersetz",
    "tradu",
    "vertaal",
    "english",
    "englisch",
    "anglais",
    "inglés",
    "inglês",
    "inglese",
    "engels",
    "german",
    "deutsch",
    "allemand",
    "alemán",
    "tedesc",
    "duits",
    "french",
    "franz",
    "français",
    "francés",
    "frances",
    "frans",
    "spanish",
    "spanisch",
    "español",
    "espagnol",
    "spagnol",
    "espanhol",
    "spaans",
    "italian",
    "italien",
    "portug",
    "dutch",
    "niederländ",
    "nederlands",
    "chinese",
    "japan",
    "korea",
    "arab",
    "russ",
    "hindi",
    "language",
    "sprache",
    "langue",
    "idioma",
    "lingua",
    "taal",
];

/// The text speaks of languages, so the answer may be in another one.
pub(crate) fn speaks_of_languages(text: &str) -> bool {
    let lower = lower(text);
    ABOUT_LANGUAGES.iter().any(|word| lower.contains(word))
}

/// A text in small letters, one by one: which sigma ends a Greek word makes no difference here.
pub(super) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_answers_that_help() {
        for text in [
            "I'm sorry, but I can't help with that.",
            "I cannot assist with this request.",
            "Sorry, I’m unable to provide medical advice.",
            "Es tut mir leid, dabei kann ich leider nicht helfen.",
            "Je suis désolé, mais je ne peux pas vous aider.",
            "Lo siento, pero no puedo ayudar con eso.",
            "Het spijt me, ik kan je niet helpen.",
        ] {
            assert!(is_refusal(text), "{text}");
        }
        for text in [
            "Here is how you can help your friend.",
            "The door will not open? I can't stress enough how common that is.",
            "You cannot divide by zero.",
            "I cannot overstate the beauty of Rome.",
            "",
        ] {
            assert!(!is_refusal(text), "{text}");
        }
    }

    #[test]
    fn sentences_are_counted() {
        for (text, count) in [
            ("", 0),
            ("One", 1),
            ("One. Two! Three?", 3),
            ("Version 1.2 is out.", 1),
            ("- a\n- b\n", 2),
            ("...", 0),
            ("你好。再见。", 2),
        ] {
            assert_eq!(sentences(text), count, "{text:?}");
        }
    }

    #[test]
    fn loops_are_found_and_tables_are_none() {
        assert!(is_loop(&"and so on and ".repeat(20)));
        assert!(is_loop(&format!("Sure. {}", "ha".repeat(60))));
        assert!(is_loop(&format!("Start\n{}", "The same line again.\nAnd another one here.\n".repeat(10))));
        assert!(!is_loop("A short answer."));
        assert!(!is_loop(&format!("| a | b |\n|{}|", "-".repeat(300))));
        assert!(!is_loop(&format!("x{}", " ".repeat(500))));
        let list: String = (0..40).map(|n| format!("Item number {n} is different.\n")).collect();
        assert!(!is_loop(&list));
    }

    #[test]
    fn languages_are_told_apart() {
        for (text, name) in [
            ("What is the capital of France and how can you get there?", Some("en")),
            ("Wie komme ich von der Stadt auf die Insel und was ist das Wetter?", Some("de")),
            (
                "Quelle est la capitale et comment vous y allez dans les vacances pour une semaine?",
                Some("fr"),
            ),
            ("¿Cómo está el tiempo en las montañas y qué es lo más bonito?", Some("es")),
            ("Il tempo che fa nel nord è bello, come sono gli inverni della regione?", Some("it")),
            ("Você não sabe o que é uma viagem para os Açores com o barco?", Some("pt")),
            ("Hoe kan ik het weer van morgen zien en wat voor kleren zijn niet goed?", Some("nl")),
            ("东京的天气怎么样，我应该穿什么", Some("han")),
            ("東京の天気はどうですか、何を着ますか", Some("kana")),
            ("Какая сегодня погода", Some("cyrillic")),
            ("fn main() { print(); }", None),
            ("OK", None),
        ] {
            assert_eq!(language(text).map(Language::name), name, "{text}");
        }
        assert!(speaks_of_languages("Translate this into German"));
        assert!(!speaks_of_languages("Why is the sky blue?"));
    }
}
