//! The hooks on openvswitch, through its coming and going.
//!
//! May not know: processes, who reads the events, when packets are to be followed.

use std::future::pending;

use tracer_core::event::{Event, EventKind, Hook};

use super::module::{self, Loaded};
use super::offsets::KernelTypes;
use super::watched::Watched;
use super::{Config, NAME, UpcallReader, hooks, now, stamped};

/// What is watched of openvswitch now.
pub(super) struct Datapath {
    reader: UpcallReader,
    module: Option<Loaded>,
    watched: Option<Watched>,
}

const NOT_LOADED: &str =
    "the openvswitch module is not loaded; it is hooked as soon as it is (`modprobe openvswitch`)";

impl Datapath {
    /// Attaches to openvswitch, where it is loaded, and says how that went.
    pub(super) fn attach(config: &Config, kernel: &KernelTypes) -> anyhow::Result<(Self, Vec<Hook>)> {
        let mut datapath = Self {
            reader: UpcallReader::default(),
            module: None,
            watched: None,
        };
        let hooks = datapath.try_attach(config, kernel)?;
        Ok((datapath, hooks))
    }

    fn try_attach(&mut self, config: &Config, kernel: &KernelTypes) -> anyhow::Result<Vec<Hook>> {
        self.module = module::loaded();
        let (offsets, why_unknown) = match self.module {
            Some(_) => kernel.with_module(module::NAME),
            None => (kernel.with_builtin(), None),
        };
        if self.module.is_none() && !offsets.know_datapath() {
            return Ok(hooks::SLOW_PATH
                .iter()
                .flat_map(|spec| spec.refuse(NOT_LOADED))
                .collect());
        }
        let (watched, hooks) = Watched::attach(config, offsets, why_unknown, &self.reader)?;
        self.watched = Some(watched);
        Ok(hooks)
    }

    /// Reads the upcalls that are counted.
    pub(super) fn reader(&self) -> &UpcallReader {
        &self.reader
    }

    /// What is watched, where openvswitch is there.
    pub(super) fn watched(&mut self) -> Option<&mut Watched> {
        self.watched.as_mut()
    }

    /// Whether openvswitch is watched.
    pub(super) fn state(&self) -> EventKind {
        EventKind::Source {
            name: NAME.to_owned(),
            ok: self.watched.is_some(),
            detail: self.watched.as_ref().map_or(NOT_LOADED, |_| "").to_owned(),
        }
    }

    /// Waits until there are records, and reads them.
    pub(super) async fn readable(&mut self) -> anyhow::Result<Vec<Event>> {
        match &mut self.watched {
            Some(watched) => watched.readable().await,
            None => pending().await,
        }
    }

    /// Reads everything there is.
    pub(super) fn read(&mut self) -> anyhow::Result<Vec<Event>> {
        let Some(watched) = &mut self.watched else {
            return Ok(Vec::new());
        };
        let mut events = watched.drain()?;
        events.extend(stamped(watched.read(now())?));
        watched.make_room(now())?;
        Ok(events)
    }

    /// Follows the module: says what was there to the last where it is gone, attaches where it is there again.
    pub(super) fn follow_module(&mut self, config: &Config) -> anyhow::Result<Vec<Event>> {
        let loaded = module::loaded();
        if loaded == self.module {
            return Ok(Vec::new());
        }
        let mut events = self.let_go()?;
        if self.watched.take().is_some() {
            events.extend(stamped(vec![self.state()]));
        }
        self.module = None;
        if loaded.is_some() {
            // Read anew: it would be many MiB to keep.
            let kernel = KernelTypes::of_running_kernel()?;
            let hooks = self.try_attach(config, &kernel)?;
            let kinds = hooks.into_iter().map(EventKind::Hook);
            events.extend(stamped(kinds.chain([self.state()]).collect()));
        }
        Ok(events)
    }

    /// Takes the programs out of the kernel and reads what they sent and counted to the last.
    pub(super) fn let_go(&mut self) -> anyhow::Result<Vec<Event>> {
        let Some(watched) = &mut self.watched else {
            return Ok(Vec::new());
        };
        let followed = watched.follows_packets();
        let at = now();
        let kinds = watched.let_go(at)?;
        let mut events = watched.drain()?;
        events.extend(stamped(kinds));
        if followed {
            let kind = EventKind::Evidence { armed: false };
            events.push(Event { at, kind });
        }
        Ok(events)
    }
}
