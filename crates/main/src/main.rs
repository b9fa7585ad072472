//! The program: command line, configuration, wiring. Only here the clock, the machine's randomness, files and the
//! environment are read.

mod apply;
mod certificates;
mod cli;
mod config;
mod data;
mod door;
mod wiring;

use clap::Parser;
use std::process::ExitCode;

/// Small, quick to build, and steady in memory over weeks (docs/decisions/0001).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
