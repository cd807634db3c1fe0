//! Undoes disguises: one character at a time here, whole passages in [`views`].
//!
//! Knows no words and no policy. Characters fold to lower-case ASCII where a reader would take them for it, so a lexicon
//! needs one spelling a word. Folding a character never looks at its neighbours; that is what lets a stream be read in
//! pieces with the same outcome.

pub mod views;

/// Which disguises are undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folding {
    /// Full-width and other compatibility letters become plain ones, invisible characters vanish.
    pub unicode: bool,
    /// Letters of other scripts become the Latin ones they look like.
    pub homoglyphs: bool,
    /// Whole passages are decoded: base64, hexadecimal, spaced-out letters, announced ROT13 and reversal.
    pub passages: bool,
}

impl Folding {
    /// Every character is folded, no passage is decoded: what a stream can afford.
    pub const CHARACTERS: Folding = Folding { unicode: true, homoglyphs: true, passages: false };
}

/// What a character means to a reader of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// Part of a word; the flag says that it only looked like another character.
    Letter(char, bool),
    /// Two letters written as one, such as `ß`.
    Pair(char, char),
    /// Seen by nobody; does not interrupt a word.
    Invisible,
    /// A word of its own, in scripts that put no space between words or build them of parts: Chinese, Japanese, Korean, Thai.
    Ideograph(char),
    /// Ends a word.
    Break,
}

/// Latin letters with marks, by base letter; lower and upper case.
const ACCENTED: &[(char, &str)] = &[
    ('a', "àáâãäåāăąǎǟȁȃȧạảấầẩẫậắằẳẵặÀÁÂÃÄÅĀĂĄǍẠẢẤẦẨẪẬẮẰẲẴẶ"),
    ('c', "çćĉċčÇĆĈĊČ"),
    ('d', "ďđðĎĐÐ"),
    ('e', "èéêëēĕėęěȅȇẹẻẽếềểễệÈÉÊËĒĔĖĘĚẸẺẼẾỀỂỄỆ"),
    ('g', "ĝğġģĜĞĠĢ"),
    ('h', "ĥħĤĦ"),
    ('i', "ìíîïĩīĭįıǐỉịÌÍÎÏĨĪĬĮİỈỊ"),
    ('j', "ĵĴ"),
    ('k', "ķĶ"),
    ('l', "ĺļľŀłĹĻĽĿŁ"),
    ('n', "ñńņňŋÑŃŅŇ"),
    ('o', "òóôõöøōŏőơǒọỏốồổỗộớờởỡợÒÓÔÕÖØŌŎŐƠỌỎỐỒỔỖỘỚỜỞỠỢ"),
    ('r', "ŕŗřŔŖŘ"),
    ('s', "śŝşšșŚŜŞŠȘ"),
    ('t', "ţťŧțŢŤŦȚ"),
    ('u', "ùúûüũūŭůűųưǔụủứừửữựÙÚÛÜŨŪŬŮŰŲƯỤỦỨỪỬỮỰ"),
    ('w', "ŵŴ"),
    ('y', "ýÿŷỳỵỷỹÝŶŸỲỴỶỸ"),
    ('z', "źżžŹŻŽ"),
];

/// Letters of other scripts that pass for Latin ones.
const LOOKALIKES: &[(char, &str)] = &[
    ('a', "аАαΑᴀɑ"),
    ('b', "вВΒʙЬ"),
    ('c', "сСϲϹᴄ"),
    ('d', "ԁᴅժ"),
    ('e', "еЕΕҽᴇє"),
    ('f', "ϝꜰƒ"),
    ('g', "ɡɢց"),
    ('h', "һНΗʜհ"),
    ('i', "іІΙιɪӏⅰι"),
    ('j', "јЈᴊյ"),
    ('k', "кКΚκᴋ"),
    ('l', "ⅼʟӀ"),
    ('m', "мМΜᴍⅿ"),
    ('n', "пΝɴո"),
    ('o', "оОοΟσᴏօ"),
    ('p', "рРρΡᴘ"),
    ('q', "ԛզ"),
    ('r', "гʀᴦ"),
    ('s', "ѕЅꜱ"),
    ('t', "тТΤτᴛ"),
    ('u', "υᴜս"),
    ('v', "νѵᴠⅴ"),
    ('w', "ԝᴡωѡ"),
    ('x', "хХΧχⅹ"),
    ('y', "уУΥүʏγ"),
    ('z', "ΖᴢᏃ"),
];

/// What a character folds to, made for copying: up to four bytes of UTF-8, their number, and what it does to a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glyph(u64);

impl Glyph {
    const DISGUISED: u64 = 1 << 40;
    const CONTINUES: u64 = 1 << 41;
    const ALONE: u64 = 1 << 42;
    const BREAK: Glyph = Glyph(0);

    fn new(folded: Folded) -> Glyph {
        let of = |letter: char, flags| {
            let mut utf8 = [0; 4];
            let length = letter.encode_utf8(&mut utf8).len() as u64;
            Glyph(u64::from(u32::from_le_bytes(utf8)) | length << 32 | flags)
        };
        match folded {
            Folded::Letter(letter, false) => of(letter, Glyph::CONTINUES),
            Folded::Letter(letter, true) => of(letter, Glyph::CONTINUES | Glyph::DISGUISED),
            Folded::Pair(a, b) => Glyph(u64::from(a) | u64::from(b) << 8 | 2 << 32 | Glyph::CONTINUES),
            Folded::Invisible => Glyph(Glyph::CONTINUES | Glyph::DISGUISED),
            Folded::Ideograph(letter) => of(letter, Glyph::ALONE),
            Folded::Break => Glyph::BREAK,
        }
    }

    /// The folded letters, with zeros after them.
    #[inline]
    pub(crate) fn bytes(self) -> [u8; 4] {
        (self.0 as u32).to_le_bytes()
    }

    /// How many of the bytes count.
    #[inline]
    pub(crate) fn length(self) -> usize {
        (self.0 >> 32 & 7) as usize
    }

    /// It only looked like another character.
    #[inline]
    pub(crate) fn is_disguised(self) -> bool {
        self.0 & Glyph::DISGUISED != 0
    }

    /// A word goes on with it.
    #[inline]
    pub(crate) fn continues(self) -> bool {
        self.0 & Glyph::CONTINUES != 0
    }

    /// It is a word of its own.
    #[inline]
    pub(crate) fn stands_alone(self) -> bool {
        self.0 & Glyph::ALONE != 0
    }
}

/// Folding by table for the scripts in which whole texts are written.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    folding: Folding,
    glyphs: Vec<Glyph>,
}

/// European, Semitic, Indic and Thai script.
const TABLED: u32 = 0xe80;

impl Folder {
    pub(crate) fn new(folding: Folding) -> Folder {
        let glyph =
            |code| char::from_u32(code).map_or(Glyph::BREAK, |letter| Glyph::new(fold(letter, folding)));
        Folder { folding, glyphs: (0..TABLED).map(glyph).collect() }
    }

    pub(crate) fn folding(&self) -> Folding {
        self.folding
    }

    #[inline]
    pub(crate) fn glyph(&self, code: u32) -> Glyph {
        if let Some(glyph) = self.glyphs.get(code as usize) {
            return *glyph;
        }
        let bytes = |flags| {
            let (lead, middle, last) = (0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f);
            Glyph(u64::from(lead | middle << 8 | last << 16) | 3 << 32 | flags)
        };
        match code {
            0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7a3 => bytes(Glyph::ALONE),
            // Quotes, dashes and dots; the full stops of Chinese.
            0x2010..=0x2029 | 0x3000..=0x3004 => Glyph::BREAK,
            _ => Folder::rare(code, self.folding),
        }
    }

    #[inline(never)]
    fn rare(code: u32, folding: Folding) -> Glyph {
        char::from_u32(code).map_or(Glyph::BREAK, |character| Glyph::new(fold(character, folding)))
    }
}

/// The words of a text are runs of what this calls letters.
pub fn fold(character: char, folding: Folding) -> Folded {
    let code = character as u32;
    match code {
        0..0x80 if character.is_ascii_alphanumeric() => Folded::Letter(character.to_ascii_lowercase(), false),
        0..0x80 => Folded::Break,
        0xdf | 0x1e9e => Folded::Pair('s', 's'),
        0xe6 | 0xc6 => Folded::Pair('a', 'e'),
        0x152 | 0x153 => Folded::Pair('o', 'e'),
        // Soft hyphen, joiners, marks of direction, variation selectors, byte order mark, invisible operators.
        0xad
        | 0x34f
        | 0x61c
        | 0x180e
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0xfe00..=0xfe0f
        | 0xfeff => {
            if folding.unicode {
                Folded::Invisible
            } else {
                Folded::Break
            }
        }
        // Punctuation, currency, arrows, frames, emoji: common in any text, so they leave early.
        0x80..=0xa9
        | 0xab..=0xb4
        | 0xb6..=0xb9
        | 0xbb..=0xbf
        | 0x2000..=0x206f
        | 0x20a0..=0x20cf
        | 0x2190..=0x245f
        | 0x2500..=0x2bff
        | 0x3000..=0x3030
        | 0x1f300..=0x1faff => Folded::Break,
        // Combining marks on Latin letters carry no more than the letters of the table above.
        0x300..=0x36f => Folded::Invisible,
        0x3040..=0x30ff
        | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0x20000..=0x3ffff => Folded::Ideograph(character),
        // Thai, Lao, Burmese and Khmer put no space between words either.
        0xe01..=0xe4e | 0xe80..=0xece | 0x1000..=0x1049 | 0x1780..=0x17d3 => Folded::Ideograph(character),
        0xc0..=0x24f => match LATIN.letter(code) {
            Some(letter) => Folded::Letter(letter, false),
            None => other(character),
        },
        0x1e00..=0x1eff => match LATIN_ADDITIONAL.letter(code) {
            Some(letter) => Folded::Letter(letter, false),
            None => other(character),
        },
        0x370..=0x52f => match GREEK_CYRILLIC.letter(code) {
            Some(letter) if folding.homoglyphs => Folded::Letter(letter, true),
            _ => other(character),
        },
        // Scripts nobody mistakes for Latin.
        0x590..=0x13ff if code != 0x13c3 => other(character),
        _ => {
            if folding.unicode
                && let Some(ascii) = compatible(code)
            {
                return if ascii.is_ascii_alphanumeric() {
                    Folded::Letter(ascii.to_ascii_lowercase(), true)
                } else {
                    Folded::Break
                };
            }
            if folding.homoglyphs
                && let Some(letter) = base(LOOKALIKES, character)
            {
                return Folded::Letter(letter, true);
            }
            other(character)
        }
    }
}

fn other(character: char) -> Folded {
    if !character.is_alphanumeric() {
        // Vowel signs of Indic script are marks, yet part of their words.
        return match character as u32 {
            0x591..=0x5c7 | 0x610..=0x65f | 0x900..=0xdff => Folded::Letter(character, false),
            _ => Folded::Break,
        };
    }
    Folded::Letter(character.to_lowercase().next().unwrap_or(character), false)
}

fn base(table: &[(char, &str)], character: char) -> Option<char> {
    table.iter().find(|(_, forms)| forms.contains(character)).map(|(letter, _)| *letter)
}

/// `SIZE` characters from `FIRST` on, with the ASCII letter each stands for or zero: whole texts are written in these
/// scripts, so a search through the lists would cost too much.
struct Block<const FIRST: u32, const SIZE: usize>([u8; SIZE]);

impl<const FIRST: u32, const SIZE: usize> Block<FIRST, SIZE> {
    #[allow(
        clippy::indexing_slicing,
        reason = "evaluated by the compiler, which reports what is out of bounds"
    )]
    const fn new(table: &[(char, &str)]) -> Self {
        let mut letters = [0; SIZE];
        let mut row = 0;
        while row < table.len() {
            let (letter, forms) = table[row];
            let bytes = forms.as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                let lead = bytes[at];
                let (length, mut code) = match lead {
                    0..0x80 => (1, lead as u32),
                    0x80..0xe0 => (2, lead as u32 & 0x1f),
                    _ => (3, lead as u32 & 0x0f),
                };
                let mut next = 1;
                while next < length {
                    code = code << 6 | bytes[at + next] as u32 & 0x3f;
                    next += 1;
                }
                if code >= FIRST && ((code - FIRST) as usize) < SIZE {
                    letters[(code - FIRST) as usize] = letter as u8;
                }
                at += length;
            }
            row += 1;
        }
        Block(letters)
    }

    fn letter(&self, code: u32) -> Option<char> {
        let letter = *self.0.get((code - FIRST) as usize)?;
        (letter != 0).then_some(char::from(letter))
    }
}

static LATIN: Block<0xc0, 0x190> = Block::new(ACCENTED);
static LATIN_ADDITIONAL: Block<0x1e00, 0x100> = Block::new(ACCENTED);
static GREEK_CYRILLIC: Block<0x370, 0x1c0> = Block::new(LOOKALIKES);

/// The ASCII character of which `code` is a decorated form.
fn compatible(code: u32) -> Option<char> {
    let letter = |offset: u32| {
        let offset = offset % 52;
        char::from_u32(if offset < 26 { u32::from(b'A') + offset } else { u32::from(b'a') + offset - 26 })
    };
    match code {
        0xff01..=0xff5e => char::from_u32(code - 0xff01 + 0x21),
        // Tag characters spell ASCII that no font draws.
        0xe0020..=0xe007e => char::from_u32(code - 0xe0000),
        0x1d400..=0x1d6a3 => letter(code - 0x1d400),
        0x1d7ce..=0x1d7ff => char::from_u32(u32::from(b'0') + (code - 0x1d7ce) % 10),
        0x24b6..=0x24e9 => letter(code - 0x24b6),
        0x1f130..=0x1f149 => letter(code - 0x1f130),
        0x1f150..=0x1f169 => letter(code - 0x1f150),
        0x1f170..=0x1f189 => letter(code - 0x1f170),
        0x210a => Some('g'),
        0x210b..=0x210e => Some('h'),
        0x2110 | 0x2111 => Some('i'),
        0x2112 | 0x2113 => Some('l'),
        0x2115 => Some('n'),
        0x2119 | 0x2118 => Some('p'),
        0x211a => Some('q'),
        0x211b..=0x211d => Some('r'),
        0x2124 | 0x2128 => Some('z'),
        0x212c => Some('b'),
        0x212d | 0x2102 => Some('c'),
        0x212f | 0x2130 => Some('e'),
        0x2131 => Some('f'),
        0x2133 => Some('m'),
        0x2134 => Some('o'),
        _ => None,
    }
}

/// The letter a digit stands for in leetspeak; `one` is what a `1` means.
pub fn unleet(byte: u8, one: u8) -> u8 {
    match byte {
        b'0' => b'o',
        b'1' => one,
        b'2' => b'z',
        b'3' => b'e',
        b'4' => b'a',
        b'5' => b's',
        b'6' => b'g',
        b'7' => b't',
        b'8' => b'b',
        b'9' => b'g',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Folding = Folding { unicode: true, homoglyphs: true, passages: true };

    #[test]
    fn the_table_says_what_folding_says() {
        let folder = Folder::new(ALL);
        for character in ('\0'..='\u{ffff}').chain('\u{1d3ff}'..='\u{1d800}') {
            assert_eq!(folder.glyph(character as u32), Glyph::new(fold(character, ALL)), "{character:?}");
        }
    }

    #[track_caller]
    fn check(input: &str, folding: Folding, expected: &str) {
        let mut word = String::new();
        for character in input.chars() {
            match fold(character, folding) {
                Folded::Letter(letter, _) | Folded::Ideograph(letter) => word.push(letter),
                Folded::Pair(a, b) => word.extend([a, b]),
                Folded::Invisible => {}
                Folded::Break => word.push('|'),
            }
        }
        assert_eq!(word, expected);
    }

    #[test]
    fn accents_and_case_fold_away() {
        check("ÜBERGEHE", ALL, "ubergehe");
        check("précédentes", ALL, "precedentes");
        check("Maßnahme", ALL, "massnahme");
        check("cafe\u{301}", ALL, "cafe");
    }

    #[test]
    fn decorated_letters_fold_to_plain_ones() {
        check("ｉｇｎｏｒｅ", ALL, "ignore");
        check("𝐢𝐠𝐧𝐨𝐫𝐞", ALL, "ignore");
        check("ⓘⓖⓝⓞⓡⓔ", ALL, "ignore");
        check("\u{e0069}\u{e0067}", ALL, "ig");
        check("i\u{200b}g\u{2060}n", ALL, "ign");
    }

    #[test]
    fn letters_of_other_scripts_fold_only_when_asked() {
        check("іgnоrе", ALL, "ignore");
        check("іgnоrе", Folding { homoglyphs: false, ..ALL }, "іgnоrе");
        check("ｉg", Folding { unicode: false, ..ALL }, "ｉg");
    }

    #[test]
    fn punctuation_ends_a_word() {
        check("“a”…b。c", ALL, "|a||b|c");
    }
}
