//! Which evidence was there when, and what it allows to be said.
//!
//! Must not depend on: causes, budgets, screens. [`source`]: the words. [`proof`]: the only place where a pass can be made.
//! [`gather`]: the witnesses of one endpoint in one disruption.

pub mod gather;
pub mod proof;
pub mod source;
