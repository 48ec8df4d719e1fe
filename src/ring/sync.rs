//! The atomics, cells and threads of the ring and of the engine: the standard library's, or loom's under `--cfg loom` and
//! shuttle's under `--cfg shuttle`, so that those who check see the same source. Loom is given single protocols in all their
//! interleavings; shuttle whole engines, in interleavings drawn at random.

#[cfg(loom)]
pub(crate) use loom::sync::atomic;
#[cfg(loom)]
pub(super) use loom::{cell::UnsafeCell, hint, thread};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, atomic, mpsc};
#[cfg(shuttle)]
pub(super) use shuttle::{hint, thread};

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic;
#[cfg(not(any(loom, shuttle)))]
pub(super) use std::{hint, thread};

/// The threads of an engine, and what starts them: loom starts none.
#[cfg(not(shuttle))]
pub(crate) use std::{sync::mpsc, thread as threads};

#[cfg(not(shuttle))]
#[expect(clippy::disallowed_types, reason = "`Wait::Park` alone locks: who sleeps and who wakes has no hurry")]
pub(crate) type Mutex<T> = std::sync::Mutex<T>;

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

/// Shuttle's threads, which do not say whether they have finished: these do.
#[cfg(shuttle)]
pub(crate) mod threads {
    use shuttle::sync::Arc;
    use shuttle::sync::atomic::{AtomicBool, Ordering};
    use shuttle::thread;
    use std::io;

    pub(crate) use shuttle::thread::yield_now;

    pub(crate) struct Builder(thread::Builder);

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            body: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            let finished = Arc::new(AtomicBool::new(false));
            let at_its_end = Arc::clone(&finished);
            let thread = self.0.spawn(move || {
                let led_to = body();
                at_its_end.store(true, Ordering::Release);
                led_to
            })?;
            Ok(JoinHandle { thread, finished })
        }
    }

    #[derive(Debug)]
    pub(crate) struct JoinHandle<T> {
        thread: thread::JoinHandle<T>,
        finished: Arc<AtomicBool>,
    }

    impl<T> JoinHandle<T> {
        pub(crate) fn is_finished(&self) -> bool {
            self.finished.load(Ordering::Acquire)
        }

        pub(crate) fn join(self) -> std::thread::Result<T> {
            self.thread.join()
        }
    }
}
