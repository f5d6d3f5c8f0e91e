//! A page that is well-formed (as XML, too), runs nothing and fetches nothing.
//!
//! Must not depend on: what it says.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Elements that the page is made of; anything else came from outside.
const ELEMENTS: &[&str] = &[
    "a",
    "b",
    "bdi",
    "body",
    "br",
    "circle",
    "code",
    "dd",
    "defs",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "li",
    "line",
    "main",
    "meta",
    "p",
    "pattern",
    "rect",
    "section",
    "small",
    "span",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "use",
];

/// What is wrong with a page, if something is.
pub fn check(page: &str) -> Result<(), String> {
    let mut reader = Reader::from_str(page);
    let mut ids = Vec::new();
    let mut targets = Vec::new();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                if !ELEMENTS.contains(&name.as_str()) {
                    return Err(format!("<{name}>"));
                }
                for attribute in tag.attributes() {
                    let attribute = attribute.map_err(|error| format!("<{name}>: {error}"))?;
                    let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
                    let value = String::from_utf8(attribute.value.to_vec()).unwrap();
                    match key.as_str() {
                        "id" => ids.push(value),
                        "href" => targets.push(
                            value
                                .strip_prefix('#')
                                .ok_or(format!("links to {value}"))?
                                .to_owned(),
                        ),
                        _ if key.starts_with("on") || key == "src" => {
                            return Err(format!("{key} in <{name}>"));
                        }
                        _ => {}
                    }
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if page.contains("url(") && !page.contains("url(#hatch)") || page.contains("@import") {
        return Err("its style fetches something".to_owned());
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    if ids.len() != count {
        return Err("an id is there twice".to_owned());
    }
    match targets.iter().find(|target| ids.binary_search(target).is_err()) {
        Some(target) => Err(format!("a link to #{target} leads nowhere")),
        None => Ok(()),
    }
}
