//! Where results go: lines to read, figures as JSON, percentiles and intervals as HdrHistogram reads them, a plot, and under
//! what conditions all of it was measured.

use crate::setting;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use plotters::prelude::*;
use serde_json::json;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use terrace::bench::latency::Offered;

type Failed = Box<dyn Error + Send + Sync>;

/// Values of the rounds, in words: the median, and from the least to the most.
pub struct Figure {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Figure {
    pub fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let at = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
        Self { median: at(values.len() / 2), least: at(0), most: at(values.len().saturating_sub(1)) }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median < 100.0 { 2 } else { 0 };
        write!(f, "{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.least, self.most)
    }
}

pub struct Output {
    folder: PathBuf,
    figures: Vec<serde_json::Value>,
    lines: Vec<String>,
    /// Since when, by name, how long, and what: one for each round.
    intervals: Vec<(Duration, &'static str, Histogram<u64>)>,
    begun: Instant,
    date: SystemTime,
}

impl Output {
    pub fn open() -> Result<Self, Failed> {
        let default = || PathBuf::from("perf/results").join(said("date", &["-u", "+%F"]));
        let folder = std::env::var_os("TERRACE_BENCH_OUT").map_or_else(default, PathBuf::from);
        fs::create_dir_all(&folder)?;
        let (begun, date) = (Instant::now(), SystemTime::now());
        let mut output = Self { folder, figures: Vec::new(), lines: Vec::new(), intervals: Vec::new(), begun, date };
        output.environment()?;
        Ok(output)
    }

    /// Where results go, and what is written for a measurement.
    pub fn directory(&self) -> &Path {
        &self.folder
    }

    /// A line for people.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.lines.push(line.to_owned());
    }

    /// A figure beside its reference, round by round. `target`: the ratio is to be at most that; negative: at least; 0: none is
    /// set.
    pub fn figure(
        &mut self,
        figure: &str,
        what: &str,
        values: &[f64],
        unit: &str,
        references: &[f64],
        target: f64,
    ) -> Result<(), Failed> {
        let ratios: Vec<f64> = values.iter().zip(references).map(|(value, reference)| value / reference).collect();
        let (value, reference, ratio) = (Figure::of(values), Figure::of(references), Figure::of(&ratios));
        let (met, sign) = if target < 0.0 { (ratio.median >= -target, ">=") } else { (ratio.median <= target, "<=") };
        let met = (target != 0.0).then_some(met);
        let target = met.map(|_| format!("ratio {sign} {}", target.abs()));
        let aim = match (&target, met) {
            (Some(target), Some(met)) => format!(", target {target}: {}", if met { "met" } else { "not met" }),
            _ => String::new(),
        };
        self.line(&format!("[{figure}] {what}: {value} {unit}, reference {reference}, ratio {ratio}{aim}"));
        self.figures.push(json!({
            "figure": figure, "what": what, "value": value.median, "unit": unit, "reference": reference.median,
            "ratio": ratio.median, "target": target, "met": met, "spread": [value.least, value.most],
            "rounds": values, "references": references,
        }));
        Ok(())
    }

    /// Percentiles as text, the format that HdrHistogram's plotters read.
    pub fn percentiles(&self, name: &str, times: &Histogram<u64>) -> Result<(), Failed> {
        let mut text =
            format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
        let mut count = 0;
        for step in times.iter_quantiles(5) {
            count += step.count_since_last_iteration();
            let (value, quantile) = (step.value_iterated_to(), step.quantile_iterated_to());
            text += &if quantile < 1.0 {
                format!("{value:>12} {quantile:>14.12} {count:>10} {:>14.2}\n", 1.0 / (1.0 - quantile))
            } else {
                format!("{value:>12} {quantile:>14.12} {count:>10}\n")
            };
        }
        text += &format!("#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]\n", times.mean(), times.stdev());
        text += &format!("#[Max     = {:>12.3}, Total count    = {:>12}]\n", times.max() as f64, times.len());
        fs::write(self.folder.join(format!("{name}.hgrm")), text)?;
        Ok(())
    }

    /// One round of a case.
    pub fn interval(&mut self, name: &'static str, times: &Histogram<u64>) {
        self.intervals.push((self.begun.elapsed(), name, times.clone()));
    }

    /// Latency over load.
    pub fn plot(&self, points: &[Offered]) -> Result<(), Failed> {
        let path = self.folder.join("load.svg");
        let area = SVGBackend::new(&path, (900, 560)).into_drawing_area();
        area.fill(&WHITE)?;
        let most = points.iter().map(|point| point.ticks.max().max(point.orders.max())).max().unwrap_or(1) as f64;
        let (first, last) =
            (points.first().map_or(1.0, |at| at.planned), points.last().map_or(10.0, |at| at.planned * 1.2));
        let mut chart = ChartBuilder::on(&area)
            .caption("latency over load, from planned times", ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d((first..last).log_scale(), (50.0..most * 1.2).log_scale())?;
        chart.configure_mesh().x_desc("inputs offered a second").y_desc("ns").draw()?;
        let curves = [
            ("tick done, p50", BLUE, false, 0.5),
            ("tick done, p99", CYAN, false, 0.99),
            ("tick to order, p50", RED, true, 0.5),
            ("tick to order, p99", MAGENTA, true, 0.99),
        ];
        let of = |at: &Offered, orders: bool, quantile: f64| -> u64 {
            if orders { &at.orders } else { &at.ticks }.value_at_quantile(quantile)
        };
        for (name, colour, orders, quantile) in curves {
            let line = points.iter().map(|at| (at.planned, of(at, orders, quantile).max(50) as f64));
            let series = chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            series.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
        }
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
        area.present()?;
        Ok(())
    }

    /// Writes what is kept until the end.
    pub fn close(self) -> Result<(), Failed> {
        fs::write(self.folder.join("latency.txt"), self.lines.join("\n") + "\n")?;
        let figures: Vec<String> = self.figures.iter().map(ToString::to_string).collect();
        fs::write(self.folder.join("latency.json"), format!("[\n{}\n]\n", figures.join(",\n")))?;
        let mut log = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut writer = IntervalLogWriterBuilder::new()
            .add_comment("nanoseconds; one interval for each round of a case")
            .with_start_time(self.date)
            .with_base_time(self.date)
            .with_max_value_divisor(1.0)
            .begin_log_with(&mut log, &mut serializer)?;
        for (since, name, times) in &self.intervals {
            let tag = Tag::new(name).ok_or("a tag without spaces and commas")?;
            writer
                .write_histogram(times, *since, Duration::from_secs(1), Some(tag))
                .map_err(|error| format!("{error:?}"))?;
        }
        fs::File::create(self.folder.join("latency.hlog"))?.write_all(&log)?;
        println!("kept in {}", self.folder.display());
        Ok(())
    }

    /// Under what conditions.
    fn environment(&mut self) -> Result<(), Failed> {
        let read =
            |path: &str| fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
        let cpuinfo = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim()).to_owned()
        };
        let record = json!({
            "date": said("date", &["-u", "+%FT%TZ"]),
            "commit": said("git", &["describe", "--always", "--dirty"]),
            "command": std::env::args().collect::<Vec<_>>(),
            "settings": {
                "accounts": setting("ACCOUNTS", 1_000_000), "rounds": setting("ROUNDS", 5), "samples": setting("SAMPLES", 400),
                "fills": setting("FILLS", 256), "idle_us": setting("IDLE_US", 20), "memory": setting("MEMORY", 0),
                "allocator": std::env::var("GLIBC_TUNABLES").unwrap_or_default(),
            },
            "cpu": field("model name"),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "virtual": cpuinfo.contains("hypervisor"),
            "kernel": read("/proc/sys/kernel/osrelease"),
            "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        });
        self.line(&format!("{record}"));
        fs::write(self.folder.join("environment.json"), serde_json::to_string_pretty(&record)? + "\n")?;
        Ok(())
    }
}

/// What a program of the system says.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
