//! All tests, from nothing: formatting, lints, dependency rules, Rust tests, a short crash run, the real clients.

use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Instant;

/// The pinned checker of licences and bans; built once into `target/tools`, unoptimised: it runs for a second.
const DENY: &str = "0.20.2";

pub(crate) fn run() -> Result<()> {
    let began = Instant::now();
    let steps: [(&str, &[&str]); 6] = [
        ("formatting", &["cargo", "fmt", "--all", "--check"]),
        ("lints", &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        ("Rust tests", &["cargo", "test", "--workspace", "--locked", "--quiet"]),
        ("the program", &["cargo", "build", "--release", "--locked", "--package", "hospes"]),
        ("installing clients", &["clients/setup"]),
        ("real clients", &["clients/run", "target/release/hospes"]),
    ];
    step("dependency rules", crate::purity::run)?;
    step("licences and bans", deny)?;
    for (name, command) in steps {
        step(name, || execute(command))?;
        if name == "the program" {
            step("crash, 5 rounds", || crate::crash::run(5))?;
        }
    }
    println!("\nAll tests passed in {} minutes.", began.elapsed().as_secs().div_ceil(60));
    Ok(())
}

/// The differential test of queries, with as many cases as asked for.
pub(crate) fn differential(cases: u32) -> Result<()> {
    let command = ["test", "--release", "--locked", "--package", "hospes-acceptance", "differential"];
    let status =
        Command::new("cargo").args(command).env("HOSPES_DIFFERENTIAL", cases.to_string()).status()?;
    if !status.success() {
        bail!("an answer differs; the failed assertion shows its query");
    }
    println!("{cases} queries: every answer as a look at each object would give it");
    Ok(())
}

/// Writes what the coverage test compares.
pub(crate) fn coverage() -> Result<()> {
    let command = ["test", "--locked", "--package", "hospes-acceptance", "what_is_served"];
    let status = Command::new("cargo").args(command).env("HOSPES_COVERAGE", "write").status()?;
    if !status.success() {
        bail!("something is served without its line, or not served without a reason; the assertion names it");
    }
    Ok(())
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n=== {name}");
    let began = Instant::now();
    work().with_context(|| format!("{name} failed"))?;
    println!("=== {name}: fine, {} s", began.elapsed().as_secs());
    Ok(())
}

fn execute(command: &[&str]) -> Result<()> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let status =
        Command::new(program).args(arguments).status().with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        bail!("`{}` ended with {status}", command.join(" "));
    }
    Ok(())
}

fn deny() -> Result<()> {
    let tool = "target/tools/bin/cargo-deny";
    if !std::path::Path::new(tool).exists() {
        println!("building cargo-deny {DENY}, once");
        let root = [
            "cargo",
            "install",
            "cargo-deny",
            "--version",
            DENY,
            "--locked",
            "--quiet",
            "--root",
            "target/tools",
        ];
        execute(&root)?;
    }
    // Advisories live in a git repository that not every machine reaches: `cargo deny check advisories` runs apart.
    execute(&[tool, "--workspace", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
}
