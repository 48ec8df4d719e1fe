//! The command-line program. What was typed is in `cli`; what it means is in the library.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
