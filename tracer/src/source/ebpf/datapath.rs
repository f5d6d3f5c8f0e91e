//! The hooks on openvswitch, through its coming and going.
//!
//! May not know: processes, who reads the events, when packets are to be followed.

use std::future::pending;

use tracer_core::event::{Event, EventKind, Hook};

use super::instance::Loader;
use super::module::{self, Loaded};
use super::offsets::Layout;
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
    pub(super) fn attach(
        config: &Config,
        module: Option<Loaded>,
        layout: &Layout,
        loader: &mut Loader<'_>,
    ) -> anyhow::Result<(Self, Vec<Hook>)> {
        let mut datapath = Self {
            reader: UpcallReader::default(),
            module,
            watched: None,
        };
        if module.is_none() && !layout.offsets.know_datapath() {
            let refused = hooks::SLOW_PATH.iter().flat_map(|spec| spec.refuse(NOT_LOADED));
            return Ok((datapath, refused.collect()));
        }
        let (watched, hooks) = Watched::attach(config, layout, loader, &datapath.reader)?;
        datapath.watched = Some(watched);
        Ok((datapath, hooks))
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
        let module = module::loaded();
        if module == self.module {
            return Ok(Vec::new());
        }
        let mut events = self.let_go()?;
        if self.watched.take().is_some() {
            events.extend(stamped(vec![self.state()]));
        }
        self.module = module;
        if module.is_some() {
            let kinds = self
                .attach_again(config)
                .unwrap_or_else(|error| vec![failed(&error)]);
            events.extend(stamped(kinds));
        }
        Ok(events)
    }

    fn attach_again(&mut self, config: &Config) -> anyhow::Result<Vec<EventKind>> {
        let layout = Layout::of_running_kernel(Some(module::NAME))?;
        let mut loader = Loader::new(&layout.offsets, config.verbose)?;
        let (watched, hooks) = Watched::attach(config, &layout, &mut loader, &self.reader)?;
        self.watched = Some(watched);
        Ok(hooks
            .into_iter()
            .map(EventKind::Hook)
            .chain([self.state()])
            .collect())
    }

    /// Takes the programs out of the kernel and reads what they sent and counted to the last.
    pub(super) fn let_go(&mut self) -> anyhow::Result<Vec<Event>> {
        let Some(watched) = &mut self.watched else {
            return Ok(Vec::new());
        };
        // Before the hooks are gone, which takes long: what comes last must not be older than what came before.
        let mut events = Vec::new();
        if watched.follows_packets() {
            events.extend(stamped([EventKind::Evidence { armed: false }]));
        }
        let kinds = watched.let_go(now())?;
        events.extend(watched.drain()?);
        events.extend(stamped(kinds));
        Ok(events)
    }
}

fn failed(error: &anyhow::Error) -> EventKind {
    EventKind::Source {
        name: NAME.to_owned(),
        ok: false,
        detail: format!("openvswitch was loaded again but cannot be hooked: {error:#}"),
    }
}
