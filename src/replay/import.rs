//! Import of a population: a venue's book at a point in time, in protocol form.

use super::error::ReplayError;
use crate::kernel::{Kernel, Settings};
use crate::market::{AssetId, InstrumentId};
use crate::protocol::Session;
use crate::refusal::Code;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The longest line, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// How many rejected lines are kept as examples.
const EXAMPLES: usize = 3;

/// What came of the lines that were skipped.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    pub(super) count: u64,
    /// The first few, as messages.
    pub(super) examples: Vec<String>,
}

/// Carries out the lines of a file, and checks that what they make up is a whole: the books of every asset and of every
/// instrument balance, without the external venue account. `progress` hears how many lines are done.
///
/// # Errors
///
/// A file that cannot be read; a rejected line, unless `skip_bad`; no instrument or no account; books that do not
/// balance.
pub(super) fn import(
    path: &Path,
    settings: Settings,
    (skip_bad, keeps_record): (bool, bool),
    progress: &mut dyn FnMut(u64),
) -> Result<(Kernel, Rejected), ReplayError> {
    let file = path.display().to_string();
    let unreadable = |source| ReplayError::Read { file: file.clone(), source };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut session = Session::new(settings);
    if keeps_record {
        session.kernel_mut().keep_record();
    }
    let mut rejected = Rejected::default();
    let (mut line, mut out) = (Vec::new(), String::new());
    for number in 1u64.. {
        line.clear();
        out.clear();
        if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let ended = line.last() == Some(&b'\n');
        let answer = if ended || (line.len() as u64) < MAX_LINE {
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            session.line(text, &mut out).map_err(|rejection| (rejection.code, rejection.reason))
        } else {
            lines.skip_until(b'\n').map_err(unreadable)?;
            Err((Code::Malformed, format!("expected a line of at most {MAX_LINE} bytes")))
        };
        if let Err((code, reason)) = answer {
            let error = ReplayError::AccountsLine { file: file.clone(), line: number, code, reason };
            if !skip_bad {
                return Err(error);
            }
            rejected.count += 1;
            if rejected.examples.len() < EXAMPLES {
                rejected.examples.push(error.to_string());
            }
        }
        if number.is_multiple_of(1_024) {
            progress(number);
        }
    }
    let kernel = session.into_kernel();
    check(&kernel).map_err(|problem| ReplayError::Accounts { file, problem })?;
    Ok((kernel, rejected))
}

/// Whether the file makes up a whole; where it does not, all that is wrong.
fn check(kernel: &Kernel) -> Result<(), String> {
    let market = kernel.market();
    if market.instruments.is_empty() {
        return Err("expected at least one instrument, found none".into());
    }
    let accounts = kernel.accounts();
    if accounts.is_empty() {
        return Err("expected at least one account, found none".into());
    }
    let mut problems = Vec::new();
    for (instrument, sum) in market.instruments.iter().zip(sums(kernel, &accounts)) {
        if sum != 0 {
            let quantity = instrument.spec.lot.value(sum);
            problems.push(format!(
                "{}: expected the positions of all accounts and funds to add up to 0, found {quantity}: \
                 fills without a counterparty leave the other side with the external venue account",
                instrument.spec.symbol
            ));
        }
    }
    for (index, (asset, totals)) in market.assets.iter().zip(kernel.asset_totals()).enumerate() {
        if totals.difference() != 0 {
            let difference = market.quanta(AssetId(index as u32)).value(totals.difference());
            problems.push(format!("{}: expected a difference of 0, found {difference}", asset.name));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(format!("the books do not balance: {}", problems.join("; "))) }
}

/// By instrument: the sum of the positions of all accounts and funds, in lots. What the external venue account holds
/// is the negative of it.
fn sums(kernel: &Kernel, accounts: &[u64]) -> Vec<i128> {
    let market = kernel.market();
    let mut sums = vec![0i128; market.instruments.len()];
    let mut add = |instrument: InstrumentId, lots: i64| sums[instrument.index()] += i128::from(lots);
    for view in accounts.iter().filter_map(|&account| kernel.account(account).ok()) {
        for position in &view.positions {
            add(position.instrument, position.position.quantity);
        }
    }
    for fund in (0..market.funds.len()).filter_map(|index| kernel.fund(crate::market::FundId(index as u32)).ok()) {
        for held in &fund.inventory {
            add(held.instrument, held.position.quantity);
        }
    }
    sums
}
