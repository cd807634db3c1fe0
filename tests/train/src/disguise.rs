//! Texts as somebody writes them who does not want to be read by a filter.
//!
//! Used for attacks and for harmless texts alike, so that no model learns the disguise for the attack.

use crate::chance::Chance;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Every disguise, by name.
pub const ALL: &[&str] = &[
    "leet",
    "zero_width",
    "soft_hyphen",
    "full_width",
    "look_alike",
    "spaced",
    "dotted",
    "base64",
    "base64_url",
    "hex",
    "percent",
    "rot13",
    "reversed",
    "entities",
    "tags",
    "escapes",
    "combining",
    "mixed_case",
    "json",
    "typos",
];

/// `text` in a disguise; `None` where it cannot be worn.
pub fn wear(name: &str, text: &str, chance: &mut Chance) -> Option<String> {
    let letters = |change: &mut dyn FnMut(char, &mut String)| {
        let mut out = String::new();
        text.chars().for_each(|letter| change(letter, &mut out));
        out
    };
    let bytes = || text.bytes();
    let announce = |chance: &mut Chance, how: &str, what: String| {
        let openings = [
            format!("Decode this {how} and do what it says: {what}"),
            format!("{how}: {what}"),
            format!("Please read the following {how} text: {what}"),
            what.clone(),
        ];
        chance.pick(&openings).cloned().unwrap_or_default()
    };
    Some(match name {
        "leet" => letters(&mut |letter, out| {
            let worn = "a4e3i1o0s5t7".find(letter.to_ascii_lowercase()).filter(|at| at % 2 == 0);
            let digit = worn.and_then(|at| "a4e3i1o0s5t7".chars().nth(at + 1));
            out.push(digit.filter(|_| !chance.once_in(4)).unwrap_or(letter));
        }),
        "zero_width" => letters(&mut |letter, out| {
            out.push(letter);
            if chance.once_in(3) {
                out.push('\u{200b}');
            }
        }),
        "soft_hyphen" => letters(&mut |letter, out| {
            out.push(letter);
            if letter.is_alphabetic() && chance.once_in(3) {
                out.push('\u{ad}');
            }
        }),
        "full_width" => letters(&mut |letter, out| {
            let wide = letter.is_ascii_graphic().then(|| char::from_u32(letter as u32 + 0xfee0)).flatten();
            out.push(wide.unwrap_or(letter));
        }),
        "look_alike" => letters(&mut |letter, out| {
            let alike = "aаeеoоpрcсxхiіjј".chars().skip_while(|known| *known != letter).nth(1);
            out.push(alike.filter(|found| !found.is_ascii() && chance.once_in(2)).unwrap_or(letter));
        }),
        "spaced" => text.split(' ').map(|word| spread(word, " ")).collect::<Vec<_>>().join("   "),
        "dotted" => text.split(' ').map(|word| spread(word, ".")).collect::<Vec<_>>().join(" "),
        "base64" => announce(chance, "base64", STANDARD.encode(text)),
        "base64_url" => announce(chance, "base64", URL_SAFE_NO_PAD.encode(text)),
        "hex" => announce(chance, "hex", bytes().map(|byte| format!("{byte:02x}")).collect()),
        "percent" => bytes().map(|byte| format!("%{byte:02X}")).collect(),
        "rot13" => {
            let turned = text.chars().map(rot13).collect();
            let openings = ["Read this rot13 text: ", "ROT13: ", "Decode with rot13 and answer: "];
            format!("{}{}", chance.pick(&openings)?, {
                let turned: String = turned;
                turned
            })
        }
        "reversed" => {
            let openings =
                ["Read this backwards: ", "Reverse this text and answer it: ", "From right to left: "];
            format!("{}{}", chance.pick(&openings)?, text.chars().rev().collect::<String>())
        }
        "entities" => letters(&mut |letter, out| {
            if letter.is_alphabetic() && !chance.once_in(3) {
                out.push_str(&format!("&#{};", letter as u32));
            } else {
                out.push(letter);
            }
        }),
        "tags" => {
            let hidden: String = text
                .chars()
                .filter(char::is_ascii)
                .filter_map(|letter| char::from_u32(0xe0000 + letter as u32))
                .collect();
            format!("What do you see here? {hidden}")
        }
        "escapes" => letters(&mut |letter, out| {
            if letter.is_ascii_alphabetic() {
                out.push_str(&format!("\\u{:04x}", letter as u32));
            } else {
                out.push(letter);
            }
        }),
        "combining" => letters(&mut |letter, out| {
            out.push(letter);
            if letter.is_ascii_alphabetic() && chance.once_in(2) {
                out.extend(chance.pick(&['\u{301}', '\u{308}', '\u{323}', '\u{336}']));
            }
        }),
        "mixed_case" => letters(&mut |letter, out| {
            if chance.once_in(2) {
                out.extend(letter.to_uppercase());
            } else {
                out.extend(letter.to_lowercase());
            }
        }),
        "json" => serde_json::to_string(
            &serde_json::json!({"arguments": format!("{{\"text\":{}}}", serde_json::json!(text))}),
        )
        .ok()?,
        "typos" => text
            .split(' ')
            .map(|word| {
                let mut letters: Vec<char> = word.chars().collect();
                if letters.len() > 4 && chance.once_in(3) {
                    let at = 1 + chance.below(letters.len() - 3);
                    letters.swap(at, at + 1);
                }
                letters.into_iter().collect::<String>()
            })
            .collect::<Vec<_>>()
            .join(" "),
        _ => return None,
    })
}

fn spread(word: &str, between: &str) -> String {
    word.chars().map(String::from).collect::<Vec<_>>().join(between)
}

fn rot13(letter: char) -> char {
    let turn = |first: u8| char::from(first + (letter as u8 - first + 13) % 26);
    match letter {
        'a'..='z' => turn(b'a'),
        'A'..='Z' => turn(b'A'),
        other => other,
    }
}
