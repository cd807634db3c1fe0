//! Postal addresses: a street with a number, and the place with its postcode, on one line or on several.
//!
//! Knows kinds of streets and forms of postcodes, not places. An address is taken where a kind of street, a postcode or a
//! label says so; two of the three where they are weak. Invariant: nothing beyond [`LONGEST`] bytes from its start is read.

use super::context::fold_pair;
use super::cursor::{Cursor, Open, Verdict, is_alphanumeric};
use super::national::fits;
use super::vocabulary::{Beginnings, Vocabulary, count};

/// The longest address in bytes.
const LONGEST: usize = 220;

/// Words of a street, and of any other part.
const MOST_WORDS: usize = 7;

/// Bytes of a word; a longer one is none.
const LONGEST_WORD: usize = 40;

/// What a word is in an address; bits.
type Kinds = u32;

/// A kind of street that stands after the name, and hardly is anything else.
const LAST: Kinds = 1;
/// The same, that is other things as well.
const PERHAPS_LAST: Kinds = 2;
/// A kind of street that stands before the name.
const FIRST: Kinds = 4;
/// The same, that is other things as well.
const PERHAPS_FIRST: Kinds = 8;
/// A small word inside the name of a street or a place.
const PARTICLE: Kinds = 16;
/// A part of a house, with a number.
const UNIT: Kinds = 32;
/// A direction after a street.
const DIRECTION: Kinds = 64;
/// The beginning of a country's name.
const COUNTRY: Kinds = 128;
/// A small word between a label and its value.
const SMALL: Kinds = 256;
/// Stands where a number would.
const NUMBERLESS: Kinds = 512;
/// A kind of street in small letters after the name.
const SMALL_LAST: Kinds = 2048;
/// A kind of street for certain if it begins with a capital letter.
const CAPITAL: Kinds = 1024;
/// A title inside the name of a street, which has a dot.
const TITLE: Kinds = 4096;
/// A month, after which a number is no part of an address.
const MONTH: Kinds = 8192;
/// A part of a house that an address may begin with, and that says nothing by itself.
const OPENS: Kinds = 16384;
/// A state that stands before a postcode of four digits.
const STATE: Kinds = 32768;
/// Never stands between the number of a house and the name of a street; most words behind a number are others, so few are
/// asked what they are.
const UNNUMBERED: Kinds = 65536;

const ROWS: &[(Kinds, &str)] = &[
    (
        LAST,
        "street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|highway|hwy|terrace|crescent|parkway|pkwy",
    ),
    (
        PERHAPS_LAST,
        "court|ct|place|pl|way|square|sq|close|gardens|grove|hill|walk|mews|row|circle|cir|trail|alley|plaza|loop|park|green|\
         rise|view|quay|wharf|crossing|bridge|marg|nagar|path|cross|layout|colony|vista|point|glen|ridge|estate|estates|parade|\
         esplanade|broadway|reserve|cove|heights|croft|drove|chase|approach|entrance|frontage|cutting|meadows|promenade|boulevarde|\
         ganj|chowk|distributor|track|retreat",
    ),
    (
        FIRST,
        "rue|avenue|boulevard|bd|chemin|impasse|allee|alle|soseaua|bulevardul|drumul|splaiul|pasadizo|prolongacion|continuacion|calle|avda|avenida|paseo|camino|carretera|piazza|piazzale|vicolo|\
         rua|travessa|alameda|ul|ulica|aleja|ulice|namesti|nabrezi|corso|strasse|rambla|ronda|glorieta|pasaje|urbanizacion|\
         contrada|jalan",
    ),
    (
        FIRST | UNNUMBERED,
        "nam|plac|rotonda|lungomare|salita|intrarea|aleea|periferico|retorno|peatonal|andador|circunvalacion|viaducto|cerrada|\
         ladeira|rodovia|carrer|passeig|acceso|vial|sentier|venelle",
    ),
    (PERHAPS_FIRST | CAPITAL, "via|largo|strada|viale"),
    (
        PERHAPS_FIRST,
        "pl|av|al|os|cl|place|quai|route|cours|passage|square|plac|plaza|praca|estrada|borgo|cuesta|callejon|privada|rte|\
         residence|residencia|montee|rang|faubourg|hameau|lieu|flat|apartment|apt|unit|suite|studio|room|villa|plot|block|building|house",
    ),
    (
        PERHAPS_FIRST | UNNUMBERED,
        "lotissement|circuito|diagonal|loteamento|residencial|condominio|chacara|vereda|patio|recanto|conjunto|parque|jardim|viela|\
         quadra|trecho|fazenda",
    ),
    (PARTICLE | UNNUMBERED, "v|ve|u|pri"),
    (
        PARTICLE,
        "lui|pod|nad|na|vorm|vor|hinter|bis|ter|quater|de|la|le|les|du|des|da|do|dos|das|di|del|della|dei|degli|delle|dell|van|von|der|den|dem|het|ten|ter|of|the|am|an|auf|im|\
         in|zu|zum|zur|und|y|e|i|et|sur|sous|aux|au|en|l|d|el|los|las|san|santa|saint|upon|by|ob|bei|near|c",
    ),
    (
        UNIT,
        "ap|sc|et|bl|edif|depto|interior|piano|level|apartment|apt|unit|suite|ste|flat|studio|room|floor|fl|box|dept|piso|puerta|pta|esc|planta|portal|bajo|apto|apartamento|\
         wohnung|whg|top|etage|appt|appartement|bat|batiment|interno|scala|int|bus|lok|m|lgh|pb|casilla|postfach|km|lote|lot|plot|\
         no|nr|num|block|bl|blok|sector|bte|kv|torre|dto|oficina|local|po",
    ),
    (NUMBERLESS, "s/n|sn"),
    (SMALL_LAST, "utca|utja|ut|ter|korut|setany|koz|nº|n°|n.º"),
    (UNIT, "nº|n°|n.º"),
    (
        TITLE,
        "col|fracc|deleg|urb|prof|dr|dra|gen|gral|cnel|eng|ing|arq|lic|cel|mal|alm|pe|pde|sto|sta|mons|visc|cons|pres|sgto|ten|maj|mgr|ks|plk|sw",
    ),
    (
        MONTH,
        "january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sep|sept|\
         oct|nov|dec|januar|februar|marz|mai|juni|juli|oktober|dezember",
    ),
    (OPENS | UNIT, "level|shop|h.no|box|psc|cmr|rr"),
    (OPENS, "p.o|po|uss|usns|usnv|uscgc"),
    (OPENS | UNIT | PERHAPS_FIRST, "postfach|postbus|postboks|apartado"),
    (STATE, "nsw|vic|qld|sa|wa|tas|nt|act"),
    (
        DIRECTION,
        "altos|bajos|n|s|e|w|ne|nw|se|sw|north|south|east|west|northeast|northwest|southeast|southwest",
    ),
    (
        COUNTRY,
        "usa|united|uk|england|scotland|wales|ireland|germany|deutschland|france|spain|espana|italy|italia|netherlands|nederland|\
         belgium|belgie|belgique|austria|osterreich|schweiz|suisse|svizzera|switzerland|poland|polska|portugal|brazil|brasil|canada|\
         mexico|australia|india|sweden|sverige|norway|norge|denmark|danmark|finland|suomi|japan|china|turkey|turkiye|czech|hungary|\
         magyarorszag|greece|israel|singapore|luxembourg",
    ),
    (
        SMALL,
        "er|ar|jest|to|je|este|esta|fica|ligger|lyder|em|de|den|die|das|till|przy|do|pe|bij|aan|osoitteessa|i|ved|pa|til|w|v|is|are|was|as|at|in|to|on|ist|sind|lautet|unter|an|auf|im|est|sont|au|aux|a|es|son|e|en|il|sono|op|te|w|je|the|of|me|us|\
         our|my|her|his|their|it|them|for|follows|below|und|zu|nach|folgende|wie|suit|como|segue|al|alla|presso|chez|u|na|no|der|dem|la|le",
    ),
];

static WORDS: Vocabulary<Kinds, { count(ROWS) }> = Vocabulary::new(ROWS);

/// How the words begin that may stand between a number and the name of a street.
static BEGINNINGS: Beginnings = Beginnings::new(ROWS, FIRST | PERHAPS_FIRST | PARTICLE, UNNUMBERED);

/// Kinds of streets that are the end of a word.
static SUFFIXES: [&[u8]; 128] = [
    b"strasse",
    b"str",
    b"gasse",
    b"platz",
    b"weg",
    b"allee",
    b"ufer",
    b"straat",
    b"laan",
    b"gracht",
    b"plein",
    b"dijk",
    b"singel",
    b"gatan",
    b"vagen",
    b"veien",
    b"vejen",
    b"gaden",
    b"vegen",
    b"gata",
    b"vej",
    b"gade",
    b"katu",
    b"tie",
    b"kuja",
    b"utca",
    b"utja",
    b"polku",
    b"alle",
    b"stigen",
    b"strade",
    b"dreef",
    b"steeg",
    b"boulevard",
    b"-ring",
    b"-damm",
    b"-hof",
    b"-steig",
    b"-markt",
    b"-promenade",
    b"-chaussee",
    b"-brucke",
    b"-wall",
    b"-park",
    b"-kai",
    b"baan",
    b"ring",
    b"hof",
    b"pad",
    b"kade",
    b"akker",
    b"weide",
    b"kamp",
    b"plantsoen",
    b"horst",
    b"heuvel",
    b"brink",
    b"zoom",
    b"erf",
    b"haugen",
    b"jordet",
    b"gropa",
    b"lunden",
    b"alleen",
    b"stranda",
    b"kroken",
    b"bakken",
    b"stien",
    b"svingen",
    b"toppen",
    b"myra",
    b"sletta",
    b"engen",
    b"tunet",
    b"asen",
    b"lokka",
    b"bekken",
    b"parken",
    b"ringen",
    b"plassen",
    b"torget",
    b"gangen",
    b"brygga",
    b"faret",
    b"kleiva",
    b"skogen",
    b"gaten",
    b"gate",
    b"grand",
    b"backen",
    b"garden",
    b"angen",
    b"backe",
    b"leden",
    b"bulevardi",
    b"ranta",
    b"rinne",
    b"maki",
    b"tori",
    b"kaari",
    b"penger",
    b"aukio",
    b"raitti",
    b"toften",
    b"vaenget",
    b"krogen",
    b"svinget",
    b"torvet",
    b"straede",
    b"pladsen",
    b"damm",
    b"steig",
    b"wall",
    b"kai",
    b"stieg",
    b"graben",
    b"pfad",
    b"twiete",
    b"chaussee",
    b"promenade",
    b"zeile",
    b"siedlung",
    b"stiege",
    b"anger",
    b"hang",
    b"ova",
    b"ska",
    b"cka",
];

/// How many of [`SUFFIXES`] are hardly anything else; the others need a postcode.
const CERTAIN: usize = 45;

/// For each last letter of a kind in [`SUFFIXES`], a bit for each letter before it.
static SUFFIX_ENDS: [u32; 32] = suffix_ends();

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn suffix_ends() -> [u32; 32] {
    let mut ends = [0; 32];
    let mut n = 0;
    while n < SUFFIXES.len() {
        let suffix = SUFFIXES[n];
        ends[(suffix[suffix.len() - 1] & 31) as usize] |= 1 << (suffix[suffix.len() - 2] & 31);
        n += 1;
    }
    ends
}

/// Postcodes that are hardly anything else.
const CODES: &str = "A9A 9AA|A99 9AA|A9 9AA|AA9A 9AA|AA99 9AA|AA9 9AA|A9A 9A9|AA_99999-9999|AA_99999";
/// Postcodes that are numbers as any.
const NUMBERS: &str = "9999 AA|99-999|9999-999|99999-999|99999-9999|999-9999|999999|999 999|99999999|999 99|99999|9999|AAA 99999-9999|AAA 99999|AAAA 99999-9999|AAAA 99999|AA-99999|A-99999|AA-9999|A-9999|AA-999 99|A99 XXXX";

/// How sure it is that something is a street.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Street {
    Unknown,
    Weak,
    Strong,
}

/// How a word ends that is, or may be, the name of a street.
#[derive(Clone, Copy)]
struct Suffix {
    /// The kind is the whole word.
    alone: bool,
    /// Hardly anything else ends so.
    certain: bool,
}

/// A word without case and accents.
struct Word {
    bytes: [u8; 2 * LONGEST_WORD],
    len: usize,
}

impl Word {
    fn of(bytes: &[u8]) -> Word {
        let mut word = Word { bytes: [0; 2 * LONGEST_WORD], len: 0 };
        let mut rest = bytes.iter().copied();
        while let Some(byte) = rest.next() {
            let (first, second) = match byte {
                0xC3..=0xDF => match (byte, rest.next().unwrap_or(0)) {
                    (0xC3, 0x9F) => (b's', Some(b's')),
                    (lead, next) => fold_pair(lead, next),
                },
                byte => (byte.to_ascii_lowercase(), None),
            };
            for byte in [Some(first), second].into_iter().flatten() {
                if let Some(to) = word.bytes.get_mut(word.len) {
                    *to = byte;
                    word.len += 1;
                }
            }
        }
        word
    }

    fn as_slice(&self) -> &[u8] {
        let word = self.bytes.get(..self.len).unwrap_or_default();
        word.strip_suffix(b".").unwrap_or(word)
    }

    /// All that the word is.
    fn kinds(&self) -> Kinds {
        // `C/ Mayor` and `C/Mayor`.
        if self.as_slice().starts_with(b"c/") {
            return FIRST;
        }
        WORDS
            .like(self.as_slice())
            .filter(|(_, word)| *word == self.as_slice())
            .fold(0, |kinds, (kind, _)| kinds | kind)
    }

    /// A compound that ends as a street does.
    fn street_suffix(&self) -> Option<Suffix> {
        let [.., second_last, last] = self.as_slice() else { return None };
        let before = SUFFIX_ENDS.get(usize::from(last & 31)).copied().unwrap_or(0);
        if before >> (second_last & 31) & 1 == 0 {
            return None;
        }
        SUFFIXES.iter().enumerate().find_map(|(n, entry)| {
            if entry.last() != Some(last) {
                return None;
            }
            let before = self.as_slice().strip_suffix(*entry)?;
            // Short kinds end other words as well.
            let certain = n < CERTAIN;
            match before.len() {
                0 => Some(Suffix { alone: true, certain }),
                1 => None,
                2 if !certain => None,
                2 if entry.len() < 5 => Some(Suffix { alone: false, certain: false }),
                3 if entry.len() <= 3 => Some(Suffix { alone: false, certain: false }),
                _ => Some(Suffix { alone: false, certain }),
            }
        })
    }
}

/// A capital letter begins at the first of `bytes`, or one of a script without capitals.
fn is_capital(bytes: [u8; 2]) -> bool {
    match bytes {
        [b'A'..=b'Z', _] => true,
        [0xC3, next] => next < 0x9F,
        // Capital and small letters take turns there.
        [0xC4..=0xC5, _] => true,
        [0xCE, 0x86..=0xAB] | [0xD0, 0x80..=0xAF] => true,
        _ => false,
    }
}

/// Part of a word.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80 || byte == b'\''
}

/// What stands at one place of an address.
enum Token {
    Name,
    Particle,
    Number,
    Code,
    StrongCode,
}

/// A part of an address, up to a comma or the end of a line.
struct Part {
    /// End of the last of its tokens that may end it.
    end: usize,
    words: usize,
    numbers: usize,
    street: Street,
    code: Option<bool>,
    /// A month is among its words, or a year stands behind them.
    dated: bool,
    /// What follows is neither prose nor the value of a label.
    closed: bool,
}

/// The address that begins at `start`. `announced`: a label says so, which is the costlier question.
#[inline(never)]
pub(super) fn verify(text: &Cursor, start: usize, announced: impl FnOnce() -> bool) -> Verdict {
    let limit = start + LONGEST;
    let street = part(text, start, limit, true)?;
    let mut end = street.end;
    let mut at = street.end;
    let mut numbered = street.numbers > 0;
    if street.words == 0 || street.closed && street.end == start {
        return Ok(None);
    }
    let mut code = street.code;
    let mut dated = street.dated;
    let mut tentative = None;
    let mut parts = 0;
    let mut place_follows = false;
    // A part without numbers, on whatever line, is the place.
    let mut placed = false;
    // A country may follow what is complete.
    let mut complete = code.is_some();
    while parts < 5 {
        parts += 1;
        let Some((next, same_line)) = separator(text, at)? else { break };
        let part = part(text, next, limit, false)?;
        let number_of_house = part.numbers > 0 && !numbered;
        if part.words == 0 && part.code.is_none() && !number_of_house {
            break;
        }
        if place_follows {
            place_follows = false;
            if part.words > 0 && part.closed && part.numbers == 0 && part.code.is_none() {
                end = part.end;
                at = part.end;
                continue;
            }
        }
        if complete {
            let country = Word::of(text.slice(next, word_end(text, next)?)).kinds() & COUNTRY != 0;
            if country && part.closed && part.code.is_none() && part.words <= 2 {
                end = part.end;
            }
            break;
        }
        dated |= part.dated;
        if part.code.is_some() {
            code = part.code;
            end = part.end;
            complete = true;
            // `10099, San Mauro Torinese (TO)`: the street comes right before, so the place is yet to come.
            place_follows = part.words == 0 && !placed;
        } else if !part.closed {
            break;
        } else if same_line {
            tentative = Some(part.end);
            numbered |= part.numbers > 0;
        }
        placed |= part.numbers == 0;
        at = part.end;
    }
    let by_itself = numbered && street.closed && !text.before(start + 1, 1).is_ascii_digit();
    let sure = match (code, street.street) {
        (Some(true), _) | (Some(false), Street::Weak | Street::Strong) => true,
        (None, Street::Strong) => numbered,
        (Some(false), Street::Unknown) => !dated && announced(),
        (None, Street::Weak) => numbered && announced(),
        (None, Street::Unknown) => by_itself && !dated && announced(),
    };
    if !sure {
        return Ok(None);
    }
    if code.is_none()
        && let Some(tentative) = tentative
    {
        end = tentative;
    }
    Ok(Some(end))
}

/// A house number may begin at `digit`: a name follows it.
pub(super) fn may_begin(text: &Cursor, digit: usize) -> Result<bool, usize> {
    let name_follows = || {
        let end = text.run(digit, 9, |byte| is_alphanumeric(byte) || matches!(byte, b'-' | b'/'))?;
        let comma = usize::from(text.at(end)? == b',');
        if text.at(end + comma)? != b' ' {
            return Ok(false);
        }
        let name = end + comma + 1;
        let first = text.at(name)?;
        if is_capital([first, text.at(name + 1)?]) {
            return Ok(true);
        }
        // `12 5th Avenue`.
        if first.is_ascii_digit() {
            let end = text.digits(name, 4)?;
            return Ok(matches!(text.at(end)?, b's' | b'n' | b'r' | b't'));
        }
        if !first.is_ascii_lowercase() {
            return Ok(false);
        }
        // `12, rue de la Paix`, `12 bis, rue de la Paix`.
        Ok(Word::of(text.slice(name, word_end(text, name)?)).kinds() & (FIRST | PERHAPS_FIRST | PARTICLE)
            != 0)
    };
    name_follows().map_err(|Open| digit)
}

/// A word in small letters that begins so may stand between the number and the name of a street.
#[inline(always)]
pub(super) fn may_begin_street(word: [u8; 3]) -> bool {
    // `C/ Mayor`, `às`.
    let [_, second, third] = word;
    matches!(second, b'/' | 0x80..) || third >= 0x80 || BEGINNINGS.may_have(word)
}

/// A name, or a kind of street in small letters, may stand before the number at `digit`.
#[inline(always)]
pub(super) fn may_follow_street(text: &Cursor, digit: usize) -> bool {
    let Some(end) = gap_before(text, digit) else { return false };
    let start = word_before(text, end);
    let word = text.slice(start, end);
    matches!(word.first(), Some(b'A'..=b'Z' | b'u')) || !word.is_ascii()
}

/// What separates two parts: a comma, the end of a line, both; where the next begins, and whether on the same line.
fn separator(text: &Cursor, at: usize) -> Result<Option<(usize, bool)>, Open> {
    let mut at = text.run(at, 2, |byte| byte == b' ')?;
    // `Kossuth utca 152.` and the place on the next line.
    if text.at(at)? == b'.'
        && (text.at(at + 1)? == b',' || text.at(at + 1)? == b'\n' && text.before(at, 1).is_ascii_digit())
    {
        at += 1;
    }
    let comma = text.at(at)? == b',';
    at += usize::from(comma);
    at = text.run(at, 2, |byte| byte == b' ')?;
    if text.at(at)? == b'\r' {
        at += 1;
    }
    let line = text.at(at)? == b'\n';
    at += usize::from(line);
    // A line that begins with the comma.
    if line && !comma && text.at(at)? == b',' {
        at += 1;
    }
    at = text.run(at, 4, |byte| byte == b' ')?;
    Ok((comma || line).then_some((at, !line)))
}

/// End of the word that begins at `at`.
fn word_end(text: &Cursor, at: usize) -> Result<usize, Open> {
    let end = text.run(at, LONGEST_WORD, is_letter)?;
    if end == at {
        return Ok(end);
    }
    let end = match text.at(end)? {
        b'-' if is_letter(text.at(end + 1)?) => {
            text.run(end + 1, LONGEST_WORD, |byte| is_letter(byte) || byte == b'-')?
        }
        // `H.No.`, `S/N`, `C/ Mayor`.
        b'.' if end - at == 1 && is_letter(text.at(end + 1)?) => {
            text.run(end + 1, LONGEST_WORD, is_letter)?
        }
        b'/' if end - at == 1 => text.run(end + 1, LONGEST_WORD, is_letter)?,
        // `Biel/Bienne`
        b'/' if text.at(end + 1)?.is_ascii_uppercase() && text.at(end + 2)?.is_ascii_lowercase() => {
            text.run(end + 1, LONGEST_WORD, is_letter)?
        }
        _ => end,
    };
    // The dot of `St.` and `Hauptstr.` belongs to the word if something follows; that of a sentence does not.
    if text.at(end)? == b'.' && (text.at(end + 1)? == b' ' || is_alphanumeric(text.at(end + 1)?)) {
        let word = Word::of(text.slice(at, end));
        let short = LAST | PERHAPS_LAST | FIRST | PERHAPS_FIRST | UNIT | DIRECTION | TITLE;
        if end - at == 1
            || text.slice(at + 1, at + 2) == b"."
            || word.as_slice().ends_with(b"str")
            || end - at <= 5 && word.kinds() & short != 0
        {
            return Ok(end + 1);
        }
    }
    Ok(end)
}

/// The part that begins at `at`; `first`: it is that of the street.
#[inline(never)]
fn part(text: &Cursor, start: usize, limit: usize, first: bool) -> Result<Part, Open> {
    let mut part = Part {
        end: start,
        words: 0,
        numbers: 0,
        street: Street::Unknown,
        code: None,
        dated: false,
        closed: false,
    };
    let mut at = start;
    let mut tokens = 0;
    // Where the street ends, once its kind was there: what follows may be the next sentence.
    let mut sealed = None;
    let mut unit = false;
    // `H.No. 5, Station Road`
    let mut opened = false;
    // A part of the house in small letters comes right behind what was complete.
    let mut apart = false;
    // The token before is the number of a unit.
    let mut numbered = false;
    while tokens < 2 * MOST_WORDS && at < limit {
        tokens += 1;
        let plain = unit || first && part.numbers == 0;
        let Some((token, end)) = token(text, at, plain)? else { break };
        let directly = sealed == Some(part.end) && at - part.end <= 2;
        let mut kinds = 0;
        match token {
            Token::Name => {
                let word = Word::of(text.slice(at, end));
                kinds = word.kinds();
                let named = part.words > 0;
                let ending = word.street_suffix();
                let suffix = ending.is_some_and(|ending| ending.certain && (named || !ending.alone));
                part.dated |= kinds & MONTH != 0;
                let (after, before) =
                    (kinds & (LAST | PERHAPS_LAST) != 0 && named, kinds & (FIRST | PERHAPS_FIRST) != 0);
                let strong = named && kinds & LAST != 0 || suffix || kinds & (FIRST | CAPITAL) != 0;
                if strong || after || before || ending.is_some() {
                    part.street = part.street.max(if strong { Street::Strong } else { Street::Weak });
                }
                part.words += 1;
                part.end = end;
                part.numbers += usize::from(kinds & NUMBERLESS != 0);
                opened |= tokens == 1 && kinds & OPENS != 0;
                // `Hämeenkatu 7 B 22`
                let stair = directly && part.numbers > 0 && end - at == 1 && byte_is_stair(text.at(at)?);
                if after || suffix || stair || directly && kinds & (UNIT | DIRECTION) != 0 {
                    sealed = Some(end);
                }
                if stair {
                    kinds |= UNIT;
                }
            }
            Token::Particle => {
                kinds = Word::of(text.slice(at, end)).kinds();
                apart = directly && kinds & UNIT != 0;
                if kinds & (FIRST | PERHAPS_FIRST) != 0 {
                    part.street =
                        part.street.max(if kinds & FIRST != 0 { Street::Strong } else { Street::Weak });
                }
            }
            // A second number is that of a part of the house.
            Token::Number if first && part.numbers > 0 && !unit && !directly && !numbered => break,
            Token::Number => {
                // The number of the house, or of a part of it.
                let belongs = part.numbers == 0 || unit;
                // `County Road 45, …`
                let rest = matches!(text.at(end)?, b',' | b'\n')
                    || text.at(end)? == b' ' && text.at(end + 1)? == b'A';
                if (directly || apart) && belongs
                    || directly && part.numbers == 1 && rest && end - at <= 4
                    || sealed.is_none() && part.words > 0 && part.numbers == 0 && first && !unit
                {
                    sealed = Some(end);
                }
                part.numbers += 1;
                part.end = end;
            }
            Token::Code | Token::StrongCode => {
                part.code = Some(matches!(token, Token::StrongCode) || part.code == Some(true));
                part.end = end;
                part.dated |=
                    part.words > 0 && end - at == 4 && matches!(text.slice(at, at + 2), b"19" | b"20");
            }
        }
        // `NSW 2000`, `VIC, 3000`
        if kinds & STATE != 0 && text.slice(at, end).iter().all(u8::is_ascii_uppercase) {
            let comma = usize::from(text.at(end)? == b',');
            let code = end + comma + 1;
            if text.at(code - 1)? == b' '
                && text.digits(code, 5)? == code + 4
                && !is_alphanumeric(text.at(code + 4)?)
            {
                part.code = Some(true);
                part.end = code + 4;
                break;
            }
        }
        numbered = unit && matches!(token, Token::Number);
        unit = kinds & UNIT != 0;
        at = end;
        // Between tokens stands one space; after a number also a comma, if a street follows: `63, rue de Chauvin`.
        match text.at(at)? {
            b' ' => at += 1 + usize::from(text.at(at + 1)? == b' '),
            b',' if first
                && (tokens == 1 || tokens == 2 && (opened || part.words == 0))
                && part.numbers == 1
                && text.at(at + 1)? == b' ' =>
            {
                let next = word_end(text, at + 2)?;
                let capital = is_capital([text.at(at + 2)?, text.at(at + 3)?]);
                if !capital && Word::of(text.slice(at + 2, next)).kinds() & (FIRST | PERHAPS_FIRST) == 0 {
                    break;
                }
                at += 2;
            }
            // `Eluru-608377`.
            b'-' if matches!(token, Token::Name) && text.at(at + 1)?.is_ascii_digit() => {
                if let Some(end) = code(text, at + 1, &NUMBER_SHAPES)? {
                    part.code = Some(part.code == Some(true));
                    part.end = end;
                }
                break;
            }
            _ => break,
        }
        // `Roma (RM)`, `Cidade / SP`, `Bangalore - 560001`.
        if matches!(text.at(at)?, b'(' | b'/' | b'-') {
            let letters = at + 1 + usize::from(text.at(at + 1)? == b' ');
            let end = text.run(letters, 3, |byte| byte.is_ascii_uppercase())?;
            let closes = usize::from(text.at(end)? == b')');
            if end - letters == 2
                && (closes == 1) == (text.at(at)? == b'(')
                && (closes == 1 || !is_alphanumeric(text.at(end)?))
            {
                part.end = end + closes;
            } else if text.at(at)? == b'-' && text.at(at + 1)? == b' ' && text.at(at + 2)?.is_ascii_digit() {
                at += 2;
                continue;
            }
            break;
        }
    }
    if first
        && part.code.is_none()
        && let Some(sealed) = sealed
    {
        part.end = sealed;
    }
    let next = text.at(part.end)?;
    part.closed = match next {
        b' ' => matches!(text.at(part.end + 1)?, b'\n' | b'\r' | b',' | 0),
        b':' | b'=' | b'@' | b'_' => false,
        _ => !is_alphanumeric(next),
    };
    if matches!(next, b':' | b'=') {
        // The label of something else.
        part.words = 0;
        part.numbers = 0;
        part.code = None;
    }
    Ok(part)
}

/// The letter of a staircase or of one half of a house.
fn byte_is_stair(byte: u8) -> bool {
    matches!(byte, b'A'..=b'H')
}

/// What stands at `at`, and its end. `plain`: a number there is none of a place.
fn token(text: &Cursor, at: usize, plain: bool) -> Result<Option<(Token, usize)>, Open> {
    let byte = text.at(at)?;
    if byte.is_ascii_digit() || byte.is_ascii_uppercase() {
        if let Some(end) = code(text, at, &STRONG_SHAPES)? {
            return Ok(Some((Token::StrongCode, end)));
        }
        if !plain && let Some(end) = code(text, at, &NUMBER_SHAPES)? {
            // A longer number begins as a postcode.
            let number_follows = text.at(end)? == b' ' && text.at(end + 1)?.is_ascii_digit();
            return Ok((!number_follows).then_some((Token::Code, end)));
        }
    }
    if byte.is_ascii_digit() || byte == b'#' {
        // `12b`, `12-14`, `5/3`, `2º`.
        let end = text.run(at + 1, 10, |byte| {
            is_alphanumeric(byte) || matches!(byte, b'-' | b'/' | 0xC2 | 0xBA | 0xAA)
        })?;
        // Other signs than `º` and `ª` begin with the same byte, and are none of its.
        let end = end - usize::from(text.before(end, 1) == 0xC2);
        let token = text.slice(at, end);
        let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let letters = token.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        // `5th` is a name.
        let ordinal = letters == 2 && matches!(token.get(digits..), Some(b"st" | b"nd" | b"rd" | b"th"));
        let number = letters <= 1 && digits <= 6 || byte == b'#' && letters <= 2;
        let goes_on = match text.at(end)? {
            b':' | b'%' | b'_' | b'@' | b'$' => true,
            b'.' | b',' => text.at(end + 1)?.is_ascii_digit(),
            _ => token.last() == Some(&b'-'),
        };
        return Ok(match (ordinal, number && !goes_on) {
            (true, _) => Some((Token::Name, end)),
            (_, true) => Some((Token::Number, end)),
            _ => None,
        });
    }
    let end = word_end(text, at)?;
    if end == at || end - at >= LONGEST_WORD + 40 {
        return Ok(None);
    }
    if is_capital([byte, text.at(at + 1)?]) {
        return Ok(Some((Token::Name, end)));
    }
    let word = Word::of(text.slice(at, end));
    let kinds = word.kinds();
    if kinds & DIRECTION != 0 && end - at > 2 {
        return Ok(Some((Token::Name, end)));
    }
    let particle = kinds & (PARTICLE | FIRST | PERHAPS_FIRST | SMALL_LAST | UNIT) != 0
        || word.street_suffix().is_some_and(|suffix| suffix.alone && suffix.certain);
    Ok(particle.then_some((Token::Particle, end)))
}

/// A shape of postcodes, and what it begins with, so that few are tried.
#[derive(Clone, Copy)]
struct Shape {
    letters: usize,
    digits: usize,
    /// More digits may follow at once.
    open: bool,
    shape: &'static [u8],
}

static STRONG_SHAPES: [Shape; shapes_in(CODES)] = shapes(CODES);
static NUMBER_SHAPES: [Shape; shapes_in(NUMBERS)] = shapes(NUMBERS);

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn shapes_in(list: &str) -> usize {
    let mut count = 1;
    let mut n = 0;
    while n < list.len() {
        count += (list.as_bytes()[n] == b'|') as usize;
        n += 1;
    }
    count
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn shapes<const N: usize>(list: &'static str) -> [Shape; N] {
    let mut shapes = [Shape { letters: 0, digits: 0, open: false, shape: b"" }; N];
    let mut rest = list.as_bytes();
    let mut n = 0;
    while n < N {
        let mut end = 0;
        while end < rest.len() && rest[end] != b'|' {
            end += 1;
        }
        let (shape, after) = rest.split_at(end);
        let mut letters = 0;
        while shape[letters] == b'A' {
            letters += 1;
        }
        let mut digits = 0;
        while letters + digits < end && shape[letters + digits] == b'9' {
            digits += 1;
        }
        let open = letters + digits < end && shape[letters + digits] == b' ';
        shapes[n] = Shape { letters, digits, open, shape };
        rest = if after.is_empty() { after } else { after.split_at(1).1 };
        n += 1;
    }
    shapes
}

/// The postcode of one of `shapes` that begins at `at`.
fn code(text: &Cursor, at: usize, shapes: &[Shape]) -> Result<Option<usize>, Open> {
    // Names are more frequent: of the first four bytes of a code, one is a digit.
    let mut digit = false;
    for ahead in 0..4 {
        digit |= text.at(at + ahead)?.is_ascii_digit();
        if digit {
            break;
        }
    }
    if !digit {
        return Ok(None);
    }
    let digits_from = text.run(at, 3, |byte| byte.is_ascii_alphabetic())?;
    let (letters, digits) = (digits_from - at, text.digits(digits_from, 9)? - digits_from);
    for shape in shapes {
        if shape.letters == letters
            && (shape.digits == digits || shape.open && shape.digits < digits)
            && let Some(end) = fits(shape.shape, text, at)?
            && !is_alphanumeric(text.at(end)?)
            && !(matches!(text.at(end)?, b'-' | b'/' | b'.') && is_alphanumeric(text.at(end + 1)?))
            && !text.slice(at, end).iter().any(u8::is_ascii_lowercase)
        {
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// Where the word begins that ends at `end`; more than [`LONGEST_WORD`] before it if it is longer.
fn word_before(text: &Cursor, end: usize) -> usize {
    let part = |byte: &&u8| is_letter(**byte) || matches!(**byte, b'-' | b'.' | b'/');
    let before = text.slice(end.saturating_sub(LONGEST_WORD + 1), end);
    end - before.iter().rev().take_while(part).count()
}

/// Where the street begins whose number, or postcode, is at `at`, or that is being named at the end of the text. `before`: end
/// of the word before that.
/// `named`: at `at` stands, or may come, one more word of it. `label`: where a label for addresses ends, asked for only if it
/// matters, with the place that it stands before.
#[inline(never)]
pub(super) fn start_before(
    text: &Cursor,
    at: usize,
    before: usize,
    named: bool,
    label: impl FnOnce(usize) -> Option<usize>,
) -> Option<usize> {
    let mut end = at;
    let mut best = None;
    let mut names = 0;
    let mut adjective = false;
    let mut compound = false;
    let mut crossed = false;
    let mut starts = [0; MOST_WORDS];
    for start_of_word in &mut starts {
        let last = end == at && !named;
        // Between words stands a space; a comma or the end of a line where a label stands before them.
        let before = if end == at {
            before
        } else {
            let Some(before) = gap_before(text, end) else { break };
            before
        };
        let apart = !last && text.slice(before, end) != b" ";
        let start = word_before(text, before);
        if start == before || before - start > LONGEST_WORD {
            break;
        }
        let capital = is_capital([text.before(start + 1, 1), text.before(start + 2, 1)]);
        // Most words before a number are small, and none of a street.
        if last && !capital && !may_be_small_kind(text.slice(start, before)) {
            break;
        }
        let word = Word::of(text.slice(start, before));
        let kinds = word.kinds();
        let first = kinds & (FIRST | PERHAPS_FIRST) != 0;
        if last && !capital && kinds & SMALL_LAST == 0
            || !capital && !first && kinds & (PARTICLE | SMALL_LAST) == 0
        {
            break;
        }
        crossed |= apart;
        match last.then(|| word.street_suffix()).flatten() {
            _ if crossed && (kinds & (OPENS | UNIT) != OPENS || !capital) => {}
            // `Lange Straße 5`.
            Some(Suffix { alone: true, .. }) => {
                adjective = true;
                best = capital.then_some(start);
            }
            // `Große Elbstraße 5`.
            Some(Suffix { alone: false, .. }) => {
                compound = true;
                best = Some(start);
            }
            // In small letters most of them are something else.
            None if (capital && (first || kinds & OPENS != 0)
                || kinds & FIRST != 0
                // `al. Jana Pawła II 5`
                || first && text.before(before, 1) == b'.')
                && (!last || kinds & UNIT != 0) =>
            {
                best = Some(start);
            }
            None => {
                if (adjective || compound) && capital && is_adjective(text, start, before, compound) {
                    best = Some(start);
                }
                (adjective, compound) = (false, false);
            }
        }
        names += 1;
        *start_of_word = if capital || first { start } else { usize::MAX };
        end = start;
    }
    if names > 0
        && let Some(label) = label(if crossed { end } else { at })
    {
        let announced =
            starts.iter().take(names).find(|start| **start != usize::MAX && connects(text, label, **start));
        // A kind of street begins the address even where it, or its beginning, may be read as part of the label.
        best = match (best, announced) {
            (Some(best), Some(_)) if best < label || connects(text, label, best) => Some(best),
            (best, announced) => announced.copied().or(best),
        };
    }
    best
}

/// Adjectives of streets, without accents; those of towns end in `er`.
static ADJECTIVES: &[&str] = &[
    "lange", "kurze", "breite", "hohe", "alte", "neue", "grosse", "kleine", "grune", "obere", "untere",
    "schone", "rote", "weisse", "schwarze", "oude", "nieuwe", "grote", "korte", "hoge", "stora", "lilla",
    "norra", "sodra", "ostra", "vastra", "gamla", "nya", "am", "im", "zum", "zur",
];

/// Small words before the name of a street.
static ARTICLES: &[&str] = &[
    "der", "die", "in", "an", "am", "auf", "bei", "von", "zur", "de", "het", "aan", "op", "pa", "i", "is",
    "ist", "at", "to",
];

/// The word from `start` to `end`, with a capital letter, belongs to the street that stands behind it, as `Lange` in `Lange
/// Straße` and, where the kind is part of a `compound`, `Große` in `Große Elbstraße`: where a line, a part or a name begins.
/// Anywhere else every name would have to wait for the next word.
fn is_adjective(text: &Cursor, start: usize, end: usize, compound: bool) -> bool {
    let is_one_of =
        |word: &Word, words: &[&str]| words.iter().any(|other| other.as_bytes() == word.as_slice());
    let begins = match (text.before(start, 1), text.before(start, 2)) {
        (b' ', b',' | b':' | b';' | b'-') => true,
        (b' ', _) => {
            let before = start - 1;
            let word = text.slice(word_before(text, before), before);
            word.len() <= 4 && is_one_of(&Word::of(word), ARTICLES)
        }
        (before, _) => !is_alphanumeric(before) && before < 0x80,
    };
    let word = Word::of(text.slice(start, end));
    begins
        && (!compound && end - start > 4 && word.as_slice().ends_with(b"er") || is_one_of(&word, ADJECTIVES))
}

/// The word is one of [`SMALL_LAST`], or has a letter that those have.
fn may_be_small_kind(word: &[u8]) -> bool {
    word.len() <= 8 && (word.starts_with(b"ut") || !word.is_ascii())
}

/// Where the word before `at` ends: before a space, a comma, the end of a line.
pub(super) fn gap_before(text: &Cursor, at: usize) -> Option<usize> {
    let space = match (text.before(at, 1), text.before(at, 2)) {
        (b'\n', b' ' | b'\r') => 2,
        (b' ' | b'\n', _) => 1,
        _ => return None,
    };
    let end = at - space;
    Some(end - usize::from(text.before(end, 1) == b','))
}

/// Between a label and what it announces stand only small words and punctuation.
pub(super) fn connects(text: &Cursor, from: usize, to: usize) -> bool {
    let Some(gap) = to.checked_sub(from) else { return false };
    gap <= LONGEST_GAP
        && text.slice(from, to).split(|byte| !is_letter(*byte)).all(|word| {
            word.is_empty()
                || !word.first().is_some_and(u8::is_ascii_uppercase) && Word::of(word).kinds() & SMALL != 0
        })
}

/// Most bytes between a label and an address.
const LONGEST_GAP: usize = 34;

/// Where a street may begin whose number is yet to come.
pub(super) fn pending(text: &Cursor, mut label: impl FnMut(usize) -> Option<usize>) -> Option<usize> {
    let end = text.len();
    let word = word_before(text, end);
    if end - word > LONGEST_WORD {
        return None;
    }
    let unfinished = (word < end && begins_name(text, word)).then_some(word);
    // What separates words and numbers may be there in part.
    let mut last = word;
    while word - last < 3 && matches!(text.before(last, 1), b' ' | b',' | b'\n' | b'\r') {
        last -= 1;
    }
    let apart = last < word;
    let numbered = if apart && word == end { start_before(text, end, last, false, &mut label) } else { None };
    let named = if apart { start_before(text, word, last, true, &mut label) } else { None };
    [unfinished, before_kind(text, word), numbered, named].into_iter().flatten().min()
}

/// A name, or a kind of street before one, may begin at `at`.
fn begins_name(text: &Cursor, at: usize) -> bool {
    let first = text.before(at + 1, 1);
    first.is_ascii_lowercase() || is_capital([first, text.before(at + 2, 1)])
}

/// The word at the end, if only its first letter is to come, may become a kind of street; where the names begin that would belong to it.
fn before_kind(text: &Cursor, word: usize) -> Option<usize> {
    if text.before(word, 1) != b' ' {
        return None;
    }
    let before = word_before(text, word - 1);
    let name = before + 1 < word && word - 1 - before <= LONGEST_WORD;
    // Most words before the last are small, which is asked first.
    if !name || !is_capital([text.before(before + 1, 1), text.before(before + 2, 1)]) {
        return None;
    }
    if !is_adjective(text, before, word - 1, false) {
        return None;
    }
    let last = Word::of(text.slice(word, text.len()));
    let kind = || SUFFIXES.iter().any(|kind| kind.starts_with(last.as_slice()));
    (is_adjective(text, before, word - 1, true) || kind()).then_some(before)
}
