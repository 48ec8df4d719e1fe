//! The functions. Every pointer is looked at here and nowhere else, and no panic leaves.

#![expect(unsafe_code, reason = "pointers come from C")]

use super::command::{ACTIONS, terrace_command, terrace_pool};
use super::decode::EventReader;
use super::event::{HAPPENINGS, terrace_event, terrace_happening, terrace_request};
use super::handle::{Last, Replayed, terrace_engine};
use super::numbers::CODE_WORDS;
use super::settings::{terrace_metrics, terrace_pool_view, terrace_replay, terrace_settings};
use super::words::{terrace_code, terrace_status};
use crate::command::{Command, OffGrid};
use crate::driver::Driver;
use crate::engine::{Engine, Output, Shape};
use crate::event::{Cause, Event};
use crate::kernel::{Kernel, Settings};
use crate::market::Market;
use crate::protocol::{Encoder, Rejection};
use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// Why the last start on this thread failed: there is no handle to keep it.
    static START: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a call on a handle; a panic kills the handle and goes no further.
///
/// # Safety
///
/// The pointer is null or a handle that is alive and that nobody else uses at present.
unsafe fn call(
    engine: *mut terrace_engine,
    body: impl FnOnce(&mut terrace_engine) -> terrace_status,
) -> terrace_status {
    // SAFETY: the caller passes null or a handle of `terrace_start` that nobody else uses, so it is alive and unique.
    let Some(handle) = (unsafe { engine.as_mut() }) else { return terrace_status::Null };
    if handle.dead {
        return terrace_status::Panicked;
    }
    catch_unwind(AssertUnwindSafe(|| body(handle))).unwrap_or_else(|_| {
        handle.dead = true;
        terrace_status::Panicked
    })
}

/// Writes a value where C wants it, if it does.
///
/// # Safety
///
/// The pointer is null or can be written.
unsafe fn put<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: the caller passes null or room for a value, and it is not null.
        unsafe { to.write(value) };
    }
}

/// Writes a text and a zero, if there is room, and tells its length.
///
/// # Safety
///
/// `out` is null or has room for `cap` bytes; `needed` is null or can be written.
unsafe fn put_text(text: &str, out: *mut c_char, cap: usize, needed: *mut usize) -> terrace_status {
    // SAFETY: `needed` is null or can be written, says the caller.
    unsafe { put(needed, text.len()) };
    if out.is_null() || cap <= text.len() {
        return terrace_status::Room;
    }
    // SAFETY: `out` has room for `cap` bytes, which is more than the text has, and C's memory never overlaps ours.
    unsafe {
        out.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        out.add(text.len()).write(0);
    }
    terrace_status::Ok
}

/// The command behind a pointer; the tag is looked at before anything else.
///
/// # Safety
///
/// The pointer is null or points to a command, which may hold any numbers.
unsafe fn read_command<'a>(command: *const terrace_command) -> Result<(&'a terrace_command, Command), terrace_status> {
    if command.is_null() {
        return Err(terrace_status::Null);
    }
    // SAFETY: it points to a command, whose action begins with its tag, a u32 that may be any.
    if unsafe { (&raw const (*command).action).cast::<u32>().read() } >= ACTIONS {
        return Err(terrace_status::Invalid);
    }
    // SAFETY: the tag is one of ours, and every field of every action is an integer, for which all bits are a value.
    let given = unsafe { &*command };
    given.action.read().map(|command| (given, command)).ok_or(terrace_status::Invalid)
}

/// The text of a name.
///
/// # Safety
///
/// The pointer is null or points to a text that ends with a zero.
unsafe fn read_name<'a>(name: *const c_char) -> Result<&'a str, terrace_status> {
    if name.is_null() {
        return Err(terrace_status::Null);
    }
    // SAFETY: it points to a text that ends with a zero, says the caller.
    unsafe { CStr::from_ptr(name) }.to_str().map_err(|_| terrace_status::Invalid)
}

/// The settings that an engine starts with if nothing is changed: threads for the cores there are, not pinned.
#[unsafe(no_mangle)]
pub extern "C" fn terrace_settings_default() -> terrace_settings {
    terrace_settings::default()
}

/// Starts the threads of an empty engine. Null settings are the default ones. If it fails, `*engine` is null, and
/// `terrace_last_error(NULL, …)` on the same thread says why.
///
/// # Safety
///
/// `settings` is null or points to settings; `engine` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_start(
    settings: *const terrace_settings,
    engine: *mut *mut terrace_engine,
) -> terrace_status {
    if engine.is_null() {
        return terrace_status::Null;
    }
    // SAFETY: `engine` can be written, says the caller.
    unsafe { engine.write(std::ptr::null_mut()) };
    // SAFETY: `settings` is null or points to settings, says the caller, and all their fields are integers.
    let settings = unsafe { settings.as_ref() }.copied().unwrap_or_default();
    let Some(settings) = settings.read() else { return terrace_status::Invalid };
    let start = || {
        let shape = Shape::choose(&settings.layout)?;
        let kernel = Kernel::new(Settings { shards: shape.workers, ..Settings::default() });
        Engine::start_shaped(kernel, &settings, &shape)
    };
    match catch_unwind(start) {
        Ok(Ok(started)) => {
            let handle = Box::into_raw(Box::new(terrace_engine::new(started)));
            // SAFETY: `engine` can be written, says the caller.
            unsafe { engine.write(handle) };
            terrace_status::Ok
        }
        Ok(Err(error)) => {
            START.with_borrow_mut(|text| *text = error.to_string());
            terrace_status::Failed
        }
        Err(_) => terrace_status::Panicked,
    }
}

/// Settles and ends the threads. What was told can be polled still, names can be looked up and events formatted.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_stop(engine: *mut terrace_engine) -> terrace_status {
    let stop = |handle: &mut terrace_engine| {
        if !handle.desk().stop() {
            return terrace_status::Stopped;
        }
        match handle.stopped() {
            terrace_status::Stopped => terrace_status::Ok,
            failed => failed,
        }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, stop) }
}

/// Ends what runs still and frees the handle, which must not be used any more. Null is allowed.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone, and never again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_free(engine: *mut terrace_engine) {
    if !engine.is_null() {
        // SAFETY: the handle is a box that `terrace_start` gave away, and the caller never uses it again.
        let handle = unsafe { Box::from_raw(engine) };
        // A panic while threads end has nobody left to be told to.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
    }
}

/// Submits a command and tells its number in `*seq` (which may be null). Never waits. What it leads to comes by
/// `terrace_poll`, also the refusal of a command that only the shard of its account can check.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `command` is null or points to a command; `seq` is
/// null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_submit(
    engine: *mut terrace_engine,
    command: *const terrace_command,
    seq: *mut u64,
) -> terrace_status {
    let submit = |handle: &mut terrace_engine| {
        // SAFETY: `command` is null or points to a command, says the caller.
        let (given, command) = match unsafe { read_command(command) } {
            Ok(read) => read,
            Err(status) => return status,
        };
        let Some(engine) = handle.desk().engine() else { return terrace_status::Stopped };
        match engine.submit_at(time(given.ts_ns), &command, OffGrid::NONE) {
            Ok(number) => {
                // SAFETY: `seq` is null or can be written, says the caller.
                unsafe { put(seq, number) };
                terrace_status::Ok
            }
            Err(error) => handle.not_taken(&command, error),
        }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, submit) }
}

/// Lockstep: submits a command and waits until it is done with all that follows from it. A refusal is told by the status
/// and never polled; everything else comes by `terrace_poll`.
///
/// # Safety
///
/// As `terrace_submit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_carry_out(
    engine: *mut terrace_engine,
    command: *const terrace_command,
    seq: *mut u64,
) -> terrace_status {
    let carry_out = |handle: &mut terrace_engine| {
        // SAFETY: `command` is null or points to a command, says the caller.
        match unsafe { read_command(command) } {
            Ok((given, command)) => match handle.carry_out(time(given.ts_ns), &command) {
                Ok(number) => {
                    // SAFETY: `seq` is null or can be written, says the caller.
                    unsafe { put(seq, number) };
                    terrace_status::Ok
                }
                Err(status) => status,
            },
            Err(status) => status,
        }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, carry_out) }
}

fn time(ts_ns: u64) -> Option<u64> {
    (ts_ns > 0).then_some(ts_ns)
}

/// Waits until everything is done that was submitted, with all that follows from it.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_settle(engine: *mut terrace_engine) -> terrace_status {
    let settle = |handle: &mut terrace_engine| match handle.desk().settle() {
        Ok(()) => terrace_status::Ok,
        Err(_) => handle.stopped(),
    };
    // SAFETY: as this function's.
    unsafe { call(engine, settle) }
}

/// Takes what there is to take, without waiting: at most `request_cap` requests to the venue and `event_cap` entries of
/// the log. Call it often, and until both numbers are zero. The orders of a pool that are cancelled together come
/// together, unless they are more than `event_cap`.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; each array is null or has room for as many as its
/// `cap` says, and each number can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_poll(
    engine: *mut terrace_engine,
    requests: *mut terrace_request,
    request_cap: usize,
    request_count: *mut usize,
    events: *mut terrace_event,
    event_cap: usize,
    event_count: *mut usize,
) -> terrace_status {
    if request_count.is_null() || event_count.is_null() {
        return terrace_status::Null;
    }
    let request_cap = if requests.is_null() { 0 } else { request_cap };
    let event_cap = if events.is_null() { 0 } else { event_cap };
    let poll = |handle: &mut terrace_engine| {
        let desk = handle.session.kernel_mut();
        desk.poll();
        let asked = request_cap.min(desk.requests.len());
        for (at, request) in desk.requests.drain(..asked).enumerate() {
            // SAFETY: `at` is below `request_cap`, for which there is room, says the caller.
            unsafe { requests.add(at).write((&request).into()) };
        }
        let told = whole_groups(&desk.log, event_cap);
        handle.refusals.clear();
        for (at, output) in desk.log.drain(..told).enumerate() {
            if let Output::Refused { seq, refusal } = output {
                handle.refusals.push((seq, refusal));
            }
            // SAFETY: `at` is below `event_cap`, for which there is room, says the caller.
            unsafe { events.add(at).write((&output).into()) };
        }
        // SAFETY: both were found not to be null, and can be written, says the caller.
        unsafe {
            request_count.write(asked);
            event_count.write(told);
        }
        if asked + told == 0 && handle.desk().engine().is_some_and(|engine| engine.failure().is_some()) {
            return handle.stopped();
        }
        terrace_status::Ok
    };
    // SAFETY: as this function's.
    unsafe { call(engine, poll) }
}

/// How many entries of a log fit, such that no group of cancelled orders is torn apart that fits by itself.
fn whole_groups(log: &std::collections::VecDeque<Output>, cap: usize) -> usize {
    if log.len() <= cap && log.back().is_none_or(|output| more(output) == 0) {
        return log.len();
    }
    let mut at = 0;
    while at < log.len().min(cap) {
        let group = 1 + more(&log[at]);
        if at + group > log.len().min(cap) && group <= cap {
            break;
        }
        at += group.min(cap - at);
    }
    at.min(log.len())
}

/// How many others of its group follow an entry.
fn more(output: &Output) -> usize {
    match output {
        Output::Event { event: Event::OrderCancelled { more, .. } | Event::CancelRequested { more, .. }, .. } => {
            *more as usize
        }
        _ => 0,
    }
}

/// Carries out one line of the protocol (a declaration, a question, any command) in lockstep, and writes the lines that
/// answer it and a zero. `seq` is the number that they carry; 0: one more than the last line's. `*needed` (which may be
/// null) is their length without the zero; where that is not below `cap` the status is `ROOM`, and `terrace_answer` gives
/// them again: the line has been carried out. The events that answer a line are not polled; requests to the venue are.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `line` has `length` bytes; `out` is null or has room
/// for `cap` bytes; `needed` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_line(
    engine: *mut terrace_engine,
    seq: u64,
    line: *const c_char,
    length: usize,
    out: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> terrace_status {
    if line.is_null() {
        return terrace_status::Null;
    }
    let carry_out = |handle: &mut terrace_engine| {
        // SAFETY: `line` has `length` bytes, says the caller.
        let line = unsafe { std::slice::from_raw_parts(line.cast::<u8>(), length) };
        let done = handle.line(seq, line);
        // SAFETY: `out` has room for `cap` bytes, and `needed` is null or can be written, says the caller.
        let written = unsafe { put_text(&handle.answer, out, cap, needed) };
        if done == terrace_status::Ok && !handle.answer.is_empty() { written } else { done }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, carry_out) }
}

/// The answer to the last line, again.
///
/// # Safety
///
/// As `terrace_line`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_answer(
    engine: *mut terrace_engine,
    out: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> terrace_status {
    // SAFETY: `out` has room for `cap` bytes, and `needed` is null or can be written, says the caller.
    let answer = |handle: &mut terrace_engine| unsafe { put_text(&handle.answer, out, cap, needed) };
    // SAFETY: as this function's.
    unsafe { call(engine, answer) }
}

/// Writes events as the lines of the protocol, in order; orders of a pool that are cancelled together in one line. A
/// refusal can be written until the next poll. Nothing is written where `*needed` is not below `cap`.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `events` has `count` of them; `out` is null or has
/// room for `cap` bytes; `needed` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_format_events(
    engine: *mut terrace_engine,
    events: *const terrace_event,
    count: usize,
    out: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> terrace_status {
    if events.is_null() {
        return terrace_status::Null;
    }
    let format = |handle: &mut terrace_engine| {
        let mut text = String::new();
        let terrace_engine { session, refusals, group, .. } = handle;
        let market = session.kernel().market();
        group.clear();
        let mut group_seq = 0;
        for at in 0..count {
            // SAFETY: `at` is below `count`, and so many events there are, says the caller.
            let event = match unsafe { read_event(events.add(at)) } {
                Ok(event) => event,
                Err(status) => return status,
            };
            if event.seq != group_seq || matches!(event.what, terrace_happening::Refused(_)) {
                Encoder::new(market).events(group_seq, group, &mut text);
                group.clear();
                group_seq = event.seq;
            }
            if !format_one(market, event, refusals, group, &mut text) {
                return terrace_status::Invalid;
            }
        }
        Encoder::new(market).events(group_seq, group, &mut text);
        // SAFETY: `out` has room for `cap` bytes, and `needed` is null or can be written, says the caller.
        unsafe { put_text(&text, out, cap, needed) }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, format) }
}

/// The event behind a pointer; the tag is looked at before anything else.
///
/// # Safety
///
/// It points to an event, which may hold any numbers.
unsafe fn read_event<'a>(event: *const terrace_event) -> Result<&'a terrace_event, terrace_status> {
    // SAFETY: it points to an event, whose happening begins with its tag, a u32 that may be any.
    if unsafe { (&raw const (*event).what).cast::<u32>().read() } >= HAPPENINGS {
        return Err(terrace_status::Invalid);
    }
    // SAFETY: the tag is one of ours, and every field of every happening is an integer, for which all bits are a value.
    Ok(unsafe { &*event })
}

/// Puts an event with its group, or writes a refusal; false if it is neither.
fn format_one(
    market: &Market,
    event: &terrace_event,
    refusals: &[(u64, crate::Refusal)],
    group: &mut Vec<Event>,
    text: &mut String,
) -> bool {
    if let terrace_happening::Refused(_) = event.what {
        let known = refusals.iter().find(|(seq, _)| *seq == event.seq);
        return known.map(|(_, refusal)| Rejection::from(*refusal).line(event.seq, text)).is_some();
    }
    EventReader(market).read(&event.what).map(|event| group.push(event)).is_some()
}

/// Writes the last refusal as a line of number `seq`, as the same command as a line would have got it.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `out` is null or has room for `cap` bytes; `needed` is
/// null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_format_refusal(
    engine: *mut terrace_engine,
    seq: u64,
    out: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> terrace_status {
    let format = |handle: &mut terrace_engine| {
        let Some(rejection) = handle.rejection() else { return terrace_status::Unknown };
        let mut text = String::new();
        rejection.line(seq, &mut text);
        // SAFETY: `out` has room for `cap` bytes, and `needed` is null or can be written, says the caller.
        unsafe { put_text(&text, out, cap, needed) }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, format) }
}

/// A sentence about the last call that was refused or failed; of a null handle: why the last start on this thread failed.
///
/// # Safety
///
/// As `terrace_format_refusal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_last_error(
    engine: *mut terrace_engine,
    out: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> terrace_status {
    if engine.is_null() {
        // SAFETY: `out` has room for `cap` bytes, and `needed` is null or can be written, says the caller.
        return START.with_borrow(|text| unsafe { put_text(text, out, cap, needed) });
    }
    // SAFETY: `out` has room for `cap` bytes, and `needed` is null or can be written, says the caller.
    let tell = |handle: &mut terrace_engine| unsafe { put_text(&handle.last_text(), out, cap, needed) };
    // SAFETY: as this function's.
    unsafe { call(engine, tell) }
}

/// Why the last command was refused that was; `NONE` if none was, or the last failure was another.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_last_code(engine: *mut terrace_engine) -> terrace_code {
    let mut code = terrace_code::None;
    let tell = |handle: &mut terrace_engine| {
        code = handle.last_code();
        terrace_status::Ok
    };
    // SAFETY: as this function's.
    let _ = unsafe { call(engine, tell) };
    code
}

/// The protocol's word of a `terrace_code`; null if it is none.
#[unsafe(no_mangle)]
pub extern "C" fn terrace_code_word(code: u32) -> *const c_char {
    CODE_WORDS.get(code as usize).map_or(std::ptr::null(), |word| word.as_ptr())
}

/// The protocol's word of a command that caused a liquidation; null if there is none of that number.
#[unsafe(no_mangle)]
pub extern "C" fn terrace_op_word(op: u32) -> *const c_char {
    Cause::OPS.get(op as usize).map_or(std::ptr::null(), |word| word.as_ptr())
}

/// Looks a name up in the market.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `name` is null or ends with a zero; `id` is null or can
/// be written.
unsafe fn look_up(
    engine: *mut terrace_engine,
    name: *const c_char,
    id: *mut u32,
    find: impl FnOnce(&Market, &str) -> Option<u32>,
) -> terrace_status {
    if id.is_null() {
        return terrace_status::Null;
    }
    let find = |handle: &mut terrace_engine| {
        // SAFETY: `name` is null or ends with a zero, says the caller.
        let name = match unsafe { read_name(name) } {
            Ok(name) => name,
            Err(status) => return status,
        };
        let Some(found) = find(handle.market(), name) else { return terrace_status::Unknown };
        // SAFETY: `id` was found not to be null, and can be written, says the caller.
        unsafe { id.write(found) };
        terrace_status::Ok
    };
    // SAFETY: as this function's.
    unsafe { call(engine, find) }
}

/// The id of an instrument, by its symbol.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `symbol` is null or ends with a zero; `id` is null or
/// can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_instrument_id(
    engine: *mut terrace_engine,
    symbol: *const c_char,
    id: *mut u32,
) -> terrace_status {
    // SAFETY: as this function's.
    unsafe { look_up(engine, symbol, id, |market, name| market.instrument_id(name).map(|id| id.0)) }
}

/// The id of an asset, by its name.
///
/// # Safety
///
/// As `terrace_instrument_id`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_asset_id(
    engine: *mut terrace_engine,
    name: *const c_char,
    id: *mut u32,
) -> terrace_status {
    // SAFETY: as this function's.
    unsafe { look_up(engine, name, id, |market, name| market.asset_id(name).map(|id| id.0)) }
}

/// The id of an insurance fund, by its name.
///
/// # Safety
///
/// As `terrace_instrument_id`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_fund_id(
    engine: *mut terrace_engine,
    name: *const c_char,
    id: *mut u32,
) -> terrace_status {
    // SAFETY: as this function's.
    unsafe { look_up(engine, name, id, |market, name| market.fund_id(name).map(|id| id.0)) }
}

/// Looks at a pool of an account, at a place of its own in the sequence; waits for that. `UNKNOWN` if the account has no
/// such pool.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `view` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_look_at_pool(
    engine: *mut terrace_engine,
    account: u64,
    pool: terrace_pool,
    view: *mut terrace_pool_view,
) -> terrace_status {
    let look = |handle: &mut terrace_engine| {
        let Some(name) = pool.read() else { return terrace_status::Invalid };
        let find = move |overview: crate::Overview<'_>| {
            overview.account(account).ok()?.pools.into_iter().find(|pool| pool.name == name)
        };
        match handle.desk().ask(find) {
            Ok(Some(pool)) => {
                let found = terrace_pool_view {
                    equity: pool.margin.equity.into(),
                    maintenance_margin: pool.margin.maintenance.into(),
                    initial_margin: pool.initial.into(),
                    available: pool.available.unwrap_or(0).into(),
                    locked: u32::from(pool.locked),
                };
                // SAFETY: `view` is null or can be written, says the caller.
                unsafe { put(view, found) };
                terrace_status::Ok
            }
            Ok(None) => terrace_status::Unknown,
            Err(_) => handle.stopped(),
        }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, look) }
}

/// What a running engine has done so far.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `metrics` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_read_metrics(
    engine: *mut terrace_engine,
    metrics: *mut terrace_metrics,
) -> terrace_status {
    let tell = |handle: &mut terrace_engine| {
        let Some(engine) = handle.desk().engine() else { return terrace_status::Stopped };
        let now = engine.metrics();
        let told = terrace_metrics {
            places: now.places,
            decisions: now.decisions,
            heartbeats: now.heartbeats,
            full: now.full,
            lag: now.lag,
        };
        // SAFETY: `metrics` is null or can be written, says the caller.
        unsafe { put(metrics, told) };
        terrace_status::Ok
    };
    // SAFETY: as this function's.
    unsafe { call(engine, tell) }
}

/// Which threads run on which cores, and how they wait, as a sentence.
///
/// # Safety
///
/// As `terrace_format_refusal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_describe(
    engine: *mut terrace_engine,
    out: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> terrace_status {
    let tell = |handle: &mut terrace_engine| {
        let Some(engine) = handle.desk().engine() else { return terrace_status::Stopped };
        // SAFETY: `out` has room for `cap` bytes, and `needed` is null or can be written, says the caller.
        unsafe { put_text(&engine.shape().to_string(), out, cap, needed) }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, tell) }
}

/// Goes through the record of a stopped engine again with an inline kernel, and compares the logs. Without a record, or
/// before the stop: `UNKNOWN`.
///
/// # Safety
///
/// `engine` is null or a handle that is used by this thread alone; `replay` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn terrace_record_replay(
    engine: *mut terrace_engine,
    replay: *mut terrace_replay,
) -> terrace_status {
    let go = |handle: &mut terrace_engine| match handle.desk().replay() {
        None => terrace_status::Unknown,
        Some(Err(divergence)) => {
            handle.last = Last::Other(divergence.to_string());
            terrace_status::Diverged
        }
        Some(Ok(Replayed { threads, inline, places })) => {
            let told = terrace_replay {
                hash: threads.0,
                inline_hash: inline.0,
                entries: threads.1,
                inline_entries: inline.1,
                places,
                equal: u32::from(threads == inline),
            };
            // SAFETY: `replay` is null or can be written, says the caller.
            unsafe { put(replay, told) };
            if threads == inline { terrace_status::Ok } else { terrace_status::Diverged }
        }
    };
    // SAFETY: as this function's.
    unsafe { call(engine, go) }
}
