//! The C API: the threaded driver beside a matching engine in C, or in anything that calls C.
//!
//! `terrace.h` is generated from these files; its comments are theirs. Cold things (declarations, questions) are lines of
//! the protocol; hot ones are structs of fixed size in whole ticks, lots and quanta: nothing is formatted or allocated
//! for them here.
//!
//! - `words`: C's words · `command`: structs in · `event`: structs out.
//! - `numbers`: which of C's words each of ours is · `encode`: events on the way to C · `decode`: on the way back.
//! - `handle`: what stands behind a handle. It contains no `unsafe`.
//! - `calls`: the functions, and all that touches a pointer.

#![expect(non_camel_case_types, reason = "types are named as C names them")]

mod calls;
mod command;
mod decode;
mod encode;
mod event;
mod handle;
mod numbers;
mod settings;
mod words;

pub use calls::*;
pub use command::*;
pub use event::*;
pub use handle::terrace_engine;
pub use settings::*;
pub use words::{
    terrace_airlock_outcome, terrace_cause_kind, terrace_code, terrace_freeze_cause, terrace_fund_reason,
    terrace_liquidity, terrace_margin_mode, terrace_mark_rule, terrace_mode_word, terrace_outcome, terrace_owner_kind,
    terrace_pinning, terrace_pool_kind, terrace_remedy, terrace_scope, terrace_side, terrace_status, terrace_step,
    terrace_wait,
};
