//! The ground truth of a scenario: which streams there were and which runs of their packets were lost.
//!
//! Must not depend on: sockets, ovsgap, OVS. Pure over lists of send and receive times; all times are
//! `CLOCK_MONOTONIC` of the node in nanoseconds.

use serde::{Deserialize, Serialize};

use super::packets::{Arrival, Packets};

/// The destination UDP port that a policy of the node drops, as a network policy would.
pub const POLICY_DROPS: u16 = 9999;

/// `truth.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// When the prober started to send.
    pub started_ns: u64,
    /// When it had stopped to listen.
    pub ended_ns: u64,
    /// How far a receive time may be off: it is the kernel's wall time less an offset that was measured this well.
    #[serde(default)]
    pub clock_error_ns: u64,
    /// One per stream.
    pub streams: Vec<Stream>,
}

/// One stream of numbered packets from one Pod to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Name of the Pod that sends.
    pub src: String,
    /// Name of the Pod that receives.
    pub dst: String,
    /// `udp`, `arp`, …
    pub protocol: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Destination port; 0 where the protocol has none.
    pub port: u16,
    /// How its packets look to a datapath.
    #[serde(default)]
    pub key: Key,
    /// Packets per second that were asked for; 0 where a protocol decides that itself.
    pub rate_hz: u32,
    /// Whether it arrives when nothing is wrong; a policy drops the others.
    pub flows: bool,
    /// How many were sent.
    pub sent: u64,
    /// How many different ones arrived.
    pub received: u64,
    /// The longest time a packet that arrived was under way.
    pub max_latency_ns: u64,
    /// Runs of packets that never arrived, in the order of sending.
    pub lost: Vec<LostRun>,
}

impl Stream {
    /// Whether it is of the traffic by which Pods find each other's Ethernet addresses.
    pub fn finds_neighbours(&self) -> bool {
        matches!(self.protocol.as_str(), "arp" | "icmpv6")
    }
}

/// What tells the packets of one stream from all others where they come into a datapath.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Key {
    /// The device at which they come in.
    pub interface: String,
    /// Ethernet type.
    pub eth_type: u16,
    /// Destination address; the target address of ARP and of neighbour discovery.
    pub dst: String,
    /// IP protocol, or the opcode of ARP.
    pub proto: u8,
    /// The lower of the two ports; 0 where there are none.
    pub port: u16,
}

/// Packets in a row that were lost, and their neighbours that were not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRun {
    /// Number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// When the first was sent.
    pub first_lost_sent_ns: u64,
    /// When the last was sent.
    pub last_lost_sent_ns: u64,
    /// The packet before them.
    pub last_received_before: Option<Arrival>,
    /// The packet after them.
    pub first_received_after: Option<Arrival>,
    /// The first packet after them that was under way for less than [`PROMPT`].
    pub first_prompt_after: Option<Arrival>,
}

/// A packet under way for less than this has not waited for userspace.
pub const PROMPT: u64 = 1_000_000;

/// Runs of packets that never arrived.
pub fn lost_runs(packets: &Packets) -> Vec<LostRun> {
    let Packets { sent, .. } = packets;
    let arrivals: Vec<Option<Arrival>> = packets.arrivals().collect();
    runs(sent, &arrivals)
}

fn runs(sent: &[u64], arrivals: &[Option<Arrival>]) -> Vec<LostRun> {
    let mut runs: Vec<LostRun> = Vec::new();
    let mut before = None;
    let mut open = false;
    for ((number, &sent_ns), arrival) in (0..).zip(sent).zip(arrivals) {
        match (arrival, runs.last_mut()) {
            (Some(arrived), last) => {
                if let (true, Some(run)) = (open, last) {
                    run.first_received_after = Some(*arrived);
                }
                (before, open) = (Some(*arrived), false);
                if arrived.received_ns.saturating_sub(arrived.sent_ns) < PROMPT {
                    let waiting = runs
                        .iter_mut()
                        .rev()
                        .take_while(|run| run.first_prompt_after.is_none());
                    waiting.for_each(|run| run.first_prompt_after = Some(*arrived));
                }
            }
            (None, Some(run)) if open => {
                run.count += 1;
                run.last_lost_sent_ns = sent_ns;
            }
            (None, _) => {
                open = true;
                runs.push(LostRun {
                    first: number,
                    count: 1,
                    first_lost_sent_ns: sent_ns,
                    last_lost_sent_ns: sent_ns,
                    last_received_before: before,
                    first_received_after: None,
                    first_prompt_after: None,
                });
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::packets::Received;

    fn losses(sent: &[u64], received: &[Received]) -> (u64, u64, Vec<LostRun>) {
        let packets = Packets::new(sent.to_vec(), sent.to_vec(), received);
        (packets.count(), packets.max_latency(), lost_runs(&packets))
    }

    fn arrived(list: &[(u64, u64)]) -> Vec<Received> {
        list.iter()
            .map(|&(sequence, at_ns)| Received { sequence, at_ns })
            .collect()
    }

    #[test]
    fn a_stream_that_arrived_whole_has_no_runs() {
        let (received, latency, lost) = losses(&[10, 20, 30], &arrived(&[(0, 11), (2, 35), (1, 21)]));
        assert_eq!((received, latency, lost), (3, 5, Vec::new()));
    }

    #[test]
    fn a_run_has_its_neighbours() {
        let (received, _, lost) = losses(&[10, 20, 30, 40], &arrived(&[(0, 12), (3, 47), (3, 49)]));
        assert_eq!(received, 2);
        let expected = LostRun {
            first: 1,
            count: 2,
            first_lost_sent_ns: 20,
            last_lost_sent_ns: 30,
            last_received_before: Some(Arrival {
                sent_ns: 10,
                received_ns: 12,
            }),
            first_received_after: Some(Arrival {
                sent_ns: 40,
                received_ns: 47,
            }),
            first_prompt_after: Some(Arrival {
                sent_ns: 40,
                received_ns: 47,
            }),
        };
        assert_eq!(lost, [expected]);
    }

    #[test]
    fn runs_at_the_ends_have_no_neighbour_there() {
        let (_, _, lost) = losses(&[10, 20, 30], &arrived(&[(1, 21)]));
        assert_eq!(lost.len(), 2);
        assert_eq!(lost[0].last_received_before, None);
        assert_eq!(lost[0].first_received_after, lost[1].last_received_before);
        assert_eq!(lost[1].first_received_after, None);
        assert_eq!(losses(&[10, 20], &[]).2[0].count, 2);
    }

    #[test]
    fn a_packet_that_waited_is_not_the_first_prompt_one() {
        let sent = [0, PROMPT, 2 * PROMPT, 3 * PROMPT, 4 * PROMPT];
        let (_, _, lost) = losses(
            &sent,
            &arrived(&[(1, 9 * PROMPT), (3, 9 * PROMPT), (4, 4 * PROMPT + 1)]),
        );
        assert_eq!(lost.len(), 2);
        for run in lost {
            assert_eq!(run.first_received_after.unwrap().received_ns, 9 * PROMPT);
            assert_eq!(run.first_prompt_after.unwrap().received_ns, 4 * PROMPT + 1);
        }
    }

    #[test]
    fn numbers_that_were_never_sent_are_ignored() {
        assert_eq!(losses(&[], &arrived(&[(7, 1)])), (0, 0, Vec::new()));
    }
}
