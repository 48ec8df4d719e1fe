//! `terrace digest` and `terrace reconcile`: whether the accounts of a journal have what the exchange's ledger says.

use super::journal::{FollowArgs, follow};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use terrace::protocol::reconcile::{
    Broken, Compared, LedgerReader, Range, RangeDigest, Reconciliation, Rows, differing, digests, ranges, read_digests,
    reconcile,
};

/// Breaks that are shown; a file gets all.
const SHOWN: u64 = 20;

#[derive(Debug, clap::Args)]
pub(super) struct DigestArgs {
    #[command(flatten)]
    of: FollowArgs,

    /// Ranges of accounts, with as many accounts in each.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    ranges: u32,

    /// What positions cost is part of it.
    #[arg(long)]
    costs: bool,

    /// Show the rows that the digests are of.
    #[arg(long)]
    rows: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    of: FollowArgs,

    /// What the ledger has: rows `account,kind,name,side,amount`, or an object a line for each account; `-` is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "digests")]
    ledger: Option<PathBuf>,

    /// The ledger's digests, of the ranges that `terrace digest` told: what is equal by them is looked at no further.
    #[arg(long, value_name = "FILE")]
    digests: Option<PathBuf>,

    /// Ranges of accounts, where no digests name them.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    ranges: u32,

    /// Compare what positions cost too.
    #[arg(long)]
    costs: bool,

    /// Write every break, every range and the sums, one object a line.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the commands that make the accounts `reduce_only`, to be sent to the primary.
    #[arg(long, value_name = "FILE")]
    modes: Option<PathBuf>,
}

pub(super) fn digest(args: &DigestArgs) -> Result<(), String> {
    let followed = follow(&args.of)?;
    let overview = followed.kernel().overview();
    let mut out = BufWriter::new(io::stdout());
    let done = if args.rows {
        let mut text = String::new();
        overview.for_each_statement(|statement| {
            text.clear();
            Rows::of(overview.market(), statement, args.costs).text(&mut text);
            out.write_all(text.as_bytes())
        })
    } else {
        let ranges = ranges(&overview.accounts(), args.ranges as usize);
        let mut text = String::new();
        for digest in digests(overview, ranges, args.costs) {
            digest.line(&mut text);
        }
        out.write_all(text.as_bytes())
    };
    match done.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
        _ => Ok(()),
    }
}

pub(super) fn run(args: &ReconcileArgs) -> Result<(), String> {
    // What cannot be read is said before a long way is gone.
    let told = args.digests.as_deref().map(read_told).transpose()?;
    let ledger: Option<(String, Box<dyn BufRead>)> = match &args.ledger {
        None => None,
        Some(file) if file.as_os_str() == "-" => Some(("standard input".to_owned(), Box::new(io::stdin().lock()))),
        Some(file) => {
            let opened = File::open(file).map_err(|error| format!("cannot open {}: {error}", file.display()))?;
            Some((file.display().to_string(), Box::new(BufReader::new(opened))))
        }
    };
    let followed = follow(&args.of)?;
    let overview = followed.kernel().overview();
    let compared = told.map(|told| {
        let asked: Vec<Range> = told.iter().map(|digest| digest.range).collect();
        let ours = digests(overview, asked, args.costs);
        let within = differing(&ours, &told);
        let compared = ours.into_iter().zip(told).map(|(ours, theirs)| Compared { ours, theirs }).collect::<Vec<_>>();
        (compared, within)
    });
    let mut report = Report::new(args)?;
    let found = match ledger {
        Some((name, input)) => {
            let mut ledger = LedgerReader::new(name, input, args.costs);
            let (ranges, within) = match &compared {
                Some((told, within)) => {
                    (told.iter().map(|compared| compared.ours.range).collect(), Some(within.as_slice()))
                }
                None => (ranges(&overview.accounts(), args.ranges as usize), None),
            };
            let mut found = reconcile(overview, &mut ledger, (ranges, within), |broken| report.tell(broken))
                .map_err(|error| error.to_string())?;
            if let Some((told, _)) = compared {
                found.ranges = told; // of all accounts, and not of those that were looked at
            }
            found
        }
        None => Reconciliation { ranges: compared.unwrap_or_default().0, ..Reconciliation::default() },
    };
    report.end(&found)
}

fn read_told(file: &Path) -> Result<Vec<RangeDigest>, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    read_digests(&text).map_err(|(line, what)| format!("{name}:{line}: {what}"))
}

/// Where what is found goes.
struct Report {
    json: Option<Sink>,
    modes: Option<Sink>,
    shown: Vec<String>,
    breaks: u64,
    /// Accounts whose mode is left as it is.
    left: u64,
    text: String,
}

struct Sink {
    name: String,
    file: BufWriter<File>,
}

impl Sink {
    fn create(path: Option<&PathBuf>) -> Result<Option<Self>, String> {
        let Some(path) = path else { return Ok(None) };
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| format!("cannot create {name}: {error}"))?;
        Ok(Some(Self { name, file: BufWriter::new(file) }))
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        self.file.write_all(text.as_bytes()).map_err(|error| format!("cannot write {}: {error}", self.name))
    }

    fn end(mut self) -> Result<(), String> {
        self.file.flush().map_err(|error| format!("cannot write {}: {error}", self.name))
    }
}

impl Report {
    fn new(args: &ReconcileArgs) -> Result<Self, String> {
        let (json, modes) = (Sink::create(args.json.as_ref())?, Sink::create(args.modes.as_ref())?);
        Ok(Self { json, modes, shown: Vec::new(), breaks: 0, left: 0, text: String::new() })
    }

    fn tell(&mut self, broken: &Broken<'_>) -> Result<(), String> {
        for found in &broken.breaks {
            self.breaks += 1;
            if self.breaks > SHOWN {
                break;
            }
            let side = |amount: Option<terrace::decimal::Decimal>| {
                amount.map_or_else(|| "none".to_owned(), |amount| amount.to_string())
            };
            let gap = if found.key.side.is_empty() { "" } else { " " };
            self.shown.push(format!(
                "break       account {}{}: {} {}{gap}{}: {} here, {} in the ledger\n",
                broken.account,
                if broken.mode.is_none() { " (unknown here)" } else { "" },
                found.key.kind.as_str(),
                found.key.name,
                found.key.side,
                side(found.ours),
                side(found.theirs),
            ));
        }
        if let Some(json) = &mut self.json {
            self.text.clear();
            broken.lines(&mut self.text);
            json.write(&self.text)?;
        }
        self.text.clear();
        if !broken.mode_line(&mut self.text) {
            self.left += 1;
        } else if let Some(modes) = &mut self.modes {
            modes.write(&self.text)?;
        }
        Ok(())
    }

    /// What was found as a whole; an error if anything differs.
    fn end(mut self, found: &Reconciliation) -> Result<(), String> {
        let Reconciliation { ranges, broken, breaks } = found;
        let other: Vec<&Compared> = ranges.iter().filter(|compared| !compared.is_equal()).collect();
        if let Some(mut json) = self.json.take() {
            let mut text = String::new();
            for compared in ranges {
                compared.line(&mut text);
            }
            let (ranges, differ) = (ranges.len(), other.len());
            json.write(&text)?;
            json.write(&format!(
                "{{\"what\":\"summary\",\"ranges\":{ranges},\"differ\":{differ},\"accounts\":{broken},\"breaks\":{breaks}}}\n"
            ))?;
            json.end()?;
        }
        if let Some(modes) = self.modes.take() {
            modes.end()?;
        }
        let mut text = vec![format!("ranges      {}, {} of them differ\n", ranges.len(), other.len())];
        let more = |all: u64| (all > SHOWN).then(|| format!("            and {} more\n", all - SHOWN));
        for Compared { ours, theirs } in other.iter().take(SHOWN as usize) {
            let Range { first, last } = ours.range;
            text.push(format!(
                "range       {first} to {last}: {:016x} here, {:016x} there\n",
                ours.digest, theirs.digest
            ));
        }
        text.extend(more(other.len() as u64));
        text.append(&mut self.shown);
        text.extend(more(*breaks));
        if self.left > 0 {
            text.push(format!(
                "modes       {} accounts are unknown here or in another mode already: left\n",
                self.left
            ));
        }
        super::print(&text.concat())?;
        match (broken, other.len()) {
            (0, 0) => Ok(()),
            (0, ranges) => Err(format!("{ranges} ranges of accounts differ from the ledger")),
            (accounts, _) => Err(format!("{accounts} accounts differ from the ledger, in {breaks} rows")),
        }
    }
}
