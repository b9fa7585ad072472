//! Fuzzing: builds `fuzz/engine` with the instrumentation that libFuzzer needs, and runs its targets. All flags are stable
//! ones, so the toolchain of the product does. The engine is built apart, under `target/fuzz`.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// As cargo-fuzz instruments, without AddressSanitizer, which wants another toolchain: the code forbids `unsafe`.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code --cfg fuzzing";

/// Names as in `fuzz/src/lib.rs`, and the longest input that says anything there.
const TARGETS: &[(&str, u32)] = &[
    ("batch", 4_096),
    ("filter", 9_000),
    ("forms", 4_096),
    ("graph", 4_096),
    ("path", 2_048),
    ("query", 4_096),
    ("rule", 4_096),
    ("tokens", 4_096),
];

pub(crate) fn run(minutes: u64, only: Option<&str>, keeps: bool) -> Result<()> {
    let targets: Vec<_> = TARGETS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)).collect();
    if targets.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        bail!("there is no such target; there are {}", names.join(", "));
    }
    let engine = build()?;
    let mut failed = Vec::new();
    for (name, longest) in targets {
        println!("\n=== {name}, {minutes} minutes");
        let found = PathBuf::from("target/fuzz/corpus").join(name);
        let crashes = PathBuf::from("target/fuzz/crashes");
        std::fs::create_dir_all(&found)?;
        std::fs::create_dir_all(&crashes)?;
        let kept = Path::new("fuzz/corpus").join(name);
        let ended = Command::new(&engine)
            .env("HOSPES_FUZZ_TARGET", name)
            .arg(format!("-max_total_time={}", minutes * 60))
            .arg(format!("-max_len={longest}"))
            .arg(format!("-artifact_prefix={}/{name}-", crashes.display()))
            .args(["-timeout=20", "-rss_limit_mb=3000", "-print_final_stats=1", "-verbosity=1"])
            .args([&found, &kept])
            .status()
            .context("the engine does not run")?;
        if !ended.success() {
            failed.push(*name);
        } else if keeps {
            keep(&engine, name, &found, &kept)?;
        }
    }
    if !failed.is_empty() {
        bail!(
            "{} failed; the inputs are in target/fuzz/crashes. Mend it, and add the input to fuzz/corpus",
            failed.join(", ")
        );
    }
    Ok(())
}

fn build() -> Result<PathBuf> {
    let version = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8(version.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    // With a target of its own, build scripts and macros are not instrumented.
    let built = Command::new("cargo")
        .args([
            "build",
            "--locked",
            "--manifest-path",
            "fuzz/engine/Cargo.toml",
            "--target-dir",
            "target/fuzz",
        ])
        .args(["--target", host])
        .env("RUSTFLAGS", FLAGS)
        .status()?;
    if !built.success() {
        bail!("the engine does not build; it wants a C++ compiler besides");
    }
    Ok(Path::new("target/fuzz").join(host).join("debug/hospes-fuzz-engine"))
}

/// Adds to the committed inputs what reaches new code, and only that.
fn keep(engine: &Path, name: &str, found: &Path, kept: &Path) -> Result<()> {
    let merged = Command::new(engine)
        .env("HOSPES_FUZZ_TARGET", name)
        .args(["-merge=1", "-verbosity=0"])
        .args([kept, found])
        .status()?;
    if !merged.success() {
        bail!("the inputs of {name} could not be merged");
    }
    Ok(())
}
