//! The command-line program. What was typed is in `cli`; what it means is in the library.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
