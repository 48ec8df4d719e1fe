//! Reconciliation: whether the accounts of a kernel have what an exchange's ledger says that they have.
//!
//! ```text
//!  Overview ─► Rows ─┬─► Digester ─► a digest by range of accounts ─► compared with the ledger's
//!  LedgerReader ─► Rows ─┴─► reconcile ─► Broken: an account, and each row in which the two differ
//! ```
//!
//! **Canonical form.** What an account has are rows of text, each `account,kind,name,side,amount` and a line feed:
//!
//! | kind | name | side | amount |
//! |---|---|---|---|
//! | `balance` | asset | empty | the cross balance, signed |
//! | `cost` (only where costs are asked for) | symbol | `long` · `short` | what the position cost, signed as the model signs it |
//! | `held` | asset | empty | put aside for withdrawals |
//! | `margin` | symbol | `long` · `short` | of the isolated position |
//! | `position` | symbol | `long` · `short` | its quantity, unsigned |
//!
//! Amounts are decimals without an exponent, a plus sign, leading zeros or trailing zeros of the fraction; a row whose amount is zero is left out. Accounts come in
//! the order of their ids as numbers, the rows of each in the order of their bytes (`LC_ALL=C sort -t, -k1,1n -k2`).
//!
//! **Digest** of a range of accounts: XXH3 of 64 bits, seed 0, over the rows of its accounts, in 16 hexadecimal digits. It finds what differs by mistake; it
//! is no protection against a ledger that wants to deceive. The ranges cover all ids, so that every account that only one of the two knows lies in one.

mod compare;
mod digest;
mod ledger;
mod rows;

pub use compare::{Break, Broken, Compared, ReconcileError, Reconciliation, differing, reconcile};
pub use digest::{Digester, Range, RangeDigest, digests, ranges, read_digests};
pub use ledger::{LedgerError, LedgerReader};
pub use rows::{Key, Kind, Rows};
