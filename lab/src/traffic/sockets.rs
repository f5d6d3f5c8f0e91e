//! The sockets of the streams, each opened inside its Pod's network namespace.
//!
//! Must not depend on: pacing, loss. A socket stays in the namespace it was made in, so two threads serve all Pods.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockType, SockaddrLike as _, bind, setsockopt, socket,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::packet;
use super::spec::{Kind, Spec};
use super::tap::Tap;
use crate::pods::Pod;

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
    let open_one = |spec: &Spec| channel(spec, pod(pods, &spec.src)?, pod(pods, &spec.dst)?);
    specs.iter().map(open_one).collect()
}

/// The Pod of that name.
pub fn pod<'a>(pods: &'a [Pod], name: &str) -> Result<&'a Pod> {
    pods.iter()
        .find(|pod| pod.name == name)
        .with_context(|| format!("there is no Pod named {name}"))
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
        Kind::Tcp4 => bail!("a TCP connection has no channel"),
    };
    receiving(&receive).with_context(about)?;
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
pub fn inside<T: Send>(pod: &Pod, open: impl FnOnce() -> Result<T> + Send) -> Result<T> {
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
    // The kernel's answers would be traffic that the prober does not count. They are not needed: neighbours
    // are static. 8: answer for no local address (kernel docs, ip-sysctl, `arp_ignore`).
    std::fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "8").context("silencing ARP")?;
    packet_socket(libc::ETH_P_ARP)
}

/// A tap on a Pod's own device: it takes in every frame that passes it, both ways.
pub fn tap(pod: &Pod) -> Result<Tap> {
    let about = || format!("tapping {}", pod.name);
    let socket = inside(pod, || packet_socket(libc::ETH_P_ALL)).with_context(about)?;
    receiving(&socket).with_context(about)?;
    Ok(Tap {
        pod: pod.name.clone(),
        interface: pod.device.clone(),
        addresses: [pod.ipv4.into(), pod.ipv6.into(), pod.link_local().into()],
        socket,
    })
}

/// Makes a socket one that receives: with the kernel's times, room, and without waiting.
fn receiving(socket: &OwnedFd) -> Result<()> {
    setsockopt(socket, ReceiveTimestampns, &true)?;
    // A receiver that overflows would invent losses.
    setsockopt(socket, RcvBufForce, &BUFFER)?;
    rustix::io::ioctl_fionbio(socket, true)?;
    Ok(())
}

/// A packet socket on `eth0` for frames of one Ethernet type.
fn packet_socket(protocol: i32) -> Result<OwnedFd> {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    let eth0 = getifaddrs()?
        .filter(|one| one.interface_name == "eth0")
        .find_map(|one| one.address?.as_link_addr().map(LinkAddr::ifindex));
    let mut address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET.try_into()?,
        sll_protocol: u16::try_from(protocol)?.to_be(),
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
