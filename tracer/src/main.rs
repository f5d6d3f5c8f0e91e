//! `ovsgap`: the command.

fn main() {}
