//! The forms of issued tokens, one row each, and the one matcher that reads them.
//!
//! Written from what the issuers publish. Says nothing of tokens without a form. Invariant: a token is matched from its first
//! byte to the end of its form; where the form has a longest length, a longer token is covered up to it, never missed.

use super::shape::{self, Shape};
use crate::scan::identifiers::cursor::{Class, Cursor, Open, Verdict, is_word};

/// Who issues tokens of a form.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// What the token begins with.
    pub(super) prefix: &'static str,
    /// Name of the service, lower case.
    pub(super) issuer: &'static str,
    /// What follows: a letter for the kind of bytes, how many (one number, or fewest and most); anything else stands for
    /// itself. See [`class`].
    body: &'static str,
}

const fn row(prefix: &'static str, issuer: &'static str, body: &'static str) -> Format {
    Format { prefix, issuer, body }
}

/// The kinds of bytes that a body is made of.
fn class(letter: u8) -> Option<Class> {
    Some(match letter {
        b'd' => Class::DIGITS,
        b'h' => Class::HEX,
        b'u' => Class::CAPITALS,
        b'a' | b'n' => Class::ALPHANUMERIC,
        b'w' => Class::WORD,
        b't' => Class::TOKEN,
        b'o' => Class::DOTTED,
        b'b' => Class::BASE64,
        b'e' => Class::ANY_BASE64,
        b'x' => Class::ANY_BASE64_DOTTED,
        _ => return None,
    })
}

/// Forms whose prefix has a joint (`-`, `_`, `.`, `~`) after letters or digits: found from there. A longer prefix stands before a
/// shorter one that it begins with.
pub(super) static JOINED: &[Format] = &[
    row("sk-ant-", "anthropic", "t20,255"),
    row("sk-or-v1-", "openrouter", "t32,255"),
    row("sk-proj-", "openai", "t20,255"),
    row("sk-svcacct-", "openai", "t20,255"),
    row("sk-admin-", "openai", "t20,255"),
    row("sk-lf-", "langfuse", "t32,64"),
    row("sk-", "openai", "t20,255"),
    row("sk_live_", "stripe", "a16,255"),
    row("sk_test_", "stripe", "a16,255"),
    row("rk_live_", "stripe", "a16,255"),
    row("rk_test_", "stripe", "a16,255"),
    row("whsec_", "stripe", "e24,128"),
    row("sk_", "elevenlabs", "h48"),
    row("hf_", "huggingface", "a30,64"),
    row("api_org_", "huggingface", "a34"),
    row("r8_", "replicate", "a32,64"),
    row("ya29.", "google", "t30,1024"),
    row("GOCSPX-", "google", "t20,40"),
    row("ghp_", "github", "a36,255"),
    row("gho_", "github", "a36,255"),
    row("ghu_", "github", "a36,255"),
    row("ghs_", "github", "a36,255"),
    row("ghr_", "github", "a36,255"),
    row("github_pat_", "github", "w22,255"),
    row("glpat-", "gitlab", "o20,300"),
    row("gldt-", "gitlab", "o20,300"),
    row("gloas-", "gitlab", "o20,300"),
    row("glrt-", "gitlab", "o20,300"),
    row("glrtr-", "gitlab", "o20,300"),
    row("glcbt-", "gitlab", "o20,300"),
    row("glptt-", "gitlab", "o20,300"),
    row("glft-", "gitlab", "o20,300"),
    row("glimt-", "gitlab", "o20,300"),
    row("glagent-", "gitlab", "o20,300"),
    row("glsoat-", "gitlab", "o20,300"),
    row("glffct-", "gitlab", "o20,300"),
    row("glwt-", "gitlab", "o20,300"),
    row("xoxb-", "slack", "t20,255"),
    row("xoxp-", "slack", "t20,255"),
    row("xoxa-", "slack", "t20,255"),
    row("xoxr-", "slack", "t20,255"),
    row("xoxs-", "slack", "t20,255"),
    row("xoxo-", "slack", "t20,255"),
    row("xoxc-", "slack", "t20,255"),
    row("xoxd-", "slack", "t20,255"),
    row("xoxe-", "slack", "t20,255"),
    row("xoxe.xoxp-1-", "slack", "t20,255"),
    row("xoxe.xoxb-1-", "slack", "t20,255"),
    row("xapp-1-", "slack", "t20,255"),
    row("xwfp-", "slack", "t20,255"),
    row("hooks.slack.com/services/", "slack", "b20,80"),
    row("hooks.slack.com/workflows/", "slack", "b20,100"),
    row("hooks.slack.com/triggers/", "slack", "b20,100"),
    row("hooks.zapier.com/hooks/catch/", "zapier", "b12,40"),
    row("discord.com/api/webhooks/", "discord", "d16,20/t50,100"),
    row("discordapp.com/api/webhooks/", "discord", "d16,20/t50,100"),
    row("webhook.office.com/webhookb2/", "microsoft_teams", "x30,255"),
    row("SG.", "sendgrid", "t16,32.t32,64"),
    row("key-", "mailgun", "h32"),
    row("pubkey-", "mailgun", "h32"),
    row("npm_", "npm", "a36,64"),
    row("pypi-", "pypi", "t50,255"),
    row("gsk_", "groq", "a40,128"),
    row("tgp_v1_", "together", "t32,128"),
    row("xai-", "xai", "t60,128"),
    row("dop_v1_", "digitalocean", "h64"),
    row("doo_v1_", "digitalocean", "h64"),
    row("dor_v1_", "digitalocean", "h64"),
    row("lin_api_", "linear", "a32,64"),
    row("lin_oauth_", "linear", "a32,64"),
    row("sbp_", "supabase", "h40"),
    row("sb_secret_", "supabase", "t20,64"),
    row("shpat_", "shopify", "h32"),
    row("shpca_", "shopify", "h32"),
    row("shppa_", "shopify", "h32"),
    row("shpss_", "shopify", "h32"),
    row("shpua_", "shopify", "h32"),
    row("sq0atp-", "square", "t22"),
    row("sq0csp-", "square", "t43"),
    row("access_token$production$", "paypal", "n16$h32"),
    row("access_token$sandbox$", "paypal", "n16$h32"),
    row("access-production-", "plaid", "t36"),
    row("access-sandbox-", "plaid", "t36"),
    row("access-development-", "plaid", "t36"),
    row("pat.", "harness", "t20,24.a24.a20"),
    row("sat.", "harness", "t20,24.a24.a20"),
    row("sl.", "dropbox", "t130,1500"),
    row("dp.pt.", "doppler", "a40,44"),
    row("dp.st.", "doppler", "o40,100"),
    row("dp.ct.", "doppler", "a40,44"),
    row("dp.sa.", "doppler", "a40,44"),
    row("dp.scim.", "doppler", "a40,44"),
    row("dp.audit.", "doppler", "a40,44"),
    row("pul-", "pulumi", "h40"),
    row("hvs.", "vault", "t24,255"),
    row("hvb.", "vault", "t80,500"),
    row("hvr.", "vault", "t24,255"),
    row("s.", "vault", "a24"),
    row("glsa_", "grafana", "w40,44"),
    row("glc_", "grafana", "b32,500"),
    row("NRAK-", "new_relic", "a27"),
    row("NRII-", "new_relic", "t32"),
    row("NRRA-", "new_relic", "h42"),
    row("NRJS-", "new_relic", "h19"),
    row("sntrys_", "sentry", "x80,600"),
    row("sntryu_", "sentry", "h64"),
    row("figd_", "figma", "t40,60"),
    row("ntn_", "notion", "a40,60"),
    row("secret_", "notion", "a43"),
    row("SWMTKN-1-", "docker_swarm", "n50-n25"),
    row("dckr_pat_", "docker", "t27"),
    row("dckr_oat_", "docker", "t27,40"),
    row("CLOJARS_", "clojars", "a60"),
    row("rubygems_", "rubygems", "h48"),
    row("API-", "octopus_deploy", "u25,27"),
    row("PMAK-", "postman", "h24-h34"),
    row("pplx-", "perplexity", "a40,64"),
    row("nvapi-", "nvidia", "t60,90"),
    row("fw_", "fireworks", "a22,40"),
    row("csk-", "cerebras", "n40,60"),
    row("jina_", "jina", "t50,80"),
    row("tvly-", "tavily", "t20,60"),
    row("fc-", "firecrawl", "h32"),
    row("e2b_", "e2b", "h40"),
    row("lsv2_pt_", "langsmith", "h32_h10"),
    row("lsv2_sk_", "langsmith", "h32_h10"),
    row("pcsk_", "pinecone", "w50,100"),
    row("re_", "resend", "w24,40"),
    row("mlsn.", "mailersend", "h64"),
    row("xkeysib-", "brevo", "h64-a16"),
    row("xsmtpsib-", "brevo", "h64-a16"),
    row("shippo_live_", "shippo", "h40"),
    row("shippo_test_", "shippo", "h40"),
    row("duffel_live_", "duffel", "e43"),
    row("duffel_test_", "duffel", "e43"),
    row("FLWSECK_TEST-", "flutterwave", "t32,40"),
    row("FLWSECK-", "flutterwave", "t32,40"),
    row("FLWPUBK_TEST-", "flutterwave", "t32,40"),
    row("FLWPUBK-", "flutterwave", "t32,40"),
    row("rzp_live_", "razorpay", "a14,24"),
    row("rzp_test_", "razorpay", "a14,24"),
    row("sm_pat_", "settlemint", "a16"),
    row("sm_aat_", "settlemint", "a16"),
    row("sm_sat_", "settlemint", "a16"),
    row("pscale_tkn_", "planetscale", "x32,64"),
    row("pscale_pw_", "planetscale", "x32,64"),
    row("pscale_oauth_", "planetscale", "x32,64"),
    row("pnu_", "prefect", "a36"),
    row("pnb_", "prefect", "a36"),
    row("rdme_", "readme", "a70"),
    row("sgp_local_", "sourcegraph", "h40"),
    row("sgp_", "sourcegraph", "w40,64"),
    row("slk_", "sourcegraph", "h64"),
    row("tfp_", "typeform", "x40,64"),
    row("fio-u-", "frameio", "e64"),
    row("ico-", "infracost", "a32"),
    row("CFPAT-", "contentful", "t43"),
    row("dt0c01.", "dynatrace", "a24.a64"),
    row("dt0s01.", "dynatrace", "a8,24.a64"),
    row("dt0s16.", "dynatrace", "a8,24.a64"),
    row("HRKU-", "heroku", "t58,70"),
    row("CCIPAT_", "circleci", "a20,24_h40"),
    row("CCIPRJ_", "circleci", "a20,24_h40"),
    row("bkua_", "buildkite", "h40"),
    row("phx_", "posthog", "a40,60"),
    row("squ_", "sonarqube", "h40"),
    row("sqp_", "sonarqube", "h40"),
    row("sqa_", "sonarqube", "h40"),
    row("ops_eyJ", "1password", "e60,4096"),
    row("A3-", "1password", "u6-u11-u5-u5-u5"),
    row("A3-", "1password", "u6-u6-u5-u5-u5-u5"),
    row("AGE-SECRET-KEY-1", "age", "u58"),
    row("tskey-auth-", "tailscale", "t20,80"),
    row("tskey-api-", "tailscale", "t20,80"),
    row("tskey-client-", "tailscale", "t20,80"),
    row("fm1_", "flyio", "e80,2000"),
    row("fm1a_", "flyio", "e80,2000"),
    row("fm1r_", "flyio", "e80,2000"),
    row("fm2_", "flyio", "e80,2000"),
    row("fo1_", "flyio", "t43"),
    row("v1.0-", "cloudflare", "h24-h120,160"),
    row("bedrock-api-key-", "aws_bedrock", "e40,2000"),
    row("sha256~", "openshift", "t43"),
    row("pat-na1-", "hubspot", "t36"),
    row("pat-eu1-", "hubspot", "t36"),
    row("BBDC-", "bitbucket", "e40,50"),
    row("ptla_", "pterodactyl", "a43"),
    row("ptlc_", "pterodactyl", "a43"),
    row("mfa.", "discord", "t80,90"),
    row("apify_api_", "apify", "a36"),
    row("rnd_", "render", "a28,40"),
    row("nfp_", "netlify", "a36,48"),
    row("vck_", "vercel", "a40,80"),
    row("vcp_", "vercel", "a40,80"),
    row("sk.eyJ", "mapbox", "o60,200"),
    row("pk.eyJ", "mapbox", "o60,200"),
    row("waka_", "wakatime", "t36"),
    row("KGAT_", "kaggle", "h32"),
    row("zpka_", "zuplo", "w32,64"),
    row("hawk.", "stackhawk", "t20,24.t20,24"),
    row("rpa_", "runpod", "a40,64"),
    row("aio_", "adafruit", "a28"),
    row("snyk_uat.", "snyk", "x40,300"),
    row("1000.", "zoho", "h32.h32"),
    row("cfat_", "cloudflare", "a40,64"),
    row("cfut_", "cloudflare", "a40,64"),
    row("odt_", "dependency_track", "a32,64"),
    row("api-", "launchdarkly", "t36"),
    row("sdk-", "launchdarkly", "t36"),
    row("crsr_", "cursor", "a40,80"),
    row("t1.", "yandex", "x100,400"),
    row("p8e-", "adobe", "a32"),
    row("s-s4t2ud-", "intra42", "h64"),
    row("s-s4t2af-", "intra42", "h64"),
    row("y0_", "yandex", "t50,64"),
];

/// Forms whose first bytes have none: found from their first byte. The same order.
pub(super) static SOLID: &[Format] = &[
    row("AKIA", "aws", "u16"),
    row("ASIA", "aws", "u16"),
    row("ABIA", "aws", "u16"),
    row("ACCA", "aws", "u16"),
    row("A3T", "aws", "u17"),
    row("AIza", "google", "t35"),
    row("LTAI", "alibaba", "a12,26"),
    row("AKID", "tencent", "a32"),
    row("EAAA", "square", "t60"),
    row("EAA", "facebook", "a80,500"),
    row("ABSK", "aws_bedrock", "b100,280"),
    row("ATATT3", "atlassian", "x100,400"),
    row("ATCTT3", "atlassian", "x100,400"),
    row("ATBB", "atlassian", "a32"),
    row("ATTA", "trello", "h64"),
    row("EZAK", "easypost", "a54"),
    row("EZTK", "easypost", "a54"),
    row("GR1348941", "gitlab", "t20,50"),
    row("AQVN", "yandex", "t35,40"),
    row("YCAJ", "yandex", "t36"),
    row("SCW", "scaleway", "a17"),
    row("AKCp", "artifactory", "a69"),
    row("cmVmdGtu", "artifactory", "a56"),
    row("dapi", "databricks", "h32"),
    row("dose", "databricks", "h32"),
    row("ZXlK", "jwt", "b100,4000"),
    row("oy2", "nuget", "n43"),
    row("eyJrIjoi", "grafana", "b70,400"),
    row("SK", "twilio", "h32"),
    row("AC", "twilio", "h32"),
];

/// The longest of what stands before the first joint of a prefix.
const LONGEST_HEAD: usize = 10;

/// Chains of rows of [`JOINED`] by what ends their head; see [`bucket`].
static CHAINS: Chains = chains();

struct Chains {
    /// The first row of a chain, from one; zero: none.
    first: [u8; BUCKETS],
    /// The next row of the same chain, likewise.
    next: [u8; JOINED.len()],
}

const BUCKETS: usize = 1024;

/// By the two bytes before a joint, and the joint.
const fn bucket(second_last: u8, last: u8, joint: u8) -> usize {
    ((second_last as usize).wrapping_mul(31)
        ^ (last as usize).wrapping_mul(7)
        ^ (joint as usize).wrapping_mul(113))
        % BUCKETS
}

pub(super) const fn is_joint(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.' | b'~')
}

#[allow(clippy::indexing_slicing, clippy::panic, reason = "at compile time")]
const fn chains() -> Chains {
    let mut chains = Chains { first: [0; BUCKETS], next: [0; JOINED.len()] };
    let mut n = JOINED.len();
    while n > 0 {
        n -= 1;
        let prefix = JOINED[n].prefix.as_bytes();
        let mut joint = 0;
        while !is_joint(prefix[joint]) {
            joint += 1;
        }
        assert!(joint > 0 && joint <= LONGEST_HEAD, "a head of one to ten bytes");
        let before = if joint > 1 { prefix[joint - 2] } else { 0 };
        let bucket = bucket(before, prefix[joint - 1], prefix[joint]);
        chains.next[n] = chains.first[bucket];
        chains.first[bucket] = n as u8 + 1;
    }
    chains
}

/// For each last byte of a head and each joint, a bit for each byte before it; where a head has one byte, that of a zero.
static HEADS: [u64; 256] = heads();

const fn head(last: u8, joint: u8) -> usize {
    // `.` and `~` share theirs.
    (joint as usize & 3) << 6 | last as usize & 63
}

#[allow(clippy::indexing_slicing, reason = "at compile time")]
const fn heads() -> [u64; 256] {
    let mut heads = [0; 256];
    let mut n = 0;
    while n < JOINED.len() {
        let prefix = JOINED[n].prefix.as_bytes();
        let mut joint = 0;
        while !is_joint(prefix[joint]) {
            joint += 1;
        }
        let before = if joint > 1 { prefix[joint - 2] } else { 0 };
        heads[head(prefix[joint - 1], prefix[joint])] |= 1 << (before & 63);
        n += 1;
    }
    heads
}

/// Some row has such a head.
#[inline(always)]
pub(super) fn may_join(second_last: u8, last: u8, joint: u8) -> bool {
    let before = if is_word(second_last) { second_last } else { 0 };
    HEADS.get(head(last, joint)).is_some_and(|bits| bits >> (before & 63) & 1 == 1)
}

/// The token whose first joint is at `joint`: where it begins, and its end.
///
/// `floor` is where the last match ended. A token that begins in the middle of a word is none.
#[inline(never)]
pub(super) fn joined(
    text: &Cursor,
    joint: usize,
    floor: usize,
) -> Result<Option<(usize, usize)>, (usize, Open)> {
    let last = text.behind(joint, 1);
    let second_last = text.behind(joint, 2);
    let Some(byte) = text.bytes().get(joint) else { return Ok(None) };
    // A head of one byte has a boundary before it.
    let buckets = [bucket(second_last, last, *byte), bucket(0, last, *byte)];
    let heads = if is_word(second_last) { buckets.get(..1) } else { buckets.get(1..) };
    for bucket in heads.unwrap_or_default() {
        let mut row = CHAINS.first.get(*bucket).copied().unwrap_or(0);
        while let Some(format) = usize::from(row).checked_sub(1).and_then(|row| JOINED.get(row)) {
            row = CHAINS.next.get(usize::from(row) - 1).copied().unwrap_or(0);
            let head = format.prefix.bytes().take_while(|byte| !is_joint(*byte)).count();
            let Some(start) = joint.checked_sub(head).filter(|start| *start >= floor) else { continue };
            if text.slice(start, joint) != format.prefix.as_bytes().get(..head).unwrap_or_default()
                || !begins(text, start)
            {
                continue;
            }
            // The address of a hook is the secret, its scheme included.
            let begin =
                if format.prefix.contains('/') { scheme_before(text, start).max(floor) } else { start };
            if let Some(end) = matches(text, start, format).map_err(|open| (begin, open))? {
                return Ok(Some((begin, end)));
            }
        }
    }
    Ok(None)
}

/// Where `http://` or `https://` begins that ends at `at`; `at` if none does.
fn scheme_before(text: &Cursor, at: usize) -> usize {
    let before = text.slice(at.saturating_sub(8), at);
    if before.ends_with(b"https://") {
        at - 8
    } else if before.ends_with(b"http://") {
        at - 7
    } else {
        at
    }
}

/// Where the scheme of an address begins whose host, of which `at` is the first byte, may become that of a hook; it may be
/// there in part.
pub(in crate::scan::identifiers) fn pending_scheme(text: &Cursor, at: usize) -> usize {
    let host = text.slice(at, text.len());
    if host.is_empty() {
        let marks =
            (0..3).take_while(|back| matches!(text.behind(at - back.min(&at), 1), b':' | b'/')).count();
        let (word, marks) = (at - marks, text.slice(at - marks, at));
        let before = text.slice(word.saturating_sub(5), word);
        let named = if before.ends_with(b"https") { 5 } else { 4 * usize::from(before.ends_with(b"http")) };
        let begun = named > 0 && !marks.is_empty() && b"://".starts_with(marks);
        return if begun { word - named } else { at };
    }
    // Few texts end within a host, which is asked first.
    let scheme = scheme_before(text, at);
    let hook = |format: &Format| format.prefix.contains('/') && format.prefix.as_bytes().starts_with(host);
    if scheme < at && JOINED.iter().any(hook) { scheme } else { at }
}

/// The token of [`SOLID`] that begins at `start`.
pub(super) fn solid(text: &Cursor, start: usize) -> Verdict {
    if !begins(text, start) {
        return Ok(None);
    }
    for format in SOLID {
        if format.prefix.as_bytes().first() == text.bytes().get(start)
            && let Some(end) = matches(text, start, format)?
        {
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// No token goes on from before `start`. The line end of a string inside a string is not part of one.
pub(super) fn begins(text: &Cursor, start: usize) -> bool {
    let before = text.behind(start, 1);
    let escaped = matches!(before, b'n' | b'r' | b't') && text.behind(start, 2) == b'\\';
    // `-p`, `--token`.
    let dashes = (0..3).take_while(|back| text.behind(start - back.min(&start), 1) == b'-').count();
    let option = matches!(dashes, 1 | 2) && !is_word(text.behind(start - dashes, 1));
    escaped || option || !super::is_token(before)
}

/// The token of this form at `start`.
fn matches(text: &Cursor, start: usize, format: &Format) -> Verdict {
    if !text.starts_with(start, format.prefix.as_bytes())? {
        return Ok(None);
    }
    let begin = start + format.prefix.len();
    let mut end = begin;
    let mut body = format.body.as_bytes();
    while let Some((first, rest)) = body.split_first() {
        body = rest;
        let Some(class) = class(*first) else {
            if text.look(end)? != *first {
                return Ok(None);
            }
            end += 1;
            continue;
        };
        let (fewest, mut most);
        (fewest, body) = number(body);
        most = fewest;
        if let Some((b',', rest)) = body.split_first() {
            (most, body) = number(rest);
        }
        let from = end;
        end = text.run_of(from, most, class)?;
        if end - from < fewest {
            return Ok(None);
        }
        if fewest == most && body.is_empty() {
            // Longer than its form, or the name of a file.
            let next = text.look(end)?;
            if is_word(next) || next == b'.' && text.look(end + 1)?.is_ascii_lowercase() {
                return Ok(None);
            }
        }
    }
    // The end of a sentence.
    while end > begin && text.behind(end, 1) == b'.' {
        end -= 1;
    }
    let body = text.slice(begin, end);
    let shape = Shape::of(body);
    // Now and then a draw looks like words; behind a long prefix, one run that mixes letters and digits is none.
    let mixed = shape.digits > 0 && shape.letters > 0;
    let solid = shape.letters + shape.digits == shape.length && shape.different >= 10 && !shape.is_filler();
    let drawn = shape.is_random() || format.prefix.len() >= 4 && mixed && solid;
    let real = shape.different >= 8 && drawn && !shape::stands_for_another(body);
    Ok(real.then_some(end))
}

/// The number that `body` begins with, and what follows it.
fn number(body: &[u8]) -> (usize, &[u8]) {
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = body.split_at_checked(digits).unwrap_or_default();
    (digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_match_something() {
        for format in JOINED.iter().chain(SOLID) {
            let mut token = String::from(format.prefix);
            let mut body = format.body.as_bytes();
            let mut n = 0_u8;
            while let Some((first, rest)) = body.split_first() {
                body = rest;
                if class(*first).is_none() {
                    token.push(char::from(*first));
                    continue;
                }
                let (fewest, rest) = number(body);
                body = rest;
                if let Some((b',', rest)) = body.split_first() {
                    let (most, rest) = number(rest);
                    assert!(fewest <= most, "{}", format.prefix);
                    body = rest;
                }
                assert!(fewest > 0, "{}", format.prefix);
                let letters: &[u8] = match first {
                    b'd' => b"1759380264",
                    b'h' => b"1f7a9c3e0b5d",
                    b'u' => b"Q7X1Z9K3W5B8V2",
                    _ => b"q7X1z9K3w5B8v2Jx",
                };
                for _ in 0..fewest {
                    token.push(char::from(letters[usize::from(n) % letters.len()]));
                    n = n.wrapping_add(1);
                }
            }
            let text = Cursor::new(&token, false);
            assert_eq!(matches(&text, 0, format), Ok(Some(token.len())), "{} {token}", format.prefix);
        }
    }

    #[test]
    fn a_longer_prefix_stands_first() {
        for rows in [JOINED, SOLID] {
            for (n, format) in rows.iter().enumerate() {
                let hidden = rows[..n].iter().find(|other| {
                    format.prefix.len() > other.prefix.len() && format.prefix.starts_with(other.prefix)
                });
                assert!(hidden.is_none(), "{} never gets its name", format.prefix);
            }
        }
    }
}
