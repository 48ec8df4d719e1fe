//! Several files as one stream.

use super::Tick;
use super::embedded;
use super::error::TickError;
use super::feed::Feed;
use super::input::{Input, Options};
use super::skipped::Skipped;
use super::symbols::Symbols;
use super::text::Shared;

/// What errors call the data that is built in.
const EMBEDDED: &str = "(embedded data)";

/// The ticks of one or more files, in order of time; ticks at the same time come in the order in which the files
/// were given, and within a file in the order of its rows.
///
/// An iterator that ends after the first error. An error in a file comes when the file is read, which may be before
/// earlier ticks of other files, or of the same file where rows may come late, have been returned.
pub struct Source {
    shared: Shared,
    files: Vec<File>,
    failed: bool,
}

/// A file and its next tick.
struct File {
    feed: Feed,
    head: Head,
}

enum Head {
    /// Not read yet.
    Unread,
    Tick(Tick),
    /// There is none: the file has ended.
    End,
}

impl Source {
    /// Opens the files and reads up to the first tick of each.
    ///
    /// # Errors
    ///
    /// What is wrong with a file as a whole: it cannot be opened, it is empty or has only a header, its format or
    /// its symbol cannot be told. And, unless bad lines are skipped, what is wrong with a line before the first tick.
    pub fn open(inputs: &[Input], options: Options) -> Result<Self, TickError> {
        Self::new(options, |shared| inputs.iter().map(|input| Feed::open(input, shared)).collect())
    }

    /// Reads the data that is built in: 50 000 ticks of BTCUSDT, ETHUSDT and SOLUSDT, Binance spot, three minutes
    /// from 2025-03-25 23:07 UTC on; 38 968 quotes and 11 032 trades.
    ///
    /// # Errors
    ///
    /// If the options accept symbols, but not all of these three, and bad lines are not skipped; the error comes at
    /// the first such tick, here or later.
    pub fn embedded(options: Options) -> Result<Self, TickError> {
        Self::new(options, |shared| Ok(vec![Feed::embedded(embedded::DATA, EMBEDDED, shared)?]))
    }

    fn new(
        options: Options,
        open: impl FnOnce(&mut Shared) -> Result<Vec<Option<Feed>>, TickError>,
    ) -> Result<Self, TickError> {
        let symbols = Symbols::new(options.symbols)?;
        let mut shared = Shared { symbols, skipped: Skipped::default(), skip_bad: options.skip_bad };
        let feeds = open(&mut shared)?.into_iter().flatten();
        let files = feeds.map(|feed| File { feed, head: Head::Unread }).collect();
        let mut source = Self { shared, files, failed: false };
        source.fill()?;
        Ok(source)
    }

    /// The symbols by number: those of [`Options::symbols`], or else those that have occurred so far.
    #[must_use]
    pub fn symbols(&self) -> &[String] {
        self.shared.symbols.names()
    }

    /// What has been skipped so far.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.shared.skipped
    }

    /// Reads the next tick of every file whose last one has been taken.
    fn fill(&mut self) -> Result<(), TickError> {
        for file in &mut self.files {
            if matches!(file.head, Head::Unread) {
                file.head = file.feed.next(&mut self.shared)?.map_or(Head::End, Head::Tick);
            }
        }
        Ok(())
    }

    /// Takes the earliest tick, the first of several. There are few files: looking at each beats keeping a heap.
    fn take(&mut self) -> Option<Tick> {
        let heads = self.files.iter_mut().filter_map(|file| match file.head {
            Head::Tick(tick) => Some((tick, &mut file.head)),
            Head::Unread | Head::End => None,
        });
        let (tick, head) = heads.min_by_key(|(tick, _)| tick.ts_ns)?;
        *head = Head::Unread;
        Some(tick)
    }
}

impl Iterator for Source {
    type Item = Result<Tick, TickError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if let Err(error) = self.fill() {
            self.failed = true;
            return Some(Err(error));
        }
        self.take().map(Ok)
    }
}

impl std::iter::FusedIterator for Source {}
