//! The loop: one thing after the other.

use super::agenda::Agenda;
use super::clients::{Clients, Who};
use super::dice::Dice;
use super::faults::{End, Fate};
use super::feed::Feed;
use super::invariants::Invariants;
use super::lives::Past;
use super::oracle::Oracle;
use super::placed::kernel_settings;
use super::process::{Process, Setup};
use super::report::Report;
use super::traffic::Traffic;
use super::world::World;
use super::{Planted, Settings, Shown, Witness};
use crate::journal::{Faults, JournalSettings, SimulatedDisk};
use crate::protocol::Standby;
use serde_json::Value;

/// What happens.
#[derive(Debug)]
pub(super) enum Act {
    /// A client makes up its next line.
    Speak(Who),
    /// It sends something that it has made up before.
    Send(Who, Value),
    /// It sends again what was not answered.
    SendAgain(Who),
    /// A numbered line reaches the process.
    Arrive(Who, u64),
    /// One without a number does.
    ArriveOnce(String),
    /// The journal's turn to write.
    WriteJournal,
    /// The process tells what it may; or waits until it may tell all.
    Tell,
    /// A life ends, if it is still the one.
    End(u64, End),
    Start,
    /// The standby follows.
    Follow,
    /// A snapshot is made by the way.
    Save,
    /// The standby takes over.
    TakeOver,
    /// A process that was stalled goes on, if nobody has taken over again since.
    Wake(u64),
}

/// Streams of draws.
#[derive(Debug)]
pub(super) struct Draws {
    pub(super) traffic: Dice,
    pub(super) network: Dice,
    pub(super) venue: Dice,
    pub(super) faults: Dice,
    /// When the journal writes and the process tells.
    pub(super) schedule: Dice,
}

/// A simulation under way.
pub(super) struct Simulation<'a> {
    pub(super) settings: Settings,
    pub(super) report: &'a mut Report,
    pub(super) witness: Witness<'a>,
    pub(super) agenda: Agenda<Act>,
    pub(super) draws: Draws,
    pub(super) world: World,
    pub(super) clients: Clients,
    pub(super) feed: Feed,
    pub(super) traffic: Traffic,
    pub(super) disk: SimulatedDisk,
    pub(super) setup: Setup,
    /// None between two lives.
    pub(super) process: Option<Process>,
    pub(super) standby: Option<Standby<SimulatedDisk>>,
    /// One that was taken over from and does not know it, and the last line that is not to be taken back.
    pub(super) stalled: Option<(Process, u64)>,
    /// Whether snapshots are made by the way.
    pub(super) saves: bool,
    pub(super) life: u64,
    /// What goes wrong in this life.
    pub(super) fate: Fate,
    /// What the last life left.
    pub(super) past: Past,
    /// The number of the last line that was answered.
    pub(super) told_seq: u64,
    pub(super) oracle: Oracle,
    pub(super) invariants: Invariants,
}

/// When it begins, since the epoch.
const START_NS: u64 = 1_000_000_000;

impl<'a> Simulation<'a> {
    pub(super) fn new(settings: Settings, report: &'a mut Report, witness: Witness<'a>) -> Result<Self, String> {
        let seed = settings.seed;
        let mut world = World::new(&mut Dice::new(seed, 1), settings.presets);
        let mut faults = Dice::new(seed, 2);
        let journal = JournalSettings {
            durability: settings.durability.unwrap_or(world.durability),
            segment_bytes: *faults.pick(&[600, 3_000, 40_000]),
            check_every: *faults.pick(&[1, 7, 100]),
            queue: *faults.pick(&[4, 64, 1_024]),
            rules: settings.rules.unwrap_or(world.rules),
        };
        let setup = Setup { journal, preset: world.preset };
        let saves = faults.chance(50);
        let kernel = kernel_settings(&mut faults);
        let mut simulation = Self {
            settings,
            report,
            witness,
            agenda: Agenda::new(START_NS),
            draws: Draws {
                traffic: Dice::new(seed, 3),
                network: Dice::new(seed, 4),
                venue: Dice::new(seed, 5),
                faults,
                schedule: Dice::new(seed, 6),
            },
            clients: Clients::default(),
            feed: Feed::new(&world.instruments),
            traffic: Traffic::default(),
            disk: SimulatedDisk::new(seed),
            oracle: Oracle::new(kernel, journal.rules, world.preset)?,
            setup,
            process: None,
            standby: None,
            stalled: None,
            saves,
            life: 0,
            fate: Fate::calm(),
            past: Past::default(),
            told_seq: 0,
            invariants: Invariants::default(),
            world: World { prologue: std::mem::take(&mut world.prologue), ..world },
        };
        simulation.begin();
        Ok(simulation)
    }

    /// The process starts, the operator declares the world, and everybody begins.
    fn begin(&mut self) {
        self.agenda.after(0, Act::Start);
        for line in self.world.prologue.clone() {
            self.send(Who::Operator, line, true, 0);
        }
        for who in Who::ALL.into_iter().filter(|&who| who != Who::Venue && who != Who::FeedB) {
            self.agenda.after(2_000_000, Act::Speak(who));
        }
        for who in Who::ALL {
            self.agenda.after(15_000_000, Act::SendAgain(who));
        }
        self.agenda.after(0, Act::WriteJournal);
        self.agenda.after(0, Act::Tell);
        self.agenda.after(0, Act::Follow);
        if self.saves {
            self.agenda.after(0, Act::Save);
        }
    }

    /// So many steps in all, and the end.
    ///
    /// # Errors
    ///
    /// What must not happen.
    pub(super) fn go_on_to(&mut self, steps: u64) -> Result<(), String> {
        while self.report.steps < steps {
            self.step()?;
        }
        self.finish()
    }

    /// Shows what the process has carried out and not told.
    pub(super) fn show_held(&mut self) {
        for held in self.process.iter().flat_map(Process::held) {
            let _ = (self.witness)(Shown::Line(&held.line, held.answer.as_deref().unwrap_or_default())); // it is violated already
        }
    }

    /// The next thing that happens.
    fn step(&mut self) -> Result<(), String> {
        self.report.steps += 1;
        let Some(act) = self.agenda.next() else { return Err("nothing happens any more".to_owned()) };
        self.report.simulated_ns = self.agenda.now_ns() - START_NS;
        match act {
            Act::Speak(who) => self.speak(who),
            Act::Send(who, line) => self.send(who, line, true, 0),
            Act::SendAgain(who) => self.send_again(who),
            Act::Arrive(who, number) => return self.arrive(who, number),
            Act::ArriveOnce(line) => return self.carry_out(line, None),
            Act::WriteJournal => return self.write_journal(),
            Act::Tell => return self.tell(),
            Act::End(life, end) if life == self.life => return self.end(end),
            Act::End(..) => {}
            Act::Start => return self.start(),
            Act::Follow => return self.follow(),
            Act::Save => return self.save(),
            Act::TakeOver => return self.take_over(),
            Act::Wake(life) => return self.wake(life),
        }
        Ok(())
    }

    /// The end of all: nothing goes wrong any more, everything is told, and it is all there once more.
    fn finish(&mut self) -> Result<(), String> {
        self.settings.planted = Planted::Nothing;
        self.leave_disk();
        self.disk.set_faults(Faults::default());
        if self.process.is_some() {
            self.end(End::Orderly)?;
        }
        self.fate = Fate::calm();
        self.open()?;
        self.end(End::Orderly)
    }
}
