//! Words, sentences and snippets of programs, drawn at random.
//!
//! The words are those of office and programming questions: what most traffic looks like, and what makes a lexicon look twice.

use crate::rng::Rng;

const COMMON: &str = "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like now over such our man even most made after also did many off before must well back through years much where way down should because long each just those people how little good world make very year still see work life without being under point last general again right take group while great think home need seems few possible during want always once every part both got come since might know become another however place case question number high show certain second information either perhaps real keep simple enough several order public following mean provide change result within until available course given company community important example service";
const NOUNS: &str = "server client account request response invoice customer order payment database table index query function variable method class object array string number config deployment cluster container image network address report document contract employee manager meeting schedule project budget estimate deadline library package version release branch repository test error exception message channel queue worker thread process memory storage backup migration schema record field column row key value session header body payload endpoint gateway proxy chain context window vector score latency throughput percentile metric dashboard alert incident ticket summary draft paragraph sentence translation grammar recipe ingredient kitchen garden journey hotel flight museum history science physics chemistry biology medicine doctor patient treatment symptom diagnosis";
const VERBS: &str = "make build explain describe write rewrite summarise translate compare list show find fix debug refactor improve optimise deploy configure install update remove create generate calculate estimate review check verify test plan schedule receive process store load parse validate convert extract merge split sort group count measure analyse understand learn teach suggest recommend prepare";
/// Anything beyond ASCII: quotes, dashes, accents, other scripts.
const BEYOND_ASCII: &[&str] =
    &["It’s naïve — café", "“quoted”", "résumé", "😀", "€1,200", "Größe", "東京の会議", "Привет"];

/// Snippets as people paste them.
pub(crate) const PROGRAMS: &[&str] = &[
    "def load_config(path):\n    with open(path, \"r\", encoding=\"utf-8\") as file:\n        data = json.load(file)\n    for key, value in data.items():\n        if key not in ALLOWED:\n            raise ValueError(f\"unknown key {key!r}\")\n    return Config(**data)\n",
    "pub fn checksum(bytes: &[u8]) -> u32 {\n    let mut crc = 0xffff_ffff_u32;\n    for byte in bytes {\n        crc = TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8);\n    }\n    !crc\n}\n",
    "SELECT u.id, u.name, COUNT(o.id) AS orders, SUM(o.total) AS revenue\nFROM users u LEFT JOIN orders o ON o.user_id = u.id\nWHERE o.created_at >= '2024-01-01' AND u.active = TRUE\nGROUP BY u.id, u.name HAVING COUNT(o.id) > 5 ORDER BY revenue DESC LIMIT 100;\n",
    "const answer = await fetch(`/api/v2/items/${id}?limit=50`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(payload) });\nif (!answer.ok) throw new Error(`HTTP ${answer.status}`);\n",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 3\n  template:\n    spec:\n      containers:\n      - name: web\n        image: registry.internal/web:1.4.2\n",
];

/// Appends a sentence with its end and a space or line break.
pub(crate) fn sentence(rng: &mut Rng, out: &mut String) {
    for at in 0..6 + rng.below(16) {
        if at > 0 {
            out.push(' ');
        }
        let word = match rng.below(10) {
            0..=4 => word(COMMON, rng),
            5..=7 => word(NOUNS, rng),
            _ => word(VERBS, rng),
        };
        match (at, word.split_at_checked(1)) {
            (0, Some((first, rest))) => {
                out.push_str(&first.to_uppercase());
                out.push_str(rest);
            }
            _ => out.push_str(word),
        }
        match rng.below(40) {
            0..=2 => out.push(','),
            3 => out.push_str(&format!(" {}", rng.below(3000))),
            4 => out.push_str(&format!(" {}.{}", rng.below(20), rng.below(100))),
            5 => out.push_str(&format!(" {}", rng.pick(BEYOND_ASCII))),
            6 => out.push_str("'s"),
            7 => out.push_str(&format!(" ({})", self::word(NOUNS, rng))),
            _ => {}
        }
    }
    out.push_str(match rng.below(8) {
        0 => "? ",
        1 => ".\n",
        2 => ".\n\n",
        _ => ". ",
    });
}

/// A plain word.
pub(crate) fn filler(rng: &mut Rng) -> &'static str {
    word(COMMON, rng)
}

/// The word at a random place: long words come more often than short ones, and no list is counted through.
fn word(words: &'static str, rng: &mut Rng) -> &'static str {
    let (before, after) = words.split_at_checked(rng.below(words.len())).unwrap_or(("", words));
    let start = before.rfind(' ').map_or(0, |at| at + 1);
    let end = before.len() + after.find(' ').unwrap_or(after.len());
    words.get(start..end).unwrap_or_default()
}
