//! The outcome as a page: one HTML file that needs nothing else, on a screen, on paper, from any folder.
//!
//! ```text
//!  Outcome with its Course ──► page ──► a section each: prices, steps, funds, deleveraging, ratios, latency, about
//!                                           │
//!                                           └──► chart (plotters, SVG) ── time_axis, palette
//! ```
//!
//! Whatever comes from outside (names, paths, messages) is escaped by the templates and by the drawing backend. Floating
//! point places pixels and labels axes; every number in a table is exact.

mod about;
mod chart;
mod deleveraging;
mod funds;
mod latency;
mod numbers;
mod page;
mod palette;
mod prices;
mod ratios;
mod steps;
mod time_axis;

use super::outcome::Outcome;

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The run kept no course: [`keep_course`](super::Settings::keep_course) was not asked for.
    #[error("the run kept no course to show")]
    NoCourse,
    /// A chart could not be drawn.
    #[error("a chart cannot be drawn: {0}")]
    Chart(String),
}

impl Outcome {
    /// The page. `command` is what was typed, to be shown.
    ///
    /// # Errors
    ///
    /// [`ReportError`].
    pub fn to_html(&self, command: &str) -> Result<String, ReportError> {
        let course = self.course.as_ref().ok_or(ReportError::NoCourse)?;
        page::page(self, course, command)
    }
}
