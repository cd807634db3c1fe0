//! The long texts behind diagnostics: why a rule exists, and what to write instead.
//!
//! A diagnostic itself says what is wrong and where; these say why that matters. Invariant: every code that can be reported
//! has a text, which a test checks.

use kt_core::scan::identifiers::Identifier;
use std::borrow::Cow;

/// Codes and their texts.
pub const EXPLANATIONS: &[(&str, &str)] = &[
    (
        "audit-not-last",
        "The audit logger acts when an exchange is over, so its place in the chain changes nothing. Readers of the file expect\n\
         it at the end, where it also says most clearly that it sees the outcome of all the others.",
    ),
    (
        "bad-address",
        "Listeners need an address that the machine has and a port, such as `0.0.0.0:41002`, `127.0.0.1:9901` or `[::1]:41002`.\n\
         `localhost` is the only name that is taken; others would have to be resolved before Envoy starts.\n\
         A service, such as that of `budget-enforcement.shared`, may have a name: `ratelimit.internal:8081`.",
    ),
    (
        "bad-assertion",
        "An assertion compares an answer with its `value` and counts by its `weight`: most types need a value, a weight is above 0\n\
         and at most 1000, and only languages with letters or words of their own can be told.",
    ),
    (
        "bad-attempts",
        "`max_attempts` counts the first attempt too: 1 means that nothing is repeated. More than a few attempts at one target\n\
         rarely help: let the next target serve instead.",
    ),
    (
        "bad-automaton",
        "The filter was given a configuration that this version of `kt-control` did not write. Render it again.",
    ),
    (
        "bad-backoff",
        "The wait between attempts starts at `base_ms` and never exceeds `max_ms`, so the second cannot be below the first.",
    ),
    (
        "bad-base-url",
        "A base URL has `http` or `https`, a host, perhaps a port and the path under which the API lives, with or without\n\
         `/v1`: `https://api.together.xyz/v1`. It holds no user name and no key, because it shows in logs; keys come from\n\
         `secret_key_ref`.",
    ),
    (
        "bad-block-status",
        "Clients read a refusal by its status. It has to be a 4xx other than 409 and 429: the official SDKs repeat a request\n\
         that ends with one of those, and a repeated attack is no less an attack.",
    ),
    (
        "bad-bounds",
        "No answer is at once at least as long as the one bound and at most as long as the other.",
    ),
    (
        "bad-breaker",
        "A breaker opens after a number of consecutive failures and lets a number of probes through afterwards. Zero of either\n\
         would mean a target that is never used or never left alone; leave the block out for that.",
    ),
    (
        "bad-condition",
        "A condition that can never hold would switch a policy off without a word. Paths start with `/`, header names are\n\
         tokens, and a list of models that is given has at least one.",
    ),
    (
        "bad-env-name",
        "`env` names an environment variable: letters, digits and `_`. If what stands there looks like a key, take it out of\n\
         the file and revoke it: it has been written to disk and perhaps into version control.",
    ),
    (
        "bad-key-file",
        "`file` is the path of a file that holds the key and nothing else. Envoy follows it when it is replaced.",
    ),
    (
        "bad-limit",
        "A budget is so many `tokens`, or so many `usd`, for a `scope` in a `window`. USD are counted by the `pricing` of the targets,\n\
         so every target needs one.",
    ),
    (
        "bad-model",
        "A model is asked for by its name at the provider, such as `meta-llama/Llama-3.3-70B-Instruct-Turbo`.",
    ),
    (
        "bad-name",
        "The pack's name stands in every audit event. It needs a character that can be seen, and no line end.",
    ),
    (
        "bad-parameter",
        "Members under `parameters` are sent with every question to the classifier. Those by which the gateway asks its question\n\
         are its own: the model, the messages, the form of the answer.",
    ),
    (
        "bad-path",
        "Paths that are forwarded without inspection start with `/` and must not cover a path that is inspected: that would\n\
         open a way around every policy.",
    ),
    (
        "bad-price",
        "Prices are USD for a million tokens, from 0 to 4000, with six decimals at most: costs are exact.",
    ),
    (
        "bad-probe-path",
        "A probe asks a target for a path with `GET`; it starts with `/`, such as `/v1/models`.",
    ),
    (
        "bad-request-limit",
        "Rate limits, the allowlist and CORS are kept by Envoy before a request is read. A rate is `max_requests` in\n\
         `window_seconds`; an allowlist has addresses and networks; CORS names the origins whose pages may call.",
    ),
    (
        "bad-secret-key-ref",
        "A target's key comes from exactly one place: `{env: NAME}`, `{file: PATH}`, or `{client: true}` for the caller's own.",
    ),
    (
        "bad-shorthand",
        "The short form of a provider is `provider:chat:model`, such as `together:chat:meta-llama/Llama-3.3-70B-Instruct-Turbo`.\n\
         The long form has `provider` and `model` as keys of their own.",
    ),
    (
        "bad-size",
        "A body is read whole before its request goes on. The limit has to leave room for a request, and stay within what one\n\
         virtual machine can hold for many callers at once.",
    ),
    (
        "bad-status",
        "Only answers from 400 to 599 can lead to another attempt: anything below has reached the client or is a success.",
    ),
    (
        "bad-target-id",
        "A target's id stands in headers, events, metrics and Envoy's cluster names: letters, digits, `-`, `_` and `.`.\n\
         `~s` at its end is kept for the cluster that serves its streams.",
    ),
    (
        "bad-threshold",
        "The score of an answer is a share from 0 to 1. At 0 nothing fails; at 1 nothing may be missing.",
    ),
    ("bad-timeout", "A time limit is at least a second and at most a day. It is wall clock for one attempt."),
    ("bad-value", "The value has the right type and still cannot be used; the message says why."),
    (
        "bad-version",
        "A version has three numbers, as semantic versioning has it, and stands in quotes: `\"1.0.0\"`.",
    ),
    (
        "bad-weight",
        "A weight is above zero and finite. Two targets with weights 3 and 1 get three and one of every four requests.",
    ),
    (
        "bad-when",
        "The classifier chooses by these words. Say in a sentence which requests the target is for.",
    ),
    (
        "capture-unredacted",
        "With `audit-logger.capture: redacted` events hold texts, and only texts from which `pii-detector` has taken what it knows:\n\
         it must stand in the chain with `action: redact` and `apply_to: both`, and not in shadow. Where its `when` leaves an\n\
         exchange out, the event holds no text.",
    ),
    (
        "classifier-without-key",
        "The classifier is asked by the gateway itself, before any target is chosen, so there is no caller whose key could be passed\n\
         on. Give it a key of its own.",
    ),
    (
        "duplicate-key",
        "YAML would keep the last of two, and JSON readers differ. A file that says two things is refused, so that nobody has\n\
         to know which one counts.",
    ),
    (
        "duplicate-policy",
        "A policy runs once in a chain. Put its conditions into one entry, or one of the two away.",
    ),
    ("duplicate-target", "Headers, events and metrics name a target by its id, so two cannot share one."),
    (
        "empty-chain",
        "A chain without policies enforces nothing, which is rarely what a gateway is for. `pack: {enabled: false}` says that\n\
         on purpose, and every event then says it too.",
    ),
    ("empty-phrase", "A phrase without a letter or digit would match everything or nothing."),
    (
        "inert-policy",
        "A block under `policy:` configures a policy; the chain decides whether it runs. This one does not run.",
    ),
    (
        "long-phrase",
        "Phrases are held back in streamed answers until they are complete. Keep the telling words.",
    ),
    (
        "missing-base-url",
        "`openai-compatible` stands for any server that speaks OpenAI's API, so it has no usual address. Give one.",
    ),
    (
        "missing-key",
        "The file cannot be read without this key. The reference page lists the keys that have to be there.",
    ),
    (
        "missing-key-value",
        "The file names a place for a key, and there is none. Envoy would send an empty key upstream, and callers would get\n\
         401 with no hint why; so `render` and `gateway run` refuse, unless `--keys-later` says that Envoy starts elsewhere.",
    ),
    (
        "missing-router",
        "Strategy `router` has a model choose the target, so it needs to know which model that is and what there is to choose from:\n\
         `router: {classifier: ..., routes: [...], default: ...}`.",
    ),
    (
        "no-audit",
        "Without `audit-logger` in the chain an exchange leaves no event: nobody can say later what was refused, redacted or\n\
         served. Add it at the end of the chain.",
    ),
    (
        "no-fallback-message",
        "When the score of an answer is known, the answer is there, and no other target can be asked any more. What a client\n\
         reads in its place is `failure_action.fallback_message`; write one, or choose `block` or `warn`.",
    ),
    (
        "no-limits",
        "`budget-enforcement` keeps to what `policy.budget-enforcement.limits` says, which says nothing yet.",
    ),
    (
        "no-price",
        "`lowest_cost` orders targets by their price, and one that has none comes after those that have. Under every strategy the\n\
         cost in events and metrics, and what a budget in USD counts, is that of targets with a price. Give it\n\
         `pricing: {prompt: ..., completion: ...}`.",
    ),
    ("no-probe", "A probe acts by skipping a target, which needs another one to go to."),
    ("no-targets", "A gateway needs an upstream. `providers.targets` lists them in order of preference."),
    (
        "no-virtual-model",
        "Clients ask for a route by the name of a virtual model. Without a name nobody can; leave the key out for `auto`.",
    ),
    (
        "not-yaml",
        "The text is not one YAML document. The place is where the reader gave up, which may be a little after the mistake:\n\
         look for a missing quote, a tab in the indentation, or a `:` without a blank after it.",
    ),
    (
        "nothing-to-choose",
        "A classification that can only end one way costs time and tokens for nothing. Name two targets at least, the default\n\
         included.",
    ),
    (
        "open-admin",
        "Envoy's admin interface can stop the process and shows its configuration. On an address that others can reach, so can\n\
         they. Keep it on 127.0.0.1 and reach it through the machine.",
    ),
    (
        "other-format",
        "There is a later format in which `policies` is a list of blocks. This gateway reads the one in which names stand in\n\
         `policies.chain` and settings under `policy`.",
    ),
    (
        "out-of-range",
        "Scores run from 0 to 1. 0.8 refuses about one in a hundred harmless texts of the kinds it was measured on.",
    ),
    (
        "own-address",
        "A target at the gateway's own address sends every request back to where it came from, and each round costs a connection,\n\
         until a time limit ends it.",
    ),
    (
        "pack-disabled",
        "Traffic passes and nothing is enforced, until `enabled` is removed or true. Every event says so.",
    ),
    (
        "pattern-automaton",
        "The table of the operator's patterns does not belong to them. Render the configuration again.",
    ),
    (
        "pattern-name",
        "A pattern's name becomes the kind in reason codes and markers, `pii-detector.ticket` and `[REDACTED:TICKET]`. It is\n\
         lower case letters, digits and `_`, and not the name of a built-in kind.",
    ),
    (
        "pattern-regex",
        "All patterns run as one automaton, also over streams, where text is held back until it is decided. So a pattern needs\n\
         a longest match (no `*`, `+` or `{n,}` without an end), must not match the empty text, and has no look-around or\n\
         back references. Write `[0-9]{1,12}` instead of `[0-9]+`.",
    ),
    (
        "pattern-size",
        "The automaton of all patterns together would be too large to ship with every configuration. Long counted repetitions\n\
         of large classes are what makes it grow: `\\w{1,200}` costs hundreds of states.",
    ),
    (
        "plain-http",
        "Texts and keys travel to this target in the clear. That is fine on one machine, and nowhere else.",
    ),
    (
        "port-mismatch",
        "A comment of the file tells callers where the gateway is, and it is not there. The quick start of the Keeptrusts page has\n\
         this very slip: it starts the gateway on port 41002 and points clients at 8080.",
    ),
    (
        "removed-model",
        "Providers take models away, Together after two or three weeks' notice; the catalog knows the day of some. A request for such\n\
         a model is then answered with `model_not_available`, which sends it to the next target, if there is one. The day says nothing\n\
         of an endpoint of your own. `kt-control models` shows what is known.",
    ),
    (
        "router-target-without-model",
        "A client of a virtual model asks for no model in particular, so each target of the router has to name its own.",
    ),
    ("same-port", "Two listeners cannot share a port of one address; Envoy would not start."),
    (
        "short-stream-timeout",
        "A streamed answer usually takes longer than a whole one, because it is as long and somebody reads along. With the\n\
         smaller limit it is cut in its middle.",
    ),
    (
        "short-timeout",
        "A limit below the time that the provider's own client library waits ends requests that would have been answered, the long\n\
         ones first: reasoning, long answers. It makes sense where another target steps in, so only a target behind which there is none\n\
         is questioned.",
    ),
    (
        "single-of-many",
        "`single` uses the first target. The others serve only requests that name them by `x-provider` or by model.\n\
         `fallback` has them step in when the first fails.",
    ),
    ("spelling", "Both spellings mean the same. The preferred one is the one that this documentation uses."),
    (
        "too-many-routes",
        "All routes stand in every question to the classifier, and small models lose their way among many. Put those together\n\
         that share a target.",
    ),
    (
        "two-models",
        "The short form of the provider names a model, and `model` another. Only one can be asked for.",
    ),
    (
        "two-strategies",
        "`providers.strategy` and `providers.routing.strategy` mean the same, so only one may stand there.",
    ),
    (
        "unknown-category",
        "Categories are those of the safety filter's reason codes; the help names the nearest.",
    ),
    (
        "unknown-entity",
        "Entities are the kinds in reason codes, such as `email` or `us_ssn`; the help names the nearest.",
    ),
    (
        "unknown-format",
        "Targets are asked in OpenAI's wire format, which every provider in the table speaks.",
    ),
    (
        "unknown-key",
        "Objects are closed: a key that nobody reads is refused instead of ignored, because a misspelt `action: block` that is\n\
         ignored is a policy that does not act.",
    ),
    ("unknown-policy", "Policies are named as in the reference page; the help names the nearest."),
    (
        "unknown-provider",
        "Known providers have a usual address and key variable. Any other server that speaks OpenAI's API is\n\
         `provider: openai-compatible` with a `base_url`.",
    ),
    ("unknown-strategy", "Strategies are named as in the reference page; the help names the nearest."),
    (
        "unknown-target",
        "Routes, the classifier and the default name targets of this file by their `id`; the help names the nearest.",
    ),
    ("unknown-value", "The key takes one of a few words; the help names the nearest."),
    (
        "unsupported-action",
        "An attack has no part that could be cut out: what remains would still be an attack, or nonsense. Refuse it (`block`)\n\
         or let it through with a warning (`warn`).",
    ),
    (
        "unused-router",
        "The block configures `strategy: router`, and another strategy is in force. Change one or remove the other.",
    ),
    (
        "unused-target",
        "The router chooses among its routes. A target without one is asked only by requests that name it, by `x-provider` or by\n\
         its model.",
    ),
    ("unused-weight", "Weights count under `strategy: weighted_round_robin` only."),
    (
        "virtual-model-taken",
        "A request's `model` would mean two things: the virtual model, and a target or a model of one. Choose another name.",
    ),
    (
        "wrong-type",
        "The key takes another kind of value. YAML reads `yes`, `1.0` and `no` as it likes: put texts in quotes.",
    ),
    ("zero-retention", "An event that may be dropped at once is no evidence. Keep it for a day at least."),
];

/// Reason codes of findings and their texts, but for those of `pii-detector`, which are as many as its kinds.
const REASONS: &[(&str, &str)] = &[
    (
        "budget-enforcement.caller_tokens",
        "A limit of tokens for each caller is used up until its window begins anew; `x-kt-budget-reset` says when.",
    ),
    (
        "budget-enforcement.caller_usd",
        "A limit of USD for each caller is used up until its window begins anew; `x-kt-budget-reset` says when.",
    ),
    (
        "budget-enforcement.global_tokens",
        "The limit of tokens for all callers together is used up until its window begins anew; `x-kt-budget-reset` says when.",
    ),
    (
        "budget-enforcement.global_usd",
        "The limit of USD for all callers together is used up until its window begins anew; `x-kt-budget-reset` says when.",
    ),
    (
        "budget-enforcement.model_tokens",
        "A limit of tokens for each model is used up until its window begins anew; other models may still have some left.",
    ),
    (
        "budget-enforcement.model_usd",
        "A limit of USD for each model is used up until its window begins anew; other models may still have some left.",
    ),
    (
        "budget-enforcement.shared",
        "The service that counts for several gateways says that a limit is used up. It does not say which one.",
    ),
    (
        "budget-enforcement.target_tokens",
        "A limit of tokens for each target is used up until its window begins anew; other targets may still have some left.",
    ),
    (
        "budget-enforcement.target_usd",
        "A limit of USD for each target is used up until its window begins anew; other targets may still have some left.",
    ),
    (
        "prompt-injection.custom_pattern",
        "The text has one of the phrases in `policy.prompt-injection.attack_patterns`.",
    ),
    (
        "prompt-injection.data_borne_instruction",
        "A document, a quotation or the result of a tool holds orders for the assistant. Data should not give any.",
    ),
    (
        "prompt-injection.delimiter_escape",
        "The text closes a section or a quotation that the application opened, to stand outside of it.",
    ),
    (
        "prompt-injection.encoded_payload",
        "An order was disguised: as base64, hexadecimal, escapes, entities, ROT13, backwards, or with letters that only look\n\
         alike. What was judged is what it says once that is undone; `policy.prompt-injection.encoding` switches parts of it off.",
    ),
    (
        "prompt-injection.fake_boundary",
        "The text imitates the marks with which applications and chat templates tell the roles apart, such as a system turn\n\
         inside of a user's.",
    ),
    (
        "prompt-injection.instruction_override",
        "The text orders the assistant to ignore, forget or replace its instructions. Where such orders are what users write\n\
         about, try the policy with `mode: shadow` or raise `threshold`.",
    ),
    (
        "prompt-injection.learned_score",
        "No rule fired, but the learned score of the text reached `policy.prompt-injection.threshold`. `kt-control policy scan`\n\
         prints the score of a text.",
    ),
    (
        "prompt-injection.role_confusion",
        "The text gives the assistant another role in which its rules would not hold, such as one without restrictions.",
    ),
    (
        "prompt-injection.system_prompt_extraction",
        "The text asks for the hidden instructions, to be shown, repeated, translated or summed up.",
    ),
    ("quality-scorer.contains", "An assertion `contains` does not hold for the answer."),
    ("quality-scorer.ends_with", "An assertion `ends-with` does not hold for the answer."),
    ("quality-scorer.equals", "An assertion `equals` does not hold for the answer."),
    (
        "quality-scorer.finish_reason",
        "An assertion `finish-reason` does not hold: the answer ended for another reason.",
    ),
    ("quality-scorer.is_json", "An assertion `is-json` does not hold for the answer."),
    ("quality-scorer.is_refusal", "An assertion `is-refusal` does not hold for the answer."),
    ("quality-scorer.json", "The request wanted JSON (`response_format`), and the answer is none."),
    (
        "quality-scorer.language",
        "The answer is in another language than the question, or than an assertion `language` wants.",
    ),
    (
        "quality-scorer.length",
        "The answer is shorter than `min_output_chars` or longer than `max_output_chars`.",
    ),
    ("quality-scorer.refusal", "The model refused to answer."),
    ("quality-scorer.regex", "An assertion `regex` does not hold for the answer."),
    ("quality-scorer.repetition", "The answer goes round in a loop."),
    ("quality-scorer.schema", "The answer is JSON, but not as the schema in `response_format` wants it."),
    ("quality-scorer.sentences", "The answer has fewer sentences than `min_sentences`."),
    ("quality-scorer.starts_with", "An assertion `starts-with` does not hold for the answer."),
    ("quality-scorer.tool_arguments", "The model calls a tool with arguments that are no JSON."),
    ("quality-scorer.truncated", "The answer was cut off at the limit of its tokens."),
    (
        "safety-filter.crime",
        "The text wishes, plans or teaches a crime: fraud, theft, forgery, smuggling and the like.",
    ),
    ("safety-filter.custom_phrase", "The text has one of the phrases in `policy.safety-filter.block_if`."),
    (
        "safety-filter.cyber_abuse",
        "The text wishes or teaches malware, an attack on a system, or stolen access.",
    ),
    ("safety-filter.drugs", "The text wishes or teaches how to make, get or sell drugs."),
    ("safety-filter.harassment", "The text threatens, insults or stalks somebody, or asks for help with it."),
    (
        "safety-filter.hate",
        "The text attacks people for what they are: origin, faith, gender, disability and the like.",
    ),
    ("safety-filter.self_harm", "The text wishes or teaches self-harm or suicide."),
    ("safety-filter.sexual", "The text is sexually explicit, or asks for such a text."),
    ("safety-filter.sexual_minors", "The text puts minors into a sexual context."),
    ("safety-filter.violence", "The text wishes, plans or teaches violence against people or animals."),
    ("safety-filter.weapons", "The text wishes or teaches how to make or get weapons or explosives."),
];

/// The text for a code of a diagnostic, or for the reason code of a finding.
pub fn of(code: &str) -> Option<Cow<'static, str>> {
    let named = EXPLANATIONS.iter().chain(REASONS).find(|(known, _)| *known == code);
    named.map(|(_, text)| Cow::Borrowed(*text)).or_else(|| personal_data(code).map(Cow::Owned))
}

/// Every code that has a text.
pub fn codes() -> impl Iterator<Item = String> {
    let named = EXPLANATIONS.iter().chain(REASONS).map(|(code, _)| (*code).to_owned());
    named.chain(Identifier::ALL.iter().map(|kind| format!("{PERSONAL_DATA}{}", kind.name())))
}

const PERSONAL_DATA: &str = "pii-detector.";

fn personal_data(code: &str) -> Option<String> {
    let kind = Identifier::from_name(code.strip_prefix(PERSONAL_DATA)?)?;
    let (name, marker) = (kind.name(), kind.marker_name());
    Some(format!(
        "The text holds personal data of the kind `{name}`. With `action: redact` it is replaced by `[REDACTED:{marker}]`, or by\n\
         what `policy.pii-detector.redaction` says. `policy.pii-detector.entities` lists what is looked for; a list without\n\
         `{name}` leaves it alone."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Source files of the two packages that report problems.
    fn sources() -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("src"), root.join("../filter/core/src")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
                    _ => {}
                }
            }
        }
        files
    }

    /// The codes that are written in calls such as `Diagnostic::error("code", …)`.
    fn reported(source: &str) -> Vec<String> {
        let calls = ["Diagnostic::error(", "Diagnostic::warning(", " error("];
        let after = calls.iter().flat_map(|call| source.split(call).skip(1));
        let code =
            after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"').map(|(c, _)| c));
        let is_code = |code: &&str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        code.filter(is_code).map(str::to_owned).collect()
    }

    #[test]
    fn every_code_that_is_reported_has_a_text() {
        let mut missing = Vec::new();
        for path in sources() {
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            missing.extend(reported(source).into_iter().filter(|code| of(code).is_none()));
        }
        assert!(missing.is_empty(), "no explanation of {missing:?}");
    }

    #[test]
    fn codes_are_in_order_and_once() {
        assert!(EXPLANATIONS.is_sorted_by(|(one, _), (next, _)| one < next));
        assert!(REASONS.is_sorted_by(|(one, _), (next, _)| one < next));
    }

    #[test]
    fn every_reason_has_a_text() {
        let mut missing: Vec<String> = Vec::new();
        for (policy, file, mark) in [
            ("prompt-injection", "prompt_injection/rules.rs", "pub(super) const "),
            ("safety-filter", "safety/rules.rs", "\nconst "),
            ("safety-filter", "safety.rs", "\nconst "),
            ("quality-scorer", "quality.rs", "tally.asked("),
            ("quality-scorer", "quality.rs", "tally.defect("),
            ("quality-scorer", "../config.rs", "            AssertionKind::"),
            ("budget-enforcement", "../budget.rs", "            (BudgetScope::"),
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../filter/core/src/policy").join(file);
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]\nmod").next().unwrap();
            // The word in quotes on the line that the mark begins.
            let lines = source.split(mark).skip(1).filter_map(|rest| rest.lines().next());
            let words = lines.filter_map(|line| line.split('"').nth(1));
            let is_kind = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let reasons: Vec<String> = words.filter(is_kind).map(|word| format!("{policy}.{word}")).collect();
            assert!(!reasons.is_empty(), "no reason in {file}");
            missing.extend(reasons.into_iter().filter(|reason| of(reason).is_none()));
        }
        assert!(missing.is_empty(), "no explanation of {missing:?}");
    }
}
