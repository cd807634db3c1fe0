//! Values that their surroundings make personal data: what is found, what is not, and how much of a stream waits.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that goes wrong here fails, which is all it has to do"
)]

use kt_core::config::PiiDetector;
use kt_core::policy::pii::Pii;
use kt_core::scan::identifiers::{Identifier, LOOKBEHIND};
use std::sync::LazyLock;

static USUAL: LazyLock<Pii> = LazyLock::new(|| Pii::compile(&PiiDetector::default(), None).unwrap());

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let mut matches = Vec::new();
    USUAL.inspect(text, 0, &mut matches);
    let found: Vec<_> =
        matches.iter().map(|find| (find.kind.as_ref(), &text[find.start..find.end])).collect();
    assert_eq!(found, expected, "in {text:?}");
    assert_eq!(streamed(text), found, "in {text:?}, letter by letter");
}

/// What is found in a stream of single letters.
fn streamed(text: &str) -> Vec<(&'static str, &str)> {
    let mut all: Vec<(&str, &str)> = Vec::new();
    let mut released = 0;
    for end in (1..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        let window = (released - LOOKBEHIND.min(released)..).find(|at| text.is_char_boundary(*at)).unwrap();
        let piece = &text[window..end];
        let mut matches = Vec::new();
        let open = if end < text.len() {
            USUAL.decide(piece, released - window, &mut matches)
        } else {
            USUAL.inspect(piece, released - window, &mut matches);
            piece.len()
        };
        released = window + open;
        for find in matches.into_iter().filter(|find| find.start < open) {
            let kind = Identifier::from_name(&find.kind).unwrap().name();
            all.push((kind, &text[window + find.start..window + find.end]));
            released = released.max(window + find.end);
        }
    }
    all
}

/// `value` is of this kind where `before` stands in front of it, in several surroundings.
#[track_caller]
fn check_value(kind: &str, before: &str, value: &str) {
    for (start, end) in
        [("", ""), ("Hello. ", ". Thanks"), ("a\n", "\nb"), ("", ", or"), ("\"", "\""), ("(", ")")]
    {
        check(&format!("{start}{before}{value}{end}"), &[(kind, value)]);
    }
}

#[track_caller]
fn check_nothing(text: &str) {
    check(text, &[]);
}

#[test]
fn national_numbers_have_their_check_digits() {
    for (kind, before, value) in [
        ("uk_nino", "", "JL105286A"),
        ("uk_nino", "National Insurance number ", "OB 82 10 78 D"),
        ("uk_nhs", "NHS number ", "943 476 5919"),
        ("de_ssn", "", "15 070649 C 103"),
        ("de_tax_id", "Steuer-ID: ", "86 095 742 719"),
        ("fr_nir", "", "2 55 08 14 168 025 38"),
        ("es_nif", "", "12345678Z"),
        ("es_nie", "", "X1234567L"),
        ("it_fiscal_code", "", "RSSMRA85M01H501Q"),
        ("nl_bsn", "BSN ", "111222333"),
        ("in_aadhaar", "Aadhaar ", "2341 2341 2346"),
        ("in_pan", "", "ABCPD1234Z"),
        ("pl_pesel", "PESEL ", "44051401458"),
        ("br_cpf", "", "529.982.247-25"),
        ("ca_sin", "SIN ", "046 454 286"),
        ("au_tfn", "TFN ", "876 543 210"),
        ("se_personnummer", "personnummer ", "811228-9874"),
        ("fi_personal_identity_code", "", "131052-308T"),
        ("be_nrn", "", "85.07.30-033.28"),
        ("ch_ahv", "", "756.9217.0769.85"),
        ("ie_pps", "PPS number ", "1234567FA"),
        ("hr_oib", "OIB ", "69435151530"),
        ("tr_national_id", "T.C. kimlik no ", "10000000146"),
        ("za_id_number", "SA ID ", "8001015009087"),
        ("sg_nric_fin", "", "S1234567D"),
        ("cn_id_card", "", "11010519491231002X"),
    ] {
        check_value(kind, before, value);
        // One digit less or another check digit is none of them.
        let shorter: String = value.chars().skip(1).collect();
        let mut matches = Vec::new();
        USUAL.inspect(&format!("{before}{shorter}"), 0, &mut matches);
        assert!(matches.iter().all(|find| find.kind != kind), "{before}{shorter}");
    }
    for text in [
        "NHS number 943 476 5918",
        "Steuer-ID: 86 095 742 718",
        "2 55 08 14 168 025 39",
        "12345678A",
        "BSN 111222334",
        "Aadhaar 2341 2341 2345",
        "529.982.247-24",
        "943 476 5919",
        "86095742719",
    ] {
        let mut matches = Vec::new();
        USUAL.inspect(text, 0, &mut matches);
        let wrong = ["uk_nhs", "de_tax_id", "fr_nir", "es_nif", "nl_bsn", "in_aadhaar", "br_cpf"];
        assert!(matches.iter().all(|find| !wrong.contains(&find.kind.as_ref())), "{text}");
    }
}

#[test]
fn documents_need_the_word_for_them() {
    check("паспорт: 75 9053182", &[("passport", "75 9053182")]);
    check("पासपोर्ट: WT8903578", &[("passport", "WT8903578")]);
    check("show mac address 001A.2B3C.4D5E", &[("mac", "001A.2B3C.4D5E")]);
    for (kind, before, value) in [
        ("passport", "passport number is ", "952132640"),
        ("passport", "Reisepass Nr. ", "C01X00T47"),
        ("passport", "passeport n° ", "12AB34567"),
        ("passport", "pasaporte: ", "AB 1234567"),
        ("passport", "паспорт ", "4510 123456"),
        ("driver_license", "driver's license ", "D123-4567-8901"),
        ("driver_license", "driving licence no: ", "MORGA657054SM9IJ"),
        ("driver_license", "Führerschein ", "B072RRE2I55"),
        ("de_id_card", "Personalausweis ", "L01X00T471"),
        ("us_ssn", "social security number ", "123456789"),
        ("us_itin", "taxpayer identification number ", "912-70-1234"),
    ] {
        check_value(kind, before, value);
    }
    for text in [
        "952132640",
        "order C01X00T47",
        "my passport is lost, order number 952132640",
        "passport renewal takes 3 weeks",
        "the serial is B072RRE2I55",
    ] {
        check_nothing(text);
    }
}

#[test]
fn dates_are_personal_after_the_word_for_a_birth() {
    for value in [
        "12/03/1980",
        "1980-03-12",
        "12.3.80",
        "3 November 1988",
        "22. Februar 1983",
        "February 22, 1983",
        "Feb. 5 1990",
    ] {
        check_value("dob", "born on ", value);
        check_value("dob", "Geburtsdatum: ", value);
    }
    check_value("dob", "née le ", "1er mai 1980");
    check_value("dob", "fecha de nacimiento ", "12 de mayo de 1980");
    check_value("dob", "出生日期：", "1980年5月12日");
    for text in [
        "on 12/03/1980",
        "born on 32/03/1980",
        "born on 12/03/1580",
        "born free; released 12/03/1980",
        "the passport expires 12/03/2030",
        "né",
    ] {
        check_nothing(text);
    }
}

#[test]
fn addresses_are_found_whole() {
    for address in [
        "12 Main Street, Springfield, IL 62701",
        "54380 Stacie Squares Suite 368, West Tiffanyburgh, NH 01671",
        "90 Kim Brooks, East Samuelfurt, W46 5JP",
        "63, rue de Chauvin, 12288 Saint Pierre",
        "Ingo-Adler-Straße 5765\n91096 Ebermannstadt",
        "Lange Str. 5, 10117 Berlin",
        "Calle Mayor 5, 28013 Madrid",
        "Via Roma 12, 00100 Roma (RM)",
        "Kerkstraat 7\n1317 YB Almere",
        "Kerkstraat 7\n1317 YB\nAlmere",
        "ul. Paderewskiego 77\n61-668 Kołobrzeg",
        "Skolvägen 76, 71706 Ängelholm",
        "Solbakken 8, 1847 Hamar",
        "Björkgränd 46, 323 98 Borås",
        "Lindenring 3\n1850 TS\nUtrecht",
        "Große Elbstraße 145, 22767 Hamburg",
        "Frankfurter Ring 105\n80807 München",
        "al. Jerozolimskie 54, 00-024 Warszawa",
        "ul. Marszałkowska 84/92 m. 5, 00-514 Warszawa",
        "Nám. Barikád 3\n704 79 Rychvald",
        "Hämeenkatu 7 B 22\n33100 Tampere",
        "6 Peterson Cutting, Mcdowellton, SA, 2653",
        "Unit 3/45 George Street, Sydney NSW 2000",
        "P.O. Box 4512, Austin, TX 78704",
        "USS Harrington\nFPO AP 96601",
        "Postbus 123, 2500 AC Den Haag",
        "H.No. 56, Narula Road, Firozabad 187007",
        "1234 County Road 45, Delta Junction, AK 99737",
        "Periférico Norte 739 666\nVieja Lima, OAX 74421",
        "Residencial Castro, 80, Pindorama, 63187538 Rodrigues / SE",
        "Kägistrasse 29, 2502 Biel/Bienne",
    ] {
        check(&format!("Hello.\n{address}."), &[("address", address)]);
        check(&format!("My address is {address}\nThanks"), &[("address", address)]);
        check(&format!("\"{address}\""), &[("address", address)]);
    }
    check("I live at 12 Main Street and work there", &[("address", "12 Main Street")]);
    // `¡` begins with the byte with which `º` does.
    check("wohne Hauptstraße 0a¡", &[("address", "Hauptstraße 0a")]);
    check("wohne in Am Alten Markt 5, 12345 Berlin.", &[("address", "Am Alten Markt 5, 12345 Berlin")]);
    for text in [
        "see section 12 of Chapter 3",
        "Python 3 and Node 20, 10000 Requests per second",
        "5 Reasons Why You Should Use Rust",
        "In 2024 Apple sold 3 Phones",
        "the IP address 12 Hosts use",
        "via HTTP 2",
        "1. Foo\n2. Bar\n3. Baz",
        "Room 5 is free",
        "the date was moved to May 14, 2024 at noon",
        "Platz 3 ging an Müller, Weg 5 ist gesperrt",
        "Office 365, Photoshop 2023",
        "the ring 5, the park 12",
    ] {
        check_nothing(text);
    }
}

#[test]
fn a_password_is_announced_in_other_languages_too() {
    for (before, password, after) in [
        ("hasło: ", "X8SnSLro#AS74", "\n"),
        ("heslo: ", "03f3xLpwns7", "\n"),
        ("lösenord: ", "QNQ901btYh7", "\n"),
        ("salasana: ", "Summer2028!", "\n"),
        ("kodeord: ", "Dragon2005!", "\n"),
        ("пароль: ", "sPty4VI1Jp7", "\n"),
        ("psk=\"", "6qlPRbe9Dst9", "\"\n"),
        ("variable \"db_password\" {\n  default = \"", "qnvivxyz3pvsn4czusc3", "\"\n}"),
        // Before a key an ampersand ends it, elsewhere it is part of it.
        ("password=", "Tr0ub4dor&30", "\n"),
        ("?password=", "ab12cd", "&state=1"),
    ] {
        check(&format!("{before}{password}{after}"), &[("secret", password)]);
    }
    check_nothing("heslo: povinné");
    check_nothing("password=$1&state=2");
}

#[test]
fn look_alikes_are_left_alone() {
    for text in [
        "ISBN 978-3-16-148410-0, version 12.36.94, build 20240115",
        "git commit ba8d9462cc69f239f206cc87efeffb45f8fc6f9f",
        "request id 0782b98f-64cf-47d0-a68e-8ae111785d7c",
        "RFC 5543 section 2.4.9, OID 1.3.6.1.4.1.311",
        "The timestamp was 1757035284",
        "pi is 3.14159265358979 and e is 2.718281828459045",
        "let x = [1, 2, 3, 40, 500, 6000, 70000];",
        "SSN 000-14-5325 is never issued",
        "Invoice INV-2019-772940 total 1942.66 EUR",
        "929 * 43 + 33370 - 1596",
        "Pixel size 1841x686, ratio 16:9",
    ] {
        check_nothing(text);
    }
}

#[test]
fn ordinary_streams_wait_for_a_word_at_most() {
    let prose = "Sure! In 2024 the new edition of the book came out, and the 3 authors moved to Paris. They write that \
        order 12345 was shipped via HTTP in 10 minutes, which Apple and Google deny. Born in a small town, the second one \
        lives in a house by the sea; the address of the publisher is unknown. Section 4.2 has more on this.";
    let mut held = 0;
    let mut most = 0;
    for (at, letter) in prose.char_indices() {
        let text = &prose[..at + letter.len_utf8()];
        let waiting = text.len() - USUAL.decide(text, 0, &mut Vec::new());
        held += waiting;
        most = most.max(waiting);
    }
    let mean = held as f64 / prose.len() as f64;
    assert!(mean < 5.0 && most <= 24, "{mean:.1} bytes wait on average, {most} at most");
}
