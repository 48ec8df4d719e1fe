//! The program, run in a directory.

use std::path::Path;
use std::process::{Command, Output};

pub fn terrace(root: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_terrace")).args(arguments).current_dir(root).output().unwrap()
}

/// What a call printed that must have succeeded.
pub fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}
