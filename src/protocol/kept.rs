//! What only a session knows, as a snapshot keeps it.

use super::declarations;
use super::session::Session;
use super::sources::SavedSource;
use crate::driver::Driver;
use crate::journal::Origin;
use crate::market::FundId;
use crate::presets::Preset;
use serde::{Deserialize, Serialize};

/// How the first frame begins where there is a preset.
pub(super) const PRESET: &str = "{\"op\":\"preset\",\"preset\":\"";

/// How far the lines of a preset are carried out.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) name: Option<String>,
    pub(super) lines: usize,
    /// Its lines that are still to be carried out.
    pub(super) rest: Option<(&'static Preset, bool)>,
    /// The lines of `defaults` so far.
    pub(super) defaults: Vec<String>,
}

/// What only the session knows, as it is saved.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SavedSession {
    /// The number of the last line.
    seq: u64,
    preset: Option<String>,
    preset_lines: u64,
    declared_funds: Vec<FundId>,
    defaults: Vec<String>,
    sources: Vec<SavedSource>,
}

/// Where a restored state stood in its sequence, and what only its session knew, as it is kept.
pub(super) type RestoredFrom = (Origin, Vec<u8>);

impl SavedSession {
    /// Of a session that is so far in its preset.
    pub(super) fn of(session: &Session, prepared: &Prepared) -> Self {
        let Prepared { name, lines, rest: _, defaults } = prepared;
        let (declared_funds, sources) = session.to_be_kept();
        Self {
            seq: session.seq(),
            preset: name.clone(),
            preset_lines: *lines as u64,
            declared_funds,
            defaults: defaults.clone(),
            sources,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).unwrap_or_default() // into memory: nothing that can fail
    }

    /// A session over a kernel that it fits takes it over; what is wrong with it, if it cannot be.
    pub(super) fn give_to<D: Driver>(self, session: &mut Session<D>) -> Result<Prepared, String> {
        let Self { seq, preset, preset_lines, declared_funds, defaults, sources } = self;
        let funds = session.kernel().market().funds.len();
        if declared_funds.iter().any(|fund| fund.index() >= funds) {
            return Err("an unknown fund was declared".to_owned());
        }
        session.number_next_line(seq.saturating_add(1));
        session.learn_names(); // which `defaults` may name
        for text in &defaults {
            let taken = declarations::remember_defaults(session.desk_mut(), text);
            taken.map_err(|rejection| rejection.reason)?;
        }
        let kept = session.take_kept(declared_funds, sources);
        kept.ok_or("an answer with an unknown code")?;
        Ok(Prepared { name: preset, lines: usize::try_from(preset_lines).unwrap_or(0), rest: None, defaults })
    }
}
