//! How fast the prober sends: of scenarios, and on the node's command line.
//!
//! Must not depend on: streams, sockets.

/// Packets per second of each stream; 0 leaves a stream out.
#[derive(clap::Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Packets per second of each UDP stream over IPv4
    #[arg(long = "udp4-hz", value_name = "HZ", default_value_t = RATES.udp4)]
    pub udp4: u32,
    /// Packets per second of each UDP stream over IPv6
    #[arg(long = "udp6-hz", value_name = "HZ", default_value_t = RATES.udp6)]
    pub udp6: u32,
    /// ARP requests per second of each Pod
    #[arg(long = "arp-hz", value_name = "HZ", default_value_t = RATES.arp)]
    pub arp: u32,
    /// Messages per second over one TCP connection from the first Pod to the second
    #[arg(long = "tcp-hz", value_name = "HZ", default_value_t = RATES.tcp)]
    pub tcp: u32,
    /// Packets per second of each Pod to the UDP port that a policy drops
    #[arg(long = "policy-hz", value_name = "HZ", default_value_t = RATES.policy)]
    pub policy: u32,
}

/// What is sent where nothing else is asked for.
pub const RATES: Rates = Rates {
    udp4: 1000,
    udp6: 200,
    arp: 100,
    tcp: 0,
    policy: 10,
};
