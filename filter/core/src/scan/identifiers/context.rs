//! Words before a value that say what it is: labels, in many languages.
//!
//! Knows no values. A label is the beginning of a word, or of several in a row; letters are compared without case and
//! accents. Invariant: what is read lies within [`REACH`] bytes before the value.

use super::cursor::{Cursor, is_alphanumeric};
use super::vocabulary::{Vocabulary, count};
use crate::scan::simd::{self, Nibbles};

/// How far before a value its labels may begin.
pub(super) const REACH: usize = 64;

/// What a label announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Topic {
    /// Some other number, whatever it looks like.
    Other,
    /// Numbers with dots that are no address of a machine.
    Version,
    /// Something that another scanner looks for.
    Foreign,
    Phone,
    Address,
    Birth,
    Passport,
    Licence,
    Identity,
    Tax,
    Social,
    Nhs,
    Nino,
    Utr,
    Bsn,
    Aadhaar,
    Pan,
    Voter,
    Gstin,
    Pesel,
    Cpf,
    Sin,
    Tfn,
    Medicare,
    Vat,
    Personal,
    Pps,
    Oib,
    Mrn,
    HealthPlan,
    Fax,
    Name,
}

impl Topic {
    fn is_veto(self) -> bool {
        matches!(self, Topic::Other | Topic::Version)
    }
}

/// Topics as bits.
pub(super) const fn topics(list: &[Topic]) -> u32 {
    let mut set = 0;
    let mut n = 0;
    while n < list.len() {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            set |= 1 << list[n] as u32;
        }
        n += 1;
    }
    set
}

/// Labels by topic, separated by `|`. A dot at the end: the whole word only; otherwise words that begin so count too.
const ROWS: &[(Topic, &str)] = &[
    (
        Topic::Other,
        "order|invoice|isbn|issn|commit.|ticket|serial|tracking|part.|parts.|sku.|model.|timestamp|item.|article|hash|sha|md5|checksum|uuid|guid|request id|product|batch|lot.|\
         case.|issue|expir|valid until|valid through|flight|booking|siret|siren|between|range.|reference.|ref.|bug.|pixel|coordinates|population|\
         error|line.|lines.|page.|pages.|figure|table.|phase|receipt|quote.|purchase|shipment|parcel|event|\
         bestell|rechnung|auftrag|sendung|artikel|ausgestellt|gultig|seriennummer|vorgang|aktenzeichen|\
         commande|facture|colis|delivree|delivre|expire|reference produit|\
         pedido|factura|albaran|caduca|expedid|caducidad|ordine|fattura|scadenza|rilasciat|spedizione|\
         bestelling|factuur|ordernummer|zamowien|faktur|encomenda|fatura|siparis|objednavk|tilaus|заказ|счет|订单|注文",
    ),
    (
        Topic::Version,
        "version|ver.|v.|vers.|release|build|section|sections|sec.|chapter|clause|paragraph|firmware|revision|oid|rfc|upgrad|bump|\
         abschnitt|kapitel|seccion|capitulo|sezione|sectie|hoofdstuk|rozdzial",
    ),
    (
        Topic::Phone,
        "phone|mi numero|mon numero|meine nummer|mio numero|meu numero|mijn nummer|mitt nummer|mit nummer|numeroni|moje cislo|мой номер|फ़ोन|मोबाइल|telephone|telefon|telefono|telefone|tel.|tels.|tele|mobile|mobil|mob.|cell.|cellphone|cellular|cellulaire|handy|hotline|\
         rufnummer|erreichbar|rufen|anrufen|natel|gsm|portable|joignable|appeler|appelez|movil|celular|cellulare|llam|chiam|ligue|\
         ligar|telemovel|whatsapp|whats app|signal.|sms.|text me|texting|call.|calling|called|dial|ring me|ring on|ring.|reach me|\
         reached at|reach us|contact|contact no|kontakt|numer|my number|moj numer|bel me|bel.|bellen|mobiel|tlf|ring meg|puh.|puhelin|\
         puhelinnumero|zavolej|volejte|mobilni|cislo telefonu|komorka|komorkowy|zadzwon|telefonszam|hivj|cep.|gsm no|numarasi|\
         fon.|ph.|phn.|tf.|t.|m.|тел|телефон|звоните|мобильн|电话|手机|電話|携帯|전화|휴대폰|τηλ",
    ),
    (
        Topic::Foreign,
        "email|e mail|courriel|correo|iban.|card number|credit card|kreditkarte|kartennummer|carte bancaire|tarjeta|carta di credito|bank|konto|\
         compte|cuenta|conto.|rekening|wallet|bitcoin|btc.|ethereum|eth.|ip.|mac.|macs.|ether.|hwaddr|hardware addr|swift|bic.|cvv|cvc|pin.|zip.|password|\
         account number|account no|sort code|routing",
    ),
    (
        Topic::Address,
        "address|levering|postadr|hjemmeadr|besoks|besogs|wohnadr|privatadr|heimatadr|bezoek|huisadr|thuisadr|hemadr|kotios|postios|fakturaadr|\
         folkbok|bosted|bydlim|bytem|zameld|korespond|siedzib|live at|manda|envia|skicka|send til|bor ved|locuies|domiciliul|mieszkam|courier|parcel for|return it|post it|vis au|vit au|lives at|living at|lived at|live in.|lives in.|residing|resides|resident of|residence|ship|deliver|mail to|\
         mail it|mailed to|send it|send to|sent to|sending to|located at|location|move to|moved to|home is|stay at|staying at|\
         based at|come to|visit|meet me at|pick up|pickup|drop off|collect|street|postal|property|house|apartment at|office|\
         headquarters|billing|residential|\
         adresse|anschrift|wohnhaft|wohne|wohnt|wohnen|wohnort|wohnsitz|liefer|schicken|schickt|senden|versand|zugestellt|umgezogen|\
         sitz.|habit|demeur|domicil|livr|envoy|resid|situe|logement|expedi|\
         direccion|vivo en|vive en|viven en|envi|calle y|ubicad|indirizz|abito|abita|spedi|consegn|recapit|sede.|\
         adres|woon|wonend|bezorg|verzend|gevestigd|enderec|moro.|mora.|morada|entreg|localizad|\
         bor pa|bor i.|bostad|bosatt|levereras|leverans|bopael|bopel|bor.|osoite|asun.|asuu|toimit|\
         mieszka|zamieszk|wyslij|dostaw|bydlis|trval|dorucit|doruc|adresi|ikamet|oturuyor|teslimat|lakcim|cim.|cimem|cime.|\
         адрес|прожива|живу|доставк|पता|住所|地址|住址|주소|住在",
    ),
    (
        Topic::Birth,
        "birth|born|dob.|d o b|bday|dateofbirth|\
         geburt|geboren|geb.|gebdat|naiss|ne le|nee le|ne e le|ne en|nee en|ne a.|nee a.|ddn.|\
         nacim|nacid|naci.|nacio|fecha nac|f nac|nascit|nato.|nata.|nasc|geboorte|gebdatum|fodt|fodelse|fodd|fodsel|syntym|syntyn|\
         urodz|ur.|narozen|narodzen|narodeni|dogum|dogdu|szulet|nasterii|nascut|roden|rodena|рожден|родил|народ|γεννη|\
         जन्म|出生|生年月日|生日|생년월일|生まれ",
    ),
    (
        Topic::Passport,
        "passport|travel document|reisepass|passnummer|passnr|pass nr|pass no|passeport|pasaporte|passaport|paspoort|pasnummer|\
         paszport|passin|passi.|pasport|pasu.|cestovni|cestovny|pasaport|utlevel|pas c|पासपोर्ट|паспорт|загранпасп|护照|旅券|パスポート|여권|διαβατηρ",
    ),
    (
        Topic::Licence,
        "driver licen|drivers licen|driver s licen|driving licen|driver id|driving permit|drivers permit|driver s permit|driverslicen|\
         driverlicen|dl.|dln.|licence no|license no|licence num|license num|licence id|license id|licence.|license.|\
         fuhrerschein|fuehrerschein|fahrerlaubnis|lenkerberechtigung|permis de cond|permis no|permis num|permis.|\
         permiso de cond|licencia de cond|licencia de manej|licencia.|carnet de cond|carne de cond|carta de cond|carteira nacional|\
         carteira de mot|carteira de hab|cnh.|patente di guida|patente.|patentenummer|rijbewijs|prawo jazdy|prawa jazdy|\
         korkort|kjorekort|forerkort|korekort|ajokort|ridicsk|vodicsk|surucu belg|ehliyet|vezetoi|водительск|驾照|驾驶证|運転免許|운전면허",
    ),
    (
        Topic::Identity,
        "id card|identity card|identity number|identity document|identification card|identification number|national id|nationalid|\
         citizen id|citizen card|resident id|idcard|id number|id no.|personalausweis|ausweis|perso.|identitatskarte|carte d identite|\
         carte nationale|cni.|cnie.|numero d identite|documento nacional|documento de identidad|cedula|dni.|nie.|nif.|\
         carta d identita|carta identita|cie.|documento d identita|identiteitskaart|identiteitsbewijs|id kaart|\
         bilhete de identidade|cartao de cidadao|carteira de identidade|rg.|dowod osob|dowodu|obcansk|obciansk|kimlik|tc.|t c kimlik|tckn|\
         szemelyi|legitimation|id kort|henkilokort|nric|fin.|rsa id|sa id|身份证|身分證|주민등록|удостоверен",
    ),
    (
        Topic::Tax,
        "tax id|taxid|tax ident|taxpayer|tax payer|tax number|tax no|tax ref|tin.|itin.|steuer|st nr|finanzamt|idnr|fiscal|fiscale|spi.|\
         nif.|nie.|contribu|codice|impots|belasting|podatk|vergi|skatte|инн.|税号",
    ),
    (
        Topic::Social,
        "social sec|socialsec|ssn.|social.|sozialvers|rentenvers|versicherungsn|versicherungs nr|rvnr|sv nummer|sv nr|svnr|svn.|\
         securite soc|secu.|numero de secu|nir.|insee|seguridad soc|seg social|nuss.|nss.|naf.|previdencia|seguranca social|\
         ahv|avs.|oasi|снилс|sofi",
    ),
    (Topic::Nhs, "nhs|national health|patient|health service"),
    (Topic::Nino, "nino.|national insurance|national ins|ni number|ni no|insurance number|insurance no"),
    (Topic::Utr, "utr.|unique taxpayer|unique tax"),
    (Topic::Bsn, "bsn|burgerservice|sofinummer|sofi"),
    (Topic::Aadhaar, "aadhaar|aadhar|adhaar|uidai|uid.|आधार"),
    (Topic::Pan, "pan.|permanent account"),
    (Topic::Voter, "voter|epic.|elector"),
    (Topic::Gstin, "gst"),
    (Topic::Pesel, "pesel"),
    (Topic::Cpf, "cpf|cadastro de pessoa"),
    (Topic::Sin, "sin.|social insurance|nas.|assurance sociale"),
    (Topic::Tfn, "tfn.|tax file"),
    (Topic::Medicare, "medicare"),
    (Topic::Vat, "partita|p iva|iva.|vat.|piva"),
    (
        Topic::Personal,
        "personnummer|personnr|pnr.|samordningsn|hetu|henkilotunnus|cpr|fodselsn|fodselsnr|rodne|rodneho|rc.|rijksregister|registre nat|\
         nationalregister|numero national|national number|national register|personal number|personal id|personal ident",
    ),
    (Topic::Pps, "pps"),
    (Topic::Oib, "oib."),
    (
        Topic::Mrn,
        "mrn.|medical record|patient id|patient number|patient no|patient ref|chart number|chart no|chart.|record number|\
         hospital number|patientennummer|patienten nr|patienten id|fallnummer|dossier medical|numero de dossier|numero patient|\
         historia clinica|cartella clinica|patientnummer|prontuario",
    ),
    (
        Topic::HealthPlan,
        "member id|member number|member no|memberid|health plan|subscriber|beneficiary|insurance id|insurance member|insurance policy|\
         policy number|policy no|group number|medicare|medicaid|mbi.|krankenvers|versichertennummer|kvnr|mutuelle|tarjeta sanitaria|\
         tessera sanitaria|zorgverzeker|polisnummer|plan number|plan id",
    ),
    (Topic::Fax, "fax|telefax|facsimile"),
    (
        Topic::Name,
        "patient.|patient name|patient is|patients name|name of patient|physician.|physician name|doctor.|attending.|provider name|\
         surgeon.|nurse.|dr.|patientin.|arzt.|arztin.|medecin.|docteur.|paciente.|medico.|paziente.|dottor|arts.",
    ),
];

static LABELS: Vocabulary<Topic, { count(ROWS) }> = Vocabulary::new(ROWS);

/// A label found before a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) topic: Topic,
    start: usize,
    /// The byte after its last.
    pub(super) end: usize,
}

/// Labels that are remembered of one context; further ones are too far away to matter.
const MOST_LABELS: usize = 6;

/// The labels before a value.
#[derive(Clone, Copy)]
pub(super) struct Labels {
    /// The last of them, each in the slot of its number.
    found: [Label; MOST_LABELS],
    count: usize,
}

impl Labels {
    /// The nearest first.
    fn nearest_first(&self) -> impl Iterator<Item = &Label> {
        let slots = (0..self.count).rev().take(MOST_LABELS);
        slots.filter_map(|number| self.found.get(number % MOST_LABELS))
    }

    /// Topics of all labels, as bits, up to the first that announces some other number.
    pub(super) fn topics(&self) -> u32 {
        self.nearest_first()
            .take_while(|label| !label.topic.is_veto())
            .fold(0, |set, label| set | 1 << label.topic as u32)
    }

    /// Another kind of number is announced last.
    pub(super) fn vetoed(&self) -> bool {
        self.nearest_first().next().is_some_and(|label| label.topic.is_veto())
    }

    /// The nearest label is of one of these topics, or stands right before labels that lead up to the nearest.
    pub(super) fn nearest(&self, wanted: u32) -> Option<Label> {
        let mut cut = usize::MAX;
        let mut best: Option<Label> = None;
        for label in self.nearest_first() {
            if label.end.saturating_add(NEIGHBOURS) < cut && cut != usize::MAX {
                break;
            }
            cut = cut.min(label.start);
            // The later of two that end together.
            if wanted >> label.topic as u32 & 1 != 0 && best.is_none_or(|best| label.end >= best.end) {
                best = Some(*label);
            }
        }
        best
    }

    fn push(&mut self, label: Label) {
        if let Some(slot) = self.found.get_mut(self.count % MOST_LABELS) {
            *slot = label;
        }
        self.count += 1;
    }
}

/// `passport ID number`, `driver's license / ID card`: labels so near to each other speak of one value.
const NEIGHBOURS: usize = 12;

/// A clause ends before `at`: after a digit, a line, a sentence. What stands before `limit` does not count.
fn ends_clause(text: &Cursor, at: usize, limit: usize) -> bool {
    match text.before(at, 1) {
        // `Passport number:` on a line of its own announces what stands on the next.
        b'\n' => {
            let mut end = at - 1;
            while end > limit && matches!(text.before(end, 1), b' ' | b'\r' | b'*' | b'\n') {
                end -= 1;
            }
            !matches!(text.before(end, 1), b':' | b'?')
        }
        b'.' => {
            text.slice(at, at + 1) == b" "
                && at >= limit + 5
                // `Reisepassnr.` ends no sentence.
                && !text.slice(at - 3, at - 1).ends_with(b"nr")
                && text.slice(at - 5, at - 1).iter().all(|byte| byte.is_ascii_lowercase())
        }
        // A digit by itself may number a label; any other belongs to another value.
        b'0'..=b'9' => {
            is_alphanumeric(text.before(at, 2))
                || text.slice(at, at + 1).first().copied().is_some_and(is_alphanumeric)
        }
        _ => true,
    }
}

/// A word goes on at `at`, or a letter; scripts that write without spaces have no words.
fn goes_on(text: &Cursor, at: usize) -> bool {
    let (before, here) = (text.before(at, 1), text.before(at + 1, 1));
    let letter = |byte: u8| is_alphanumeric(byte) || (0x80..0xE0).contains(&byte);
    (0x80..0xC0).contains(&here) || letter(before) && letter(here)
}

/// What the bytes before a value are, a bit for each: where its clause ends perhaps, letters and digits, capital letters.
static KINDS: Nibbles = kinds();
const LOWER: u8 = 1 | 2;
const UPPER: u8 = 4 | 8;
const DIGIT: u8 = 16;
const BREAK: u8 = 32 | 64 | 128;

/// Each class of its own columns and rows, so that none has a byte too many.
const fn kinds() -> Nibbles {
    let mut kinds = Nibbles::NONE;
    let mut n = 0;
    while n < 128 {
        let byte = n as u8;
        let class = match byte {
            b'a'..=b'o' => 1,
            b'p'..=b'z' => 2,
            b'A'..=b'O' => 4,
            b'P'..=b'Z' => 8,
            b'0'..=b'9' => DIGIT,
            b';' => 32,
            b'!' | b'.' => 64,
            b'\n' => 128,
            _ => 0,
        };
        kinds.add(byte, class);
        n += 1;
    }
    kinds
}

/// A text without case and accents, other bytes than letters and digits as single spaces, and where each byte came from.
struct Folded {
    bytes: [u8; 2 * REACH],
    from: [u8; 2 * REACH],
    len: usize,
}

impl Folded {
    fn push(&mut self, byte: u8, from: usize) {
        if let (Some(to), Some(place)) = (self.bytes.get_mut(self.len), self.from.get_mut(self.len)) {
            *to = byte;
            *place = from as u8;
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Letters of U+00C0 to U+017F without their accents.
const PLAIN: &[u8; 192] = b"aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllllllln\
nnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/// The letter of two bytes `lead` and `next`: of Latin script without its accent, of Cyrillic in lower case.
pub(super) fn fold_pair(lead: u8, next: u8) -> (u8, Option<u8>) {
    match lead {
        0xC3..=0xC5 => {
            let at = usize::from(lead - 0xC3) * 64 + usize::from(next & 63);
            (PLAIN.get(at).copied().unwrap_or(b' '), None)
        }
        // Romanian letters with a comma below.
        0xC8 if (0x98..=0x99).contains(&next) => (b's', None),
        0xC8 if (0x9A..=0x9B).contains(&next) => (b't', None),
        0xD0 if (0x90..0xA0).contains(&next) => (0xD0, Some(next + 0x20)),
        0xD0 if (0xA0..0xB0).contains(&next) => (0xD1, Some(next - 0x20)),
        _ => (lead, Some(next)),
    }
}

#[inline(never)]
fn fold(text: &Cursor, from: usize, to: usize) -> Folded {
    let mut folded = Folded { bytes: [0; 2 * REACH], from: [0; 2 * REACH], len: 0 };
    let (mut previous, mut last) = (b' ', b' ');
    let bytes = text.slice(from, to);
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let mut width = 1;
        let mut second = None;
        let first = if let Some(folded) = ASCII.get(usize::from(byte)) {
            *folded
        } else if let 0xC3..=0xDF = byte {
            width = 2;
            let next = bytes.get(at + 1).copied().unwrap_or(0);
            if (byte, next) == (0xC3, 0x9F) {
                second = Some(b's');
            }
            let (first, rest) = fold_pair(byte, next);
            second = second.or(rest);
            first
        } else {
            byte
        };
        // `dateOfBirth` is three words.
        if byte.is_ascii_uppercase() && previous.is_ascii_lowercase() {
            folded.push(b' ', at);
        }
        if first != b' ' || last != b' ' {
            folded.push(first, at + width);
            last = first;
        }
        if let Some(second) = second {
            folded.push(second, at + width);
            last = second;
        }
        previous = byte;
        at += width;
    }
    folded
}

/// ASCII without case, other bytes than letters and digits as spaces.
static ASCII: [u8; 128] = {
    let mut ascii = [b' '; 128];
    let mut n = 0;
    while n < 128 {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        if (n as u8).is_ascii_alphanumeric() {
            ascii[n] = (n as u8).to_ascii_lowercase();
        }
        n += 1;
    }
    ascii
};

/// The labels of a value at `start`.
#[inline(never)]
pub(super) fn labels(text: &Cursor, start: usize) -> Labels {
    let mut labels =
        Labels { found: [Label { topic: Topic::Other, start: 0, end: 0 }; MOST_LABELS], count: 0 };
    let limit = start.saturating_sub(REACH);
    let mut padded = [0; REACH];
    let rest = text.bytes().get(limit..).unwrap_or_default();
    let block = rest.first_chunk().unwrap_or_else(|| {
        padded.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        &padded
    });
    // The text is shorter than the block only at its beginning.
    let before = u64::MAX >> (REACH - (start - limit)).min(REACH - 1);
    let before = if start > limit { before } else { 0 };
    let [breaks, words, capitals, odd] =
        simd::masks(&KINDS, [BREAK | DIGIT, LOWER | UPPER | DIGIT, UPPER], block);
    let (mut breaks, words, odd) = (breaks & before, words & before, odd & before);
    let digits = breaks & words;
    let mut from = limit;
    while breaks != 0 {
        let place = breaks.ilog2() as usize;
        breaks ^= 1 << place;
        if ends_clause(text, limit + place + 1, limit) {
            from = limit + place + 1;
            break;
        }
    }
    if from == limit && limit > 0 {
        while from < start && goes_on(text, from) {
            from += 1;
        }
    }
    #[cfg(test)]
    super::cursor::reads::add(start - from);
    if from == start {
        return labels;
    }
    let skipped = from - limit;
    if odd >> skipped != 0 {
        folded_labels(text, from, start, &mut labels);
        return labels;
    }
    let words = words >> skipped << skipped;
    let small = words & !capitals & !digits;
    // `dateOfBirth` is three words.
    let begins = words & !(words << 1) | capitals & words & small << 1;
    let clause = Clause { block, words, begins, limit };
    let mut rest = begins;
    while rest != 0 {
        let at = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        clause.find(at, &mut labels);
    }
    labels
}

/// Bytes before a value, all of them ASCII: [`Folded`] without a copy.
struct Clause<'a> {
    block: &'a [u8; REACH],
    /// Letters and digits.
    words: u64,
    /// Those that begin a word.
    begins: u64,
    /// Place of the block in the text.
    limit: usize,
}

impl Clause<'_> {
    /// The letter or digit at `at` that goes on a word, in lower case; a space stands for what separates words.
    #[inline(always)]
    fn letter(&self, at: usize) -> u8 {
        let goes_on = self.words & !self.begins;
        if at < REACH && goes_on >> at & 1 == 1 { self.folded(at) } else { b' ' }
    }

    #[inline(always)]
    fn folded(&self, at: usize) -> u8 {
        self.block.get(at).copied().unwrap_or(0).to_ascii_lowercase()
    }

    /// The longest labels of each topic at the word that begins at `at`.
    #[inline(always)]
    fn find(&self, at: usize, labels: &mut Labels) {
        let second = self.letter(at + 1);
        let third = if second == b' ' { b' ' } else { self.letter(at + 2) };
        let first = [self.folded(at), second, third];
        if LABELS.has_like(&first) {
            self.compare(at, first, labels);
        }
    }

    #[inline(never)]
    fn compare(&self, at: usize, first: [u8; 3], labels: &mut Labels) {
        for (topic, label) in LABELS.like(&first) {
            let (label, whole) = match label.split_last() {
                Some((b'.', label)) => (label, true),
                _ => (label, false),
            };
            let Some(mut end) = self.spells(at, label) else { continue };
            if whole && self.letter(end) != b' ' {
                continue;
            }
            // The rest of the word belongs to the label.
            while self.letter(end) != b' ' {
                end += 1;
            }
            labels.push(Label { topic, start: self.limit + at, end: self.limit + end });
        }
    }

    /// Where the label ends that is spelled from `at` on.
    fn spells(&self, at: usize, label: &[u8]) -> Option<usize> {
        let mut at = at;
        let mut begins = true;
        for letter in label {
            if *letter == b' ' {
                // A word begins behind whatever separates it.
                let next = u32::try_from(at).ok().and_then(|at| self.begins.checked_shr(at)).unwrap_or(0);
                if begins || next == 0 || self.letter(at) != b' ' {
                    return None;
                }
                at += next.trailing_zeros() as usize;
                begins = true;
                continue;
            }
            if *letter != if begins { self.folded(at) } else { self.letter(at) } {
                return None;
            }
            begins = false;
            at += 1;
        }
        Some(at)
    }
}

/// [`labels`] of a clause that is not all ASCII.
#[inline(never)]
fn folded_labels(text: &Cursor, from: usize, start: usize, labels: &mut Labels) {
    let folded = fold(text, from, start);
    let bytes = folded.as_slice();
    let mut begins = true;
    for (at, byte) in bytes.iter().enumerate() {
        // Chinese and Japanese words have no space between them.
        if (begins || *byte >= 0xE0) && LABELS.has_like(bytes.get(at..).unwrap_or_default()) {
            find(&folded, at, from, labels);
        }
        begins = *byte == b' ';
    }
}

/// The longest labels of each topic at one place.
fn find(folded: &Folded, at: usize, from: usize, labels: &mut Labels) {
    let rest = folded.as_slice().get(at..).unwrap_or_default();
    for (topic, label) in LABELS.like(rest) {
        let (label, whole) = match label.split_last() {
            Some((b'.', label)) => (label, true),
            _ => (label, false),
        };
        let next = rest.get(label.len()).copied().unwrap_or(b' ');
        if !rest.starts_with(label) || whole && next != b' ' {
            continue;
        }
        // The rest of the word belongs to the label.
        let mut last = at + label.len();
        while folded.bytes.get(last).is_some_and(|byte| last < folded.len && *byte != b' ' && *byte < 0xE0) {
            last += 1;
        }
        let place = folded.from.get(last - 1).copied().unwrap_or(0);
        let begin = folded.from.get(at).copied().unwrap_or(0).saturating_sub(1);
        labels.push(Label { topic, start: from + usize::from(begin), end: from + usize::from(place) });
    }
}
