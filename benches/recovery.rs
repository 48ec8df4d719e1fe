//! From restart to never late: how long does a snapshot take to write and to load, beside reading its bytes alone, and how fast is the
//! journal behind it gone through? The state at the end is compared with that of the kernel that was never interrupted.
//!
//! 1 000 000 cross accounts with 3 positions each in 10 instruments (`TERRACE_BENCH_ACCOUNTS` sets another number), and 1 000 000 journalled
//! commands after the snapshot (`TERRACE_BENCH_COMMANDS`): marks by one basis point, and every tenth command a deposit. Files lie
//! in the directory for temporary files, and are read from the cache of the system.

mod crowd;

use crowd::{ASSET, INSTRUMENTS, START, accounts};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::time::Instant;
use terrace::command::Command;
use terrace::journal::{Durability, JournalSettings, Player, Reader, RealDisk, SnapshotWriter, Start, Writer};
use terrace::market::InstrumentId;
use terrace::{Kernel, Settings, Strategy};

fn commands() -> u64 {
    std::env::var("TERRACE_BENCH_COMMANDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

fn seconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}

/// Of the whole state.
fn digest(kernel: &Kernel) -> u64 {
    let mut hasher = DefaultHasher::new();
    let saved: Result<(), ()> = kernel.at_rest().unwrap().save(&mut |part, bytes| {
        (part, bytes).hash(&mut hasher);
        Ok(())
    });
    saved.unwrap();
    hasher.finish()
}

fn main() {
    let home = tempfile::tempdir().unwrap();
    let settings = JournalSettings { durability: Durability::None, ..JournalSettings::default() };
    let mut writer = Writer::create_on(RealDisk, home.path(), settings).unwrap();
    let mut kernel = crowd::build(Strategy::Adaptive);
    kernel.keep_record();
    kernel.begin_log();
    for entry in kernel.take_record() {
        writer.append(&entry).unwrap();
    }
    writer.flush().unwrap();
    // The journal does not hold how the crowd came about: the snapshot stands at its begin.
    let stand = Player::new(Reader::open(home.path()).unwrap()).stand(&kernel).unwrap();
    let begun = Instant::now();
    let mut snapshot = SnapshotWriter::begin(&RealDisk, home.path(), stand).unwrap();
    kernel.at_rest().unwrap().save(&mut |part, bytes| snapshot.part(part, bytes)).unwrap();
    let (file, bytes) = snapshot.finish().unwrap();
    println!("{} accounts, {} positions: {bytes} bytes", accounts(), kernel.positions());
    println!("written and forced    {:>8.3} s", seconds(begun));
    for n in 0..commands() {
        let command = if n % 10 == 9 {
            Command::Deposit { account: 1 + n * 7_919 % accounts(), asset: ASSET, amount: 1_000 }
        } else {
            let price = START + [100, 0, -100, 0][(n / INSTRUMENTS % 4) as usize];
            Command::Mark { instrument: InstrumentId((n % INSTRUMENTS) as u32), price }
        };
        kernel.apply(&command).unwrap();
        for entry in kernel.take_record() {
            writer.append(&entry).unwrap();
        }
    }
    writer.finish().unwrap();
    let expected = digest(&kernel);
    drop(kernel);
    for (_, shards) in (0..3).flat_map(|round| [(round, 1), (round, 2)]) {
        let settings = Settings { shards, ..Settings::default() };
        let begun = Instant::now();
        let mut read = 0;
        let (mut source, mut room) = (File::open(&file.file).unwrap(), vec![0; 1 << 20]);
        loop {
            match source.read(&mut room).unwrap() {
                0 => break,
                bytes => read += bytes,
            }
        }
        assert_eq!(read as u64, bytes);
        let reading = seconds(begun);
        let begun = Instant::now();
        let start = Start::at(&RealDisk, home.path(), settings, &file).unwrap();
        let (mut kernel, mut player) = (start.kernel, start.player);
        let loading = seconds(begun);
        let (begun, mut places) = (Instant::now(), 0u64);
        while player.step(&mut kernel, &mut |_| ()).unwrap().is_some() {
            places += 1;
        }
        let going = seconds(begun);
        assert_eq!(digest(&kernel), expected, "another state");
        let rate = commands() as f64 / going;
        let room = kernel.memory().total();
        let begun = Instant::now();
        std::hint::black_box(vec![1u8; room]);
        let touching = seconds(begun);
        println!("bytes read            {reading:>8.3} s");
        let times = loading / reading;
        println!("loaded, edges set     {loading:>8.3} s, {times:.1} times the reading; {shards} shards");
        println!("its memory written    {touching:>8.3} s for {room} bytes, with nothing in them");
        println!("gone through          {going:>8.3} s for {places} places, {rate:.0} commands a second");
    }
}
