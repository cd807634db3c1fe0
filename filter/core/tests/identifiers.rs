//! What is found, what is not, and that cutting a text into pieces changes neither.
#![allow(clippy::indexing_slicing, reason = "a test that goes wrong here fails, which is all it has to do")]

use kt_core::scan::identifiers::{
    Hit, Identifier, Identifiers, LOOKBEHIND, MAX_HELD_BYTES, issuer, open_from, scan,
};
use proptest::prelude::*;

fn hits(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    scan(Identifiers::all(), text, 0, &mut hits);
    hits
}

/// `expected`: the kinds and texts in order.
#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let found: Vec<_> = hits(text).iter().map(|hit| (hit.kind.name(), &text[hit.start..hit.end])).collect();
    assert_eq!(found, expected, "in {text:?}");
    assert_eq!(
        streamed(Identifiers::all(), text, text.chars().map(char::len_utf8)),
        hits(text),
        "char by char: {text:?}"
    );
}

#[track_caller]
fn check_nothing(text: &str) {
    check(text, &[]);
    check(&format!("so {text} it is"), &[]);
}

/// The whole `text` is one identifier, also inside a sentence, in quotes and at the end of a sentence.
#[track_caller]
fn check_whole(kind: &str, text: &str) {
    check(text, &[(kind, text)]);
    for (before, after) in [
        ("it is ", " I think"),
        ("\"", "\""),
        ("(", ")"),
        ("value: ", ". Next"),
        ("x=", "\n"),
        ("是", "。"),
        ("", ", or"),
    ] {
        check(&format!("{before}{text}{after}"), &[(kind, text)]);
    }
}

/// The procedure of the streaming law: hold from `open_from` on, keep `LOOKBEHIND` bytes before it.
fn streamed(set: Identifiers, text: &str, pieces: impl IntoIterator<Item = usize>) -> Vec<Hit> {
    let mut window = String::new();
    let (mut window_start, mut open, mut received) = (0, 0, 0);
    let mut all = Vec::new();
    let mut collect = |window: &str, window_start: usize, from: usize, until: usize| {
        let mut hits = Vec::new();
        scan(set, window, from - window_start, &mut hits);
        all.extend(
            hits.into_iter()
                .map(|hit| Hit { start: hit.start + window_start, end: hit.end + window_start, ..hit })
                .filter(|hit| hit.end <= until),
        );
    };
    for piece in pieces {
        window.push_str(&text[received..received + piece]);
        received += piece;
        let before = open;
        open = window_start + open_from(set, &window, open - window_start);
        assert!(open >= before && open <= received && text.is_char_boundary(open));
        assert!(received - open <= MAX_HELD_BYTES, "held {} bytes", received - open);
        collect(&window, window_start, before, open);
        let mut keep = open.saturating_sub(LOOKBEHIND).max(window_start);
        while !text.is_char_boundary(keep) {
            keep += 1;
        }
        window.drain(..keep - window_start);
        window_start = keep;
    }
    assert_eq!(received, text.len());
    collect(&window, window_start, open, usize::MAX);
    all
}

#[test]
fn email_addresses_are_found() {
    for address in [
        "ann@example.com",
        "ann.o'neill+tag@mail.example.co.uk",
        "a@b.io",
        "x_y-z%1@sub-domain.example.museum",
        "1234567890@example.com",
        "sk-abcdefghijklmnopqrstuvwxyz123456@example.com",
        "415-555-0132@example.com",
        "ann@example.xn--p1ai",
    ] {
        check_whole("email", address);
    }
    check("to müller@münchen.de.", &[("email", "müller@münchen.de")]);
    check("_ann@example.com_", &[("email", "_ann@example.com")]);
    check("...ann@example.com-", &[("email", "ann@example.com")]);
    check("a@a@example.com", &[("email", "a@example.com")]);
    check("联系ann@example.com吧", &[("email", "ann@example.com")]);
    check("ann@example.com,bob@example.org", &[("email", "ann@example.com"), ("email", "bob@example.org")]);
}

#[test]
fn what_only_has_an_at_sign_is_no_email_address() {
    for text in [
        "@ann",
        "ann@",
        "ann@localhost",
        "a @ b.com",
        "icon@2x.png",
        "lodash@4.17.21",
        "git@github.com:a/b.git",
        "@@@@",
        "a@.com",
        "a@-b.com",
    ] {
        check_nothing(text);
    }
    let long = "a".repeat(65);
    check_nothing(&format!("{long}@example.com"));
    check_whole("email", &format!("{}@example.com", &long[1..]));
}

#[test]
fn telephone_numbers_are_found() {
    for number in [
        "+14155550132",
        "+1 415 555 0132",
        "+1 (415) 555-0132",
        "+1-415-555-0132",
        "+44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "+49 30 1234567",
        "+49 171 1234567",
        "+33 6 12 34 56 78",
        "+86 138 1234 5678",
        "+353 1 234 5678",
        "415-555-0132",
        "415.555.0132",
        "415 555 0132",
        "415 555-0132",
        "1-415-555-0132",
        "1 (415) 555-0132",
        "001-415-555-0132",
        "415-555-0132x12",
        "415-555-0132 ext. 1234",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "020 7946 0958",
        "07700 900123",
        "0171/1234567",
        "030 12345678",
        "03-1234-5678",
        "138 1234 5678",
        "0049 30 1234567",
    ] {
        check(&format!("it is {number}. Next"), &[("phone", number)]);
        check(&format!("{number}, or"), &[("phone", number)]);
        check(&format!("=\"{number}\""), &[("phone", number)]);
    }
    check("at (415) 555-0132.", &[("phone", "(415) 555-0132")]);
    check("at (030) 1234567.", &[("phone", "(030) 1234567")]);
    check("call 555-0132 now", &[("phone", "555-0132")]);
    check("Tel: 612 345 678", &[("phone", "612 345 678")]);
}

#[test]
fn other_numbers_are_no_telephone_numbers() {
    for text in [
        "2024-01-02",
        "01.02.2024",
        "01/02/2024",
        "10:30:45",
        "4155550132",
        "1.2.3",
        "ISBN 978-3-16-148410-0",
        "978-3-16-148410-0",
        "0-306-40615-2",
        "3.14159265358979",
        "1,234,567.89",
        "100 200 300",
        "12 34 56",
        "123e4567-e89b-12d3-a456-426614174000",
        "order 415-555-0132",
        "#415-555-0132",
        "555-0132",
        "2024-2025",
        "1 2 3 4 5 6 7 8 9 10",
        "a1b2-415-555-0132",
        "415-555-0132-99",
        "-64.154772, 139.267886",
        "C++11 2+2",
        "+100%",
        "0.12345678",
    ] {
        check_nothing(text);
    }
}

#[test]
fn us_numbers_follow_the_rules_of_assignment() {
    check_whole("us_ssn", "123-45-6789");
    check_whole("us_ssn", "123 45 6789");
    check_whole("us_itin", "912-70-1234");
    check_whole("us_itin", "912 99 1234");
    for text in [
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        "123-45-0000",
        "912-93-1234",
        "123-45 6789",
        "123-45-67890",
        "1123-45-6789",
        "123456789",
    ] {
        check_nothing(text);
    }
}

#[test]
fn cards_have_an_issuer_a_length_and_a_check_digit() {
    for card in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "3056 930902 5904",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
        "4222222222222",
        "6759 3422 0752 9340 61",
    ] {
        check_whole("credit_card", card);
    }
    check("4111 1111 1111 1111 123", &[("credit_card", "4111 1111 1111 1111")]);
    check("4111111111111111 04/29", &[("credit_card", "4111111111111111")]);
    for text in [
        "4111111111111112",
        "1234567812345670",
        "411111111111111",
        "4111 1111 11111111",
        "41111111111111110",
        "x4111111111111111",
        "0.4111111111111111",
    ] {
        check_nothing(text);
    }
}

#[test]
fn account_numbers_have_a_country_and_check_digits() {
    for iban in [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
        "FR1420041010050500013M02606",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
    ] {
        check_whole("iban", iban);
    }
    for text in [
        "DE88370400440532013000",
        "DE8937040044053201300",
        "XX89370400440532013000",
        "DE89 37040044 0532013000",
        "DE893704004405320130001",
    ] {
        check_nothing(text);
    }
}

#[test]
fn network_addresses_are_found() {
    for address in [
        "192.168.1.17",
        "8.8.8.8",
        "203.0.113.255",
        "2001:db8::1",
        "fe80::1ff:fe23:4567:890a",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "::ffff:192.0.2.128",
    ] {
        check_whole("ip", address);
    }
    check("http://203.0.113.7:8080/x", &[("ip", "203.0.113.7")]);
    check("203.0.113.7/24", &[("ip", "203.0.113.7")]);
    for address in ["00:1A:2b:3c:4D:5e", "AC-DE-48-00-11-22", "00-1a-2b-3c-4d-5e"] {
        check_whole("mac", address);
    }
    for text in [
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "version 1.2.3.4",
        "v1.2.3.4",
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.0",
        "std::dec",
        "a::b",
        "10:30:45",
        "::",
        "abc::def",
        "00:11:22:33:44",
        "00:11:22:33:44:55:66",
        "de:ad:be:ef",
    ] {
        check_nothing(text);
    }
}

#[test]
fn wallets_have_checksums() {
    for address in [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "0x52908400098527886E0F7030069857D2E4169EE7",
    ] {
        check_whole("crypto", address);
    }
    for text in [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "0x52908400098527886E0F7030069857D2E4169EE",
        "0x52908400098527886E0F7030069857D2E4169EE7a",
    ] {
        check_nothing(text);
    }
}

#[test]
fn secrets_are_found_and_name_their_issuer() {
    let body = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6";
    for (name, token) in [
        ("openai", format!("sk-{body}")),
        ("openai", format!("sk-proj-{body}-_")),
        ("anthropic", format!("sk-ant-api03-{body}")),
        ("aws", "AKIAQ4ZJ7NX2WTVB3KDM".into()),
        ("github", format!("ghp_{}", &body[..36])),
        ("github", format!("github_pat_{body}")),
        ("gitlab", format!("glpat-{}", &body[..20])),
        ("slack", format!("xoxb-123456789012-{}", &body[..24])),
        ("stripe", format!("sk_live_{}", &body[..24])),
        ("npm", format!("npm_{}", &body[..36])),
        ("pypi", format!("pypi-AgEIcHlwaS5vcmc{body}")),
        ("google", format!("AIza{}", &body[..35])),
        ("together", format!("tgp_v1_{}", &body[..43])),
        // A draw that looks like words.
        ("aws", "AKIAIFUFDYIBEHMI7SKO".into()),
        ("slack", format!("https://hooks.slack.com/services/T0AB1CD2E/B3FG4HI5J/{}", &body[..24])),
        ("slack", format!("hooks.slack.com/workflows/{}", &body[..30])),
        ("discord", format!("https://discord.com/api/webhooks/446722348882183748/{body}{}", &body[..16])),
        (
            "jwt",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U".into(),
        ),
    ] {
        check_whole("secret", &token);
        assert_eq!(issuer(&token), name);
    }
    for text in [
        "sk-your-api-key-goes-here-please",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-learn",
        "xoxb-SlackAppBotAccessTokenGoesRightHere",
        "ntn_123456789012345678901234567890123456789012345678901234567890",
        "AKIAQ4ZJ7NX2WTVB3KDMS",
        "eyJhbGciOiJIUzI1NiJ9",
        "task-a1B2c3D4e5F6g7H8i9J0k1L2m3N4",
        "https://hooks.example.com/services https://discord.example https://hook",
    ] {
        check_nothing(text);
    }
    let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}==\n-----END RSA PRIVATE KEY-----");
    check(&format!("my key:\n{key}\nthanks"), &[("secret", &key)]);
    assert_eq!(issuer(&key), "private_key");
    check_nothing("-----BEGIN CERTIFICATE-----");
}

#[test]
fn only_the_wanted_kinds_are_found() {
    let text = "ann@example.com 415-555-0132 123-45-6789 203.0.113.7 00:1A:2b:3c:4D:5e";
    for kind in Identifier::ALL {
        let mut hits = Vec::new();
        scan(Identifiers::none().with(*kind), text, 0, &mut hits);
        assert!(hits.iter().all(|hit| hit.kind == *kind));
        assert_eq!(Identifier::from_name(kind.name()), Some(*kind));
    }
    let mut hits = Vec::new();
    scan(Identifiers::all().without(Identifier::Email), text, 0, &mut hits);
    assert_eq!(hits.len(), 4);
}

#[test]
fn prose_is_held_back_by_its_last_word_at_most() {
    #[track_caller]
    fn check(text: &str, held: &str) {
        assert_eq!(&text[open_from(Identifiers::all(), text, 0)..], held);
    }
    check("Hello there, the answer is 42. ", "");
    check("Hello there", "there");
    check("Hello there,", "");
    check("Hello there. ", "");
    check("in 2024 ", "");
    check("in 10 ", "");
    check("there are 5 ", "");
    check("mail ann@exam", "ann@exam");
    check("mail ann@example.com ", "");
    check("card 4111 1111 ", "4111 1111 ");
    check("a (", "(");
    check("see std:", "");
    check(&"a".repeat(100), "");
}

const FRAGMENTS: &[&str] = &[
    "ann@example.com",
    "@",
    ".",
    "com",
    "a",
    "_",
    "-",
    "+",
    "(",
    ")",
    " ",
    "  ",
    "\n",
    "/",
    ":",
    "::",
    "'",
    "x",
    "ext. 12",
    "é",
    "ß",
    "中",
    "🙂",
    "я",
    "+1 415 555 0132",
    "415",
    "555",
    "0132",
    "(415) 555-0132",
    "06 12 34 56 78",
    "+44",
    "(0)",
    "0171/",
    "123-45-6789",
    "912-70-1234",
    "call ",
    "tel ",
    "order ",
    "version ",
    "4111 1111 1111 1111",
    "4111111111111111",
    "3782 822463 10005",
    "4111",
    "1111",
    "111",
    "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00",
    "DE89",
    "GB82 WEST ",
    "203.0.113.7",
    "203.",
    "1.",
    "8.8.8.8",
    "2001:db8::1",
    "fe80",
    "::ffff:",
    "ab:",
    "00:1A:2b:3c:4D:5e",
    "AC-DE-48-00-11-22",
    "de-",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "bc1",
    "sk-",
    "sk-proj-",
    "a1B2c3D4e5F6g7H8i9J0k1",
    "AKIA",
    "Q4ZJ7NX2WTVB3KDM",
    "ghp_",
    "github_pat_",
    "eyJhbGciOiJIUzI1NiJ9",
    ".eyJzdWIiOiIxMjM0In0",
    ".dozjgNryP4J3jVm",
    "-----BEGIN ",
    "RSA PRIVATE KEY",
    "PRIVATE KEY-----",
    "-----",
    "-----END ",
    "password",
    "Password: ",
    "apiKey",
    "token",
    "\"token\": \"",
    "secret = ",
    "pass",
    " is ",
    "=",
    "= ",
    ">",
    "</",
    "hunter2",
    "Tr0ub4dor&3",
    "\"",
    "\", \"",
    "\\",
    "\\n",
    "--",
    "Authorization: ",
    "Bearer ",
    "pin ",
    "api ",
    "key ",
    "https://",
    "user:",
    "curl -u ",
    "110201543:",
    "AAHdqTcvCH1vGWJxfSe1ofSAs0K5PALDsaw",
    "MTk4NjIyNDgzNDcxOTI1MjQ4",
    ".Cl2FMQ",
    ".ZnCjm1XVW7vRze4b7Cq4se7kKWs",
    "9276a43e2951aa46e2b1c33ed38357db",
    "-us2",
    "QtT8Q~",
    "9C-_Ij~RouHVpD2Tuf3oHWGh.DQ3kcjbAn",
    "hvs.",
    "SG.",
    "xoxb-123456789012-",
    "git",
    "2x.png",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "0",
    "1",
    "3",
    "7",
];

fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => proptest::sample::select(FRAGMENTS).prop_map(String::from),
        2 => "[0-9]{1,5}[-. :/]?",
        1 => "[a-f0-9:.@_+-]{1,8}",
        1 => "[A-Za-z]{1,7} ?",
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn pieces_give_what_the_whole_gives(
        text in texts(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        kinds in any::<u64>(),
    ) {
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&boundaries)).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| pair[1] - pair[0]);
        let everything = kinds >> 62 != 0;
        let set = Identifier::ALL.iter().enumerate()
            .filter(|(n, _)| everything || kinds >> n & 1 == 1)
            .fold(Identifiers::none(), |set, (_, kind)| set.with(*kind));
        let mut whole = Vec::new();
        scan(set, &text, 0, &mut whole);
        prop_assert!(whole.windows(2).all(|pair| pair[0].end <= pair[1].start));
        for hit in &whole {
            prop_assert!(hit.start < hit.end && text.get(hit.start..hit.end).is_some());
        }
        prop_assert_eq!(&streamed(set, &text, pieces), &whole);
        prop_assert_eq!(&streamed(set, &text, text.chars().map(char::len_utf8)), &whole);
    }
}
