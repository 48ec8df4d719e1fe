//! The scripts of `tests/exec`, for the tests that put each of them through something.

use std::fs;
use std::path::{Path, PathBuf};

/// All of them, by name.
pub fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exec");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|ext| ext == "jsonl")).collect();
    scripts.sort();
    assert!(scripts.len() > 20);
    scripts
}
