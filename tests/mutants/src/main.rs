//! Tries mutants of Terrace: what `cargo mutants` lists, all of them in one build, each chosen by an environment variable. What takes a
//! build and a minute there takes seconds here.
//!
//! ```text
//! terrace-mutants DIRECTORY LIST TEST… [-- K/N]
//! ```
//!
//! `DIRECTORY` gets the planted tree, its build, what does not compile, and `outcomes.tsv`, which is gone on with; the present directory is the package.

mod compile;
mod library;
mod list;
mod plant;
mod trial;

use compile::Built;
use list::Mutant;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use trial::{Outcome, Program};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let sample = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => arguments.split_off(at).pop().filter(|last| last != "--"),
        None => None,
    };
    let [directory, json, tests @ ..] = &arguments[..] else {
        return Err("a directory, a list and tests are needed".into());
    };
    let (directory, mutants) = (Path::new(directory), list::read(&fs::read_to_string(json)?)?);
    let (planted, programs) = plant_all(directory, &mutants, tests)?;
    let not_planted: Vec<&Mutant> = mutants.iter().filter(|mutant| !planted.contains(&mutant.number)).collect();
    println!(
        "{} of {} mutants are tried; the others do not compile, or cannot be chosen:",
        planted.len(),
        mutants.len()
    );
    not_planted.iter().for_each(|mutant| println!("  {}", mutant.name));
    let tree = directory.join("tree");
    let mut ready: Vec<Program> = Vec::new();
    for program in programs {
        let name = program.name.clone();
        let program =
            trial::without(program, &tree, directory)?.ok_or_else(|| format!("{name} is red without a mutant"))?;
        println!("{name} takes {:.1} s and comes to {} of them", program.takes.as_secs_f64(), program.reaches.len());
        ready.push(program);
    }
    ready.sort_by_key(|program| program.takes);
    try_them(directory, &tree, &mutants, &planted, &ready, sample.as_deref())
}

/// Tries what has no outcome yet.
fn try_them(
    directory: &Path,
    tree: &Path,
    mutants: &[Mutant],
    planted: &BTreeSet<u32>,
    programs: &[Program],
    sample: Option<&str>,
) -> Result<(), Failure> {
    let (part, of) = sample.unwrap_or("0/1").split_once('/').ok_or("a sample is K/N")?;
    let (part, of): (u32, u32) = (part.parse()?, of.parse()?);
    let file = directory.join("outcomes.tsv");
    let before = fs::read_to_string(&file).unwrap_or_default();
    let known: HashSet<&str> = before.lines().filter_map(|line| line.rsplit('\t').next()).collect();
    let chosen = |mutant: &&Mutant| planted.contains(&mutant.number) && mutant.number % of.max(1) == part;
    let all: Vec<&Mutant> = mutants.iter().filter(chosen).collect();
    let left: Vec<&Mutant> = all.iter().copied().filter(|mutant| !known.contains(&mutant.name[..])).collect();
    println!("{} are chosen, of which {} have no outcome yet", all.len(), left.len());
    let mut outcomes = fs::OpenOptions::new().create(true).append(true).open(&file)?;
    // The tests have threads of their own that spin: they must not outnumber the cores.
    let at_once = std::thread::available_parallelism()?.get().div_ceil(2);
    trial::try_all(&left, programs, tree, at_once, |mutant, outcome| {
        if matches!(outcome, Outcome::Survived | Outcome::NotReached) {
            println!("{outcome}\t{}", mutant.name);
        }
        writeln!(outcomes, "{outcome}\t{}", mutant.name)
    })?;
    let text = fs::read_to_string(&file)?;
    let of_these: HashSet<&str> = all.iter().map(|mutant| &mutant.name[..]).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines().filter(|line| line.rsplit('\t').next().is_some_and(|name| of_these.contains(name))) {
        *counts.entry(line.split('\t').next().unwrap_or_default()).or_default() += 1;
    }
    counts.iter().for_each(|(outcome, count)| println!("{outcome}: {count}"));
    Ok(())
}

/// Copies the package, plants the mutants, and builds the tests, without those that do not compile.
fn plant_all(directory: &Path, mutants: &[Mutant], tests: &[String]) -> Result<(BTreeSet<u32>, Vec<Program>), Failure> {
    let (tree, target) = (directory.join("tree"), fs::canonicalize(directory)?.join("build"));
    copy(&tree)?;
    let library = tree.join("src/lib.rs");
    fs::write(&library, fs::read_to_string(&library)? + &library::module(mutants.len()))?;
    // What did not compile before is not tried again: that would cost a build each time.
    let memory = directory.join("refused.txt");
    let before = fs::read_to_string(&memory).unwrap_or_default();
    let before: HashSet<&str> = before.lines().collect();
    let is_refused = |mutant: &&Mutant| before.contains(&mutant.name[..]);
    let mut refused: BTreeSet<u32> = mutants.iter().filter(is_refused).map(|mutant| mutant.number).collect();
    let mut only_check = true;
    loop {
        let mut planted = BTreeSet::new();
        let files: BTreeSet<&str> = mutants.iter().map(|mutant| &mutant.file[..]).collect();
        for file in files {
            let of_it = |mutant: &&Mutant| mutant.file == file && !refused.contains(&mutant.number);
            let of_it: Vec<&Mutant> = mutants.iter().filter(of_it).collect();
            let (source, found) =
                plant::plant(&fs::read_to_string(file)?, &of_it).map_err(|error| format!("{file}: {error}"))?;
            planted.extend(found);
            let into = tree.join(file);
            if fs::read_to_string(&into)? != source {
                fs::write(into, source)?;
            }
        }
        match compile::build(&tree, &target, only_check, tests)? {
            Built::Programs(_) if only_check => only_check = false,
            Built::Programs(programs) => {
                let names = mutants.iter().filter(|mutant| refused.contains(&mutant.number));
                fs::write(memory, names.map(|mutant| mutant.name.clone() + "\n").collect::<String>())?;
                return Ok((planted, programs));
            }
            Built::Refused(more) => refused.extend(more),
            Built::Broken(said) => return Err(said.into()),
        }
    }
}

/// What git knows of, as it stands.
fn copy(tree: &Path) -> Result<(), Failure> {
    let listed = Command::new("git").args(["ls-files", "-z"]).output()?.stdout;
    for name in String::from_utf8(listed)?.split_terminator('\0') {
        let into = tree.join(name);
        fs::create_dir_all(into.parent().ok_or("a file in no directory")?)?;
        let text = fs::read(name)?;
        if fs::read(&into).ok().as_ref() != Some(&text) {
            fs::write(into, text)?;
        }
    }
    Ok(())
}
