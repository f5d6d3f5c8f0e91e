//! ovsgap: sources, pipeline and sinks around the pure judge of `tracer-core`.

pub mod source;
