//! `terrace serve`: a session over sockets.

use super::session::SessionArgs;
use super::threads::DriverArg;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use terrace::controls::{HealthState, Mode};
use terrace::protocol::Session;
use terrace::serve::{Address, Bound, Handle, LaneSettings, Served, Settings as ServeSettings, WatchSettings};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where lines come in: 127.0.0.1:PORT (0: any that is free) or unix:PATH; may be given several times.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: Vec<Address>,

    /// Where all events can be heard, in the order of the sequence: whoever connects reads, and sends nothing.
    #[arg(long, value_name = "ADDRESS")]
    events: Option<Address>,

    /// Where `GET /metrics` (Prometheus) and `GET /health` are answered.
    #[arg(long, value_name = "IP:PORT")]
    metrics: Option<SocketAddr>,

    /// Follow the journal, which another process writes, and serve when that has ended: in its place, where nobody listens before.
    #[arg(long, requires = "journal")]
    standby: bool,

    /// End when standard input ends: what was read is carried out and answered first.
    #[arg(long)]
    until_stdin_ends: bool,

    /// Refuse orders and other requests as `busy` that have waited longer.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    busy_after: u64,

    /// Conflate ticks of a connection of which more lines wait; 0: never.
    #[arg(long, value_name = "LINES", default_value_t = 64)]
    conflate_from: usize,

    /// Most lines of a connection that wait; it is read no further then.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    queue: u32,

    /// Most connections at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,

    /// The longest line, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(64..=16 << 20))]
    max_line: u32,

    /// Cut off who reads nothing of what it is told for so long.
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    write_within: u64,

    /// Tell the kernel the time of this machine so often; lines then need no `ts`. By default lines alone tell it.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    heartbeat: Option<u64>,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    kernel: SessionArgs,
}

/// When something is not as it should be. 0 watches for nothing.
#[derive(Clone, Debug, clap::Args)]
struct WatchArgs {
    /// `stalled_worker`: a line is being carried out for so long.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    stalled_after: u64,

    /// `silent_feed`: no price of an instrument was taken for so long; 0: not watched for.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    silent_after: u64,

    /// `silent_venue`: a pool waits for the same answer of the venue for so long.
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    unanswered_after: u64,

    /// `slow_journal`: an answer waits for the journal for so long.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    unkept_after: u64,

    /// `queue_near_full`: the lines of a connection fill so many percent of what may wait.
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u64).range(0..=100))]
    full_at: u64,

    /// `standby_behind`: a standby has not followed so many places of the journal, if one is kept.
    #[arg(long, value_name = "PLACES", default_value_t = 100_000)]
    behind_at: u64,

    /// What a state switches on while it holds, such as `silent_feed=cancel_only`; may be given several times.
    #[arg(long = "on", value_name = "STATE=MODE", value_parser = switch)]
    switches: Vec<(HealthState, Mode)>,
}

fn switch(text: &str) -> Result<(HealthState, Mode), String> {
    let (state, mode) = text.split_once('=').ok_or("expected STATE=MODE, such as silent_feed=cancel_only")?;
    let names = |all: &[&str]| all.join(", ");
    let states = HealthState::ALL.map(HealthState::as_str);
    let modes = Mode::ALL.map(Mode::as_str);
    let at = states.iter().position(|word| *word == state);
    let state = at.ok_or_else(|| format!("{state:?} is no state: there are {}", names(&states)))?;
    let at = modes.iter().position(|word| *word == mode);
    let mode = at.ok_or_else(|| format!("{mode:?} is no mode: there are {}", names(&modes)))?;
    Ok((HealthState::ALL[state], Mode::ALL[mode]))
}

fn nanoseconds(milliseconds: u64) -> u64 {
    milliseconds.saturating_mul(1_000_000)
}

impl WatchArgs {
    fn settings(&self, journal: Option<&PathBuf>) -> WatchSettings {
        let given = |number: u64| Some(number).filter(|&number| number > 0);
        let after = |milliseconds: u64| given(milliseconds).map(nanoseconds);
        WatchSettings {
            worker_after_ns: after(self.stalled_after),
            feed_after_ns: after(self.silent_after),
            venue_after_ns: after(self.unanswered_after),
            journal_after_ns: after(self.unkept_after),
            queue_percent: given(self.full_at),
            standby_places: given(self.behind_at),
            followed_in: journal.cloned(),
            modes: self.switches.clone(),
        }
    }
}

impl Args {
    fn settings(&self) -> ServeSettings {
        ServeSettings {
            listen: self.listen.clone(),
            events: self.events.clone(),
            metrics: self.metrics,
            lanes: LaneSettings {
                lines: self.queue as usize,
                conflate_from: Some(self.conflate_from).filter(|&from| from > 0),
                busy_after_ns: nanoseconds(self.busy_after),
                ..LaneSettings::default()
            },
            watch: self.watch.settings(self.kernel.journal.as_ref()),
            connections: self.connections as usize,
            max_line: self.max_line as usize,
            write_within: Duration::from_millis(self.write_within),
            heartbeat: self.heartbeat.map(Duration::from_millis),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<(), String> {
    let of = &args.kernel;
    let watch = args.watch.settings(of.journal.as_ref());
    if let Some((state, _)) = args.watch.switches.iter().find(|(state, _)| !watch.watches(*state)) {
        let state = state.as_str();
        return Err(format!(
            "--on {state}=…: {state} is not watched for: see `terrace serve --help` for what begins it"
        ));
    }
    let tables = of.tables()?;
    let Some(directory) = &of.journal else {
        let kernel = of.kernel();
        return match of.driver {
            DriverArg::Inline => serve(of.prepare(Session::over(kernel), tables)?, args),
            DriverArg::Threaded => serve(of.prepare(Session::over(of.over_threads(kernel, false)?), tables)?, args),
        };
    };
    let (_lock, opened) = if args.standby {
        let Some(taken_over) = of.stand_by(directory)? else { return Ok(()) };
        taken_over
    } else {
        of.open(directory)?
    };
    match of.driver {
        DriverArg::Inline => serve(opened.start(tables).map_err(|error| error.to_string())?, args),
        DriverArg::Threaded => {
            let opened = opened.place(|kernel| of.over_threads(kernel, true))?;
            serve(opened.start(tables).map_err(|error| error.to_string())?, args)
        }
    }
}

fn serve(session: impl Served, args: &Args) -> Result<(), String> {
    let mut printed = Ok(());
    let served = terrace::serve::serve(session, &args.settings(), |bound, handle| {
        printed = super::print(&told(bound));
        if args.until_stdin_ends {
            wait_for_end(handle.clone());
        }
        printed = std::mem::replace(&mut printed, Ok(())).and(wait_for_signal(handle));
    });
    printed.and(served.map_err(|error| error.to_string()))
}

fn told(bound: &Bound) -> String {
    let lines = bound.listen.iter().map(|address| format!("lines at {address}\n"));
    let events = bound.events.iter().map(|address| format!("events at {address}\n"));
    let metrics = bound.metrics.iter().map(|address| format!("metrics at http://{address}/metrics\n"));
    lines.chain(events).chain(metrics).collect()
}

/// Stops serving when the process is told to end, by a supervisor or at a terminal; told a second time it ends where it is, as if it were killed.
fn wait_for_signal(handle: Handle) -> Result<(), String> {
    let signals = Signals::new([SIGTERM, SIGINT]);
    let mut signals = signals.map_err(|error| format!("cannot be told to end by signals: {error}"))?;
    std::thread::spawn(move || {
        let mut told = signals.forever();
        told.next();
        handle.stop();
        if let Some(signal) = told.next() {
            let _ = emulate_default_handler(signal); // the process is no more
        }
    });
    Ok(())
}

/// Stops serving when standard input ends.
fn wait_for_end(handle: Handle) {
    std::thread::spawn(move || {
        let mut bytes = [0; 1 << 10];
        let mut input = std::io::stdin().lock();
        while input.read(&mut bytes).is_ok_and(|read| read > 0) {}
        handle.stop();
    });
}
