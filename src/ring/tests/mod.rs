//! The ring under real threads (also with Miri and ThreadSanitizer) and, in `model`, under loom.

#[cfg(loom)]
pub(crate) mod model;
#[cfg(not(any(loom, shuttle)))]
mod threads;
