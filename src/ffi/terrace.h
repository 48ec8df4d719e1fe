/* The C API of Terrace, a risk kernel for exchanges: the kernel on threads, beside a matching engine.
 *
 * One page of use. Start an engine, declare assets, instruments and the venue by terrace_line, look their ids up. From
 * then on terrace_submit every order, fill and price, and terrace_poll, again and again, for what the venue is asked to
 * do and for the log. Neither waits: FULL is an answer, after which one polls and submits again. terrace_settle waits for
 * everything; terrace_carry_out and terrace_line do so for one input. terrace_stop, then terrace_free.
 *
 * Threads. A handle belongs to one thread at a time; calls on the same handle from two threads at once are not allowed,
 * and nothing checks it. With TERRACE_WAIT_PARK it belongs to the thread that started it. Handles know nothing of each
 * other. A call never calls back.
 *
 * Memory. Nothing that is passed in is kept, and nothing that is handed out needs to be freed but the handle. Submitting
 * and polling format nothing, and allocate nothing but room for a longer backlog.
 *
 * Numbers. Prices are in ticks, quantities in lots, amounts in quanta, ids those of the look-ups. Enumerations are passed
 * in as uint32_t: a number that is none of theirs is answered by INVALID, or refused.
 *
 * Errors. Every function that can fail says so by its status; no failure changes anything. A panic inside is answered by
 * PANICKED, by this call and by all later ones on that handle.
 *
 * Made from src/ffi by tests/c_api.rs; do not edit.
 */

#ifndef TERRACE_H
#define TERRACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// In `terrace_fill.given`: `counterparty` is given; else the other side is the external venue account.
#define TERRACE_GIVEN_COUNTERPARTY 1

// In `terrace_fill.given`: `order` is given.
#define TERRACE_GIVEN_ORDER 2

// In `terrace_fill.given`: `counter_order` is given.
#define TERRACE_GIVEN_COUNTER_ORDER 4

// In `terrace_account.given`: `group` is given.
#define TERRACE_GIVEN_GROUP 1

// What a call came to.
enum terrace_status
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Done.
  TERRACE_STATUS_OK = 0,
  // The ring is full: poll, then call again. Nothing has changed.
  TERRACE_STATUS_FULL = 1,
  // The command was refused and has changed nothing; see `terrace_last_code` and `terrace_last_error`.
  TERRACE_STATUS_REFUSED = 2,
  // The engine was stopped.
  TERRACE_STATUS_STOPPED = 3,
  // A thread of the engine failed, or it could not start; `terrace_last_error` says why.
  TERRACE_STATUS_FAILED = 4,
  // A bug inside: the handle can only be freed.
  TERRACE_STATUS_PANICKED = 5,
  // A pointer that must not be null is null.
  TERRACE_STATUS_NULL = 6,
  // A number is none of those that its field takes, or a text is not UTF-8.
  TERRACE_STATUS_INVALID = 7,
  // The buffer is too small; how much is needed was told.
  TERRACE_STATUS_ROOM = 8,
  // There is nothing of that name.
  TERRACE_STATUS_UNKNOWN = 9,
  // The record, replayed inline, came to another log: a bug.
  TERRACE_STATUS_DIVERGED = 10,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_status terrace_status;
#else
typedef uint32_t terrace_status;
#endif // __STDC_VERSION__ >= 202311L

// Why a command was refused. `terrace_code_word` gives the protocol's word.
enum terrace_code
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  TERRACE_CODE_NONE = 0,
  TERRACE_CODE_MALFORMED = 1,
  TERRACE_CODE_UNKNOWN_OP = 2,
  TERRACE_CODE_UNKNOWN_FIELD = 3,
  TERRACE_CODE_UNKNOWN_SYMBOL = 4,
  TERRACE_CODE_UNKNOWN_ACCOUNT = 5,
  TERRACE_CODE_UNKNOWN_ASSET = 6,
  TERRACE_CODE_UNKNOWN_FUND = 7,
  TERRACE_CODE_UNKNOWN_ORDER = 8,
  TERRACE_CODE_UNKNOWN_LIQUIDATION = 9,
  TERRACE_CODE_TIME_REVERSED = 10,
  TERRACE_CODE_BAD_VALUE = 11,
  TERRACE_CODE_BAD_TIERS = 12,
  TERRACE_CODE_OFF_GRID = 13,
  TERRACE_CODE_OVERFLOW = 14,
  TERRACE_CODE_LOCKED = 15,
  TERRACE_CODE_INSUFFICIENT_MARGIN = 16,
  TERRACE_CODE_NO_PRICE = 17,
  TERRACE_CODE_DUPLICATE = 18,
  TERRACE_CODE_GAP = 19,
  TERRACE_CODE_EXPIRED = 20,
  TERRACE_CODE_HALTED = 21,
  TERRACE_CODE_BUSY = 22,
  TERRACE_CODE_LIMIT = 23,
  TERRACE_CODE_REDUCE_ONLY = 24,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_code terrace_code;
#else
typedef uint32_t terrace_code;
#endif // __STDC_VERSION__ >= 202311L

// The side of an order or a fill.
enum terrace_side
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Bids; makes a position longer.
  TERRACE_SIDE_BUY = 0,
  // Asks; makes a position shorter.
  TERRACE_SIDE_SELL = 1,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_side terrace_side;
#else
typedef uint32_t terrace_side;
#endif // __STDC_VERSION__ >= 202311L

// How a position is margined.
enum terrace_margin_mode
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // From the account's pool of the settlement asset.
  TERRACE_MARGIN_MODE_CROSS = 0,
  // From a margin of its own.
  TERRACE_MARGIN_MODE_ISOLATED = 1,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_margin_mode terrace_margin_mode;
#else
typedef uint32_t terrace_margin_mode;
#endif // __STDC_VERSION__ >= 202311L

// Which fee a fill charges the account; its counterparty pays the other.
enum terrace_liquidity
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // No fee on either side.
  TERRACE_LIQUIDITY_NONE = 0,
  // It rested in the book.
  TERRACE_LIQUIDITY_MAKER = 1,
  // It took from the book.
  TERRACE_LIQUIDITY_TAKER = 2,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_liquidity terrace_liquidity;
#else
typedef uint32_t terrace_liquidity;
#endif // __STDC_VERSION__ >= 202311L

// Whether an account has one position in an instrument or two.
enum terrace_position_mode
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // One, long or short.
  TERRACE_POSITION_MODE_ONE_WAY = 0,
  // A long and a short leg beside each other.
  TERRACE_POSITION_MODE_HEDGE = 1,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_position_mode terrace_position_mode;
#else
typedef uint32_t terrace_position_mode;
#endif // __STDC_VERSION__ >= 202311L

// Which leg of an account in hedge mode is meant.
enum terrace_position_side
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // None: the account is in one-way mode.
  TERRACE_POSITION_SIDE_NONE = 0,
  // The long leg.
  TERRACE_POSITION_SIDE_LONG = 1,
  // The short leg.
  TERRACE_POSITION_SIDE_SHORT = 2,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_position_side terrace_position_side;
#else
typedef uint32_t terrace_position_side;
#endif // __STDC_VERSION__ >= 202311L

// What a pool holds, and what its id is.
enum terrace_pool_kind
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // The account's balance of an asset; the id is the asset's.
  TERRACE_POOL_KIND_CROSS = 0,
  // One position with its own margin; the id is the instrument's.
  TERRACE_POOL_KIND_ISOLATED = 1,
  // In hedge mode, the long leg with its own margin.
  TERRACE_POOL_KIND_ISOLATED_LONG = 2,
  // The short leg.
  TERRACE_POOL_KIND_ISOLATED_SHORT = 3,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_pool_kind terrace_pool_kind;
#else
typedef uint32_t terrace_pool_kind;
#endif // __STDC_VERSION__ >= 202311L

// Whose a liquidation order is, and what its id is.
enum terrace_owner_kind
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // An account's; the id is the account's.
  TERRACE_OWNER_KIND_ACCOUNT = 0,
  // The fund's that stands behind an instrument; the id is the instrument's.
  TERRACE_OWNER_KIND_FUND = 1,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_owner_kind terrace_owner_kind;
#else
typedef uint32_t terrace_owner_kind;
#endif // __STDC_VERSION__ >= 202311L

// What led to a liquidation, and what its id is.
enum terrace_cause_kind
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // A mark or a fill; the id is the instrument's.
  TERRACE_CAUSE_KIND_INSTRUMENT = 0,
  // Another command; the id is one for `terrace_op_word`.
  TERRACE_CAUSE_KIND_OP = 1,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_cause_kind terrace_cause_kind;
#else
typedef uint32_t terrace_cause_kind;
#endif // __STDC_VERSION__ >= 202311L

// Which step a liquidation order belongs to.
enum terrace_step
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Reduction to the cap of the tier below.
  TERRACE_STEP_TIER = 0,
  // Closing of the whole position.
  TERRACE_STEP_ALL = 1,
  // A fund closes its inventory.
  TERRACE_STEP_UNWIND = 2,
  // Closing of a fixed part of the position.
  TERRACE_STEP_FRACTION = 3,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_step terrace_step;
#else
typedef uint32_t terrace_step;
#endif // __STDC_VERSION__ >= 202311L

// How a liquidation ended.
enum terrace_outcome
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // The pool is no longer in breach.
  TERRACE_OUTCOME_CURED = 0,
  // The pool holds no position any more.
  TERRACE_OUTCOME_CLOSED = 1,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_outcome terrace_outcome;
#else
typedef uint32_t terrace_outcome;
#endif // __STDC_VERSION__ >= 202311L

// Why a fund's balance changed.
enum terrace_fund_reason
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // A liquidation fee came in.
  TERRACE_FUND_REASON_FEE = 0,
  // Inventory was closed at the venue.
  TERRACE_FUND_REASON_UNWIND = 1,
  // A takeover met inventory of the other side.
  TERRACE_FUND_REASON_NETTING = 2,
  // Inventory was deleveraged.
  TERRACE_FUND_REASON_ADL = 3,
  // What counterparties of a deleveraging paid differs from what the bankrupt pool was booked out at.
  TERRACE_FUND_REASON_ADL_RESIDUE = 4,
  // A pool that ended below zero was made good.
  TERRACE_FUND_REASON_DEFICIT = 5,
  // Positions that gained made good a deficit.
  TERRACE_FUND_REASON_SOCIALISED = 6,
  // Money was paid in.
  TERRACE_FUND_REASON_DEPOSIT = 7,
  // What two sides exchanged was rounded on each.
  TERRACE_FUND_REASON_ROUNDING = 8,
  // Its inventory paid or received funding, or the rest of a settlement is its.
  TERRACE_FUND_REASON_FUNDING = 9,
  // It made good what an account lost by somebody's mistake.
  TERRACE_FUND_REASON_COMPENSATION = 10,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_fund_reason terrace_fund_reason;
#else
typedef uint32_t terrace_fund_reason;
#endif // __STDC_VERSION__ >= 202311L

// What a correction put right.
enum terrace_remedy
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // A fill was undone.
  TERRACE_REMEDY_BUST = 0,
  // A fill got another price.
  TERRACE_REMEDY_REPRICE = 1,
  // A balance was changed.
  TERRACE_REMEDY_ADJUST = 2,
  // A fund made good what an account lost.
  TERRACE_REMEDY_COMPENSATE = 3,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_remedy terrace_remedy;
#else
typedef uint32_t terrace_remedy;
#endif // __STDC_VERSION__ >= 202311L

// How a mark is made.
enum terrace_mark_rule
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // It is given.
  TERRACE_MARK_RULE_EXTERNAL = 0,
  // The median of index with funding, index with mean basis, and last price.
  TERRACE_MARK_RULE_MEDIAN = 1,
  // The index with what is left of the funding.
  TERRACE_MARK_RULE_FAIR_BASIS = 2,
  // The index with the smoothed basis, within a band.
  TERRACE_MARK_RULE_EMA_BASIS = 3,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_mark_rule terrace_mark_rule;
#else
typedef uint32_t terrace_mark_rule;
#endif // __STDC_VERSION__ >= 202311L

// Why a mark is frozen.
enum terrace_freeze_cause
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Its index is: too few venues are left.
  TERRACE_FREEZE_CAUSE_INDEX = 0,
  // What it is made of is too old.
  TERRACE_FREEZE_CAUSE_STALE = 1,
  // The instrument is halted.
  TERRACE_FREEZE_CAUSE_HALTED = 2,
  // A mark is held back by the airlock.
  TERRACE_FREEZE_CAUSE_AIRLOCK = 3,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_freeze_cause terrace_freeze_cause;
#else
typedef uint32_t terrace_freeze_cause;
#endif // __STDC_VERSION__ >= 202311L

// How a hold of the airlock ended.
enum terrace_airlock_outcome
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Another source gave a mark near the held one.
  TERRACE_AIRLOCK_OUTCOME_CONFIRMED = 0,
  // A mark near the live one came, or one that may pass.
  TERRACE_AIRLOCK_OUTCOME_WITHDRAWN = 1,
  // Nothing else happened for so long: the held mark was taken.
  TERRACE_AIRLOCK_OUTCOME_TIMEOUT = 2,
  // A command let the held mark through.
  TERRACE_AIRLOCK_OUTCOME_ACCEPTED = 3,
  // A command dropped it.
  TERRACE_AIRLOCK_OUTCOME_DISCARDED = 4,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_airlock_outcome terrace_airlock_outcome;
#else
typedef uint32_t terrace_airlock_outcome;
#endif // __STDC_VERSION__ >= 202311L

// What an instrument, an account, or everything may do.
enum terrace_mode_word
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Everything.
  TERRACE_MODE_WORD_NORMAL = 0,
  // Only orders that reduce are taken.
  TERRACE_MODE_WORD_REDUCE_ONLY = 1,
  // No orders are taken.
  TERRACE_MODE_WORD_CANCEL_ONLY = 2,
  // No orders are taken, and marks count as frozen.
  TERRACE_MODE_WORD_HALTED = 3,
  // Pools in breach are locked, and are not reduced or taken over.
  TERRACE_MODE_WORD_LIQUIDATION_PAUSED = 4,
  // Nobody is deleveraged.
  TERRACE_MODE_WORD_ADL_PAUSED = 5,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_mode_word terrace_mode_word;
#else
typedef uint32_t terrace_mode_word;
#endif // __STDC_VERSION__ >= 202311L

// What may be wrong around the kernel.
enum terrace_health_state
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // An input takes too long.
  TERRACE_HEALTH_STATE_STALLED_WORKER = 0,
  // No price of an instrument has come for too long.
  TERRACE_HEALTH_STATE_SILENT_FEED = 1,
  // The venue does not answer.
  TERRACE_HEALTH_STATE_SILENT_VENUE = 2,
  // What waits to be carried out is near its bound.
  TERRACE_HEALTH_STATE_QUEUE_NEAR_FULL = 3,
  // The journal does not keep up.
  TERRACE_HEALTH_STATE_SLOW_JOURNAL = 4,
  // The standby does not keep up.
  TERRACE_HEALTH_STATE_STANDBY_BEHIND = 5,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_health_state terrace_health_state;
#else
typedef uint32_t terrace_health_state;
#endif // __STDC_VERSION__ >= 202311L

// What a mode is of, and what its id is.
enum terrace_scope
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Everything; the id is 0.
  TERRACE_SCOPE_ALL = 0,
  // The instrument of that id.
  TERRACE_SCOPE_INSTRUMENT = 1,
  // That account.
  TERRACE_SCOPE_ACCOUNT = 2,
  // The instruments of that fund: only told, never set.
  TERRACE_SCOPE_FUND = 3,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_scope terrace_scope;
#else
typedef uint32_t terrace_scope;
#endif // __STDC_VERSION__ >= 202311L

// How threads wait.
enum terrace_wait
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // They spin if each has a core of its own, else they yield.
  TERRACE_WAIT_AUTO = 0,
  // Burns a core: the shortest wait.
  TERRACE_WAIT_SPIN = 1,
  // Offers the core to others at every turn.
  TERRACE_WAIT_YIELD = 2,
  // Sleeps until woken.
  TERRACE_WAIT_PARK = 3,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_wait terrace_wait;
#else
typedef uint32_t terrace_wait;
#endif // __STDC_VERSION__ >= 202311L

// Where threads are pinned.
enum terrace_pinning
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // Nowhere.
  TERRACE_PINNING_OFF = 0,
  // Each thread to a core of its own if there are enough, the calling one included; else nowhere.
  TERRACE_PINNING_AUTO = 1,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_pinning terrace_pinning;
#else
typedef uint32_t terrace_pinning;
#endif // __STDC_VERSION__ >= 202311L

// An engine, as a C program holds it.
typedef struct terrace_engine terrace_engine;

// How an engine is built. Begin with `terrace_settings_default`, which fills in `size`.
typedef struct terrace_settings {
  // `sizeof(terrace_settings)`: by it a later library knows which fields there are.
  uint32_t size;
  // Workers; 0: one for each core that the calling thread leaves, at least one.
  uint32_t workers;
  // A `terrace_wait`.
  uint32_t wait;
  // A `terrace_pinning`.
  uint32_t pinning;
  // Places in the ring: a power of two.
  uint32_t ring;
  // Room in each queue: a power of two.
  uint32_t queue;
  // After so long without an input the engine tells the time itself (since the epoch); 0: never.
  uint64_t heartbeat_ns;
  // 1: the sequence is kept in memory, for `terrace_record_replay`; else 0.
  uint32_t record;
  // 1: requests say when they were decided; else 0.
  uint32_t stamps;
} terrace_settings;

// A price of an instrument.
typedef struct terrace_price {
  // In ticks.
  int64_t price;
  // Its id.
  uint32_t instrument;
} terrace_price;

// A fill of the matching engine: a fact, booked whatever it does to the accounts.
typedef struct terrace_fill {
  // The account whose side is given.
  uint64_t account;
  // The other side, if given.
  uint64_t counterparty;
  // The account's order that it fills, if given.
  uint64_t order;
  // The counterparty's order that it fills, if given.
  uint64_t counter_order;
  // In lots.
  int64_t quantity;
  // In ticks.
  int64_t price;
  // The instrument's id.
  uint32_t instrument;
  // The account's `terrace_side`.
  uint32_t side;
  // A `terrace_liquidity`: the account's.
  uint32_t liquidity;
  // Which of the optional fields are given: `TERRACE_GIVEN_…`, added up.
  uint32_t given;
  // The account's `terrace_position_side`.
  uint32_t position_side;
  // The counterparty's.
  uint32_t counter_position_side;
} terrace_fill;

// A limit order, for its margin.
typedef struct terrace_order {
  // The account.
  uint64_t account;
  // Its id, unique among the account's open orders.
  uint64_t order;
  // In lots.
  int64_t quantity;
  // Limit, in ticks.
  int64_t price;
  // The instrument's id.
  uint32_t instrument;
  // A `terrace_side`.
  uint32_t side;
  // 1: it may only reduce the position; else 0.
  uint32_t reduce_only;
  // A `terrace_position_side`.
  uint32_t position_side;
} terrace_order;

// An order, or a hold, of an account.
typedef struct terrace_item {
  // The account.
  uint64_t account;
  // The order's id, or the hold's.
  uint64_t id;
} terrace_item;

// An account before its first deposit.
typedef struct terrace_account {
  // Its id.
  uint64_t account;
  // A `terrace_position_mode`.
  uint32_t positions;
  // Whether it has a group: `TERRACE_GIVEN_GROUP`, or 0.
  uint32_t given;
  // The group whose members count as one for `limits.position`, if given.
  uint64_t group;
} terrace_account;

// Money of an account.
typedef struct terrace_payment {
  // The account.
  uint64_t account;
  // In quanta.
  int64_t amount;
  // The asset's id.
  uint32_t asset;
} terrace_payment;

// The leverage of an account in an instrument.
typedef struct terrace_leverage {
  // The account.
  uint64_t account;
  // The instrument's id.
  uint32_t instrument;
  // In hundredths, from 100.
  uint32_t leverage;
} terrace_leverage;

// How an account is margined in an instrument.
typedef struct terrace_mode {
  // The account.
  uint64_t account;
  // The instrument's id.
  uint32_t instrument;
  // A `terrace_margin_mode`.
  uint32_t mode;
} terrace_mode;

// Money between the balance and an isolated margin.
typedef struct terrace_isolated_margin {
  // The account.
  uint64_t account;
  // In quanta, into the margin; negative out of it.
  int64_t amount;
  // The instrument's id.
  uint32_t instrument;
  // A `terrace_position_side`.
  uint32_t position_side;
} terrace_isolated_margin;

// Money put aside for a withdrawal.
typedef struct terrace_hold {
  // The account.
  uint64_t account;
  // Its id, unique among the account's open holds.
  uint64_t hold;
  // In quanta.
  int64_t amount;
  // The asset's id.
  uint32_t asset;
} terrace_hold;

// Money into a fund.
typedef struct terrace_fund_deposit {
  // In quanta.
  int64_t amount;
  // The fund's id.
  uint32_t fund;
} terrace_fund_deposit;

// A liquidation or unwinding order as the venue knows it: whose it is, and its how-manieth.
typedef struct terrace_order_name {
  // A `terrace_owner_kind`.
  uint32_t owner_kind;
  // From 1, over all orders of that owner.
  uint32_t nth;
  // The account, or the instrument that the fund stands behind.
  uint64_t owner;
} terrace_order_name;

// The venue filled a liquidation order, wholly or in part.
typedef struct terrace_liquidation_fill {
  // As the request named it.
  struct terrace_order_name order;
  // In lots.
  int64_t quantity;
  // In ticks.
  int64_t price;
  // The instrument's id.
  uint32_t instrument;
} terrace_liquidation_fill;

// A pool of an account, by what it holds.
typedef struct terrace_pool {
  // A `terrace_pool_kind`.
  uint32_t kind;
  // Of the asset or the instrument.
  uint32_t id;
} terrace_pool;

// The venue has cancelled the orders of a pool in liquidation.
typedef struct terrace_cancel_ack {
  // The account.
  uint64_t account;
  // The account's last execution before that, counted from 1 over the fills that name the account; 0: none to wait for.
  uint64_t execution;
  // The pool.
  struct terrace_pool pool;
} terrace_cancel_ack;

// A price at a venue of the index.
typedef struct terrace_index {
  // In steps of 10^-8.
  int64_t price;
  // The instrument's id.
  uint32_t instrument;
  // The venue, by its place in the rules of the index, from 0.
  uint32_t venue;
} terrace_index;

// Funding is settled at a rate.
typedef struct terrace_funding {
  // What a long pays of its notional, in parts per billion, above -1 and below 1; negative: receives.
  int64_t rate_ppb;
  // The instrument's id.
  uint32_t instrument;
} terrace_funding;

// What an instrument, an account, or everything may do from now on.
typedef struct terrace_set_mode {
  // The instrument's, the account, or the fund's.
  uint64_t id;
  // A `terrace_scope`.
  uint32_t scope;
  // A `terrace_mode_word`.
  uint32_t mode;
} terrace_set_mode;

// A mark price of an instrument, from a source.
typedef struct terrace_sourced_price {
  // In ticks.
  int64_t price;
  // Who gives it: any number that stands for one; 0: not named.
  uint64_t source;
  // Its id.
  uint32_t instrument;
} terrace_sourced_price;

// A decision about the mark that the airlock of an instrument holds.
typedef struct terrace_airlock_release {
  // The instrument's id.
  uint32_t instrument;
  // 1: it is taken; 0: it is forgotten.
  uint32_t accept;
} terrace_airlock_release;

// Something is wrong around the kernel, or well again.
typedef struct terrace_health {
  // The instrument's, or 0.
  uint64_t id;
  // A `terrace_scope`: of an instrument, or of everything.
  uint32_t scope;
  // A `terrace_health_state`.
  uint32_t state;
  // 1: it is so; 0: it is no more.
  uint32_t active;
  // A `terrace_mode_word`, which holds as long as it is so; normal where it is no more.
  uint32_t mode;
} terrace_health;

// Everything of fixed size that changes state. Quantities are in lots, prices in ticks, amounts in quanta, all positive
// and below 2^62 unless stated. Every number is checked; what does not fit is refused.
enum terrace_action_Tag
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // A mark price.
  TERRACE_ACTION_MARK,
  // A last traded price: shown, liquidates nobody.
  TERRACE_ACTION_LAST,
  // A fill.
  TERRACE_ACTION_FILL,
  // A new order.
  TERRACE_ACTION_ORDER,
  // An order is gone.
  TERRACE_ACTION_CANCEL,
  // Declares an account before its first deposit.
  TERRACE_ACTION_ACCOUNT,
  // Money in.
  TERRACE_ACTION_DEPOSIT,
  // Money out.
  TERRACE_ACTION_WITHDRAW,
  // The leverage of an account in an instrument.
  TERRACE_ACTION_LEVERAGE,
  // Cross or isolated, for an account in an instrument.
  TERRACE_ACTION_MARGIN_MODE,
  // Moves money between the balance and an isolated margin.
  TERRACE_ACTION_ISOLATED_MARGIN,
  // Money put aside for a withdrawal.
  TERRACE_ACTION_HOLD,
  // A hold becomes a withdrawal.
  TERRACE_ACTION_COMMIT,
  // A hold goes back to the balance.
  TERRACE_ACTION_RELEASE,
  // Money into a fund.
  TERRACE_ACTION_FUND_DEPOSIT,
  // The venue's answer to a liquidation order: a fill.
  TERRACE_ACTION_LIQUIDATION_FILL,
  // The venue's answer to a liquidation order: what is not filled will not be.
  TERRACE_ACTION_LIQUIDATION_EXPIRE,
  // The venue does not know what became of a liquidation order: its pool stays locked.
  TERRACE_ACTION_LIQUIDATION_UNKNOWN,
  // The venue's answer to a request to cancel.
  TERRACE_ACTION_CANCEL_ACK,
  // A price at a venue of the index, in steps of 10^-8.
  TERRACE_ACTION_INDEX,
  // Funding is settled now, at the present mark.
  TERRACE_ACTION_FUNDING,
  // What may be done from now on.
  TERRACE_ACTION_SET_MODE,
  // A mark price from a source that the airlock tells from others.
  TERRACE_ACTION_MARK_FROM,
  // What the airlock of an instrument holds is let through, or dropped.
  TERRACE_ACTION_AIRLOCK_RELEASE,
  // Something is wrong around the kernel, or well again.
  TERRACE_ACTION_HEALTH,
  // The input time moves on to this, in nanoseconds since the epoch.
  TERRACE_ACTION_TIME,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_action_Tag terrace_action_Tag;
#else
typedef uint32_t terrace_action_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef struct terrace_action {
  terrace_action_Tag tag;
  union {
    struct {
      struct terrace_price mark;
    };
    struct {
      struct terrace_price last;
    };
    struct {
      struct terrace_fill fill;
    };
    struct {
      struct terrace_order order;
    };
    struct {
      struct terrace_item cancel;
    };
    struct {
      struct terrace_account account;
    };
    struct {
      struct terrace_payment deposit;
    };
    struct {
      struct terrace_payment withdraw;
    };
    struct {
      struct terrace_leverage leverage;
    };
    struct {
      struct terrace_mode margin_mode;
    };
    struct {
      struct terrace_isolated_margin isolated_margin;
    };
    struct {
      struct terrace_hold hold;
    };
    struct {
      struct terrace_item commit;
    };
    struct {
      struct terrace_item release;
    };
    struct {
      struct terrace_fund_deposit fund_deposit;
    };
    struct {
      struct terrace_liquidation_fill liquidation_fill;
    };
    struct {
      struct terrace_order_name liquidation_expire;
    };
    struct {
      struct terrace_order_name liquidation_unknown;
    };
    struct {
      struct terrace_cancel_ack cancel_ack;
    };
    struct {
      struct terrace_index index;
    };
    struct {
      struct terrace_funding funding;
    };
    struct {
      struct terrace_set_mode set_mode;
    };
    struct {
      struct terrace_sourced_price mark_from;
    };
    struct {
      struct terrace_airlock_release airlock_release;
    };
    struct {
      struct terrace_health health;
    };
    struct {
      uint64_t time;
    };
  };
} terrace_action;

// An action at a time.
typedef struct terrace_command {
  // In nanoseconds since the epoch, never running backward; 0: the present time.
  uint64_t ts_ns;
  // What is to be done.
  struct terrace_action action;
} terrace_command;

// Fill this immediately, as far as the limit allows, and answer with fills and, if a rest is left, an expiry.
typedef struct terrace_venue_order {
  // By this name it is answered.
  struct terrace_order_name order;
  // In lots.
  int64_t quantity;
  // In ticks.
  int64_t limit;
  // The instrument's id.
  uint32_t instrument;
  // A `terrace_side`.
  uint32_t side;
  // A `terrace_step`: why.
  uint32_t step;
} terrace_venue_order;

// A pool of an account.
typedef struct terrace_pool_of {
  uint64_t account;
  struct terrace_pool pool;
} terrace_pool_of;

// What the venue is to do.
enum terrace_request_kind_Tag
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // A liquidation or unwinding order.
  TERRACE_REQUEST_KIND_ORDER,
  // Cancel the account's open orders that reserve on this pool, and answer with a `cancel_ack`. A cross pool's orders
  // include those on isolated instruments of its asset.
  TERRACE_REQUEST_KIND_CANCEL,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_request_kind_Tag terrace_request_kind_Tag;
#else
typedef uint32_t terrace_request_kind_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef struct terrace_request_kind {
  terrace_request_kind_Tag tag;
  union {
    struct {
      struct terrace_venue_order order;
    };
    struct {
      struct terrace_pool_of cancel;
    };
  };
} terrace_request_kind;

// A request to the venue.
typedef struct terrace_request {
  // The place in the sequence of the input that led to it.
  uint64_t place;
  // When it was decided, in nanoseconds since the engine started; 0 if it takes no stamps.
  uint64_t decided_ns;
  // What is to be done.
  struct terrace_request_kind what;
} terrace_request;

// A signed amount of 128 bits in two's complement. Where `high == (int64_t)low >> 63` the amount is `(int64_t)low`.
typedef struct terrace_amount {
  // The lower half.
  uint64_t low;
  // The upper half, with the sign.
  int64_t high;
} terrace_amount;

// What led to a liquidation.
typedef struct terrace_cause {
  // A `terrace_cause_kind`.
  uint32_t kind;
  // Of the instrument, or for `terrace_op_word`.
  uint32_t id;
} terrace_cause;

// A pool in breach was locked.
typedef struct terrace_liquidation_started {
  uint64_t account;
  struct terrace_amount equity;
  struct terrace_amount maintenance_margin;
  struct terrace_pool pool;
  struct terrace_cause cause;
} terrace_liquidation_started;

// An order of a locked pool; `more` others of the same pool follow. The protocol tells all of them in one line.
typedef struct terrace_pool_order {
  uint64_t account;
  uint64_t order;
  struct terrace_pool pool;
  uint32_t more;
} terrace_pool_order;

// An order and a quantity: what is left of it, or what it did not cover.
typedef struct terrace_order_quantity {
  uint64_t account;
  uint64_t order;
  int64_t quantity;
  uint32_t instrument;
} terrace_order_quantity;

// An order for the venue: immediate or cancel. `liquidation` is the number that lines know it by.
typedef struct terrace_liquidation_order {
  uint64_t liquidation;
  struct terrace_order_name order;
  int64_t quantity;
  int64_t limit;
  uint32_t instrument;
  // A `terrace_side`.
  uint32_t side;
  // A `terrace_step`.
  uint32_t step;
} terrace_liquidation_order;

// Whose a liquidation order or deleveraging is.
typedef struct terrace_owner {
  // The account, or the instrument that the fund stands behind.
  uint64_t id;
  // A `terrace_owner_kind`.
  uint32_t kind;
} terrace_owner;

// The venue filled a liquidation order, wholly or in part.
typedef struct terrace_liquidation_filled {
  uint64_t liquidation;
  struct terrace_owner owner;
  int64_t quantity;
  int64_t price;
  struct terrace_amount fee;
  struct terrace_amount realised;
  uint32_t instrument;
  // A `terrace_side`.
  uint32_t side;
} terrace_liquidation_filled;

// Signed `quantity` of a pool's position passed to the fund, and with it the share `passed` of the equity.
typedef struct terrace_takeover {
  uint64_t account;
  int64_t quantity;
  // Zero where no price is the bankruptcy price.
  struct terrace_amount price;
  struct terrace_amount passed;
  uint32_t instrument;
} terrace_takeover;

// A counterparty was deleveraged; `quantity` is signed as its trade.
typedef struct terrace_deleveraged {
  struct terrace_owner owner;
  uint64_t counter;
  int64_t quantity;
  struct terrace_amount price;
  struct terrace_amount realised;
  uint32_t instrument;
  uint32_t rank;
} terrace_deleveraged;

// How a deleveraging went: lots needed, and reduced by so many counterparties, the largest of which gave `largest`.
typedef struct terrace_adl_report {
  struct terrace_owner owner;
  int64_t needed;
  int64_t reduced;
  int64_t largest;
  uint32_t instrument;
  uint32_t counterparties;
} terrace_adl_report;

// A liquidation ended, with this equity of the pool.
typedef struct terrace_liquidation_ended {
  uint64_t account;
  struct terrace_amount equity;
  struct terrace_pool pool;
  // A `terrace_outcome`.
  uint32_t outcome;
} terrace_liquidation_ended;

// A fund's balance changed.
typedef struct terrace_fund_change {
  struct terrace_amount delta;
  struct terrace_amount balance;
  uint32_t fund;
  // A `terrace_fund_reason`.
  uint32_t reason;
} terrace_fund_change;

// The index of an instrument froze at this price, in steps of 10^-8.
typedef struct terrace_index_frozen {
  int64_t index;
  uint32_t instrument;
} terrace_index_frozen;

// A computed mark changed. What it was made of depends on the rule; a price of 0 was missing.
typedef struct terrace_computed_mark {
  // In ticks.
  int64_t price;
  // In steps of 10^-8.
  int64_t index;
  // `median`: in ticks.
  int64_t p1;
  // `median`: in ticks.
  int64_t p2;
  // `median`: in ticks.
  int64_t last;
  // `fair_basis`: in parts per billion.
  int64_t rate;
  // `ema_basis`: in 2^-64 steps of 10^-8.
  struct terrace_amount ema;
  uint32_t instrument;
  // A `terrace_mark_rule`.
  uint32_t rule;
} terrace_computed_mark;

// Why a mark froze, or lives again.
typedef struct terrace_mark_life {
  uint32_t instrument;
  // A `terrace_freeze_cause`.
  uint32_t cause;
} terrace_mark_life;

// A locked pool closed as many lots of its long leg as of its short one, at the mark.
typedef struct terrace_offset {
  uint64_t account;
  int64_t quantity;
  int64_t price;
  uint32_t instrument;
} terrace_offset;

// A fund came into drawdown, or out of it.
typedef struct terrace_fund_drawdown {
  struct terrace_amount equity;
  struct terrace_amount peak;
  uint32_t fund;
  // 1: it begins; 0: it ends.
  uint32_t active;
} terrace_fund_drawdown;

// A position that gained was charged with a part of a fund's deficit.
typedef struct terrace_socialised {
  uint64_t account;
  struct terrace_amount amount;
  uint32_t instrument;
} terrace_socialised;

// A settlement of funding is done. What `paid` exceeds `received` by is the fund's.
typedef struct terrace_funding_settled {
  struct terrace_amount paid;
  struct terrace_amount received;
  int64_t rate_ppb;
  uint32_t instrument;
} terrace_funding_settled;

// A takeover, residue or deficit left a fund's equity below zero.
typedef struct terrace_fund_deficit {
  struct terrace_amount equity;
  uint32_t fund;
} terrace_fund_deficit;

// The margin ratio of a pool, `maintenance_margin / equity`, rose past a level.
typedef struct terrace_margin_call {
  uint64_t account;
  struct terrace_amount equity;
  struct terrace_amount maintenance_margin;
  struct terrace_pool pool;
  // In parts per billion.
  uint32_t level;
} terrace_margin_call;

// Something was put right. Of a bust or a repricing `amount` and `asset` are 0, of money `quantity`, `price`, `instrument` and
// `side`.
typedef struct terrace_corrected {
  uint64_t corrects;
  uint64_t account;
  int64_t quantity;
  int64_t price;
  // Of a repricing; else 0.
  int64_t to;
  int64_t amount;
  uint32_t instrument;
  // A `terrace_side`.
  uint32_t side;
  uint32_t asset;
  // A `terrace_remedy`.
  uint32_t remedy;
  // By this number the engine knows reason and principal: `terrace_format_events` writes them.
  uint32_t remark;
} terrace_corrected;

// The airlock holds `price` back; `mark` stays in force. At `price` pools of so many accounts would be in breach.
typedef struct terrace_airlock_held {
  int64_t price;
  int64_t mark;
  uint64_t accounts;
  struct terrace_amount notional;
  struct terrace_amount fund_loss;
  uint32_t instrument;
} terrace_airlock_held;

// A hold of the airlock ended; `price` is the mark in force from now on.
typedef struct terrace_airlock_ended {
  int64_t price;
  uint32_t instrument;
  // A `terrace_airlock_outcome`.
  uint32_t outcome;
} terrace_airlock_ended;

// What happened. Amounts are in quanta, prices in ticks, quantities in lots.
enum terrace_happening_Tag
#if __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // __STDC_VERSION__ >= 202311L
 {
  // A command that had been submitted was refused by the shard of its account, for this `terrace_code`.
  TERRACE_HAPPENING_REFUSED,
  // A pool in breach was locked.
  TERRACE_HAPPENING_LIQUIDATION_STARTED,
  // A pool is in breach, but no mark of its positions lives.
  TERRACE_HAPPENING_LIQUIDATION_SUPPRESSED,
  // The venue is asked to cancel an order.
  TERRACE_HAPPENING_CANCEL_REQUESTED,
  // An order was cancelled.
  TERRACE_HAPPENING_ORDER_CANCELLED,
  // A reduce-only order was cut to `quantity`, because the position shrank below it.
  TERRACE_HAPPENING_ORDER_CUT,
  // A fill named an order that does not cover `quantity` of it.
  TERRACE_HAPPENING_ORDER_MISMATCH,
  // An order for the venue.
  TERRACE_HAPPENING_LIQUIDATION_ORDER,
  // The venue filled such an order.
  TERRACE_HAPPENING_LIQUIDATION_FILLED,
  // The fund took a position over.
  TERRACE_HAPPENING_TAKEOVER,
  // A counterparty was deleveraged.
  TERRACE_HAPPENING_DELEVERAGED,
  // How a deleveraging went.
  TERRACE_HAPPENING_ADL_REPORT,
  // A liquidation ended.
  TERRACE_HAPPENING_LIQUIDATION_ENDED,
  // A fund's balance changed.
  TERRACE_HAPPENING_FUND_CHANGE,
  // Too few venues of an index are left.
  TERRACE_HAPPENING_INDEX_FROZEN,
  // A computed mark changed.
  TERRACE_HAPPENING_COMPUTED_MARK,
  // A mark lived, and does no more: nothing is liquidated at it.
  TERRACE_HAPPENING_MARK_FROZEN,
  // A frozen mark lives again; the cause was the last to go.
  TERRACE_HAPPENING_MARK_LIVE,
  // A pool closed its own legs against each other.
  TERRACE_HAPPENING_OFFSET,
  // A fund came into drawdown, or out of it.
  TERRACE_HAPPENING_FUND_DRAWDOWN,
  // A position made good a part of a fund's deficit.
  TERRACE_HAPPENING_SOCIALISED,
  // All accounts have gone over to the changed rules of this instrument.
  TERRACE_HAPPENING_RULES_SETTLED,
  // A settlement of funding is done.
  TERRACE_HAPPENING_FUNDING_SETTLED,
  // A fund's equity is below zero. Always the last of them.
  TERRACE_HAPPENING_FUND_DEFICIT,
  // A pool's margin ratio rose past a level.
  TERRACE_HAPPENING_MARGIN_CALL,
  // A mode came, or, where it is normal, went.
  TERRACE_HAPPENING_MODE_SET,
  // Something was put right.
  TERRACE_HAPPENING_CORRECTED,
  // The airlock holds a mark back.
  TERRACE_HAPPENING_AIRLOCK_HELD,
  // A hold of the airlock ended.
  TERRACE_HAPPENING_AIRLOCK_ENDED,
  // Something was found wrong around the kernel, or well again.
  TERRACE_HAPPENING_HEALTH_SET,
};
#if __STDC_VERSION__ >= 202311L
typedef enum terrace_happening_Tag terrace_happening_Tag;
#else
typedef uint32_t terrace_happening_Tag;
#endif // __STDC_VERSION__ >= 202311L

typedef struct terrace_happening {
  terrace_happening_Tag tag;
  union {
    struct {
      uint32_t refused;
    };
    struct {
      struct terrace_liquidation_started liquidation_started;
    };
    struct {
      struct terrace_pool_of liquidation_suppressed;
    };
    struct {
      struct terrace_pool_order cancel_requested;
    };
    struct {
      struct terrace_pool_order order_cancelled;
    };
    struct {
      struct terrace_order_quantity order_cut;
    };
    struct {
      struct terrace_order_quantity order_mismatch;
    };
    struct {
      struct terrace_liquidation_order liquidation_order;
    };
    struct {
      struct terrace_liquidation_filled liquidation_filled;
    };
    struct {
      struct terrace_takeover takeover;
    };
    struct {
      struct terrace_deleveraged deleveraged;
    };
    struct {
      struct terrace_adl_report adl_report;
    };
    struct {
      struct terrace_liquidation_ended liquidation_ended;
    };
    struct {
      struct terrace_fund_change fund_change;
    };
    struct {
      struct terrace_index_frozen index_frozen;
    };
    struct {
      struct terrace_computed_mark computed_mark;
    };
    struct {
      struct terrace_mark_life mark_frozen;
    };
    struct {
      struct terrace_mark_life mark_live;
    };
    struct {
      struct terrace_offset offset;
    };
    struct {
      struct terrace_fund_drawdown fund_drawdown;
    };
    struct {
      struct terrace_socialised socialised;
    };
    struct {
      uint32_t rules_settled;
    };
    struct {
      struct terrace_funding_settled funding_settled;
    };
    struct {
      struct terrace_fund_deficit fund_deficit;
    };
    struct {
      struct terrace_margin_call margin_call;
    };
    struct {
      struct terrace_set_mode mode_set;
    };
    struct {
      struct terrace_corrected corrected;
    };
    struct {
      struct terrace_airlock_held airlock_held;
    };
    struct {
      struct terrace_airlock_ended airlock_ended;
    };
    struct {
      struct terrace_health health_set;
    };
  };
} terrace_happening;

// One entry of the log.
typedef struct terrace_event {
  // The number of the last command before it, as `terrace_submit` gave it. Whoever writes lines may put the number of
  // the line in its place.
  uint64_t seq;
  // What happened.
  struct terrace_happening what;
} terrace_event;

// A pool of an account at the present marks; amounts in quanta.
typedef struct terrace_pool_view {
  // Collateral and unrealised results.
  struct terrace_amount equity;
  // Below this it is liquidated.
  struct terrace_amount maintenance_margin;
  // Initial margin; of a cross pool with its orders and with what it reserves for isolated instruments.
  struct terrace_amount initial_margin;
  // What can be withdrawn or ordered with; 0 for an isolated pool.
  struct terrace_amount available;
  // 1: in liquidation; else 0.
  uint32_t locked;
} terrace_pool_view;

// What an engine has done so far.
typedef struct terrace_metrics {
  // Places of the sequence.
  uint64_t places;
  // Decisions among them.
  uint64_t decisions;
  // Times that the engine told itself.
  uint64_t heartbeats;
  // Submissions that met a full ring.
  uint64_t full;
  // Places that the slowest reader of the ring has yet to read.
  uint64_t lag;
} terrace_metrics;

// What a replay of the record came to.
typedef struct terrace_replay {
  // Hash of the log of the threads.
  uint64_t hash;
  // Hash of the log of the inline kernel.
  uint64_t inline_hash;
  // Entries of the log of the threads.
  uint64_t entries;
  // Entries of the log of the inline kernel.
  uint64_t inline_entries;
  // Places of the record.
  uint64_t places;
  // 1: both logs are equal; else 0.
  uint32_t equal;
} terrace_replay;

// The settings that an engine starts with if nothing is changed: threads for the cores there are, not pinned.
struct terrace_settings terrace_settings_default(void);

// Starts the threads of an empty engine. Null settings are the default ones. If it fails, `*engine` is null, and
// `terrace_last_error(NULL, …)` on the same thread says why.
terrace_status terrace_start(const struct terrace_settings *settings, struct terrace_engine **engine);

// Settles and ends the threads. What was told can be polled still, names can be looked up and events formatted.
terrace_status terrace_stop(struct terrace_engine *engine);

// Ends what runs still and frees the handle, which must not be used any more. Null is allowed.
void terrace_free(struct terrace_engine *engine);

// Submits a command and tells its number in `*seq` (which may be null). Never waits. What it leads to comes by
// `terrace_poll`, also the refusal of a command that only the shard of its account can check.
terrace_status terrace_submit(struct terrace_engine *engine, const struct terrace_command *command, uint64_t *seq);

// Lockstep: submits a command and waits until it is done with all that follows from it. A refusal is told by the status
// and never polled; everything else comes by `terrace_poll`.
terrace_status terrace_carry_out(struct terrace_engine *engine, const struct terrace_command *command, uint64_t *seq);

// Waits until everything is done that was submitted, with all that follows from it.
terrace_status terrace_settle(struct terrace_engine *engine);

// Takes what there is to take, without waiting: at most `request_cap` requests to the venue and `event_cap` entries of
// the log. Call it often, and until both numbers are zero. The orders of a pool that are cancelled together come
// together, unless they are more than `event_cap`.
terrace_status terrace_poll(struct terrace_engine *engine,
                            struct terrace_request *requests,
                            size_t request_cap,
                            size_t *request_count,
                            struct terrace_event *events,
                            size_t event_cap,
                            size_t *event_count);

// Carries out one line of the protocol (a declaration, a question, any command) in lockstep, and writes the lines that
// answer it and a zero. `seq` is the number that they carry; 0: one more than the last line's. `*needed` (which may be
// null) is their length without the zero; where that is not below `cap` the status is `ROOM`, and `terrace_answer` gives
// them again: the line has been carried out. The events that answer a line are not polled; requests to the venue are.
terrace_status terrace_line(struct terrace_engine *engine,
                            uint64_t seq,
                            const char *line,
                            size_t length,
                            char *out,
                            size_t cap,
                            size_t *needed);

// The answer to the last line, again.
terrace_status terrace_answer(struct terrace_engine *engine, char *out, size_t cap, size_t *needed);

// Writes events as the lines of the protocol, in order; orders of a pool that are cancelled together in one line. A
// refusal can be written until the next poll. Nothing is written where `*needed` is not below `cap`.
terrace_status terrace_format_events(struct terrace_engine *engine,
                                     const struct terrace_event *events,
                                     size_t count,
                                     char *out,
                                     size_t cap,
                                     size_t *needed);

// Writes the last refusal as a line of number `seq`, as the same command as a line would have got it.
terrace_status terrace_format_refusal(struct terrace_engine *engine,
                                      uint64_t seq,
                                      char *out,
                                      size_t cap,
                                      size_t *needed);

// A sentence about the last call that was refused or failed; of a null handle: why the last start on this thread failed.
terrace_status terrace_last_error(struct terrace_engine *engine,
                                  char *out,
                                  size_t cap,
                                  size_t *needed);

// Why the last command was refused that was; `NONE` if none was, or the last failure was another.
terrace_code terrace_last_code(struct terrace_engine *engine);

// The protocol's word of a `terrace_code`; null if it is none.
const char *terrace_code_word(uint32_t code);

// The protocol's word of a command that caused a liquidation; null if there is none of that number.
const char *terrace_op_word(uint32_t op);

// The id of an instrument, by its symbol.
terrace_status terrace_instrument_id(struct terrace_engine *engine, const char *symbol, uint32_t *id);

// The id of an asset, by its name.
terrace_status terrace_asset_id(struct terrace_engine *engine, const char *name, uint32_t *id);

// The id of an insurance fund, by its name.
terrace_status terrace_fund_id(struct terrace_engine *engine, const char *name, uint32_t *id);

// Looks at a pool of an account, at a place of its own in the sequence; waits for that. `UNKNOWN` if the account has no
// such pool.
terrace_status terrace_look_at_pool(struct terrace_engine *engine,
                                    uint64_t account,
                                    struct terrace_pool pool,
                                    struct terrace_pool_view *view);

// What a running engine has done so far.
terrace_status terrace_read_metrics(struct terrace_engine *engine, struct terrace_metrics *metrics);

// Which threads run on which cores, and how they wait, as a sentence.
terrace_status terrace_describe(struct terrace_engine *engine, char *out, size_t cap, size_t *needed);

// Goes through the record of a stopped engine again with an inline kernel, and compares the logs. Without a record, or
// before the stop: `UNKNOWN`.
terrace_status terrace_record_replay(struct terrace_engine *engine, struct terrace_replay *replay);

#ifdef __cplusplus
}
#endif

#endif /* TERRACE_H */
