//! The colours of the charts, on light ground and on dark.
//!
//! The drawing backend writes fixed colours. Those are the ones for light ground; for dark ground the style sheet names
//! each of them and puts another in its place, so that one drawing serves both.

use plotters::style::RGBColor;
use std::fmt::Write;

/// A colour for either ground.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) light: RGBColor,
    dark: RGBColor,
}

const fn paint(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Paint {
    Paint { light: RGBColor(light.0, light.1, light.2), dark: RGBColor(dark.0, dark.1, dark.2) }
}

/// Text and axes.
pub(super) const INK: Paint = paint((31, 35, 40), (230, 237, 243));
/// What stands back: a second line, zero.
pub(super) const QUIET: Paint = paint((110, 119, 129), (145, 152, 161));
/// Grid lines.
pub(super) const GRID: Paint = paint((224, 228, 232), (48, 54, 61));
/// The first colour of data; long positions. Told apart from the second also by those who see no red or green.
pub(super) const ORANGE: Paint = paint((188, 76, 0), (255, 166, 87));
/// The second colour of data; short positions.
pub(super) const BLUE: Paint = paint((9, 105, 218), (88, 166, 255));
/// The third.
pub(super) const TEAL: Paint = paint((17, 122, 101), (86, 211, 182));
/// The fourth.
pub(super) const PURPLE: Paint = paint((130, 80, 223), (188, 140, 255));

const ALL: [Paint; 7] = [INK, QUIET, GRID, ORANGE, BLUE, TEAL, PURPLE];

/// A colour as the backend writes it.
pub(super) fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// The rules of the legends' colours, and those that give every colour its other one.
pub(super) fn rules() -> [String; 2] {
    let mut rules = [String::new(), String::new()];
    for Paint { light, dark } in ALL {
        // Writing to a string does not fail.
        for (rules, ground) in rules.iter_mut().zip([light, dark]) {
            let _ = write!(rules, "i[data-paint=\"{}\"]{{background:{}}}", hex(light), hex(ground));
        }
        for attribute in ["fill", "stroke"] {
            let _ = write!(rules[1], "svg [{attribute}=\"{}\"]{{{attribute}:{}}}", hex(light), hex(dark));
        }
    }
    rules
}
