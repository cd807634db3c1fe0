//! Invented identifiers of persons and secrets, with check digits that hold.
//!
//! None belongs to anyone: reserved domains and number ranges where they exist, random digits elsewhere.

use crate::rng::Rng;

const DIGITS: &str = "0123456789";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const MIXED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// One identifier, with the words people put before it.
pub(crate) fn any(rng: &mut Rng) -> String {
    match rng.below(10) {
        0..=3 => {
            let given = rng.pick(&["anna", "john", "maria", "chen", "omar"]);
            let family = rng.pick(&["smith", "lopez", "wang", "khan", "brown"]);
            format!("The contact is {given}.{family}@example.org")
        }
        4 | 5 => format!("Call me on (415) 555-01{}", rng.letters(DIGITS, 2)),
        6 => format!("The card is {}", card(rng)),
        7 => format!("Pay to {}", iban(rng)),
        8 => format!("My SSN is {}-{}-{}", 200 + rng.below(400), 10 + rng.below(89), 1000 + rng.below(8999)),
        _ => match rng.below(2) {
            0 => format!("The key is AKIA{}", rng.letters(CAPITALS, 16)),
            _ => format!("The token is ghp_{}", rng.letters(MIXED, 36)),
        },
    }
}

/// A card number in groups of four whose Luhn sum holds.
fn card(rng: &mut Rng) -> String {
    let body = format!("4{}", rng.letters(DIGITS, 14));
    let sum: u32 =
        body.bytes().zip(0_u32..).map(|(digit, at)| luhn(u32::from(digit - b'0'), at % 2 == 0)).sum();
    let number = format!("{body}{}", (10 - sum % 10) % 10);
    let groups: Vec<&str> = (0..4).filter_map(|group| number.get(group * 4..group * 4 + 4)).collect();
    groups.join(" ")
}

fn luhn(digit: u32, doubled: bool) -> u32 {
    match (doubled, digit * 2) {
        (false, _) => digit,
        (true, double) if double > 9 => double - 9,
        (true, double) => double,
    }
}

/// A German account number whose remainder by 97 holds.
fn iban(rng: &mut Rng) -> String {
    let account = rng.letters(DIGITS, 18);
    // D is 13, E is 14; the check digits stand as zeros while they are computed.
    let remainder = format!("{account}131400")
        .bytes()
        .fold(0_u32, |left, digit| (left * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{account}", 98 - remainder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_passes_luhn() {
        let number = card(&mut Rng::new(1)).replace(' ', "");
        let sum: u32 =
            number.bytes().zip(0_u32..).map(|(digit, at)| luhn(u32::from(digit - b'0'), at % 2 == 0)).sum();
        assert_eq!((number.len(), sum % 10), (16, 0));
    }

    #[test]
    fn an_iban_leaves_one() {
        let number = iban(&mut Rng::new(1));
        let moved = format!("{}1314{}", &number[4..], &number[2..4]);
        assert_eq!(moved.bytes().fold(0_u32, |left, digit| (left * 10 + u32::from(digit - b'0')) % 97), 1);
    }
}
