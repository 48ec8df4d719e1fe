//! The atomics, cells and threads of the ring and of the engine: the standard library's, or loom's under `--cfg loom`, so
//! that the model checker sees the same source.

#[cfg(loom)]
pub(crate) use loom::sync::atomic;
#[cfg(loom)]
pub(super) use loom::{cell::UnsafeCell, hint, thread};

#[cfg(not(loom))]
pub(crate) use std::sync::atomic;
#[cfg(not(loom))]
pub(super) use std::{hint, thread};

#[cfg(not(loom))]
pub(crate) use crossbeam::queue::ArrayQueue;

/// What crossbeam's queue promises, and no more, for one item: loom cannot see into crossbeam. Only the flag orders; the
/// lock keeps the compiler content and is nothing to loom.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct ArrayQueue<T> {
    full: atomic::AtomicBool,
    item: std::sync::Mutex<Option<T>>,
}

#[cfg(loom)]
impl<T> ArrayQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        assert_eq!(capacity, 1);
        Self { full: atomic::AtomicBool::new(false), item: std::sync::Mutex::new(None) }
    }

    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if !self.is_empty() {
            return Err(item);
        }
        *self.item.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(item);
        self.full.store(true, PUSHED);
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let item = self.item.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        self.full.store(false, atomic::Ordering::Release);
        item
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.full.load(atomic::Ordering::Acquire)
    }
}

#[cfg(loom)]
const PUSHED: atomic::Ordering =
    if cfg!(feature = "broken-ordering") { atomic::Ordering::Relaxed } else { atomic::Ordering::Release };

/// The standard cell in loom's form: access within a closure.
#[cfg(not(loom))]
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(super) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(super) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline]
    pub(super) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
