//! That groups and meters need no witness of their own: Open vSwitch has no flow without the group and the meter that it names,
//! and the flow monitor reports the flows that go with them.
//!
//! Must not depend on: traffic.

use anyhow::{Context as _, Result, ensure};

use super::recorder::{Recorder, command, path};
use crate::command::output;
use crate::ovs::BRIDGE;

/// No traffic gets to this table.
const TABLE: u32 = 250;

/// What a flow can name, how it is added and taken away, and how Open vSwitch refuses a flow without it.
const NAMED: [(&str, [&str; 2], [&str; 2], &str); 2] = [
    (
        "group:42",
        ["add-group", "group_id=42,type=all,bucket=actions=drop"],
        ["del-groups", "group_id=42"],
        "OFPBAC_BAD_OUT_GROUP",
    ),
    (
        "meter:42",
        ["add-meter", "meter=42,pktps,band=type=drop,rate=1000"],
        ["del-meter", "meter=42"],
        "OFPMMFC_INVALID_METER",
    ),
];

fn ofctl(command: &str, argument: &str) -> Result<String> {
    output("ovs-ofctl", &["-O", "OpenFlow15", command, BRIDGE, argument])
}

/// A flow is refused until what it names is there, and goes with it; the recording has it go.
pub fn check() -> Result<()> {
    let out = path("groups.jsonl");
    let recorder = Recorder::start(command(&out, &[]))?;
    for (port, (named, add, delete, refusal)) in (1..).zip(NAMED) {
        let matches = format!("table={TABLE},priority=77,tcp,tp_dst={port}");
        let flow = format!("{matches},actions={named},normal");
        let refused = ofctl("add-flow", &flow).err().map(|error| format!("{error:#}"));
        ensure!(
            refused.as_ref().is_some_and(|error| error.contains(refusal)),
            "a flow that names {named} before it is there: {refused:?} instead of {refusal}"
        );
        ofctl(add[0], add[1])?;
        ofctl("add-flow", &flow)?;
        ofctl(delete[0], delete[1])?;
        let left = ofctl("dump-flows", &format!("table={TABLE}"))?;
        ensure!(!left.contains("priority=77"), "its flow outlives {named}: {left}");
    }
    recorder.end()?.report(0)?;
    let recording = std::fs::read_to_string(&out).context("the recording")?;
    for change in ["added", "removed"] {
        let told = recording
            .matches(&format!(r#""change":"{change}","table":{TABLE}"#))
            .count();
        ensure!(told == NAMED.len(), "{told} flows of table {TABLE} were {change}");
    }
    Ok(())
}
