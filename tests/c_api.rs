//! The C API as C sees it: the header, and the matching engine in C, with both kinds of library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The files that the header is made of, in its order.
const SOURCES: &[&str] = &["words", "command", "event", "settings", "handle", "calls"];

/// Enumerations that C code needs though no function takes one: what comes from C is a number.
const WORDS: &[&str] = &[
    "side",
    "margin_mode",
    "liquidity",
    "position_mode",
    "position_side",
    "pool_kind",
    "owner_kind",
    "cause_kind",
    "step",
    "outcome",
    "fund_reason",
    "remedy",
    "mark_rule",
    "freeze_cause",
    "airlock_outcome",
    "mode_word",
    "health_state",
    "scope",
    "wait",
    "pinning",
];

const HEAD: &str = "\
/* The C API of Terrace, a risk kernel for exchanges: the kernel on threads, beside a matching engine.
 *
 * One page of use. Start an engine, declare assets, instruments and the venue by terrace_line, look their ids up. From
 * then on terrace_submit every order, fill and price, and terrace_poll, again and again, for what the venue is asked to
 * do and for the log. Neither waits: FULL is an answer, after which one polls and submits again. terrace_settle waits for
 * everything; terrace_carry_out and terrace_line do so for one input. terrace_stop, then terrace_free.
 *
 * Threads. A handle belongs to one thread at a time; calls on the same handle from two threads at once are not allowed,
 * and nothing checks it. With TERRACE_WAIT_PARK it belongs to the thread that started it. Handles know nothing of each
 * other. A call never calls back.
 *
 * Memory. Nothing that is passed in is kept, and nothing that is handed out needs to be freed but the handle. Submitting
 * and polling format nothing, and allocate nothing but room for a longer backlog.
 *
 * Numbers. Prices are in ticks, quantities in lots, amounts in quanta, ids those of the look-ups. Enumerations are passed
 * in as uint32_t: a number that is none of theirs is answered by INVALID, or refused.
 *
 * Errors. Every function that can fail says so by its status; no failure changes anything. A panic inside is answered by
 * PANICKED, by this call and by all later ones on that handle.
 *
 * Made from src/ffi by tests/c_api.rs; do not edit.
 */

#ifndef TERRACE_H
#define TERRACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {
#endif";

const FOOT: &str = "\
#ifdef __cplusplus
}
#endif

#endif /* TERRACE_H */";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> String {
    let mut config = cbindgen::Config { language: cbindgen::Language::C, ..cbindgen::Config::default() };
    config.export.include = WORDS.iter().map(|word| format!("terrace_{word}")).collect();
    config.enumeration.rename_variants = cbindgen::RenameRule::QualifiedScreamingSnakeCase;
    config.usize_is_size_t = true;
    config.no_includes = true;
    config.trailer = Some(FOOT.into());
    config.documentation_style = cbindgen::DocumentationStyle::C99;
    config.line_length = 120;
    config.sort_by = cbindgen::SortKey::None;
    let builder = cbindgen::Builder::new().with_config(config).with_header(HEAD);
    let source = |name: &&str| root().join(format!("src/ffi/{name}.rs"));
    let bindings = SOURCES.iter().map(source).fold(builder, cbindgen::Builder::with_src).generate();
    let mut text = Vec::new();
    bindings.expect("the sources are read").write(&mut text);
    without_safety(&String::from_utf8(text).expect("UTF-8"))
}

/// The sections for Rust alone say what the page of use says.
fn without_safety(text: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line == "// # Safety" {
            inside = true;
            while kept.ends_with("//\n") {
                kept.truncate(kept.len() - 3);
            }
        }
        inside = inside && line.starts_with("//");
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn the_header_is_that_of_the_sources() {
    let path: PathBuf = root().join("src/ffi/terrace.h");
    let made = header();
    if std::env::var_os("TERRACE_BLESS").is_some() {
        fs::write(&path, &made).expect("the header can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(made == kept, "src/ffi/terrace.h is not what src/ffi makes: TERRACE_BLESS=1 rewrites it");
}

/// How the C side is built.
struct Build {
    name: &'static str,
    link: &'static str,
    sanitized: bool,
}

const BUILDS: &[Build] = &[
    Build { name: "shared", link: "shared", sanitized: false },
    Build { name: "static", link: "static", sanitized: false },
    Build { name: "sanitized", link: "static", sanitized: true },
];

/// The folder of the profile that this test is built in.
fn profile() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_terrace")).parent().expect("the program lies in a folder")
}

/// Where everything is built.
fn target() -> &'static Path {
    profile().parent().expect("profiles lie in a folder")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

impl Build {
    /// Builds the library and the matching engine, by the Makefile that people use.
    fn engine(&self) -> PathBuf {
        let folder = target().join("matching-engine").join(self.name);
        let set = |name: &str, value: &dyn std::fmt::Display| format!("{name}={value}");
        let profile = if profile().ends_with("debug") { "dev" } else { "release" };
        run(Command::new("make")
            .current_dir(root().join("examples/matching-engine"))
            .args(["--silent", "--no-print-directory"])
            .arg(set("CARGO", &env!("CARGO")))
            .arg(set("PROFILE", &profile))
            .arg(set("TARGET", &target().display()))
            .arg(set("BUILD", &folder.display()))
            .arg(set("LINK", &self.link))
            .arg(set("SANITIZE", &u8::from(self.sanitized))));
        folder.join("engine")
    }

    /// Builds what misuses the library, which the matching engine has built.
    fn misuse(&self) -> PathBuf {
        let program = target().join("matching-engine").join(self.name).join("misuse");
        let library = profile().display();
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g"]);
        cc.arg(format!("-I{}", root().join("src/ffi").display())).arg(root().join("tests/c_api/misuse.c"));
        cc.arg("-o").arg(&program);
        if self.sanitized {
            cc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
        }
        match self.link {
            "static" => cc.arg(format!("{library}/libterrace.a")).args(["-lpthread", "-ldl", "-lm"]),
            _ => cc.args([format!("-L{library}"), "-lterrace".to_owned(), format!("-Wl,-rpath,{library}")]),
        };
        run(&mut cc);
        program
    }
}

/// One test, since all build in one place: the matching engine's log in lockstep is that of `terrace exec`, its record
/// when it streams replays to the same log, and whatever is done wrong is answered.
#[test]
fn the_c_side_works_however_it_is_linked() {
    let folder = tempfile::tempdir().expect("a folder");
    for build in BUILDS {
        let engine = build.engine();
        let (script, log) = (folder.path().join("script.jsonl"), folder.path().join("log.jsonl"));
        let common = ["--orders", "4000", "--accounts", "500"];
        let told = run(Command::new(&engine).arg("--lockstep").args([&script, &log]).args(common));
        let told = String::from_utf8(told.stdout).expect("UTF-8");
        for none in ["liquidations 0", "takeovers 0", "deleveraged 0", "refused 0"] {
            assert!(!told.contains(none), "{}: the flow must lead to all of it: {told}", build.name);
        }
        let inline = run(Command::new(env!("CARGO_BIN_EXE_terrace")).arg("exec").arg(&script)).stdout;
        let log = fs::read(&log).expect("the log is there");
        assert!(inline == log, "{}: the log in lockstep is not that of the inline kernel", build.name);
        for shape in [["--workers", "1", "--wait", "yield"], ["--workers", "2", "--wait", "park"]] {
            let told = run(Command::new(&engine).arg("--stream").args(common).args(shape)).stdout;
            let told = String::from_utf8(told).expect("UTF-8");
            assert!(told.contains("the logs are equal"), "{}: {told}", build.name);
        }
        assert_eq!(run(&mut Command::new(build.misuse())).stdout, b"all answered\n", "{}", build.name);
    }
    usage(&BUILDS[0].engine());
}

/// Exit status 2 for what cannot be meant, 1 for what does not work.
fn usage(engine: &Path) {
    let status = |words: &[&str]| {
        let output = Command::new(engine).args(words).output().expect("the engine starts");
        output.status.code()
    };
    assert_eq!(status(&[]), Some(2));
    assert_eq!(status(&["--stream", "--orders", "many"]), Some(2));
    assert_eq!(status(&["--stream", "--lockstep", "a", "b"]), Some(2));
    assert_eq!(status(&["--lockstep", "/nowhere/script", "/nowhere/log"]), Some(1));
}
