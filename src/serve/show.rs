//! The board as Prometheus reads it, and as people do.

use super::board::{BUCKETS, Board};
use std::fmt::{Display, Write};

/// One metric, with its help.
struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Family<'a> {
    fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}"); // writing to a String cannot fail
        Self { out, name }
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.suffixed("", labels, value);
    }

    fn suffixed(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "{}{suffix}{labels} {value}", self.name);
    }
}

/// The text form of Prometheus, version 0.0.4.
pub(super) fn prometheus(board: &Board) -> String {
    let mut text = String::new();
    let out = &mut text;
    let mut lines = Family::new(out, "terrace_lines_total", "counter", "Lines taken, by op and outcome.");
    for ((op, outcome), count) in &board.lines {
        lines.sample(&[("op", op), ("outcome", outcome)], count);
    }
    let mut events = Family::new(out, "terrace_events_total", "counter", "Events and answers told, by name.");
    for (event, count) in &board.events {
        events.sample(&[("event", event)], count);
    }
    times(board, out);
    let mut waiting = Family::new(out, "terrace_lane_lines", "gauge", "Lines that wait, by lane.");
    for (lane, depth) in &board.lanes {
        waiting.sample(&[("lane", lane)], depth);
    }
    let conflated = "Ticks left out for others that stand for them.";
    Family::new(out, "terrace_conflated_ticks_total", "counter", conflated).sample(&[], board.conflated);
    let mut connections = Family::new(out, "terrace_connections", "gauge", "Connections, by what they do.");
    connections.sample(&[("kind", "lines")], board.connections);
    connections.sample(&[("kind", "events")], board.hearers);
    let cut = "Connections cut off because they did not read what they were told.";
    Family::new(out, "terrace_connections_cut_total", "counter", cut).sample(&[], board.cut);
    let behind = "Frames that the journal does not keep yet.";
    Family::new(out, "terrace_journal_behind_frames", "gauge", behind).sample(&[], board.journal_behind);
    if let Some(places) = board.standby_behind {
        let behind = "Places of the journal that a standby has not followed yet.";
        Family::new(out, "terrace_standby_behind_places", "gauge", behind).sample(&[], places);
    }
    state(board, out);
    text
}

fn times(board: &Board, out: &mut String) {
    let help = "From the arrival of a line to its answer.";
    let mut answered = Family::new(out, "terrace_answer_seconds", "histogram", help);
    let mut below = 0;
    for (count, (_, end)) in board.answered.counts.iter().zip(BUCKETS) {
        below += count;
        answered.suffixed("_bucket", &[("le", end)], below);
    }
    let all: u64 = board.answered.counts.iter().sum();
    answered.suffixed("_bucket", &[("le", "+Inf")], all);
    let (seconds, rest) = (board.answered.sum_ns / 1_000_000_000, board.answered.sum_ns % 1_000_000_000);
    answered.suffixed("_sum", &[], format_args!("{seconds}.{rest:09}"));
    answered.suffixed("_count", &[], all);
}

fn state(board: &Board, out: &mut String) {
    let mut balances = Family::new(out, "terrace_fund_balance", "gauge", "Balance of a fund, in units of its asset.");
    board.funds.iter().for_each(|fund| balances.sample(&[("fund", &fund.fund)], &fund.balance));
    let mut equities = Family::new(out, "terrace_fund_equity", "gauge", "Equity of a fund, in units of its asset.");
    for fund in &board.funds {
        if let Some(equity) = &fund.equity {
            equities.sample(&[("fund", &fund.fund)], equity);
        }
    }
    Family::new(out, "terrace_locked_pools", "gauge", "Pools in liquidation.").sample(&[], board.locked);
    Family::new(out, "terrace_waiting_pools", "gauge", "Pools that wait for the venue.").sample(&[], board.waiting);
    let mut health = Family::new(out, "terrace_health", "gauge", "1 while a state holds that should not, by state.");
    for state in &board.watched {
        if !board.ill.keys().any(|(ill, _)| ill == state) {
            health.sample(&[("state", state.as_str())], 0);
        }
    }
    for (state, symbol) in board.ill.keys() {
        match symbol {
            Some(symbol) => health.sample(&[("state", state.as_str()), ("symbol", symbol)], 1),
            None => health.sample(&[("state", state.as_str())], 1),
        }
    }
    if let Some((done, total)) = board.rows {
        Family::new(out, "terrace_replay_rows_total", "counter", "Rows replayed.").sample(&[], done);
        if let Some(total) = total {
            Family::new(out, "terrace_replay_rows", "gauge", "Rows there are.").sample(&[], total);
        }
    }
}

/// The states by name, for people: `ok`, or one line for each that should not be.
pub(super) fn health(board: &Board) -> String {
    let mut out = String::new();
    if board.ill.is_empty() {
        out.push_str("ok\n");
    }
    for ((state, symbol), since_ns) in &board.ill {
        let of = symbol.as_ref().map_or_else(String::new, |symbol| format!(" {symbol}"));
        let seconds = board.now_ns.saturating_sub(*since_ns) / 1_000_000_000;
        let _ = writeln!(out, "{}{of} for {seconds} s", state.as_str());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::HealthState;

    #[test]
    fn a_board_is_shown_as_prometheus_reads_it() {
        let mut board = Board::default();
        board.count_line("order", "busy");
        board.count_line("order", "busy");
        board.count_events("{\"ev\":\"adl\",\"seq\":1}\n{\"ev\":\"adl\",\"seq\":1}\n{\"ev\":\"fund\",\"seq\":1}\n");
        [500, 1_000, 1_001, 20_000_000_000].into_iter().for_each(|ns| board.answered.note(ns));
        board.watched = vec![HealthState::SilentFeed, HealthState::SlowJournal];
        board.ill.insert((HealthState::SilentFeed, Some("A\"\\".to_owned())), 0);
        board.now_ns = 7_900_000_000;
        board.standby_behind = Some(3);
        board.note_balances(
            "{\"ev\":\"fund\",\"seq\":1,\"fund\":\"USDT\",\"delta\":\"1\",\"balance\":\"7.5\",\"reason\":\"fee\"}\n",
        );
        let text = prometheus(&board);
        for line in [
            "terrace_lines_total{op=\"order\",outcome=\"busy\"} 2",
            "terrace_events_total{event=\"adl\"} 2",
            "terrace_answer_seconds_bucket{le=\"0.000001\"} 2",
            "terrace_answer_seconds_bucket{le=\"0.000002\"} 3",
            "terrace_answer_seconds_bucket{le=\"10\"} 3",
            "terrace_answer_seconds_bucket{le=\"+Inf\"} 4",
            "terrace_answer_seconds_sum 20.000002501",
            "terrace_answer_seconds_count 4",
            "terrace_health{state=\"silent_feed\",symbol=\"A\\\"\\\\\"} 1",
            "terrace_health{state=\"slow_journal\"} 0",
            "terrace_standby_behind_places 3",
            "terrace_fund_balance{fund=\"USDT\"} 7.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("terrace_") && value.parse::<f64>().is_ok(), "{line}");
        }
        assert_eq!(health(&board), "silent_feed A\"\\ for 7 s\n");
        assert_eq!(health(&Board::default()), "ok\n");
    }
}
