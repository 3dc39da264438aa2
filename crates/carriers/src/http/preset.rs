//! The presets: the files of `presets/`, found by the build script. A new one is a new file there.

include!(concat!(env!("OUT_DIR"), "/presets.rs"));
