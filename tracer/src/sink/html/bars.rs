//! How the windows were spent: a bar per Pod, a part per phase.
//!
//! Must not depend on: points in time.

use std::fmt::Write as _;

use tracer_core::count::{add, total};
use tracer_core::report::Pod;

use super::fold::folded;
use super::scale::{percent, share};
use super::text::escape;
use crate::sink::words::label;
use crate::writing::{count, span};

/// The pattern of what has no end that was seen.
pub const PATTERNS: &str = "<svg class=\"defs\" aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"6\" height=\"6\" \
    patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"ground\" width=\"6\" height=\"6\"/><rect class=\"hatch\" width=\"2\" height=\"6\"/></pattern></defs></svg>\n";

/// The waterfalls of all Pods that have one, on one scale.
pub fn waterfalls(pods: &[&Pod]) -> String {
    let spent = |pod: &Pod| total(pod.waterfall.iter().map(|phase| phase.ns));
    let longest = pods.iter().map(|pod| spent(pod)).max().unwrap_or(0);
    if longest == 0 {
        return String::new();
    }
    let is_open = |pod: &&&Pod| {
        let exposed = pod.exposed.as_ref();
        exposed.is_some_and(|exposed| exposed.end_ns.is_none())
    };
    let open = match pods.iter().filter(is_open).count() {
        0 => String::new(),
        open => format!(
            " {} without a bar: the window's end was not seen.",
            count(open as u64, "Pod")
        ),
    };
    let with = pods.iter().filter(|pod| !pod.waterfall.is_empty());
    let rows: Vec<String> = with.map(|pod| row(pod, longest)).collect();
    format!(
        "<h3>How the windows were spent</h3>\n<figure class=\"waterfall\">\n{}<figcaption>{LEGEND} The longest bar is {}.{open}</figcaption>\n</figure>\n",
        folded(&rows, |rows| format!("<div class=\"lanes\">\n{rows}</div>\n")),
        span(longest)
    )
}

fn row(pod: &Pod, longest: u64) -> String {
    let name = escape(&label(pod));
    let (mut bars, mut words) = (String::new(), Vec::new());
    let mut left = 0;
    for phase in &pod.waterfall {
        let text = format!("{} {}", escape(&phase.phase), span(phase.ns));
        let class = class(&phase.phase);
        let _ = write!(
            bars,
            "<rect class=\"{class}\" x=\"{}\" width=\"{}\" y=\"2\" height=\"12\"><title>{text}</title></rect>",
            percent(share(left, longest)),
            percent(share(phase.ns, longest))
        );
        words.push(text);
        add(&mut left, phase.ns);
    }
    format!(
        "<div class=\"lane\"><span class=\"name\" title=\"{name}\"><bdi>{name}</bdi></span><div>\
         <svg height=\"16\" aria-hidden=\"true\">{bars}</svg><small>{}</small></div></div>\n",
        words.join(" · ")
    )
}

/// Who was waited for: the controller, ovs-vswitchd, the traffic's next packet.
fn class(phase: &str) -> &'static str {
    if phase.ends_with("→first delivered") {
        "after"
    } else if phase == "flush→flows_installed" {
        "control"
    } else {
        "datapath"
    }
}

const LEGEND: &str = "<ul class=\"legend\">\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"control\" x=\"1\" y=\"1\" width=\"20\" height=\"10\"/></svg>waiting for its OpenFlow flows</li>\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"datapath\" x=\"1\" y=\"1\" width=\"20\" height=\"10\"/></svg>waiting for the datapath to follow</li>\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"after\" x=\"1\" y=\"1\" width=\"20\" height=\"10\"/></svg>after the window, to the first packet that was delivered</li>\n</ul>";
