//! Hooks for openvswitch when it is loaded again, made and attached beside everything else.
//!
//! Must not depend on: how the module's coming and going is seen, events.
//!
//! What takes long is done while the module is away: the verifier goes through all programs then. The hooks on the module
//! that is gone are let go last: the kernel adds and removes one at a time, and waits long for each.

use std::thread;

use anyhow::Context as _;
use aya::Ebpf;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracer_core::event::Hook;

use super::config::Config;
use super::instance::Loader;
use super::offsets::Layout;
use super::upcalls::UpcallReader;
use super::watched::Watched;

/// Hooks to come.
pub(super) struct Reload {
    loaded: Option<oneshot::Sender<()>>,
    attached: oneshot::Receiver<anyhow::Result<(Watched, Vec<Hook>)>>,
}

impl Reload {
    /// Makes hooks ready for a module like the one that is gone, if its `layout` is known. To be called inside a tokio
    /// runtime.
    pub(super) fn prepare(
        config: &Config,
        layout: Option<Layout>,
        reader: &UpcallReader,
        gone: Option<Ebpf>,
    ) -> Self {
        let (loaded, is_loaded) = oneshot::channel();
        let (done, attached) = oneshot::channel();
        let (config, reader, runtime) = (config.clone(), reader.clone(), Handle::current());
        // No task of the runtime: its end would wait for this.
        thread::spawn(move || {
            let _context = runtime.enter();
            let spare = layout.and_then(|layout| Spare::make(&config, layout).ok());
            // Its sender is dropped where the capture ends.
            if is_loaded.blocking_recv().is_ok() {
                let _capture_ended = done.send(attach(&config, spare, &reader));
            }
            drop(gone);
        });
        Self {
            loaded: Some(loaded),
            attached,
        }
    }

    /// The module is there: attaches.
    pub(super) fn go(&mut self) {
        if let Some(loaded) = self.loaded.take() {
            let _thread_ended = loaded.send(());
        }
    }

    /// Waits for the hooks; never before [`Self::go`].
    pub(super) async fn attached(&mut self) -> anyhow::Result<(Watched, Vec<Hook>)> {
        (&mut self.attached)
            .await
            .context("the thread that hooks openvswitch again has ended")?
    }
}

/// Programs that the kernel has taken, and what they were made for.
struct Spare {
    watched: Watched,
    refused: Vec<Hook>,
    layout: Layout,
}

impl Spare {
    fn make(config: &Config, layout: Layout) -> anyhow::Result<Self> {
        let mut loader = Loader::new(&layout.offsets, config.verbose)?;
        let (mut watched, refused) = Watched::load(config, &layout, &mut loader)?;
        watched.prepare()?;
        Ok(Self {
            watched,
            refused,
            layout,
        })
    }
}

/// Attaches what is ready, if the module has the structures it was made for, else anew.
fn attach(
    config: &Config,
    spare: Option<Spare>,
    reader: &UpcallReader,
) -> anyhow::Result<(Watched, Vec<Hook>)> {
    let layout = Layout::of_running_kernel(true)?;
    let (mut watched, refused) = match spare {
        Some(spare) if spare.layout == layout => (spare.watched, spare.refused),
        _ => {
            let mut loader = Loader::new(&layout.offsets, config.verbose)?;
            Watched::load(config, &layout, &mut loader)?
        }
    };
    let mut hooks = watched.attach(reader)?;
    hooks.extend(refused);
    Ok((watched, hooks))
}
