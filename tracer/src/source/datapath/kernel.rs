//! What is asked of the kernel: which families there are, what exists, what was counted.
//!
//! Must not depend on: events. Families are found in a dump of all of them: asking for one by name makes the kernel
//! load its module (`ctrl_getfamily`, net/netlink/genetlink.c of Linux), and who watches a node must not load
//! openvswitch on it, least of all while it is being reloaded.

use std::io;

use anyhow::Context as _;
use rustix::io::Errno;
use tracer_core::id::DpIfindex;

use super::codec::{self, CONTROL, Datapath, Family, GET, GET_FAMILY, Request, Stats, Vport};
use super::socket::{Requests, Socket};

const DATAPATH: &str = "ovs_datapath";
const VPORT: &str = "ovs_vport";

/// The kernel, as two sockets.
pub struct Kernel {
    requests: Requests,
    notices: Socket,
}

/// The families of the datapath while its module is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Families {
    /// Id of `ovs_datapath`.
    pub datapath: u16,
    /// Id of `ovs_vport`.
    pub vport: u16,
}

/// All that exists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Datapaths.
    pub datapaths: Vec<Datapath>,
    /// Their vports.
    pub vports: Vec<Vport>,
}

/// The family is one of those whose coming and going matters.
pub fn concerns_us(family: &str) -> bool {
    family == DATAPATH || family == VPORT
}

impl Kernel {
    /// Opens its sockets.
    pub fn open(open: impl Fn() -> io::Result<Socket>) -> io::Result<Self> {
        Ok(Self {
            requests: Requests::new(open()?),
            notices: open()?,
        })
    }

    /// The next datagram of notices.
    pub async fn notices(&self) -> io::Result<Vec<u8>> {
        self.notices.receive().await
    }

    /// The families, and their notices from now on; `None` while the module is absent.
    pub async fn families(&mut self) -> anyhow::Result<Option<Families>> {
        let request = Request {
            family: CONTROL,
            command: GET_FAMILY,
            dump: true,
            header: None,
        };
        let families = self.requests.ask(request, codec::family).await?;
        for Family { name, id, groups } in &families {
            for (group, group_id) in groups {
                if concerns_us(name) || (*id == CONTROL && group == "notify") {
                    self.notices
                        .join(*group_id)
                        .with_context(|| format!("joining group {group} of {name}"))?;
                }
            }
        }
        let id = |name: &str| {
            families
                .iter()
                .find(|family| family.name == name)
                .map(|family| family.id)
        };
        Ok(id(DATAPATH)
            .zip(id(VPORT))
            .map(|(datapath, vport)| Families { datapath, vport }))
    }

    /// All that exists; `None` when it changed while it was read.
    pub async fn dump(&mut self, families: &Families) -> anyhow::Result<Option<Dump>> {
        let request = |family, dp| Request {
            family,
            command: GET,
            dump: true,
            header: Some(dp),
        };
        let all = request(families.datapath, DpIfindex(0));
        let Some(datapaths) = settled(self.requests.ask(all, codec::datapath).await)? else {
            return Ok(None);
        };
        let mut vports = Vec::new();
        for datapath in &datapaths {
            // The kernel dumps the vports of one datapath at a time (ovs_vport_cmd_dump).
            let of_one = request(families.vport, datapath.dp);
            let Some(listed) = settled(self.requests.ask(of_one, codec::vport).await)? else {
                return Ok(None);
            };
            vports.extend(listed);
        }
        Ok(Some(Dump { datapaths, vports }))
    }

    /// A datapath's counters; `None` when it is gone.
    pub async fn stats(&mut self, families: &Families, dp: DpIfindex) -> anyhow::Result<Option<Stats>> {
        let request = Request {
            family: families.datapath,
            command: GET,
            dump: false,
            header: Some(dp),
        };
        let answer = settled(self.requests.ask(request, codec::datapath).await)?;
        Ok(answer
            .and_then(|mut datapaths| datapaths.pop())
            .and_then(|datapath| datapath.stats))
    }
}

/// `None` for an answer that is out of date already: the datapath (`ENODEV`) or the whole module (`ENOENT`,
/// its families) went away, or things changed meanwhile.
fn settled<T>(answer: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error)
            if [Errno::NODEV, Errno::NOENT, Errno::INTR]
                .iter()
                .any(|errno| has_errno(&error, *errno)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn has_errno(error: &anyhow::Error, errno: Errno) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.raw_os_error() == Some(errno.raw_os_error()))
}
