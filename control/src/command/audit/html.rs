//! The report as one page: figures, charts and tables, with nothing to load and nothing that runs.
//!
//! Sums nothing. Invariant: names come from clients and upstreams, so every text is escaped.

use super::Sum;
use kt_core::cost::Usd;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Width of a chart in its own units; the page scales it.
const WIDTH: f64 = 960.0;

/// Height of the chart of hours.
const HEIGHT: f64 = 160.0;

/// Rows of a group that are shown; the rest stands as one.
const MOST_ROWS: usize = 20;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1c2330;background:#fff;max-width:960px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}p{color:#5a6475;margin:.2rem 0 1.5rem}\
ul{display:flex;flex-wrap:wrap;gap:.75rem;list-style:none;padding:0}li{border:1px solid #dfe4ec;border-radius:8px;padding:.5rem .9rem}\
li b{display:block;font-size:1.3rem}svg{width:100%;height:auto;display:block}table{border-collapse:collapse;width:100%}\
td,th{text-align:right;padding:.25rem .5rem;border-bottom:1px solid #eceff4;font-variant-numeric:tabular-nums}\
td:first-child,th:first-child{text-align:left;word-break:break-all}th{color:#5a6475;font-weight:600}\
.allow{fill:#4c8bf5}.redact{fill:#f2a93b}.block{fill:#d64545}.failed{fill:#8a93a3}i{display:inline-block;width:.7em;height:.7em;border-radius:2px;margin:0 .3em 0 1em}";

/// What the page shows.
pub(super) struct Page<'p> {
    pub(super) total: &'p Sum,
    /// By the beginning of the hour, such as `2026-11-20T10`.
    pub(super) hours: &'p BTreeMap<String, Sum>,
    pub(super) groups: &'p BTreeMap<&'static str, BTreeMap<String, Sum>>,
    pub(super) reasons: &'p BTreeMap<String, u64>,
}

impl Page<'_> {
    /// The page.
    pub(super) fn to_html(&self) -> String {
        let mut page = String::from(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Audit report</title><style>",
        );
        page += STYLE;
        page += "</style></head><body>\n<h1>Audit report</h1>\n";
        let span = (self.hours.keys().next(), self.hours.keys().next_back());
        if let (Some(first), Some(last)) = span {
            page += &format!("<p>{}:00 to {}:59, UTC</p>\n", escape(first), escape(last));
        }
        page += "<ul>";
        for (name, number) in self.total.numbers() {
            page += &format!("<li><b>{number}</b>{}</li>", name.replace('_', " "));
        }
        page += &format!("<li><b>{}</b>USD</li></ul>\n", Usd(self.total.cost));
        page += "<h2>Exchanges by hour<i style=\"background:#4c8bf5\"></i>passed<i style=\"background:#f2a93b\"></i>redacted\
                 <i style=\"background:#d64545\"></i>blocked<i style=\"background:#8a93a3\"></i>failed</h2>\n";
        self.chart_of_hours(&mut page);
        for (group, sums) in self.groups {
            table(group, sums, &mut page);
        }
        if !self.reasons.is_empty() {
            page += "<h2>Findings</h2>\n<table><tr><th>reason</th><th>count</th></tr>";
            let mut reasons: Vec<_> = self.reasons.iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            for (reason, count) in reasons {
                page += &format!("<tr><td>{}</td><td>{count}</td></tr>", escape(reason));
            }
            page += "</table>\n";
        }
        page += "</body></html>\n";
        page
    }

    /// One column an hour, in layers.
    fn chart_of_hours(&self, page: &mut String) {
        let most = self.hours.values().map(|sum| sum.events).max().unwrap_or(0).max(1) as f64;
        let step = WIDTH / self.hours.len().max(1) as f64;
        page.push_str(&format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"exchanges by hour\">"
        ));
        for (number, (hour, sum)) in self.hours.iter().enumerate() {
            let passed = sum.events.saturating_sub(sum.redacted + sum.blocked + sum.failed);
            let layers =
                [("allow", passed), ("redact", sum.redacted), ("block", sum.blocked), ("failed", sum.failed)];
            let mut top = HEIGHT;
            let _ = write!(page, "<g><title>{}:00 {} exchanges</title>", escape(hour), sum.events);
            for (class, count) in layers.into_iter().filter(|(_, count)| *count > 0) {
                let height = count as f64 / most * HEIGHT;
                top -= height;
                let (x, width) = (number as f64 * step, (step * 0.85).min(60.0));
                let _ = write!(
                    page,
                    "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{top:.2}\" width=\"{width:.2}\" height=\"{height:.2}\"/>"
                );
            }
            page.push_str("</g>");
        }
        page.push_str("</svg>\n");
    }
}

/// The dearest first, then the busiest.
fn table(group: &str, sums: &BTreeMap<String, Sum>, page: &mut String) {
    let mut rows: Vec<_> = sums.iter().collect();
    rows.sort_by_key(|(_, sum)| std::cmp::Reverse((sum.cost, sum.events)));
    let _ = write!(page, "<h2>By {group}</h2>\n<table><tr><th>{group}</th>");
    for (name, _) in Sum::default().numbers() {
        let _ = write!(page, "<th>{}</th>", name.replace('_', " "));
    }
    page.push_str("<th>USD</th></tr>");
    for (name, sum) in rows.iter().take(MOST_ROWS) {
        let _ = write!(page, "<tr><td>{}</td>", escape(name));
        for (_, number) in sum.numbers() {
            let _ = write!(page, "<td>{number}</td>");
        }
        let _ = write!(page, "<td>{}</td></tr>", Usd(sum.cost));
    }
    page.push_str("</table>\n");
    if rows.len() > MOST_ROWS {
        let _ = writeln!(page, "<p>and {} more</p>", rows.len() - MOST_ROWS);
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(events: u64, blocked: u64, cost: u64) -> Sum {
        Sum { events, blocked, cost, ..Sum::default() }
    }

    #[test]
    fn the_page_shows_what_was_summed_and_runs_nothing() {
        let hours =
            BTreeMap::from([("2026-11-20T09".into(), sum(4, 0, 0)), ("2026-11-20T10".into(), sum(2, 1, 0))]);
        let models = (0..25).map(|number| (format!("m{number}"), sum(number, 0, 0)));
        let hostile = ("<script>alert('x')</script>\" onload=\"".to_owned(), sum(9, 9, 1_475_000_000));
        let groups = BTreeMap::from([("model", models.chain([hostile]).collect())]);
        let reasons = BTreeMap::from([("pii-detector.email".into(), 3)]);
        let total = sum(6, 1, 1_475_000_000);
        let page = Page { total: &total, hours: &hours, groups: &groups, reasons: &reasons }.to_html();
        for part in
            ["2026-11-20T09:00 to 2026-11-20T10:59", "<b>6</b>events", "<b>0.001475</b>USD", "and 6 more"]
        {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        // Half of the highest column, and half of that blocked.
        assert!(
            page.contains("class=\"allow\" x=\"480.00\" y=\"120.00\" width=\"60.00\" height=\"40.00\""),
            "{page}"
        );
        assert!(page.contains("class=\"block\" x=\"480.00\" y=\"80.00\""), "{page}");
        for foreign in ["<script", "http:", "https:", "onload=\"", "url(", "<link", "<img"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        // The dearest comes first.
        assert!(page.find("&lt;script&gt;").unwrap() < page.find("<td>m24</td>").unwrap());
    }

    #[test]
    fn an_empty_log_makes_a_page() {
        let page = Page {
            total: &Sum::default(),
            hours: &BTreeMap::new(),
            groups: &BTreeMap::new(),
            reasons: &BTreeMap::new(),
        };
        assert!(page.to_html().contains("<b>0</b>events"));
    }
}
