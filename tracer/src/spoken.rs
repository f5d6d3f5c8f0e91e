//! How our own words on standard error are written: the level, then what is said, in which no character from outside has
//! power.
//!
//! Must not depend on: what is said, where it goes.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::writing::one_line;

/// Further lines of what is said are set in below the first, so that none looks as if we had begun it.
const FURTHER: &str = "\n      ";

/// Writes one event.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// The time stands before it.
    pub timed: bool,
}

impl<S, N> FormatEvent<S, N> for Spoken
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.timed {
            SystemTime.format_time(&mut writer)?;
            writer.write_char(' ')?;
        }
        let mut said = String::new();
        context.format_fields(Writer::new(&mut said), event)?;
        let level = event.metadata().level();
        if writer.has_ansi_escapes() {
            write!(writer, "\u{1b}[{}m{level:>5}\u{1b}[0m ", colour(*level))?;
        } else {
            write!(writer, "{level:>5} ")?;
        }
        writeln!(writer, "{}", harmless(&said))
    }
}

/// What is said, over as many lines as it has.
pub fn harmless(said: &str) -> String {
    let lines: Vec<String> = said.trim_end().split('\n').map(one_line).collect();
    lines.join(FURTHER)
}

/// The colours that `tracing_subscriber` gives levels.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_begins_no_line() {
        assert_eq!(
            harmless("br\u{1b}[1A\u{202e}: lost\nINFO check: PASS\n"),
            "br\u{fffd}[1A\u{fffd}: lost\n      INFO check: PASS"
        );
    }
}
