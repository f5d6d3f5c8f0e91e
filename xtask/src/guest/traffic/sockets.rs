//! The sockets of the streams, each opened inside its Pod's network namespace.
//!
//! May not know: pacing, loss. A socket stays in the namespace it was made in, so two threads serve all Pods.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, anyhow};
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockType, SockaddrLike as _, bind, setsockopt, socket,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::packet;
use super::spec::{Kind, Spec};
use crate::guest::pods::Pod;

/// Receive buffer: room for a second of packets while the receiver does not run.
const BUFFER: usize = 4 << 20;

/// Both ends of a stream.
pub struct Channel {
    send: OwnedFd,
    receive: OwnedFd,
    packet: Vec<u8>,
}

/// The end that sends, and the packet to be stamped.
pub struct Sending {
    /// Connected or bound: a plain send goes to the other end.
    pub socket: OwnedFd,
    /// What is sent, its stamp empty.
    pub packet: Vec<u8>,
}

impl Channel {
    /// The ends, for the thread that sends and the one that receives.
    pub fn split(self) -> (Sending, OwnedFd) {
        (
            Sending {
                socket: self.send,
                packet: self.packet,
            },
            self.receive,
        )
    }
}

/// Opens the sockets of all streams.
pub fn open(specs: &[Spec], pods: &[Pod]) -> Result<Vec<Channel>> {
    let pod = |name: &str| {
        pods.iter()
            .find(|pod| pod.name == name)
            .with_context(|| format!("there is no Pod named {name}"))
    };
    let open_one = |spec: &Spec| channel(spec, pod(&spec.src)?, pod(&spec.dst)?);
    specs.iter().map(open_one).collect()
}

fn channel(spec: &Spec, src: &Pod, dst: &Pod) -> Result<Channel> {
    let about = || {
        format!(
            "opening {} {} from {} to {}",
            spec.kind.protocol(),
            spec.port,
            src.name,
            dst.name
        )
    };
    let (send, receive, packet) = match spec.kind {
        Kind::Udp4 => udp(spec, (src, src.ipv4.into()), (dst, dst.ipv4.into())).with_context(about)?,
        Kind::Udp6 => udp(spec, (src, src.ipv6.into()), (dst, dst.ipv6.into())).with_context(about)?,
        Kind::Arp => (
            inside(src, arp_socket).with_context(about)?,
            inside(dst, arp_socket).with_context(about)?,
            packet::arp_request(src, dst),
        ),
    };
    setsockopt(&receive, ReceiveTimestampns, &true).with_context(about)?;
    // A receiver that overflows would invent losses.
    setsockopt(&receive, RcvBufForce, &BUFFER).with_context(about)?;
    rustix::io::ioctl_fionbio(&receive, true).with_context(about)?;
    Ok(Channel {
        send,
        receive,
        packet,
    })
}

fn udp(spec: &Spec, src: (&Pod, IpAddr), dst: (&Pod, IpAddr)) -> Result<(OwnedFd, OwnedFd, Vec<u8>)> {
    let to = SocketAddr::new(dst.1, spec.port);
    let receive = inside(dst.0, || Ok(UdpSocket::bind(to)?))?;
    let send = inside(src.0, || {
        let socket = UdpSocket::bind(SocketAddr::new(src.1, 0))?;
        socket.connect(to)?;
        Ok(socket)
    })?;
    Ok((send.into(), receive.into(), packet::udp()))
}

/// Does `open` in a thread that has moved into the Pod's namespace.
fn inside<T: Send>(pod: &Pod, open: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let path = format!("/run/netns/{}", pod.name);
    let namespace = File::open(&path).with_context(|| format!("opening {path}"))?;
    let moved = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("entering {path}"))?;
        open()
    };
    std::thread::scope(|scope| scope.spawn(moved).join()).map_err(|_| anyhow!("a thread panicked"))?
}

/// A packet socket on `eth0` that sends and takes in whole ARP frames.
fn arp_socket() -> Result<OwnedFd> {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    let eth0 = getifaddrs()?
        .filter(|one| one.interface_name == "eth0")
        .find_map(|one| one.address?.as_link_addr().map(LinkAddr::ifindex));
    let mut address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET.try_into()?,
        sll_protocol: u16::try_from(libc::ETH_P_ARP)?.to_be(),
        sll_ifindex: eth0.context("the Pod has no eth0")?.try_into()?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    #[allow(unsafe_code, reason = "no library makes a link-layer address from its parts")]
    // SAFETY: the pointer is to a whole `sockaddr_ll`, whose family says that it is one, and is not kept.
    let address = unsafe {
        LinkAddr::from_raw(
            (&raw mut address).cast(),
            Some(size_of::<libc::sockaddr_ll>().try_into()?),
        )
    };
    bind(socket.as_raw_fd(), &address.context("a link-layer address")?)?;
    Ok(socket)
}
