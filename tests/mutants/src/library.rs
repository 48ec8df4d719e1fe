//! What the planted library asks which mutant is to be tried.

/// The environment variable that chooses a mutant by its number, and the one that names a file for those that are asked for.
pub const CHOSEN: &str = "TERRACE_MUTANT";
pub const REACHED: &str = "TERRACE_MUTANTS_REACHED";

/// The module, for so many mutants.
pub fn module(mutants: usize) -> String {
    MODULE.replace("MUTANTS", &mutants.to_string()).replace("CHOSEN_BY", CHOSEN).replace("REACHED_IN", REACHED)
}

const MODULE: &str = r#"
#[doc(hidden)]
pub(crate) mod mutants {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
    const UNKNOWN: u32 = u32::MAX;
    const RECORD: u32 = u32::MAX - 1;
    const NONE: u32 = u32::MAX - 2;
    static CHOSEN: AtomicU32 = AtomicU32::new(UNKNOWN);
    static REACHED: [AtomicBool; MUTANTS] = [const { AtomicBool::new(false) }; MUTANTS];
    #[inline]
    pub(crate) fn is(number: u32) -> bool {
        let chosen = CHOSEN.load(Relaxed);
        chosen == number || (chosen >= RECORD && !REACHED[number as usize].load(Relaxed) && look(number))
    }
    #[cold]
    fn look(number: u32) -> bool {
        let file = std::env::var("REACHED_IN").ok();
        let said = std::env::var("CHOSEN_BY").ok().and_then(|text| text.parse().ok());
        let chosen = if file.is_some() { RECORD } else { said.unwrap_or(NONE) };
        CHOSEN.store(chosen, Relaxed);
        if let Some(file) = file.filter(|_| !REACHED[number as usize].swap(true, Relaxed)) {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
            let _ = file.and_then(|mut file| file.write_all(format!("{number}\n").as_bytes()));
        }
        chosen == number
    }
}
"#;
