//! The hooks on openvswitch, through its coming and going.
//!
//! May not know: processes, who reads the events.

use std::future::pending;

use tracer_core::event::{Event, EventKind, Hook};

use super::instance::{Instance, Settings};
use super::module::{self, Loaded};
use super::offsets::KernelTypes;
use super::upcalls::Counters;
use super::{Config, NAME, UpcallReader, hooks, losses, stamped};

/// What is watched of openvswitch now.
pub(super) struct Datapath {
    reader: UpcallReader,
    module: Option<Loaded>,
    watched: Option<Watched>,
}

struct Watched {
    // Before the counters: it takes the programs out of the kernel.
    instance: Instance,
    counters: Counters,
}

const NOT_LOADED: &str =
    "the openvswitch module is not loaded; it is hooked as soon as it is (`modprobe openvswitch`)";

impl Datapath {
    /// Attaches to openvswitch, where it is loaded, and says how that went.
    pub(super) fn attach(
        config: &Config,
        kernel: &KernelTypes,
        reader: UpcallReader,
    ) -> anyhow::Result<(Self, Vec<Hook>)> {
        let mut datapath = Self {
            reader,
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
        let mut instance = Instance::load(Settings {
            offsets: &offsets,
            ring_bytes: config.ring_bytes,
            verbose: config.verbose,
        })?;
        let counters = Counters::take(instance.ebpf()?, &self.reader)?;
        let hooks = instance.attach(hooks::SLOW_PATH, &offsets, why_unknown.as_deref())?;
        self.watched = Some(Watched { instance, counters });
        Ok(hooks)
    }

    /// Reads the upcalls that are counted.
    pub(super) fn reader(&self) -> &UpcallReader {
        &self.reader
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
            Some(watched) => watched.instance.readable().await,
            None => pending().await,
        }
    }

    /// All records there are now.
    pub(super) fn drain(&mut self) -> Vec<Event> {
        self.watched
            .as_mut()
            .map_or_else(Vec::new, |watched| watched.instance.drain())
    }

    /// Reads the counters, and follows the module.
    pub(super) fn tick(&mut self, config: &Config) -> anyhow::Result<Vec<Event>> {
        let kinds = match &mut self.watched {
            Some(watched) => watched.read()?,
            None => Vec::new(),
        };
        let mut events: Vec<_> = stamped(kinds).collect();
        let now = module::loaded();
        if now != self.module {
            if self.watched.take().is_some() {
                events.extend(stamped(vec![self.state()]));
            }
            self.module = None;
            if now.is_some() {
                // Read anew: it would be many MiB to keep.
                let kernel = KernelTypes::of_running_kernel()?;
                let hooks = self.try_attach(config, &kernel)?;
                let kinds = hooks
                    .into_iter()
                    .map(EventKind::Hook)
                    .chain([self.state()])
                    .collect();
                events.extend(stamped(kinds));
            }
        }
        Ok(events)
    }

    /// Takes the programs out of the kernel; what they sent and counted can still be read.
    pub(super) fn let_go(&mut self) {
        if let Some(watched) = &mut self.watched {
            watched.instance.let_go();
        }
    }
}

impl Watched {
    fn read(&mut self) -> anyhow::Result<Vec<EventKind>> {
        let mut kinds: Vec<_> = self
            .counters
            .read()?
            .into_iter()
            .map(EventKind::Upcalls)
            .collect();
        kinds.extend(losses(&mut self.instance)?);
        Ok(kinds)
    }
}
