//! What follows from the facts: windows, losses, causes, and whether a Pod passes.
//!
//! Must not depend on: recordings, budgets, screens.

pub mod absence;
pub mod cause;
pub mod conclude;
pub mod counterfactual;
pub mod docket;
pub mod evidence;
pub mod exposure;
pub mod forwarding;
pub mod loss;
pub mod missing;
pub mod one;
pub mod outside;
pub mod pods;
pub mod scene;
pub mod weigh;
pub mod window;
