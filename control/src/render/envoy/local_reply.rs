//! Envoy's own answers in the shape of OpenAI's errors.
//!
//! The filter's answers carry no details and Envoy's always do, which tells them apart: the filter's pass untouched.
//! Invariant: every answer that a retry cannot change says so in `x-should-retry`.

use crate::envoy::*;
use serde_json::json;

/// One kind of answer.
struct Reply {
    when: When,
    /// `None` keeps Envoy's.
    status: Option<u16>,
    kind: &'static str,
    code: &'static str,
    message: &'static str,
    retry: Retry,
}

enum When {
    /// Any of Envoy's response flags.
    Flags(&'static [&'static str]),
    /// An expression over the request and the response.
    Expression(&'static str),
}

#[derive(PartialEq)]
enum Retry {
    /// SDKs decide by the status.
    Usual,
    Useless,
}

const GATEWAY: &str = "gateway_error";
const UPSTREAM: &str = "upstream_error";
const REQUEST: &str = "invalid_request_error";

/// No target can be asked.
const fn out_of_reach(when: When) -> Reply {
    Reply {
        when,
        status: Some(503),
        kind: UPSTREAM,
        code: "upstream_unavailable",
        message: "No target could be reached.",
        retry: Retry::Usual,
    }
}

/// The first that fits is used.
const REPLIES: &[Reply] = &[
    Reply {
        when: When::Expression("response.code_details == 'wasm_fail_stream'"),
        status: Some(503),
        kind: GATEWAY,
        code: "gateway_failure",
        message: "The gateway's policy engine failed, so the request was not let through.",
        retry: Retry::Usual,
    },
    Reply {
        when: When::Expression("response.code_details == 'failed_to_inject_credential'"),
        // Envoy answers 401, which would send the caller looking for a fault in their own key.
        status: Some(503),
        kind: GATEWAY,
        code: "gateway_failure",
        message: "The gateway has no key for this target.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Expression("response.code_details == 'request_payload_too_large'"),
        status: Some(413),
        kind: REQUEST,
        code: "request_too_large",
        message: "The request body is larger than the gateway accepts.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Expression("response.code == 429 && response.code_details != ''"),
        status: None,
        kind: "rate_limit_error",
        code: "rate_limit_exceeded",
        message: "More requests than this gateway allows. Try again later.",
        retry: Retry::Usual,
    },
    Reply {
        when: When::Expression("response.code_details.startsWith('rbac_access_denied')"),
        status: None,
        kind: REQUEST,
        code: "address_not_allowed",
        message: "The gateway does not serve this address.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Expression("response.code == 431"),
        status: None,
        kind: REQUEST,
        code: "headers_too_large",
        message: "The request headers are larger than the gateway accepts.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Expression("response.code_details.startsWith('overload')"),
        status: Some(503),
        kind: GATEWAY,
        code: "gateway_overloaded",
        message: "The gateway is short of memory. Try again later.",
        retry: Retry::Usual,
    },
    Reply {
        when: When::Expression("response.code_details == 'response_payload_too_large'"),
        status: Some(502),
        kind: UPSTREAM,
        code: "response_too_large",
        message: "The answer is larger than the gateway can hold for inspection.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Flags(&["UT", "UMSDR", "SI"]),
        status: Some(504),
        kind: UPSTREAM,
        code: "upstream_timeout",
        message: "No target answered in time.",
        retry: Retry::Usual,
    },
    // Nobody could be asked: no address, no cluster, no room. What was asked and failed is a bad gateway.
    out_of_reach(When::Flags(&["UH", "NC", "UO"])),
    // The last attempt went to the address that stands for one that is missing: see `cluster::nowhere`.
    out_of_reach(When::Expression("response.code_details != '' && upstream.address == '127.0.0.1:0'")),
    Reply {
        when: When::Flags(&["UF", "UC", "UR", "URX", "LR", "UPE"]),
        status: Some(502),
        kind: UPSTREAM,
        code: "upstream_unavailable",
        message: "No target could serve the request.",
        retry: Retry::Usual,
    },
    Reply {
        when: When::Expression("response.code == 404 && response.code_details == 'route_not_found'"),
        status: None,
        kind: REQUEST,
        code: "unknown_path",
        message: "The gateway does not serve this path.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Expression("response.code == 408"),
        status: None,
        kind: REQUEST,
        code: "request_timeout",
        message: "The request did not arrive in time.",
        retry: Retry::Usual,
    },
    Reply {
        when: When::Expression(
            "response.code >= 400 && response.code < 500 && response.code_details != '' \
             && response.code_details != 'direct_response'",
        ),
        status: None,
        kind: REQUEST,
        code: "invalid_request",
        message: "The request is not valid HTTP for this gateway.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Expression(
            "response.code >= 500 && response.code_details != '' && response.code_details != 'direct_response'",
        ),
        status: None,
        kind: GATEWAY,
        code: "gateway_failure",
        message: "The gateway failed.",
        retry: Retry::Usual,
    },
];

/// Where a service counts budgets for several gateways.
const SHARED_BUDGET_REPLIES: &[Reply] = &[
    Reply {
        when: When::Expression("response.code_details == 'request_rate_limited'"),
        status: None,
        kind: "budget_exceeded",
        code: "budget_exceeded",
        message: "The budget for this request is used up.",
        retry: Retry::Useless,
    },
    Reply {
        when: When::Expression("response.code_details == 'rate_limiter_error'"),
        status: None,
        kind: GATEWAY,
        code: "gateway_failure",
        message: "The service that counts budgets cannot be asked, so the request was not let through.",
        retry: Retry::Usual,
    },
];

/// The mappers of every local answer.
pub(super) fn config(shares_budgets: bool) -> LocalReplyConfig {
    let shared = if shares_budgets { SHARED_BUDGET_REPLIES } else { &[] };
    LocalReplyConfig { mappers: shared.iter().chain(REPLIES).map(mapper).collect() }
}

fn mapper(reply: &Reply) -> ResponseMapper {
    let filter = match reply.when {
        When::Flags(flags) => AccessLogFilter::ResponseFlagFilter(ResponseFlagFilter {
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        }),
        When::Expression(expression) => super::access_log::expression(expression),
    };
    let headers_to_add = match reply.retry {
        Retry::Usual => Vec::new(),
        Retry::Useless => vec![HeaderValueOption::overwrite("x-should-retry", "false")],
    };
    let body =
        json!({"error": {"message": reply.message, "type": reply.kind, "param": null, "code": reply.code}});
    ResponseMapper {
        filter,
        status_code: reply.status,
        headers_to_add,
        body_format_override: SubstitutionFormatString {
            omit_empty_values: false,
            content_type: Some("application/json".into()),
            format: Format::JsonFormat(body),
        },
    }
}
