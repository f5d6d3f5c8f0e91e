//! The rules of JUnit XML as Jenkins' xunit plugin has them in its junit-10.xsd, the strictest of its readers, and that
//! the counts are right, which no schema can say.
//!
//! Must not depend on: reports.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What a document counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub tests: usize,
    pub failures: usize,
    pub errors: usize,
}

/// An element: its name, the elements in it, the attributes it must and may have.
type Rule = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const RULES: &[Rule] = &[
    (
        "testsuites",
        &["testsuite"],
        &[],
        &["name", "time", "tests", "failures", "errors"],
    ),
    (
        "testsuite",
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
        &["name", "tests", "failures", "errors"],
        &[
            "group",
            "time",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
            "file",
            "log",
            "url",
            "version",
        ],
    ),
    ("properties", &["property"], &[], &[]),
    ("property", &[], &["name", "value"], &[]),
    (
        "testcase",
        &["skipped", "error", "failure", "system-out", "system-err"],
        &["name"],
        &["time", "classname", "group"],
    ),
    ("failure", &[], &[], &["type", "message"]),
    ("error", &[], &[], &["type", "message"]),
    ("system-out", &[], &[], &[]),
    ("system-err", &[], &[], &[]),
];

/// Reads a document; what is wrong with it, if something is.
pub fn check(text: &str) -> Result<Counts, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let mut claimed = Vec::new();
    let mut seen = Counts::default();
    let mut names = Vec::new();
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                let (name, attributes) = element(tag, open.last().map(String::as_str))?;
                let value = |key: &str| {
                    attributes
                        .iter()
                        .find(|(name, _)| name == key)
                        .map(|(_, value)| value.clone())
                };
                match name.as_str() {
                    "testcase" => {
                        seen.tests += 1;
                        names.push((value("classname"), value("name")));
                    }
                    "failure" => seen.failures += 1,
                    "error" => seen.errors += 1,
                    "testsuites" | "testsuite" => {
                        let number = |key: &str| {
                            value(key)
                                .and_then(|text| text.parse().ok())
                                .unwrap_or(usize::MAX)
                        };
                        claimed.push(Counts {
                            tests: number("tests"),
                            failures: number("failures"),
                            errors: number("errors"),
                        });
                    }
                    _ => {}
                }
                if matches!(event, Event::Start(_)) {
                    open.push(name);
                }
            }
            Event::End(_) => drop(open.pop()),
            Event::Eof => break,
            _ => {}
        }
    }
    add_up(seen, &claimed)?;
    let count = names.len();
    names.sort();
    names.dedup();
    // GitLab takes the first of those that have one name and drops the others.
    if names.len() != count {
        return Err("two cases have one name".to_owned());
    }
    Ok(seen)
}

/// Whether what elements claim to hold is what they hold.
fn add_up(seen: Counts, claimed: &[Counts]) -> Result<(), String> {
    let [whole, suites @ ..] = claimed else {
        return Err("no testsuites".to_owned());
    };
    let sum = suites.iter().fold(Counts::default(), |sum, suite| Counts {
        tests: sum.tests + suite.tests,
        failures: sum.failures + suite.failures,
        errors: sum.errors + suite.errors,
    });
    if *whole == seen && sum == seen {
        Ok(())
    } else {
        Err(format!("counts {whole:?}, {sum:?}; has {seen:?}"))
    }
}

fn element(tag: &BytesStart<'_>, parent: Option<&str>) -> Result<(String, Vec<(String, String)>), String> {
    let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
    let rule = RULES
        .iter()
        .find(|rule| rule.0 == name)
        .ok_or(format!("<{name}>"))?;
    let allowed = match parent {
        None => name == "testsuites",
        Some(parent) => RULES
            .iter()
            .any(|rule| rule.0 == parent && rule.1.contains(&name.as_str())),
    };
    if !allowed {
        return Err(format!("<{name}> in <{}>", parent.unwrap_or("the document")));
    }
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| format!("<{name}>: {error}"))?;
        let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
        let value = String::from_utf8(attribute.value.to_vec()).unwrap();
        if !rule.2.contains(&key.as_str()) && !rule.3.contains(&key.as_str()) {
            return Err(format!("{key} in <{name}>"));
        }
        if key == "time" && !is_time(&value) {
            return Err(format!("time {value}"));
        }
        if key == "message" && value.contains(['\n', '\r']) || value.contains("&#10;") {
            return Err(format!("a message of several lines: {value}"));
        }
        attributes.push((key, value));
    }
    match rule
        .2
        .iter()
        .find(|key| attributes.iter().all(|(name, _)| name != *key))
    {
        Some(key) => Err(format!("<{name}> without {key}")),
        None => Ok((name, attributes)),
    }
}

/// Seconds as Surefire writes them.
fn is_time(text: &str) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    [whole, rest]
        .iter()
        .all(|part| part.chars().all(|digit| digit.is_ascii_digit()))
}
