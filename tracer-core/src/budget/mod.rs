//! What a disruption may cost, and whether a report keeps within it.
//!
//! Must not depend on: files, flags, formats. A lower bound over a limit proves that it is exceeded, an upper bound within it that it is
//! kept; between the two nothing is decided.

mod judge;
mod model;

pub use crate::vocabulary::bounds::Bounds;
pub use judge::judge;
pub use model::{Breach, Budget, Case, Judgement, Limit, Limits, Obstacle, Subject};
