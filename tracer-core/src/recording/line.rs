//! A recording's line in exactly the form in which this program writes it, read without looking for names.
//!
//! Must not depend on: what lines that have another form mean: those are for serde, and so are all errors.
//!
//! Most of a recording are runs of packets and ticks; of the names and punctuation of those nothing is unknown but whether
//! they are there. What is read here is read by serde to the same value (`log`'s tests, and the fuzzer).

use std::net::IpAddr;
use std::str::FromStr;

use crate::recording::entry::Entry;
use crate::vocabulary::event::{Event, EventKind};
use crate::vocabulary::id::{DpIfindex, Mac, PortNo};
use crate::vocabulary::packet::{Destination, PacketFate, Run, TrafficKey};
use crate::vocabulary::time::Timestamp;

/// The entry of a line, its end included; `None`: the line has another form, or is damaged.
pub(crate) fn read(line: &[u8]) -> Option<Entry> {
    let mut rest = Rest(line);
    rest.word(b"{\"seq\":")?;
    let seq = rest.number()?;
    rest.word(b",\"at\":")?;
    let at = Timestamp(rest.number()?);
    rest.word(b",\"kind\":")?;
    let kind = if rest.word(b"{\"packets\":").is_some() {
        let run = rest.run()?;
        rest.word(b"}")?;
        EventKind::Packets(run)
    } else if rest.word(b"\"tick\"").is_some() {
        EventKind::Tick
    } else {
        let kind = rest.0.strip_suffix(b"}\n")?;
        // Looked at once as a whole: else serde looks at every string by itself.
        let kind = serde_json::from_str(str::from_utf8(kind).ok()?).ok()?;
        return Some(entry(seq, at, kind));
    };
    rest.is(b"}\n").then(|| entry(seq, at, kind))
}

fn entry(seq: u64, at: Timestamp, kind: EventKind) -> Entry {
    Entry {
        seq,
        event: Event { at, kind },
    }
}

/// What has not been read of a line.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn is(&self, bytes: &[u8]) -> bool {
        self.0 == bytes
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    /// A number as JSON writes those that are neither negative nor broken. What makes it another number (a point, an
    /// exponent) is not what follows, and is seen there.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        if number.is_empty() || number[0] == b'0' && digits > 1 {
            return None;
        }
        let mut value = 0_u64;
        for digit in number {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        self.0 = rest;
        Some(value)
    }

    fn small<Number: TryFrom<u64>>(&mut self) -> Option<Number> {
        Number::try_from(self.number()?).ok()
    }

    fn field(&mut self, name: &[u8]) -> Option<u64> {
        self.word(name)?;
        self.number()
    }

    fn truth(&mut self) -> Option<bool> {
        match self.word(b"false") {
            Some(()) => Some(false),
            None => self.word(b"true").map(|()| true),
        }
    }

    /// An address, to its closing quotation mark. No address has a character that JSON would escape.
    fn address<Address: FromStr>(&mut self) -> Option<Address> {
        let length = self.0.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.0.split_at(length);
        self.0 = &rest[1..];
        str::from_utf8(text).ok()?.parse().ok()
    }

    fn run(&mut self) -> Option<Run> {
        let key = self.key()?;
        self.word(b",\"fate\":")?;
        let fate = self.fate()?;
        self.word(b",\"executed\":")?;
        let executed = self.truth()?;
        self.word(b",\"cpu\":")?;
        let cpu = self.small()?;
        let first = Timestamp(self.field(b",\"first\":")?);
        let last = Timestamp(self.field(b",\"last\":")?);
        let packets = self.field(b",\"packets\":")?;
        let bytes = self.field(b",\"bytes\":")?;
        self.word(b",\"closed\":")?;
        let closed = self.truth()?;
        self.word(b"}")?;
        Some(Run {
            key,
            fate,
            executed,
            cpu,
            first,
            last,
            packets,
            bytes,
            closed,
        })
    }

    fn key(&mut self) -> Option<TrafficKey> {
        self.word(b"{\"key\":{\"dp\":")?;
        let dp = DpIfindex(self.small()?);
        self.word(b",\"in_port\":")?;
        let in_port = PortNo(self.small()?);
        self.word(b",\"eth_type\":")?;
        let eth_type = self.small()?;
        self.word(b",\"dst\":{\"")?;
        let dst = if self.word(b"ip\":\"").is_some() {
            Destination::Ip(self.address::<IpAddr>()?)
        } else {
            self.word(b"mac\":\"")?;
            Destination::Mac(self.address::<Mac>()?)
        };
        self.word(b"},\"proto\":")?;
        let proto = self.small()?;
        self.word(b",\"port\":")?;
        let port = self.small()?;
        self.word(b"}")?;
        Some(TrafficKey {
            dp,
            in_port,
            eth_type,
            dst,
            proto,
            port,
        })
    }

    fn fate(&mut self) -> Option<PacketFate> {
        if self.word(b"\"drop_flow\"").is_some() {
            return Some(PacketFate::DropFlow);
        }
        if self.word(b"\"queued\"").is_some() {
            return Some(PacketFate::Queued);
        }
        let fate = if self.word(b"{\"delivered\":").is_some() {
            PacketFate::Delivered(PortNo(self.small()?))
        } else {
            self.word(b"{\"upcall_failed\":-")?;
            // What serde makes of `-0` is no whole number.
            let errno = self.small().filter(|errno: &i32| *errno > 0)?;
            PacketFate::UpcallFailed(-errno)
        };
        self.word(b"}")?;
        Some(fate)
    }
}
