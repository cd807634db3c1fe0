//! What an attack looks like: classes of words in order, and how sure each sight makes.
//!
//! Weights add up like independent doubts: two of 0.5 make 0.75. A weight of 0.7 or more says that nobody writes this to
//! an assistant by accident.

use super::classes::*;
use crate::scan::words::rules::Rule;

pub(super) const INSTRUCTION_OVERRIDE: &str = "instruction_override";
pub(super) const ROLE_CONFUSION: &str = "role_confusion";
pub(super) const SYSTEM_PROMPT_EXTRACTION: &str = "system_prompt_extraction";
pub(super) const DELIMITER_ESCAPE: &str = "delimiter_escape";
pub(super) const FAKE_BOUNDARY: &str = "fake_boundary";
pub(super) const ENCODED_PAYLOAD: &str = "encoded_payload";
pub(super) const DATA_BORNE_INSTRUCTION: &str = "data_borne_instruction";
pub(super) const LEARNED_SCORE: &str = "learned_score";
pub(super) const CUSTOM_PATTERN: &str = "custom_pattern";

const fn rule(kind: &'static str, weight: f32, steps: &'static [(u64, u32)]) -> Rule {
    Rule { kind, weight, steps, unless: 0, unless_inside: MINE, unless_after: 0 }
}

/// What to answer and nothing else: a sign, unless it is about the form of the answer, as every program says that reads it.
const fn dictated(weight: f32, steps: &'static [(u64, u32)]) -> Rule {
    Rule { unless_inside: MINE | FORM, unless_after: FORM, ..rule(ROLE_CONFUSION, weight, steps) }
}

/// The sum of evidence from which a rule explains a finding; below it the model's sum does.
pub(super) const NAMED: f32 = 0.3;

/// Classes by how often their words stand in ordinary text, the most frequent first.
pub(super) const FREQUENT: &[u64] = &[
    LINE | YOU | NOT | NEVER | WHAT | OWN | ALL | WHATEVER | WITHOUT,
    SAY | PRODUCE | TALK | PAGE | DO | EXECUTE | ANSWER | NEW | ATTENTION,
    READ | ACCEPT | PRIOR | REVEAL,
    ONLY | BEGIN | TWICE | PROMPT | ABOVE,
    AI | DUTY | PERSONA | NOW | FICTION | SEND | DATA | STAY | DROP | FOLLOW | LIMIT | SYSTEM,
];

/// All of them.
pub(super) const RULES: &[Rule] = &[
    // Ignore (all) previous instructions; ignore the rules above; in Romance languages the noun comes first.
    rule(INSTRUCTION_OVERRIDE, 0.85, &[(OVERRIDE, 0), (PRIOR, 7), (DUTY, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.85, &[(OVERRIDE, 0), (DUTY, 5), (PRIOR, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.80, &[(OVERRIDE, 0), (OWN, 3), (DUTY, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.70, &[(OVERRIDE, 0), (ALL, 2), (DUTY, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.82, &[(OVERRIDE, 0), (SYSTEM, 6), (DUTY, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.80, &[(DROP, 0), (PRIOR, 7), (DUTY, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.70, &[(DROP, 0), (DUTY, 5), (PRIOR | LINE, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.62, &[(DROP, 0), (OWN, 3), (DUTY, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.60, &[(DROP, 0), (SYSTEM, 4), (DUTY, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.62, &[(OVERRIDE, 0), (PRIOR, 7), (TALK, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.55, &[(OVERRIDE, 0), (OWN, 3), (TALK, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.55, &[(OVERRIDE, 0), (SYSTEM, 4), (TALK, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.72, &[(OVERRIDE, 0), (ALL, 2), (PRIOR, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.70, &[(OVERRIDE, 0), (ALL, 2), (TALK, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.45, &[(OVERRIDE, 0), (DUTY, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.55, &[(DROP, 0), (PRIOR, 6), (TALK, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.50, &[(DROP, 0), (OWN, 3), (TALK, 3)]),
    rule(INSTRUCTION_OVERRIDE, 0.60, &[(OVERRIDE, 0), (ABOVE, 2)]),
    rule(INSTRUCTION_OVERRIDE, 0.75, &[(OVERRIDE, 0), (ABOVE, 3), (SAY | REVEAL | PRODUCE, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.40, &[(OVERRIDE, 0), (SAY | REVEAL, 6)]),
    rule(INSTRUCTION_OVERRIDE, 0.70, &[(DUTY | LIMIT, 0), (NOT, 2), (FOLLOW, 2)]),
    rule(INSTRUCTION_OVERRIDE, 0.82, &[(NOT, 0), (FOLLOW, 3), (PRIOR | OWN, 5), (DUTY, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.75, &[(NOT, 0), (FOLLOW, 3), (DUTY, 4), (PRIOR, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.60, &[(NOT, 0), (FOLLOW, 3), (PRIOR | OWN | SYSTEM, 5), (TALK, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.60, &[(NEW, 0), (DUTY, 2), (FOLLOW | SAY | YOU | NOW, 4)]),
    rule(INSTRUCTION_OVERRIDE, 0.35, &[(NEW, 0), (DUTY, 2)]),
    rule(INSTRUCTION_OVERRIDE, 0.45, &[(FOLLOW, 0), (ONLY, 3), (NEW, 4), (DUTY, 3)]),
    // You are now X without limits; pretend to be; stay in character; developer mode.
    rule(ROLE_CONFUSION, 0.50, &[(YOU, 0), (NOW, 3), (PERSONA | ALTER | FREE | AI, 6)]),
    rule(ROLE_CONFUSION, 0.60, &[(NOW, 0), (YOU, 4), (PERSONA | AI | ALTER, 6)]),
    rule(ROLE_CONFUSION, 0.55, &[(YOU, 0), (WITHOUT, 12), (LIMIT, 4)]),
    rule(ROLE_CONFUSION, 0.62, &[(PERSONA, 0), (WITHOUT, 14), (LIMIT, 5)]),
    rule(ROLE_CONFUSION, 0.72, &[(AI, 0), (WITHOUT, 6), (LIMIT, 5)]),
    rule(ROLE_CONFUSION, 0.75, &[(PERSONA | YOU, 0), (FREE, 10)]),
    rule(ROLE_CONFUSION, 0.70, &[(FREE, 0), (AI, 4)]),
    rule(ROLE_CONFUSION, 0.75, &[(PERSONA | YOU | NOW, 0), (ALTER, 7)]),
    rule(ROLE_CONFUSION, 0.80, &[(DO, 0), (ANYTHING, 1), (NOW, 3)]),
    rule(ROLE_CONFUSION, 0.55, &[(ACCEPT, 0), (ALL, 2), (TALK, 2)]),
    rule(ROLE_CONFUSION, 0.60, &[(NEVER, 0), (SAY, 2), (YOU, 3), (AI, 4)]),
    rule(ROLE_CONFUSION, 0.60, &[(SAY, 0), (TWICE, 2), (TWICE, 6)]),
    rule(ROLE_CONFUSION, 0.35, &[(REFUSE | LIMIT, 0), (NEVER, 4)]),
    rule(ROLE_CONFUSION, 0.40, &[(BEGIN, 0), (OWN | ALL, 2), (ANSWER, 2)]),
    rule(ROLE_CONFUSION, 0.50, &[(STAY, 0), (CHARACTER, 4)]),
    rule(ROLE_CONFUSION, 0.60, &[(PRIVILEGE, 0), (MODE, 2)]),
    rule(ROLE_CONFUSION, 0.45, &[(NEVER, 0), (REFUSE, 4)]),
    rule(ROLE_CONFUSION, 0.55, &[(WITHOUT, 0), (LIMIT, 2), (LIMIT, 4)]),
    rule(ROLE_CONFUSION, 0.30, &[(WITHOUT, 0), (LIMIT, 3)]),
    rule(ROLE_CONFUSION, 0.45, &[(FICTION, 0), (WITHOUT, 12), (LIMIT | REFUSE, 5)]),
    rule(ROLE_CONFUSION, 0.45, &[(WHATEVER, 0), (WRONG, 8)]),
    rule(ROLE_CONFUSION, 0.50, &[(YOU, 0), (ACCEPT, 4), (WHATEVER, 6), (WRONG, 10)]),
    dictated(0.40, &[(SAY, 0), (ONLY, 5)]),
    dictated(0.30, &[(ONLY, 0), (SAY, 3)]),
    // Show me your system prompt; repeat everything above; what are your instructions.
    rule(SYSTEM_PROMPT_EXTRACTION, 0.80, &[(REVEAL, 0), (SYSTEM, 7), (PROMPT, 2)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.80, &[(REVEAL, 0), (PROMPT, 6), (SYSTEM, 3)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.65, &[(REVEAL, 0), (OWN, 5), (DUTY, 4)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.75, &[(PRODUCE, 0), (OWN, 6), (SYSTEM, 3), (PROMPT, 2)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.45, &[(PRODUCE, 0), (SYSTEM, 5), (PROMPT, 2)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.72, &[(REVEAL, 0), (DUTY, 4), (TALK, 4), (ABOVE | LINE, 8)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.80, &[(WHAT, 0), (OWN, 8), (SYSTEM, 3), (PROMPT, 2)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.55, &[(WHAT, 0), (SYSTEM, 7), (DUTY, 2)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.45, &[(WHAT, 0), (OWN, 5), (DUTY, 4)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.60, &[(OWN, 0), (SYSTEM, 2), (PROMPT, 2)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.72, &[(REVEAL, 0), (ANYTHING | LINE, 4), (ABOVE, 4), (LINE, 4)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.75, &[(REVEAL, 0), (DUTY, 6), (VERBATIM, 6)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.60, &[(REVEAL, 0), (ABOVE, 4), (VERBATIM, 8)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.55, &[(REVEAL, 0), (LINE, 3), (ABOVE, 3)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.45, &[(REVEAL, 0), (OWN | SYSTEM, 5), (SECRET, 3)]),
    rule(SYSTEM_PROMPT_EXTRACTION, 0.35, &[(REVEAL, 0), (SECRET, 4)]),
    // Said to whoever reads a document.
    rule(DATA_BORNE_INSTRUCTION, 0.80, &[(ASSISTANT, 0), (READ, 3), (PAGE, 2)]),
    rule(DATA_BORNE_INSTRUCTION, 0.50, &[(AI, 0), (READ, 5), (LINE, 4)]),
    rule(DATA_BORNE_INSTRUCTION, 0.72, &[(ATTENTION, 0), (AI, 5), (READ | SAY | OVERRIDE | DUTY, 8)]),
    rule(DATA_BORNE_INSTRUCTION, 0.72, &[(DUTY, 0), (ASSISTANT, 4), (READ | SAY | SEND | OVERRIDE, 8)]),
    rule(DATA_BORNE_INSTRUCTION, 0.60, &[(READ, 0), (LINE, 3), (SAY | SEND | OVERRIDE | EXECUTE, 8)]),
    rule(DATA_BORNE_INSTRUCTION, 0.45, &[(SEND, 0), (DATA, 6), (SEND, 4)]),
    rule(DATA_BORNE_INSTRUCTION, 0.50, &[(SEND, 0), (OWN | ALL, 4), (DATA, 5)]),
    rule(DATA_BORNE_INSTRUCTION, 0.60, &[(ATTENTION, 0), (NEW, 3), (DUTY, 3)]),
    // Told to decode and obey.
    rule(ENCODED_PAYLOAD, 0.55, &[(DECODE, 0), (EXECUTE, 12)]),
    rule(ENCODED_PAYLOAD, 0.50, &[(DECODE, 0), (CIPHER, 6), (EXECUTE | SAY, 12)]),
    rule(ENCODED_PAYLOAD, 0.30, &[(DECODE, 0), (CIPHER, 6)]),
];
