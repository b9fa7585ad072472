//! Development commands: `cargo xtask test` is what CI runs; the long checks have commands of their own.

#![expect(
    clippy::disallowed_methods,
    reason = "development commands measure time and call servers of their own"
)]

mod bench;
mod crash;
mod fill;
mod fuzz;
mod purity;
mod scale;
mod server;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Development commands of Hospes", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what tests need and run all of them.
    Test,
    /// Compare the dependencies of the pure crates with their allow-lists, and check who may import whom.
    Purity,
    /// Kill the server under concurrent writes, again and again, and check what is left.
    Crash {
        #[arg(long, default_value_t = 100)]
        rounds: u32,
    },
    /// Write down what is served of Graph: `docs/graph-coverage.md` and `$metadata`.
    Coverage,
    /// Ask random queries and compare each answer with a look at every object.
    Differential {
        #[arg(long, default_value_t = 10_000)]
        cases: u32,
    },
    /// Try what strangers send with libFuzzer (needs a C++ compiler).
    Fuzz {
        /// Minutes for each target.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
        minutes: u64,
        /// One target only.
        #[arg(long)]
        target: Option<String>,
        /// Add what reaches new code to `fuzz/corpus`.
        #[arg(long)]
        keep: bool,
    },
    /// Measure the server on one core against floors measured in the same run.
    Bench {
        /// Seconds for each measurement.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Compare directories of two sizes instead: what grows with the directory that should not?
        #[arg(long)]
        scale: bool,
        /// The server to measure.
        #[arg(long, default_value = server::PROGRAM)]
        program: String,
        #[command(flatten)]
        directories: scale::Directories,
    },
    /// The bare server that `bench` compares with.
    #[command(hide = true)]
    Bare { port: u16 },
    /// The hash that `bench` compares with.
    #[command(hide = true)]
    Hash { seconds: u64 },
}

fn main() -> Result<()> {
    // The load speaks plain HTTP to this machine; its client wants a provider all the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Arguments::parse().command {
        Command::Test => test::run(),
        Command::Purity => purity::run(),
        Command::Crash { rounds } => crash::run(rounds),
        Command::Coverage => test::coverage(),
        Command::Differential { cases } => test::differential(cases),
        Command::Bench { scale: true, program, directories, .. } => scale::run(&program, &directories),
        Command::Bench { seconds, program, .. } => bench::run(&program, seconds),
        Command::Fuzz { minutes, target, keep } => fuzz::run(minutes, target.as_deref(), keep),
        Command::Bare { port } => bench::bare(port),
        Command::Hash { seconds } => bench::hash(seconds),
    }
}
