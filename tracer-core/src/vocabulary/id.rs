//! The numbers and addresses by which the kernel, OVSDB and OpenFlow name things.
//!
//! Must not depend on: what they mean to each other (that is `topology`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

number!(
    /// A kernel datapath: the ifindex of its local port, as in `struct ovs_header.dp_ifindex`. 0: not known.
    DpIfindex(u32)
);
number!(
    /// A vport's number inside its datapath (`OVS_VPORT_ATTR_PORT_NO`), not the OpenFlow number.
    PortNo(u32)
);
number!(
    /// An interface's OpenFlow port number on its bridge (`Interface.ofport`).
    OfPort(u32)
);
number!(
    /// A network device's index.
    Ifindex(u32)
);
number!(
    /// A process (thread group) id in the initial PID namespace.
    Pid(u32)
);

macro_rules! bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal, $separator:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(print_hex(&self.0, $separator, &mut [0; 3 * $len]))
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex::<$len>(text, $separator).map(Self).ok_or($what)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(print_hex(&self.0, $separator, &mut [0; 3 * $len]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

bytes!(
    /// An Ethernet address, written `02:00:00:00:00:01`.
    Mac, 6, ":", "not an Ethernet address"
);
bytes!(
    /// A megaflow's unique id (`OVS_FLOW_ATTR_UFID`), 32 hexadecimal digits.
    Ufid, 16, "", "not a UFID of 32 hexadecimal digits"
);

/// Digit by digit: a recording of a busy node has thousands a second, and formatting takes ten times as long.
fn print_hex<'a>(bytes: &[u8], separator: &str, text: &'a mut [u8]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().enumerate().flat_map(|(at, byte)| {
        let before = if at > 0 { separator.as_bytes() } else { &[] };
        let digits = [byte >> 4, byte & 0xf].map(|digit| DIGITS[usize::from(digit)]);
        before.iter().copied().chain(digits)
    });
    let mut length = 0;
    for (to, digit) in text.iter_mut().zip(digits) {
        *to = digit;
        length += 1;
    }
    str::from_utf8(&text[..length]).unwrap_or_default()
}

fn parse_hex<const N: usize>(text: &str, separator: &str) -> Option<[u8; N]> {
    let stride = 2 + separator.len();
    if !text.is_ascii() || text.len() != N * stride - separator.len() {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(at * stride..at * stride + 2)?;
        let follows = text.get(at * stride + 2..(at + 1) * stride).unwrap_or("");
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) || (at + 1 < N && follows != separator) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_what_they_print() {
        let mac = Mac([2, 0, 0, 0xab, 0, 1]);
        assert_eq!(mac.to_string(), "02:00:00:ab:00:01");
        assert_eq!("02:00:00:ab:00:01".parse(), Ok(mac));
        let ufid = Ufid(*b"0123456789abcdef");
        assert_eq!(ufid.to_string().parse(), Ok(ufid));
    }

    #[test]
    fn odd_addresses_are_refused() {
        for text in [
            "",
            "02:00",
            "02-00-00-ab-00-01",
            "02:00:00:ab:00:0g",
            "+2:00:00:ab:00:01",
            "02:00:00:ab:00:01:",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
