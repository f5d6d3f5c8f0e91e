//! Cuts a byte stream into JSON objects: JSON-RPC over a stream has no other framing (RFC 7047, 4).
//!
//! Must not depend on: what the objects say. Each byte is looked at once, so a server that sends one byte at a time
//! costs no more than one that sends a megabyte.

use std::fmt;

use bytes::{Buf, BytesMut};

/// What was received cannot be a stream of JSON objects.
#[derive(Debug, PartialEq, Eq)]
pub enum Garbage {
    /// An object must begin here; the first bytes of what stood there instead, printable.
    NotAnObject(String),
    /// An object is longer than this many bytes.
    TooLong(usize),
}

impl fmt::Display for Garbage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(received) => write!(out, "not a JSON object: `{received}`"),
            Self::TooLong(limit) => write!(out, "a message of more than {limit} bytes"),
        }
    }
}

impl std::error::Error for Garbage {}

/// Bytes received so far and how far they are understood.
#[derive(Debug)]
pub struct Framing {
    received: BytesMut,
    limit: usize,
    scanned: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Framing {
    /// Objects may be `limit` bytes long.
    pub fn new(limit: usize) -> Self {
        Self {
            received: BytesMut::new(),
            limit,
            scanned: 0,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// Where to put bytes as they arrive.
    pub fn received(&mut self) -> &mut BytesMut {
        &mut self.received
    }

    /// The next whole object, if it has arrived. Whether its inside is JSON is for the parser to say.
    pub fn next(&mut self) -> Result<Option<BytesMut>, Garbage> {
        if self.depth == 0 {
            self.skip_blanks();
        }
        while let Some(&byte) = self.received.get(self.scanned) {
            if self.depth == 0 && byte != b'{' {
                return Err(Garbage::NotAnObject(excerpt(&self.received)));
            }
            self.scanned += 1;
            if self.ends_at(byte) {
                return Ok(Some(self.received.split_to(std::mem::take(&mut self.scanned))));
            }
            if self.scanned > self.limit {
                return Err(Garbage::TooLong(self.limit));
            }
        }
        Ok(None)
    }

    fn skip_blanks(&mut self) {
        let blanks = self
            .received
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.received.advance(blanks);
    }

    /// Takes one byte into account; true when it closes the object.
    fn ends_at(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

/// The beginning of `bytes`, printable.
pub fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(framing: &mut Framing, bytes: &[u8]) -> Result<Vec<String>, Garbage> {
        framing.received().extend_from_slice(bytes);
        let mut objects = Vec::new();
        while let Some(object) = framing.next()? {
            objects.push(String::from_utf8_lossy(&object).into_owned());
        }
        Ok(objects)
    }

    #[test]
    fn objects_are_cut_where_they_end_and_nowhere_else() {
        let stream = concat!(" {}\n\t", r#"{"a":"}\"{","b":[{}]}{"c":"\\"}"#, "\n{\"d\"");
        let mut framing = Framing::new(1000);
        let objects = cut(&mut framing, stream.as_bytes()).unwrap();
        assert_eq!(objects, ["{}", r#"{"a":"}\"{","b":[{}]}"#, r#"{"c":"\\"}"#]);
        assert_eq!(cut(&mut framing, b":1}").unwrap(), ["{\"d\":1}"]);
    }

    #[test]
    fn what_is_no_object_is_shown() {
        let received = |bytes: &[u8]| cut(&mut Framing::new(1000), bytes).unwrap_err();
        assert_eq!(
            received(b"HTTP/1.1 400\r\n"),
            Garbage::NotAnObject("HTTP/1.1 400\\r\\n".into())
        );
        assert_eq!(received(b"{}]"), Garbage::NotAnObject("]".into()));
        assert!(matches!(received(&[0xff; 200]), Garbage::NotAnObject(text) if text.ends_with('…')));
    }

    #[test]
    fn an_object_without_end_is_refused() {
        let mut framing = Framing::new(100);
        assert_eq!(cut(&mut framing, &[b'{'; 101]), Err(Garbage::TooLong(100)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = cut(&mut Framing::new(100), &bytes);
        }

        #[test]
        fn pieces_give_what_the_whole_gives(
            texts in proptest::collection::vec(".{0,20}", 1..6),
            sizes in proptest::collection::vec(1_usize..9, 1..9),
        ) {
            let objects: Vec<String> =
                texts.iter().map(|text| serde_json::json!({ text: [text, {"n": 1}] }).to_string()).collect();
            let stream = objects.join("\n");
            let mut framing = Framing::new(1000);
            let mut seen = Vec::new();
            let (mut rest, mut sizes) = (stream.as_bytes(), sizes.iter().cycle());
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                seen.extend(cut(&mut framing, piece).unwrap());
                rest = later;
            }
            prop_assert_eq!(seen, objects);
        }
    }
}
