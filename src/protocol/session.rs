//! A session: lines in, lines out, over one kernel.

use super::desk::{Answer, Desk};
use super::encode::{Encoder, Line};
use super::fields::Fields;
use super::{Rejection, answers, declarations, operations};
use crate::kernel::{Kernel, Settings};
use crate::refusal::Code;

/// Carries out lines one by one, each completely before the next.
#[derive(Debug)]
pub struct Session {
    desk: Desk,
}

impl Session {
    /// A session over an empty kernel.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { desk: Desk::new(settings) }
    }

    /// The kernel behind it.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.desk.kernel
    }

    /// Ends the session and hands over its kernel.
    #[must_use]
    pub fn into_kernel(self) -> Kernel {
        self.desk.kernel
    }

    /// The number of the last line, from 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.desk.seq
    }

    /// Carries out one line, without its end, and appends what it leads to. A blank line counts and does nothing.
    ///
    /// # Errors
    ///
    /// The rejection, whose line has been appended already.
    pub fn line(&mut self, line: &[u8], out: &mut String) -> Result<(), Rejection> {
        self.desk.seq += 1;
        let answer = match std::str::from_utf8(line) {
            Ok(text) if text.trim_ascii().is_empty() => return Ok(()),
            Ok(text) => self.carry_out(text),
            Err(error) => Err(Rejection::new(Code::Malformed, format!("the line is not UTF-8: {error}"))),
        };
        match answer {
            Ok(Answer::Events) => {
                let kernel = &self.desk.kernel;
                Encoder::new(kernel.market()).events(self.desk.seq, kernel.events(), out);
            }
            Ok(Answer::Line(line)) => out.push_str(&line),
            Err(rejection) => {
                Line::begin(out, "rejected", self.desk.seq)
                    .quoted("code", rejection.code)
                    .text("reason", &rejection.reason)
                    .end();
                return Err(rejection);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, line: &str) -> Result<Answer, Rejection> {
        let mut fields = Fields::read(line)?;
        let op = fields.text("op")?;
        match op.as_str() {
            "asset" | "fund" | "instrument" => declarations::carry_out(&mut self.desk, &op, fields),
            "get" => answers::carry_out(&mut self.desk, fields),
            _ => operations::carry_out(&mut self.desk, &op, fields),
        }
    }
}
