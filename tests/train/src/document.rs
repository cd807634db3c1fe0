//! Texts made of texts: documents, mails and tool results, harmless or with one order for the model inside; junk tails.
//!
//! The paragraphs are harmless texts, so that the order is all that tells two documents apart.

use crate::chance::Chance;
use crate::disguise;
use crate::sample::{Safety, Sample};

/// How many of each kind are made.
const SHORT: usize = 500;
const LONG: usize = 260;
const DISGUISED: usize = 900;
const TAILED: usize = 200;
const SHUFFLED: usize = 300;
/// Words of a shuffled text, at least and at most.
const SHUFFLED_WORDS: (usize, usize) = (40, 400);
/// Bytes of a long document, at least and at most.
const LONG_BYTES: (usize, usize) = (3000, 8000);
/// Texts longer than this are not put into others.
const MAX_PART_BYTES: usize = 700;

/// Makes composed texts from `own` texts and from harmless texts of the `corpora`.
pub fn compose(own: &[Sample], corpora: &[Sample]) -> Vec<Sample> {
    let short = |sample: &&Sample| sample.text.len() <= MAX_PART_BYTES;
    let of = |family: &'static str| own.iter().filter(short).filter(move |sample| sample.family == family);
    let paragraphs: Vec<&Sample> = of("paragraph").collect();
    let carried: Vec<&Sample> = of("carried").collect();
    let typed: Vec<&Sample> = own
        .iter()
        .filter(short)
        .filter(|sample| sample.attack == Some(true) && sample.family != "carried")
        .collect();
    let plain: Vec<&Sample> = own
        .iter()
        .filter(short)
        .filter(|sample| {
            sample.attack == Some(false) && sample.safety == Safety::Safe && sample.family != "paragraph"
        })
        .collect();
    let foreign: Vec<&Sample> = corpora
        .iter()
        .filter(|sample| sample.attack == Some(false) && (60..=MAX_PART_BYTES).contains(&sample.text.len()))
        .filter(|sample| {
            ["benign_prose", "benign_user", "benign_role", "benign_code"].contains(&sample.family.as_str())
        })
        .collect();
    let stock = Stock { paragraphs, carried, typed, plain, foreign };
    let mut made = Vec::new();
    for index in 0..SHORT {
        for attacked in [true, false] {
            made.extend(stock.short(index, attacked));
        }
    }
    for index in 0..LONG {
        for attacked in [true, false] {
            made.extend(stock.long(index, attacked));
        }
    }
    for index in 0..DISGUISED {
        made.extend(stock.disguised(index));
    }
    let asks: Vec<&Sample> = own.iter().filter(|sample| sample.family == "plain_harm").collect();
    for index in 0..TAILED {
        made.extend(tailed(&asks, index, true));
        made.extend(tailed(&stock.plain, index, false));
    }
    let english: Vec<&Sample> = stock.plain.iter().copied().filter(|sample| sample.lang == "en").collect();
    made.extend((0..SHUFFLED).filter_map(|index| shuffled(&english, index)));
    made
}

struct Stock<'a> {
    paragraphs: Vec<&'a Sample>,
    /// Orders as they stand in documents.
    carried: Vec<&'a Sample>,
    /// Orders as users type them.
    typed: Vec<&'a Sample>,
    plain: Vec<&'a Sample>,
    foreign: Vec<&'a Sample>,
}

fn sample(text: String, attacked: bool, family: &str, lang: &str) -> Sample {
    let safety = if attacked { Safety::Unknown } else { Safety::Safe };
    let (source, family, lang) = ("own:composed".to_owned(), family.to_owned(), lang.to_owned());
    Sample { text, attack: Some(attacked), safety, source, family, lang }
}

impl Stock<'_> {
    /// A mail, a page, a tool result, a comment: a few sentences and perhaps an order.
    fn short(&self, index: usize, attacked: bool) -> Option<Sample> {
        let mut chance = Chance::of(&["short", &index.to_string(), if attacked { "1" } else { "0" }]);
        let mut parts: Vec<&str> = Vec::new();
        for _ in 0..1 + chance.below(4) {
            parts.push(&chance.pick(&self.paragraphs)?.text);
        }
        if attacked {
            let orders = if chance.once_in(4) { &self.typed } else { &self.carried };
            let at = chance.below(parts.len() + 1);
            parts.insert(at, &chance.pick(orders)?.text);
        }
        let body = parts.join(chance.pick(&["\n\n", "\n", " ", "\n\n"])?);
        let text = match chance.below(8) {
            0 => format!(
                "Subject: {}\nFrom: office@firm.example\n\n{body}\n\nBest regards",
                chance.pick(&["Monday", "Re: invoice", "Your order", "Minutes"])?
            ),
            1 => serde_json::json!({"status": "ok", "results": [{"title": "page", "content": body}]})
                .to_string(),
            2 => format!("/*\n * {}\n */\nfn main() {{}}", body.replace('\n', "\n * ")),
            3 => format!("<html><body><p>{}</p></body></html>", body.replace("\n\n", "</p><p>")),
            4 => format!(
                "id,date,comment\n17,2024-03-02,\"{}\"\n18,2024-03-05,\"fine\"",
                body.replace('\n', " ")
            ),
            5 => format!("Summarise the following text.\n\n\"\"\"\n{body}\n\"\"\""),
            _ => body,
        };
        Some(sample(text, attacked, if attacked { "indirect" } else { "benign_doc" }, "en"))
    }

    /// Several thousand bytes, perhaps with one order.
    fn long(&self, index: usize, attacked: bool) -> Option<Sample> {
        let mut chance = Chance::of(&["long", &index.to_string(), if attacked { "1" } else { "0" }]);
        let (least, most) = LONG_BYTES;
        let wanted = least + chance.below(most - least);
        let stocks = [&self.paragraphs, &self.paragraphs, &self.foreign, &self.plain];
        // Most documents are of one make; some are mixed.
        let make = chance.below(stocks.len() + 1);
        let mut parts: Vec<String> = Vec::new();
        let mut bytes = 0;
        while bytes < wanted {
            let stock = stocks.get(make).or_else(|| stocks.first())?;
            let stock = if make == stocks.len() { chance.pick(&stocks)? } else { stock };
            let Some(part) = chance.pick(stock) else { break };
            bytes += part.text.len();
            parts.push(part.text.clone());
            if chance.once_in(12) {
                parts.push(format!(
                    "## {}",
                    chance.pick(&["Background", "Method", "Notes", "Part two", "Costs", "Schedule"])?
                ));
            }
        }
        if attacked {
            let orders = if chance.once_in(2) { &self.typed } else { &self.carried };
            let at = chance.below(parts.len() + 1);
            parts.insert(at, chance.pick(orders)?.text.clone());
        }
        let text = parts.join(chance.pick(&["\n\n", "\n", " "])?);
        Some(sample(text, attacked, if attacked { "long_doc" } else { "benign_long" }, "en"))
    }

    /// The same disguise for an attack and for a harmless text.
    fn disguised(&self, index: usize) -> Option<Sample> {
        let mut chance = Chance::of(&["disguised", &index.to_string()]);
        let name = disguise::ALL.get(index / 2 % disguise::ALL.len())?;
        let attacked = index.is_multiple_of(2);
        let original = chance.pick(if attacked { &self.typed } else { &self.plain })?;
        let text = disguise::wear(name, &original.text, &mut chance)?;
        let family = if attacked { "obfuscated" } else { "benign_obfuscated" };
        Some(sample(text, attacked, family, &original.lang))
    }
}

/// Words of harmless texts in any order: it is what words say together that makes an attack, not that many of them are there.
fn shuffled(plain: &[&Sample], index: usize) -> Option<Sample> {
    let mut chance = Chance::of(&["shuffled", &index.to_string()]);
    let (least, most) = SHUFFLED_WORDS;
    let wanted = least + chance.below(most - least);
    let mut words: Vec<&str> = Vec::new();
    while words.len() < wanted {
        words.extend(chance.pick(plain)?.text.split_whitespace());
    }
    chance.shuffle(&mut words);
    Some(sample(words.join(" "), false, "benign_words", "en"))
}

/// A request with a tail as optimisers append it: words, glue and brackets without sense.
fn tailed(asks: &[&Sample], index: usize, attacked: bool) -> Option<Sample> {
    const WORDS: &[&str] = &[
        "Tutorial",
        "sure",
        "Write",
        "inverse",
        "table",
        "{\"",
        "plain",
        "Sentence",
        "begin",
        "please",
        "revert",
        "Manual",
        "title",
        "English",
        "Step",
        "opposite",
        "Guide",
        "printf",
        "response",
        "Title",
        "steps",
        "now",
        "two",
        "Dear",
        "teach",
        "Comment",
        "formatted",
        "Here",
        "intro",
        "With",
        "list",
        "Format",
        "section",
        "topic",
        "repeat",
        "quote",
        "tex",
        "mathrm",
        "INST",
        "Question",
        "Absolutely",
        "Certainly",
        "text",
        "polite",
        "via",
        "javascript",
        "lines",
        "story",
    ];
    const GLUE: &[&str] = &[
        "](", "\\", "]{", "==", "!--", "?\"", "/*", "}).", "((", "`;", "[[", "**", "|>", "--", ".$", " ",
        " ", " ", "",
    ];
    let mut chance = Chance::of(&["tailed", &index.to_string(), if attacked { "1" } else { "0" }]);
    let mut text = chance.pick(asks)?.text.clone();
    if !attacked {
        // Harmless twins end in code, mathematics or lists rather than in junk.
        let endings = [
            "\n\n```python\nprint([x for x in range(10) if x % 2 == 0])\n```",
            "\n\n$$\\int_0^1 x^2 \\, dx = \\frac{1}{3}$$",
            "\n\n{\"name\": \"Ada\", \"tags\": [\"a\", \"b\"], \"ok\": true}",
            "\n\n| a | b |\n|---|---|\n| 1 | 2 |",
            "\n\nSELECT * FROM t WHERE (a = 1 OR b IN (2, 3)) ORDER BY c;",
            "\n\n<ul><li>one</li><li>two</li></ul>",
        ];
        text.push_str(chance.pick(&endings)?);
        return Some(sample(text, false, "benign_tail", "en"));
    }
    text.push(' ');
    for _ in 0..12 + chance.below(14) {
        text.push_str(chance.pick(WORDS)?);
        text.push_str(chance.pick(GLUE)?);
    }
    Some(sample(text, true, "junk_tail", "en"))
}
