//! The clients' side: they speak, send, and send again over a network that loses, doubles and reorders.

use super::clients::{Clients, Who};
use super::run::{Act, Simulation};
use super::scene::Scene;
use serde_json::Value;

/// Most lines that are sent again at once.
const AGAIN: usize = 500;

impl Simulation<'_> {
    /// A client makes up its next line, from what it was told, once the world is there.
    pub(super) fn speak(&mut self, who: Who) {
        let Self { draws, oracle, world, .. } = self;
        let dice = &mut draws.traffic;
        let pause = match who {
            Who::FeedA => 150_000,
            Who::Engine => 400_000,
            Who::Desk => 1_500_000,
            _ => 5_000_000,
        };
        let pause = pause / 2 + dice.below(pause);
        self.agenda.after(pause, Act::Speak(who));
        if self.process.is_none() || oracle.kernel().market().instruments.len() < world.instruments.len() {
            return; // nobody listens
        }
        let scene = Scene { world, overview: oracle.kernel().overview(), seq: oracle.seq() };
        if who == Who::FeedA {
            let quote = self.feed.quote(dice, &scene);
            quote.fault.iter().for_each(|fault| self.report.fault(fault));
            self.say(quote.who, quote.line, quote.late_ns);
        } else {
            let line = self.traffic.line(who, dice, &scene, &self.feed);
            self.say(who, line, 0);
        }
    }

    /// Tells the time with some lines, and sends it; marks and questions at times without a number.
    fn say(&mut self, who: Who, mut line: Value, late_ns: u64) {
        let dice = &mut self.draws.traffic;
        if dice.chance(25) {
            line["ts"] = self.agenda.now_ns().into();
        }
        let (ack, once) = (dice.chance(70), dice.chance(25));
        let once = match who {
            Who::FeedA | Who::FeedB if once && line["op"] == "mark" => Clients::sign(who, line),
            Who::Auditor if once => line.to_string(),
            _ => return self.send(who, line, ack, late_ns),
        };
        if dice.chance(8) {
            self.report.fault("feed: twice");
            self.agenda.after(late_ns + 400_000, Act::ArriveOnce(once.clone()));
        }
        self.agenda.after(late_ns + 50_000, Act::ArriveOnce(once));
    }

    /// Numbers a line and sends it.
    pub(super) fn send(&mut self, who: Who, line: Value, ack: bool, late_ns: u64) {
        let number = self.clients.number(who, line, ack);
        self.transmit(who, number, late_ns);
    }

    /// Whoever was not answered asks again; at times somebody who was.
    pub(super) fn send_again(&mut self, who: Who) {
        self.agenda.after(15_000_000, Act::SendAgain(who));
        self.connect(who);
    }

    /// Sends what was not answered, as soon as there is somebody to connect to.
    pub(super) fn connect(&mut self, who: Who) {
        if self.process.is_none() {
            return;
        }
        let back = self.draws.network.below(20);
        let answered = self.clients.answered(who, back).filter(|_| self.draws.network.chance(20));
        let again = self.clients.to_send_again(who, AGAIN);
        for number in answered.into_iter().chain(again) {
            self.transmit(who, number, 0);
        }
    }

    fn transmit(&mut self, who: Who, number: u64, late_ns: u64) {
        if self.process.is_none() {
            return; // it is sent when there is a connection again
        }
        let dice = &mut self.draws.network;
        let takes_ns = late_ns + 10_000 + dice.below(120_000);
        let (times, overtakes, fault) = match dice.below(1_000) {
            0 => (0, false, Some("network: lost")),
            1..=3 => (1, true, Some("network: out of order")),
            4..=8 => (2, false, Some("network: twice")),
            _ => (1, false, None),
        };
        if let Some(fault) = fault {
            self.report.fault(fault);
        }
        let now_ns = self.agenda.now_ns();
        for _ in 0..times {
            let at_ns = self.clients.arrival(who, now_ns, takes_ns, overtakes);
            self.agenda.after(at_ns - now_ns, Act::Arrive(who, number));
        }
    }
}
