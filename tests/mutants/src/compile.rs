//! Builds the planted tree, and takes out what the compiler refuses: a mutant that does not compile is none.

use crate::trial::Program;
use quote::ToTokens;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use syn::visit::{self, Visit};

/// What a build came to.
pub enum Built {
    Programs(Vec<Program>),
    /// These mutants do not compile.
    Refused(BTreeSet<u32>),
    /// It does not compile, whatever the mutants: what the compiler says.
    Broken(String),
}

/// Builds test programs, or only checks the library with its unit tests.
pub fn build(tree: &Path, target: &Path, only_check: bool, tests: &[String]) -> std::io::Result<Built> {
    let mut command = Command::new("cargo");
    if only_check {
        command.args(["check", "--profile", "test", "--lib"]);
    } else {
        command.args(["test", "--no-run", "--lib"]);
        tests.iter().for_each(|test| _ = command.args(["--test", test]));
    }
    command.args(["--locked", "--message-format=json", "--target-dir"]).arg(target).current_dir(tree);
    command
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "2")
        .env("RUSTFLAGS", "-Awarnings");
    let output = command.stderr(Stdio::inherit()).output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if output.status.success() {
        return Ok(Built::Programs(messages.iter().filter_map(program).collect()));
    }
    let (mut refused, mut said, mut files) = (BTreeSet::new(), String::new(), BTreeMap::new());
    for message in messages.iter().map(|message| &message["message"]).filter(|message| message["level"] == "error") {
        said.push_str(message["rendered"].as_str().unwrap_or_default());
        for span in message["spans"].as_array().into_iter().flatten() {
            let Some(name) = span["file_name"].as_str() else { continue };
            let file = files.entry(name.to_owned()).or_insert_with(|| Choices::of(&tree.join(name)));
            let end = |line: &str, column: &str| [line, column].map(|key| span[key].as_u64().unwrap_or(0) as usize);
            refused.extend(file.blamed(end("line_start", "column_start"), end("line_end", "column_end")));
        }
    }
    Ok(if refused.is_empty() { Built::Broken(said) } else { Built::Refused(refused) })
}

fn program(message: &Value) -> Option<Program> {
    let file = message["executable"].as_str().filter(|_| message["profile"]["test"] == true)?;
    let name = message["target"]["name"].as_str()?;
    Some(Program { name: name.to_owned(), file: file.into(), takes: Duration::ZERO, reaches: HashSet::new() })
}

/// Where the mutants of a file stand in what the compiler sees: line and column from one, from where to where.
struct Choices(Vec<(u32, [[usize; 2]; 2])>);

impl Choices {
    fn of(file: &Path) -> Self {
        let mut choices = Self(Vec::new());
        if let Ok(parsed) = std::fs::read_to_string(file).map(|source| syn::parse_file(&source)) {
            parsed.iter().for_each(|parsed| choices.visit_file(parsed));
        }
        choices
    }

    /// Whose fault an error at that place is: of the smallest mutant around it, or of those in it.
    fn blamed(&self, from: [usize; 2], to: [usize; 2]) -> Vec<u32> {
        let around = self.0.iter().filter(|(_, [first, last])| *first <= from && to <= *last);
        // They nest: who begins last is the smallest.
        match around.max_by_key(|(_, [first, _])| *first) {
            Some(&(number, _)) => vec![number],
            None => self
                .0
                .iter()
                .filter(|(_, [first, last])| from <= *first && *last <= to)
                .map(|&(number, _)| number)
                .collect(),
        }
    }
}

impl<'ast> Visit<'ast> for Choices {
    fn visit_expr_if(&mut self, choice: &'ast syn::ExprIf) {
        if let syn::Expr::Call(call) = &*choice.cond
            && call.func.to_token_stream().to_string().replace(' ', "") == "crate::mutants::is"
            && let Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. })) = call.args.first()
            && let Ok(number) = number.base10_parse()
        {
            let braces = choice.then_branch.brace_token.span;
            let place = |at: proc_macro2::LineColumn| [at.line, at.column + 1];
            self.0.push((number, [place(braces.open().start()), place(braces.close().end())]));
        }
        visit::visit_expr_if(self, choice);
    }
}
