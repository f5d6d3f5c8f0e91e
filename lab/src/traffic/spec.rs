//! The table of streams: who sends what to whom, how fast.
//!
//! Must not depend on: sockets.

use crate::pods::Pod;
use crate::words::rates::Rates;
use crate::words::truth::{Key, POLICY_DROPS};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
    /// ARP requests for the other Pod's address, to its Ethernet address.
    Arp,
    /// Small messages over one TCP connection, over IPv4. Taps account for it.
    Tcp4,
}

impl Kind {
    /// The protocol's name in `truth.json`.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Udp4 | Self::Udp6 => "udp",
            Self::Arp => "arp",
            Self::Tcp4 => "tcp",
        }
    }

    /// The address family's name in `truth.json`.
    pub fn family(self) -> &'static str {
        match self {
            Self::Udp4 | Self::Arp | Self::Tcp4 => "ipv4",
            Self::Udp6 => "ipv6",
        }
    }
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What is sent.
    pub kind: Kind,
    /// Name of the Pod that sends.
    pub src: String,
    /// Name of the Pod that receives.
    pub dst: String,
    /// Packets per second.
    pub rate_hz: u32,
    /// Destination port: the stream's own, so that each stream is a flow of its own. 0 for ARP.
    pub port: u16,
    /// Whether it is expected to arrive when nothing is wrong.
    pub flows: bool,
}

impl Spec {
    /// How its packets look to a datapath.
    pub fn key(&self, pods: &[Pod]) -> Key {
        let pod = |name: &str| pods.iter().find(|pod| pod.name == name);
        let dst = pod(&self.dst);
        let (eth_type, proto) = match self.kind {
            Kind::Udp4 => (0x0800, 17),
            Kind::Udp6 => (0x86dd, 17),
            // The opcode of a request.
            Kind::Arp => (0x0806, 1),
            Kind::Tcp4 => (0x0800, 6),
        };
        let address = dst.map(|pod| match self.kind {
            Kind::Udp6 => pod.ipv6.to_string(),
            Kind::Udp4 | Kind::Arp | Kind::Tcp4 => pod.ipv4.to_string(),
        });
        Key {
            interface: pod(&self.src).map(|pod| pod.device.clone()).unwrap_or_default(),
            eth_type,
            dst: address.unwrap_or_default(),
            proto,
            // A sender's own port is from the ephemeral range, above those of all streams.
            port: self.port,
        }
    }
}

/// The first destination port; the ports of a ring of 300 Pods stay below [`POLICY_DROPS`].
const FIRST_PORT: u16 = 7000;

/// Every Pod sends to the next and receives from the one before; those named in `idle` take no part.
pub fn ring(pods: &[Pod], idle: &[String], rates: Rates) -> Vec<Spec> {
    let busy: Vec<&Pod> = pods.iter().filter(|pod| !idle.contains(&pod.name)).collect();
    let table = [
        (Kind::Udp4, rates.udp4, true),
        (Kind::Udp6, rates.udp6, true),
        (Kind::Arp, rates.arp, true),
        (Kind::Udp4, rates.policy, false),
    ];
    let mut specs = Vec::new();
    let mut ports = FIRST_PORT..;
    for (src, dst) in busy.iter().zip(busy.iter().cycle().skip(1)) {
        for (kind, rate_hz, flows) in table.iter().copied().filter(|(_, rate, _)| *rate > 0) {
            let port = match (kind, flows) {
                (Kind::Arp, _) => 0,
                (_, false) => POLICY_DROPS,
                (_, true) => ports.next().unwrap_or_default(),
            };
            specs.push(Spec {
                kind,
                src: src.name.clone(),
                dst: dst.name.clone(),
                rate_hz,
                port,
                flows,
            });
        }
    }
    if let ([src, dst, ..], true) = (busy.as_slice(), rates.tcp > 0) {
        specs.push(Spec {
            kind: Kind::Tcp4,
            src: src.name.clone(),
            dst: dst.name.clone(),
            rate_hz: rates.tcp,
            port: ports.next().unwrap_or_default(),
            flows: true,
        });
    }
    specs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_of_the_ring_sends_and_receives() {
        let pods: Vec<Pod> = (1..=4).map(Pod::new).collect();
        let rates = Rates {
            udp4: 1000,
            udp6: 100,
            arp: 10,
            tcp: 0,
            policy: 0,
        };
        let specs = ring(&pods, &["pod-2".into()], rates);
        assert_eq!(specs.len(), 9);
        for name in ["pod-1", "pod-3", "pod-4"] {
            assert_eq!(specs.iter().filter(|spec| spec.src == name).count(), 3);
            assert_eq!(specs.iter().filter(|spec| spec.dst == name).count(), 3);
        }
        assert!(
            !specs
                .iter()
                .any(|spec| spec.src == "pod-2" || spec.dst == "pod-2")
        );
        let mut ports: Vec<u16> = specs
            .iter()
            .map(|spec| spec.port)
            .filter(|port| *port > 0)
            .collect();
        ports.dedup();
        assert_eq!(ports.len(), 6);
    }
}
