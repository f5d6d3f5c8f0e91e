//! libFuzzer's entry: feeds its bytes to the one target that `OVSGAP_FUZZ` names.
//!
//! Must not depend on: what a target does with them (`tracer::fuzzing`), how it is built and run (`cargo xtask fuzz`).
#![no_main]
#![allow(
    unsafe_code,
    clippy::panic,
    reason = "libFuzzer finds its two entries by their names; without a target there is nothing to run"
)]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tracer::fuzzing::{self, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("OVSGAP_FUZZ").unwrap_or_default();
    fuzzing::target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = fuzzing::TARGETS.iter().map(|target| target.name).collect();
        panic!("OVSGAP_FUZZ=`{name}`: set it to one of {}", names.join(", "))
    })
});

fuzz_target!(|bytes: &[u8]| (TARGET.take)(bytes));
