//! Build, lab, demo and tests of ovsgap.

fn main() {}
