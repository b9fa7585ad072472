//! Hands inputs of libFuzzer to the target that `HOSPES_FUZZ_TARGET` names.

#![no_main]

use hospes_fuzz::Target;
use std::sync::OnceLock;

static TARGET: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("HOSPES_FUZZ_TARGET").unwrap_or_default();
        Target::find(&name).expect("HOSPES_FUZZ_TARGET names no target")
    });
    target.run(data);
});
