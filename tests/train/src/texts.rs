//! Reads our own texts: `texts/*.txt`.
//!
//! One text a line, `\n` for a line break. `{{a||b}}` is one of several wordings, `{{@list}}` an entry of a list that
//! `@list = a || b` defined above. `#: family=… label=… lang=… n=… unsafe=…` says what the lines below it are; `n` wordings
//! are drawn of each. `# ` begins a comment. Invariant: a wording depends on its own line only.

use crate::chance::Chance;
use crate::sample::{CATEGORIES, Safety, Sample};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Lists = BTreeMap<String, Vec<String>>;

/// All texts below `folder`, in the order of their files.
pub fn read(folder: &Path) -> Result<Vec<Sample>> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .with_context(|| format!("cannot read `{}`", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let mut samples = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        parse(&name, &text, &mut samples).with_context(|| format!("`{}`", file.display()))?;
    }
    Ok(samples)
}

/// What the lines below a header are.
#[derive(Default)]
struct Header {
    sample: Option<Sample>,
    wordings: usize,
}

fn parse(name: &str, text: &str, samples: &mut Vec<Sample>) -> Result<()> {
    let mut lists = Lists::new();
    let mut header = Header::default();
    for (number, line) in (1..).zip(text.lines()) {
        let at = || format!("line {number}");
        if let Some(settings) = line.strip_prefix("#: ") {
            header = read_header(name, settings).with_context(at)?;
        } else if let Some((list, options)) = line.strip_prefix('@').and_then(|line| line.split_once(" = ")) {
            lists.insert(list.to_owned(), options.split(" || ").map(str::to_owned).collect());
        } else if !line.trim().is_empty() && !line.starts_with("# ") {
            let sample = header
                .sample
                .as_ref()
                .ok_or_else(|| anyhow!("a text before a `#:` line"))
                .with_context(at)?;
            let mut known = BTreeSet::new();
            for wording in 0..header.wordings {
                let mut chance = Chance::of(&[name, line, &wording.to_string()]);
                let text = word(line, &lists, &mut chance, 0)
                    .with_context(at)?
                    .replace("\\n", "\n")
                    .trim()
                    .to_owned();
                if known.insert(text.clone()) {
                    samples.push(Sample { text, ..sample.clone() });
                }
            }
        }
    }
    Ok(())
}

fn read_header(name: &str, settings: &str) -> Result<Header> {
    let mut header = Header { sample: None, wordings: 1 };
    let mut sample = Sample {
        text: String::new(),
        attack: None,
        safety: Safety::Unknown,
        source: format!("own:{name}"),
        family: String::new(),
        lang: String::new(),
    };
    for setting in settings.split_whitespace() {
        let (key, value) =
            setting.split_once('=').ok_or_else(|| anyhow!("`{setting}` is not `key=value`"))?;
        match key {
            "family" => sample.family = value.to_owned(),
            "lang" => sample.lang = value.to_owned(),
            "n" => header.wordings = value.parse().context("`n` is a number")?,
            "label" => sample.attack = Some(value == "1"),
            "unsafe" => sample.safety = safety(value)?,
            _ => bail!("`{key}` is not known"),
        }
    }
    // What is no attack is harmless too, unless it says otherwise.
    if sample.attack == Some(false) && sample.safety == Safety::Unknown {
        sample.safety = Safety::Safe;
    }
    header.sample = Some(sample);
    Ok(header)
}

fn safety(value: &str) -> Result<Safety> {
    if value == "none" {
        return Ok(Safety::Safe);
    }
    let mut bits = 0;
    for name in value.split(',') {
        let place = CATEGORIES.iter().position(|known| *known == name);
        bits |= 1 << place.ok_or_else(|| anyhow!("`{name}` is not a category"))?;
    }
    Ok(Safety::Unsafe(bits))
}

/// Lists may name lists; deeper than this they name themselves.
const MAX_DEPTH: usize = 12;

/// One wording of a line.
fn word(line: &str, lists: &Lists, chance: &mut Chance, depth: usize) -> Result<String> {
    if depth > MAX_DEPTH {
        bail!("lists that name one another without end");
    }
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, open)) = rest.split_once("{{") {
        out.push_str(before);
        let (options, after) = options(open)?;
        let chosen = match options.as_slice() {
            [one] if one.starts_with('@') => {
                let list = lists
                    .get(one.trim_start_matches('@'))
                    .ok_or_else(|| anyhow!("there is no list `{one}`"))?;
                chance.pick(list).cloned()
            }
            options => chance.pick(options).map(|option| (*option).to_owned()),
        };
        out.push_str(&word(&chosen.unwrap_or_default(), lists, chance, depth + 1)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The wordings up to the `}}` that belongs here, and what follows it.
fn options(text: &str) -> Result<(Vec<&str>, &str)> {
    let mut found = Vec::new();
    let (mut depth, mut start, mut at) = (0, 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("{{") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("}}") && depth > 0 {
            depth -= 1;
            at += 2;
        } else if rest.starts_with("}}") {
            found.push(text.get(start..at).unwrap_or_default());
            return Ok((found, text.get(at + 2..).unwrap_or_default()));
        } else if rest.starts_with("||") && depth == 0 {
            found.push(text.get(start..at).unwrap_or_default());
            at += 2;
            start = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    bail!("`{{{{` without `}}}}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut samples = Vec::new();
        parse("test", text, &mut samples).unwrap();
        samples.into_iter().map(|sample| sample.text).collect()
    }

    #[test]
    fn wordings_are_drawn_once_each() {
        let mut found = lines("@x = b || c\n#: family=f label=0 lang=en n=40\na {{@x}} {{1||{{2||3}}}}");
        found.sort();
        assert_eq!(found, ["a b 1", "a b 2", "a b 3", "a c 1", "a c 2", "a c 3"]);
    }

    #[test]
    fn a_wording_depends_on_its_own_line_only() {
        let line = "#: family=f label=1 lang=en n=2\n{{a||b||c||d||e}} {{a||b||c||d||e}}";
        let more = format!("#: family=g label=0 lang=de n=1\nx\n{line}");
        assert_eq!(lines(&more)[1..], lines(line));
    }

    #[test]
    fn mistakes_are_named() {
        let parse = |text: &str| format!("{:#}", parse("test", text, &mut Vec::new()).unwrap_err());
        assert_eq!(parse("x"), "line 1: a text before a `#:` line");
        assert_eq!(parse("#: family=f\n{{a||b"), "line 2: `{{` without `}}`");
        assert_eq!(parse("#: family=f\n{{@b}}"), "line 2: there is no list `@b`");
        assert_eq!(parse("#: colour=red"), "line 1: `colour` is not known");
    }
}
