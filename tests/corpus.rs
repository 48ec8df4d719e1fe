//! Goes through what the fuzzer has kept: `tests/fuzz/corpus`, a folder for each target, and the scripts of `exec`. What once
//! broke something is in there too.

mod exec_scripts;
mod reference;
#[allow(dead_code, reason = "the differential tests ask more of it")]
mod script;
#[path = "fuzz/src/targets.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn what_the_fuzzer_has_kept_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, target) in targets::ALL {
        let files = files(&root.join(name));
        assert!(!files.is_empty(), "{name} has a corpus");
        for file in &files {
            println!("{}", file.display()); // names the one that breaks
            target(&fs::read(file).expect("a file"));
        }
    }
}

#[test]
fn scripts_of_exec_hold() {
    for script in exec_scripts::scripts() {
        println!("{}", script.display());
        targets::protocol(&fs::read(script).expect("a script"));
    }
}
