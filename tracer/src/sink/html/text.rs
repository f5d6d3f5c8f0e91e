//! Text in HTML: what comes from outside loses its power here.
//!
//! Must not depend on: what the text says.

use tracer_core::report::Verdict;

use crate::sink::words::verdict;
use crate::writing::one_line;

/// Text for an element or a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in one_line(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

/// What was not seen is said so.
pub fn or_not_seen(text: Option<String>) -> String {
    text.unwrap_or_else(|| "<span class=\"none\">not seen</span>".to_owned())
}

/// Each of a list, drawn, one after the other.
pub fn each<T>(list: impl IntoIterator<Item = T>, draw: impl FnMut(T) -> String) -> String {
    list.into_iter().map(draw).collect::<Vec<_>>().concat()
}

/// Figures in a row, each with what it counts.
pub fn figures(list: &[(String, &str)]) -> String {
    let tiles = each(list, |(figure, what)| {
        format!("<div><dd>{figure}</dd><dt>{what}</dt></div>\n")
    });
    format!("<dl class=\"figures\">\n{tiles}</dl>\n")
}

/// A verdict on its colour.
pub fn pill(of: Verdict) -> String {
    let class = match of {
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
    };
    format!("<span class=\"pill {class}\">{}</span>", verdict(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_has_power() {
        assert_eq!(
            escape("<img src=x onerror='a(\"b\")'>&\u{202e}\n."),
            "&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;\u{fffd}\u{fffd}."
        );
    }
}
