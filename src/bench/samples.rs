//! Figures and raw samples as JSON.

use super::machine::Machine;
use super::measure::Run;
use super::plan::Report;
use serde_json::{Value, json};

impl Report {
    /// The rows, one a line.
    #[must_use]
    pub fn rows_json(&self) -> String {
        let rows: Vec<String> = self.figures().iter().map(|figure| json!(figure).to_string()).collect();
        format!("[\n{}\n]\n", rows.join(",\n"))
    }

    /// What the rows are made from: rounds, times of single inputs, and how each run stood on its way.
    #[must_use]
    pub fn samples_json(&self) -> String {
        let races: Vec<Value> = self
            .races
            .iter()
            .map(|race| {
                let entries: Vec<Value> = race
                    .entries
                    .iter()
                    .map(|entry| json!({"rival": entry.rival.name(), "runs": entry.runs.iter().map(run).collect::<Vec<_>>()}))
                    .collect();
                json!({"workload": race.settings.workload.name(), "accounts": race.settings.world.accounts, "entries": entries})
            })
            .collect();
        let scales: Vec<Value> = self
            .scales
            .iter()
            .map(|scale| {
                json!({"accounts": scale.accounts, "positions": scale.positions, "instruments": scale.instruments,
                    "quiet_ns": scale.quiet_ns, "resident_bytes": scale.resident, "seconds": scale.seconds})
            })
            .collect();
        let october = self.october.as_ref().map(|october| {
            let plays = october.plays.iter().flat_map(|(strategy, plays)| {
                plays.iter().map(|played| {
                    let fills: Vec<[u64; 2]> =
                        played.fills.iter().map(|fills| [fills.liquidation, fills.adl]).collect();
                    json!({"strategy": strategy.name(), "work_ns": played.work_ns, "fills": fills,
                        "hash": format!("{:032x}", played.hash)})
                })
            });
            json!({"accounts": october.accounts, "plays": plays.collect::<Vec<_>>()})
        });
        let samples = json!({"seed": self.settings.seed, "machine": self.machine.as_ref().map(machine), "scales": scales,
            "races": races, "october": october});
        format!("{samples}\n")
    }
}

fn histogram(histogram: &hdrhistogram::Histogram<u64>) -> Vec<[u64; 2]> {
    histogram.iter_recorded().map(|value| [value.value_iterated_to(), value.count_at_value()]).collect()
}

fn machine(machine: &Machine) -> Value {
    json!({"hop_ns": histogram(&machine.hop), "ring_items_per_s": machine.ring, "read_bytes_per_s": machine.read,
        "clock_ns": machine.clock.cost_ns, "stalls_ns": histogram(&machine.stalls.pauses)})
}

fn run(run: &Run) -> Value {
    let end = run.end();
    let ways: Vec<[u64; 2]> = run.checkpoints.iter().map(|at| [at.inputs, at.work_ns]).collect();
    json!({
        "inputs": run.inputs, "of": run.of, "hash": format!("{:032x}", end.hash), "rounds_ns": run.rounds,
        "single_ns": histogram(&run.single), "work_ns": ways, "audits": run.audits,
        "evaluations": run.work.evaluations, "edge_updates": run.work.edge_updates,
        "liquidations": run.counts.liquidations, "orders": run.counts.orders, "fills": run.counts.fills,
        "takeovers": run.counts.takeovers, "deleveraged": run.counts.deleveraged, "refused": run.counts.refused,
        "order_ns": run.orders.map(|times| [times.first_ns, times.median_ns, times.last_ns]),
    })
}
