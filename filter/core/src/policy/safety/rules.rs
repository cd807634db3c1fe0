//! What an unsafe sentence looks like, by category.
//!
//! Weights of [`CLEAR`] and more count in both modes; the others only in strict mode.

use super::classes::*;
use crate::scan::words::rules::Rule;

/// Evidence that stands on its own.
pub(super) const CLEAR: f32 = 0.8;
/// Evidence that counts in strict mode.
pub(super) const LIKELY: f32 = 0.5;

/// The learned score alone, with no rule that explains it, has to be this sure. At 0.8 one in a hundred harmless texts of kinds
/// it never saw would be refused, which is far too many for requests of dozens of texts.
pub(super) const LEARNED: f32 = 0.97;

/// The same in strict mode.
pub(super) const LEARNED_STRICT: f32 = 0.92;

/// The categories, as configured and as reported.
pub(super) const CATEGORIES: &[&str] =
    &[VIOLENCE, SELF_HARM, SEXUAL, SEXUAL_MINORS, HATEFUL, HARASSMENT, WEAPONS, DRUGS, CRIME, CYBER_ABUSE];
const VIOLENCE: &str = "violence";
const SELF_HARM: &str = "self_harm";
const SEXUAL: &str = "sexual";
const SEXUAL_MINORS: &str = "sexual_minors";
const HATEFUL: &str = "hate";
const HARASSMENT: &str = "harassment";
const WEAPONS: &str = "weapons";
const DRUGS: &str = "drugs";
const CRIME: &str = "crime";
const CYBER_ABUSE: &str = "cyber_abuse";

/// Classes of words that stand in every other sentence. A match does not begin with them: they are looked for before it, so
/// that a stream need not wait after each.
pub(super) const COMMON: u64 = HOW | MAKE | GET | I | WANT | WRITE | BE | YOU | NOT;

/// Classes of words that stand in every tenth sentence or so.
pub(super) const FREQUENT: u64 = PERSON
    | STORY
    | GOODS
    | ACCOUNT
    | PLACE
    | WORTH
    | GRAPHIC
    | WITHOUT
    | MASS
    | LIFE
    | END
    | SELF
    | USE
    | COMMIT;

const fn rule(kind: &'static str, weight: f32, steps: &'static [(u64, u32)], unless: u64) -> Rule {
    // A denial before the sentence proper, as in "do you not see that", denies nothing.
    Rule { kind, weight, steps, unless: unless & !NOT, unless_inside: unless & NOT, unless_after: 0 }
}

/// All of them.
pub(super) const RULES: &[Rule] = &[
    rule(VIOLENCE, 0.90, &[(HOW, 0), (KILL, 4), (PERSON, 4)], AGAINST | AVOID | TECH),
    rule(VIOLENCE, 0.85, &[(HOW, 0), (HURT, 3), (PERSON, 3)], AGAINST | AVOID | TECH),
    rule(VIOLENCE, 0.88, &[(I, 0), (WANT, 2), (KILL, 3), (PERSON | YOU, 3)], AGAINST | AVOID | TECH | NOT),
    rule(VIOLENCE, 0.82, &[(I, 0), (WANT, 2), (HURT, 3), (PERSON, 3)], AGAINST | AVOID | TECH | NOT),
    rule(VIOLENCE, 0.86, &[(KILL | HURT, 0), (PERSON, 3), (WITHOUT, 4), (CAUGHT, 4)], AGAINST | AVOID),
    rule(VIOLENCE, 0.84, &[(HOW, 0), (BLOW, 4), (PLACE, 4)], AGAINST | AVOID | TECH),
    rule(VIOLENCE, 0.84, &[(WANT, 0), (BLOW, 3), (PLACE, 5)], AGAINST | AVOID | TECH | NOT),
    rule(VIOLENCE, 0.60, &[(KILL, 0), (PERSON, 2)], AGAINST | AVOID | TECH | NOT),
    rule(VIOLENCE, 0.55, &[(WRITE, 0), (GRAPHIC, 3), (KILL, 8)], AGAINST | AVOID | TECH),
    rule(SELF_HARM, 0.90, &[(I | HOW | WANT, 0), (CUT, 5), (SELF, 2)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.85, &[(CUT, 0), (SELF, 1), (WITHOUT | HOW, 5)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.86, &[(I, 0), (WANT, 2), (DIE, 3)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.90, &[(END, 0), (I, 1), (LIFE, 2)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.88, &[(HOW, 0), (SUICIDE, 5)], AGAINST | AVOID),
    rule(SELF_HARM, 0.86, &[(I, 0), (COMMIT, 6), (SUICIDE, 2)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.84, &[(CUT, 0), (I, 1), (WRIST, 2)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.84, &[(YOU, 0), (WANT, 2), (CUT, 3), (SELF, 2)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.82, &[(HOW, 0), (THIN, 5)], AGAINST | AVOID),
    rule(SELF_HARM, 0.60, &[(CUT, 0), (SELF, 1)], AGAINST | AVOID | NOT),
    rule(SELF_HARM, 0.55, &[(COMMIT, 0), (SUICIDE, 2)], AGAINST | AVOID),
    rule(SELF_HARM, 0.50, &[(I, 0), (SUICIDE, 5)], AGAINST | AVOID | NOT),
    rule(SEXUAL_MINORS, 0.95, &[(MINOR, 0), (LEWD | ABUSE, 5)], AGAINST | EDU),
    rule(SEXUAL_MINORS, 0.95, &[(LEWD | ABUSE, 0), (MINOR, 5)], AGAINST | EDU),
    rule(SEXUAL_MINORS, 0.95, &[(WRITE | WANT | GRAPHIC, 0), (MINOR, 8), (SEX, 5)], AGAINST | EDU),
    rule(SEXUAL_MINORS, 0.95, &[(WRITE | WANT | GRAPHIC, 0), (SEX, 8), (MINOR, 5)], AGAINST | EDU),
    rule(SEXUAL_MINORS, 0.60, &[(MINOR, 0), (SEX, 4)], AGAINST | EDU),
    rule(SEXUAL_MINORS, 0.60, &[(SEX, 0), (MINOR, 4)], AGAINST | EDU),
    rule(SEXUAL, 0.86, &[(WRITE, 0), (STORY, 5), (SEX | LEWD, 8)], AGAINST),
    rule(SEXUAL, 0.88, &[(WRITE, 0), (SEX | LEWD | GRAPHIC, 5), (STORY, 4)], AGAINST | KILL),
    rule(SEXUAL, 0.84, &[(GRAPHIC, 0), (SEX | LEWD, 3)], AGAINST),
    rule(SEXUAL, 0.84, &[(LEWD, 0), (LEWD | SEX, 8)], AGAINST),
    rule(SEXUAL, 0.82, &[(SEX, 0), (LEWD, 8)], AGAINST),
    rule(SEXUAL, 0.82, &[(SEX, 0), (STORY, 2)], AGAINST),
    rule(SEXUAL, 0.86, &[(HOW, 0), (ABUSE, 4)], AGAINST),
    rule(SEXUAL, 0.82, &[(WRITE, 0), (ABUSE, 8)], AGAINST),
    rule(SEXUAL, 0.84, &[(I, 0), (WANT, 2), (ABUSE, 3)], AGAINST | NOT),
    rule(SEXUAL, 0.60, &[(LEWD, 0)], AGAINST),
    rule(SEXUAL, 0.52, &[(SEX, 0), (SEX, 8)], AGAINST),
    rule(HATEFUL, 0.90, &[(HATE, 0), (GROUP, 3)], AGAINST | SAID | YOU),
    rule(HATEFUL, 0.86, &[(GROUP, 0), (BE, 3), (DEMEAN, 5)], AGAINST | NOT | SAID),
    rule(HATEFUL, 0.82, &[(DEMEAN, 0), (GROUP, 1)], AGAINST | NOT | SAID),
    rule(HATEFUL, 0.90, &[(ERASE, 0), (GROUP, 4)], AGAINST | NOT | SAID),
    rule(HATEFUL, 0.90, &[(GROUP, 0), (WANT, 3), (DIE | ERASE, 4)], AGAINST | NOT | SAID),
    rule(HATEFUL, 0.82, &[(SLUR, 0), (BE | DEMEAN | ERASE | SLUR | GROUP, 5)], AGAINST | SAID),
    rule(HATEFUL, 0.82, &[(HATE | ERASE | DEMEAN | GROUP, 0), (SLUR, 4)], AGAINST | SAID),
    rule(HATEFUL, 0.82, &[(WRITE, 0), (STORY, 4), (DEMEAN | HATE, 8), (GROUP, 8)], AGAINST),
    rule(HATEFUL, 0.84, &[(GROUP, 0), (I, 5), (FURY, 2)], AGAINST | NOT | SAID),
    rule(HATEFUL, 0.84, &[(CURSE, 0), (GROUP, 3)], AGAINST | SAID | YOU),
    rule(HATEFUL, 0.82, &[(GROUP, 0), (CURSE, 6)], AGAINST | SAID | NOT),
    rule(HATEFUL, 0.82, &[(GROUP, 0), (NOT, 5), (WORTH, 3)], AGAINST | SAID),
    rule(HATEFUL, 0.60, &[(GROUP, 0), (DEMEAN, 5)], AGAINST | NOT | SAID),
    rule(HATEFUL, 0.60, &[(SLUR, 0)], AGAINST | SAID),
    rule(HARASSMENT, 0.82, &[(YOU, 0), (INSULT, 4)], AGAINST | SAID | NOT),
    rule(HARASSMENT, 0.84, &[(HOW, 0), (HARASS, 3), (PERSON | GROUP, 5)], AGAINST),
    rule(HARASSMENT, 0.82, &[(I, 0), (WANT, 2), (HARASS, 3), (PERSON, 3)], AGAINST | NOT),
    rule(HARASSMENT, 0.82, &[(WRITE, 0), (HARASS, 6), (STORY, 3)], AGAINST),
    rule(HARASSMENT, 0.55, &[(INSULT, 0)], AGAINST | SAID),
    rule(WEAPONS, 0.90, &[(HOW | I, 0), (MAKE, 4), (BOMB, 6)], AGAINST | TECH),
    rule(WEAPONS, 0.84, &[(MAKE, 0), (BOMB, 4)], AGAINST | TECH | NOT),
    rule(WEAPONS, 0.86, &[(HOW, 0), (MAKE | GET, 4), (MASS, 4), (WEAPON | BOMB, 3)], AGAINST | TECH),
    rule(WEAPONS, 0.84, &[(MAKE | GET, 0), (MASS, 3), (WEAPON, 3)], AGAINST | TECH | NOT),
    rule(WEAPONS, 0.82, &[(HOW, 0), (MAKE, 3), (WEAPON, 4)], AGAINST | TECH),
    rule(WEAPONS, 0.82, &[(GET, 0), (WEAPON | BOMB, 4), (WITHOUT, 3)], AGAINST | TECH),
    rule(WEAPONS, 0.60, &[(HOW, 0), (GET, 3), (WEAPON | BOMB, 4)], AGAINST | TECH),
    rule(WEAPONS, 0.55, &[(HOW, 0), (BOMB, 6)], AGAINST | TECH),
    rule(DRUGS, 0.90, &[(HOW, 0), (MAKE | GET | USE, 5), (DRUG, 4)], AGAINST),
    rule(DRUGS, 0.84, &[(MAKE | USE, 0), (DRUG, 2)], AGAINST | NOT),
    rule(DRUGS, 0.82, &[(I, 0), (WANT, 2), (GET, 2), (DRUG, 3)], AGAINST | NOT),
    rule(DRUGS, 0.60, &[(GET, 0), (DRUG, 3)], AGAINST | NOT),
    rule(CRIME, 0.88, &[(HOW | I, 0), (STEAL, 4), (GOODS | PERSON, 5)], AGAINST | TECH | NOT),
    rule(CRIME, 0.86, &[(STEAL, 0), (WITHOUT, 8), (CAUGHT, 4)], AGAINST),
    rule(CRIME, 0.82, &[(HOW, 0), (WITHOUT, 10), (CAUGHT, 2)], AGAINST | TECH),
    rule(CRIME, 0.55, &[(STEAL, 0), (GOODS, 3)], AGAINST | TECH | NOT),
    rule(CYBER_ABUSE, 0.88, &[(HOW | I, 0), (HACK, 4), (ACCOUNT | PERSON, 6)], AGAINST | NOT),
    rule(CYBER_ABUSE, 0.86, &[(MAKE | WRITE, 0), (MALWARE, 5)], AGAINST | NOT),
    rule(CYBER_ABUSE, 0.82, &[(HOW, 0), (MAKE | GET, 4), (MALWARE, 6)], AGAINST),
    rule(CYBER_ABUSE, 0.55, &[(HACK, 0), (ACCOUNT | PERSON, 4)], AGAINST | NOT),
];
