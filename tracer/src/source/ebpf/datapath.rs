//! The hooks on openvswitch, through its coming and going.
//!
//! Must not depend on: processes, who reads the events, when packets are to be followed.

use std::future::pending;

use tracer_core::event::{Event, EventKind, Hook};

use super::config::Config;
use super::hooks;
use super::instance::Loader;
use super::module::{self, Loaded};
use super::offsets::Layout;
use super::reload::Reload;
use super::told::{NAME, stamped};
use super::upcalls::UpcallReader;
use super::watched::Watched;
use crate::source::clock::now;

/// What is watched of openvswitch now.
pub(super) struct Datapath {
    reader: UpcallReader,
    module: Option<Loaded>,
    watched: Option<Watched>,
    /// Hooks to come, where the module was unloaded or loaded again.
    reload: Option<Reload>,
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
            reload: None,
        };
        if module.is_none() && !layout.offsets.know_datapath() {
            let refused = hooks::SLOW_PATH.iter().flat_map(|spec| spec.refuse(NOT_LOADED));
            return Ok((datapath, refused.collect()));
        }
        let (mut watched, refused) = Watched::load(config, layout, loader)?;
        let mut hooks = watched.attach(&datapath.reader)?;
        hooks.extend(refused);
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

    /// Waits until there are records, and reads them, or until hooks are attached again.
    pub(super) async fn readable(&mut self) -> anyhow::Result<Vec<Event>> {
        match (&mut self.watched, &mut self.reload) {
            (Some(watched), _) => watched.readable().await,
            (None, Some(reload)) => {
                let attached = reload.attached().await;
                self.reload = None;
                Ok(stamped(self.hooked(attached)).collect())
            }
            (None, None) => pending().await,
        }
    }

    /// Reads everything there is.
    pub(super) fn read(&mut self) -> anyhow::Result<Vec<Event>> {
        let Some(watched) = &mut self.watched else {
            return Ok(Vec::new());
        };
        let mut events = watched.drain()?;
        events.extend(stamped(watched.read_if_due(now())?));
        watched.make_room(now())?;
        Ok(events)
    }

    /// Follows the module: says what was there to the last where it is gone, attaches where it is there again.
    pub(super) fn follow_module(&mut self, config: &Config) -> anyhow::Result<Vec<Event>> {
        let module = module::loaded();
        // Hooks that are about to be attached come first, and are let go again if they are of a module that is gone.
        let busy = self.reload.is_some() && self.module.is_some();
        if module == self.module || busy {
            return Ok(Vec::new());
        }
        let mut events = Vec::new();
        if let Some(mut watched) = self.watched.take() {
            events = last(&mut watched)?;
            let (layout, gone) = (watched.layout().clone(), watched.take_programs());
            drop(watched);
            self.reload = Some(Reload::prepare(config, Some(layout), &self.reader, gone));
            events.extend(stamped([self.state()]));
        }
        self.module = module;
        if module.is_some() {
            self.reload
                .get_or_insert_with(|| Reload::prepare(config, None, &self.reader, None))
                .go();
        }
        Ok(events)
    }

    fn hooked(&mut self, attached: anyhow::Result<(Watched, Vec<Hook>)>) -> Vec<EventKind> {
        match attached {
            Err(error) => vec![failed(&error)],
            Ok((watched, hooks)) => {
                self.watched = Some(watched);
                hooks
                    .into_iter()
                    .map(EventKind::Hook)
                    .chain([self.state()])
                    .collect()
            }
        }
    }

    /// Reads what the programs sent and counted to the last.
    pub(super) fn last(&mut self) -> anyhow::Result<Vec<Event>> {
        let Some(watched) = &mut self.watched else {
            return Ok(Vec::new());
        };
        if watched.follows_packets() {
            // So that what is read is of one moment, although the hooks are still there.
            watched.follow_packets(false)?;
        }
        last(watched)
    }
}

/// What hooks sent and counted to the last, where they are to count no more.
fn last(watched: &mut Watched) -> anyhow::Result<Vec<Event>> {
    let mut events = unfollowed(watched);
    events.extend(watched.drain()?);
    events.extend(stamped(watched.last(now())?));
    Ok(events)
}

/// Packets are followed no longer, where they were.
fn unfollowed(watched: &Watched) -> Vec<Event> {
    let followed = watched.follows_packets();
    let told = followed.then_some(EventKind::Evidence { armed: false });
    stamped(told).collect()
}

fn failed(error: &anyhow::Error) -> EventKind {
    EventKind::Source {
        name: NAME.to_owned(),
        ok: false,
        detail: format!("openvswitch was loaded again but cannot be hooked: {error:#}"),
    }
}
