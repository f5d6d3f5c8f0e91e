//! What the programs could not tell, and what stood in the way: the names of both.
//!
//! Must not depend on: who counts, who reads.

use crate::hook::Hook;

macro_rules! obstacles {
    ($($(#[$doc:meta])* $variant:ident = $id:literal,)+) => {
        /// Why something that a hook saw is not told: the second index into [`Lost`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Obstacle {
            $($(#[$doc])* $variant = $id,)+
        }

        impl Obstacle {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

obstacles! {
    /// The ring had no room for a record.
    Ring = 0,
    /// The table of traffic keys had no room for one more on this CPU.
    Keys = 1,
    /// The table of kinds of upcalls had none.
    Upcalls = 2,
    /// The table of calls that have not returned had none, or another one of what is remembered for a moment only.
    Calls = 3,
    /// The kernel ran the program at only one end of a call: the entry or the return went by unseen.
    HalfSeen = 4,
    /// Memory of the kernel could not be read where it should have been.
    Unreadable = 5,
}

/// How much was lost, by hook and by what stood in the way: one element of [`crate::names::LOST`].
pub type Lost = [[u64; Obstacle::ALL.len()]; Hook::ALL.len()];
