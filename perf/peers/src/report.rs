//! What comes out: a table for people, rows for programs.

use serde::Serialize;

/// One figure beside what it is measured against.
#[derive(Clone, Serialize)]
pub struct Row {
    /// Which group of figures.
    pub figure: &'static str,
    pub what: String,
    /// The median of the rounds.
    pub value: f64,
    pub unit: &'static str,
    /// What it is measured against in the same rounds, in the same unit: Terrace.
    pub reference: Option<f64>,
    /// The median of `value / reference` round by round.
    pub ratio: Option<f64>,
    /// Peers have none.
    pub target: Option<String>,
    pub met: Option<bool>,
    /// The least and the most of the rounds.
    pub spread: [f64; 2],
}

/// Median, least and most.
pub fn middle(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1]]
}

impl Row {
    /// The rounds of a rival beside those of the reference.
    pub fn of(figure: &'static str, what: String, unit: &'static str, own: &[f64], reference: Option<&[f64]>) -> Self {
        let [value, least, most] = middle(own);
        let ratios = reference.map(|of| own.iter().zip(of).map(|(own, of)| own / of).collect::<Vec<f64>>());
        Self {
            figure,
            what,
            value,
            unit,
            reference: reference.map(|of| middle(of)[0]),
            ratio: ratios.map(|ratios| middle(&ratios)[0]),
            target: None,
            met: None,
            spread: [least, most],
        }
    }
}

/// Four digits are enough.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let digits = format!("{value:.0}");
            let mut text = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

pub fn print(title: &str, rows: &[Row]) {
    println!("\n{title}");
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    println!("{:width$}  {:>14}  {:>31}  {:>10}", "", "median", "least – most", "ratio");
    for row in rows {
        let spread = format!("{} – {}", shown(row.spread[0]), shown(row.spread[1]));
        let ratio = row.ratio.map_or(String::new(), shown);
        println!("{:width$}  {:>10} {:<3}  {spread:>31}  {ratio:>10}", row.what, shown(row.value), row.unit);
    }
}
