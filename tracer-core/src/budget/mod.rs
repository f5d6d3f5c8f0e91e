//! What a disruption may cost, and whether a report keeps within it.
//!
//! Must not depend on: files, flags, formats. A limit is exceeded where the evidence cannot exclude it: the upper bound of a
//! window counts. Where something was not seen, only a lower bound proves anything.

mod judge;
mod model;

pub use crate::vocabulary::bounds::Bounds;
pub use judge::judge;
pub use model::{Breach, Budget, Case, Judgement, Limit, Limits, Obstacle, Subject};
