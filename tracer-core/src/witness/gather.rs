//! The witnesses of one endpoint in one disruption.
//!
//! Must not depend on: causes, budgets.
