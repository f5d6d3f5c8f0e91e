//! The rules of formats that others define, as their readers enforce them.
//!
//! Must not depend on: reports beyond their times.

pub mod chrome;
pub mod html;
pub mod junit;
