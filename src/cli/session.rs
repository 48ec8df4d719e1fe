//! What `exec` and `serve` have in common: the session that carries lines out, and the kernel behind it.

use super::StrategyArg;
use super::follow::{Following, REST};
use super::threads::{DriverArg, ThreadArgs};
use std::path::{Path, PathBuf};
use terrace::engine::{Engine, EngineSettings};
use terrace::journal::{Durability, JournalSettings, RealDisk, WriteLock};
use terrace::presets::Preset;
use terrace::protocol::{Opened, Rejection, Session, TierTables};
use terrace::{Driver, Kernel, RuleVersion, Settings};

#[derive(Debug, clap::Args)]
pub(super) struct SessionArgs {
    /// Number of shards; it never shows in the output.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    shards: u32,

    /// How breaches are found; it never shows in the output.
    #[arg(long, value_enum, default_value_t)]
    strategy: StrategyArg,

    /// Who runs the kernel; it never shows in the output.
    #[arg(long, value_enum, default_value_t = DriverArg::Inline)]
    pub(super) driver: DriverArg,

    #[command(flatten)]
    threads: ThreadArgs,

    /// Rules of a venue that instruments follow; `terrace presets` tells of them.
    #[arg(long, value_name = "NAME", value_parser = super::presets::named)]
    preset: Option<&'static Preset>,

    /// Begin under this earlier version of the kernel's rules; a journal that is there goes on under its own.
    #[arg(long, value_name = "VERSION", default_value_t, value_parser = rules)]
    rules: RuleVersion,

    /// Margin tables for instruments that bring none, by symbol: Binance's leverage brackets or ccxt's tiers, JSON.
    #[arg(long, value_name = "FILE")]
    tiers: Vec<PathBuf>,

    /// Keep every line in a journal in this directory, and go on from it if there is one.
    #[arg(long, value_name = "DIR")]
    pub(super) journal: Option<PathBuf>,

    /// When the journal is forced to the disk: `none`, `async` (in the background) or `sync` (before a line is answered).
    #[arg(long, value_name = "HOW", requires = "journal", default_value_t = Durability::Sync)]
    durability: Durability,
}

fn rules(text: &str) -> Result<RuleVersion, String> {
    let number = text.parse::<u64>().map_err(|_| format!("expected a number, not {text:?}"))?;
    RuleVersion::new(number).map_err(|unknown| unknown.to_string())
}

impl SessionArgs {
    /// The kernel, empty.
    pub(super) fn kernel(&self) -> Kernel {
        Kernel::new(self.settings()).under(self.rules)
    }

    pub(super) fn settings(&self) -> Settings {
        Settings { shards: self.shards, strategy: self.strategy.into(), ..Settings::default() }
    }

    /// The margin tables, read.
    pub(super) fn tables(&self) -> Result<TierTables, String> {
        super::presets::tier_tables(&self.tiers)
    }

    /// Puts a kernel on threads, and says which; `goes_on`: they keep the record, and count on from it.
    pub(super) fn over_threads(&self, kernel: Kernel, goes_on: bool) -> Result<Engine, String> {
        let layout = self.threads.layout(Some(self.shards));
        let settings = EngineSettings { layout, record: goes_on, goes_on, ..EngineSettings::default() };
        let engine = Engine::start(kernel, &settings).map_err(|error| error.to_string())?;
        eprintln!("terrace: {}", engine.shape());
        Ok(engine)
    }

    /// What comes before the first line where there is no journal.
    pub(super) fn prepare<D: Driver>(&self, mut session: Session<D>, tables: TierTables) -> Result<Session<D>, String> {
        session.use_tier_tables(tables);
        if let Some(preset) = self.preset {
            let refused =
                |rejection: Rejection| format!("preset {}: {}: {}", preset.name, rejection.code, rejection.reason);
            preset.carry_out(&mut session).map_err(refused)?;
        }
        Ok(session)
    }

    fn journal_settings(&self) -> JournalSettings {
        JournalSettings { durability: self.durability, ..JournalSettings::default() }
    }

    /// Follows the journal that another process writes until that has ended, and takes it over; none: this one is told to end before.
    pub(super) fn stand_by(&self, directory: &Path) -> Result<Option<(WriteLock, Opened)>, String> {
        let mut following = Following::begin(directory, self.settings())?;
        while !following.is_to_end() {
            let any = following.step()?;
            if let Some(lock) = following.lock_if_free() {
                return Ok(Some((lock, following.take_over(self.journal_settings(), self.preset)?)));
            }
            if !any {
                std::thread::sleep(REST);
            }
        }
        Ok(None)
    }

    /// Opens a journal to write it, and says what was found there.
    pub(super) fn open(&self, directory: &Path) -> Result<(WriteLock, Opened), String> {
        let lock = WriteLock::take(directory).map_err(|error| error.to_string())?;
        let opened = Opened::open(RealDisk, directory, self.journal_settings(), self.kernel(), self.preset);
        let opened = opened.map_err(|error| error.to_string())?;
        if let Some(recovery) = opened.recovery() {
            eprint!("terrace: {}", super::journal::summary(directory, recovery));
        }
        Ok((lock, opened))
    }
}
