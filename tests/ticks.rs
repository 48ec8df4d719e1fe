//! Market data as `terrace replay` reads it, through the public interface only.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;
use terrace::ticks::{Format, Input, Options, Reason, Source, Tick, TickError, TickKind};

const AGG_HEADER: &str = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n";
const AGG: &str = "2611700001,87232.10,0.250,6100000001,6100000003,1742860800005,true\n\
                   2611700002,87232.2,1,6100000004,6100000004,1742860800005,false\n\
                   2611700003,87232.30,0.004,6100000005,6100000005,1742860801000,false\n";
const AGG_TICKS: [&str; 3] = [
    "1742860800005000000 BTCUSDT trade 87232.1 0.25",
    "1742860800005000000 BTCUSDT trade 87232.2 1",
    "1742860801000000000 BTCUSDT trade 87232.3 0.004",
];
const BOOK_HEADER: &str =
    "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n";
const KLINE_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
                            taker_buy_quote_volume,ignore\n";
const TARDIS_TRADES: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n";
const TARDIS_QUOTES: &str = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n";
const TARDIS_TICKER: &str = "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,\
                             predicted_funding_rate,open_interest,last_price,index_price,mark_price\n";
const EMBEDDED_HEADER: &str = "ts_ns,symbol,kind,price|bid,qty|bid_qty,ask,ask_qty\n";

/// A directory of files to read.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn add(&self, name: &str, contents: impl AsRef<[u8]>) -> Input {
        let path = self.0.path().join(name);
        fs::write(&path, contents).unwrap();
        Input { path, symbol: None, format: None }
    }

    /// An error without the directory.
    fn relative(&self, error: &TickError) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    /// The error that reading a file stops with.
    fn error(&self, input: Input) -> String {
        self.relative(&read(&[input], Options::default()).unwrap_err())
    }

    /// The error of a file with this name and contents.
    fn error_of(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        self.error(self.add(name, contents))
    }
}

fn written(tick: &Tick, symbols: &[String]) -> String {
    let symbol = &symbols[usize::from(tick.symbol)];
    let kind = match tick.kind {
        TickKind::Quote { bid, bid_qty, ask, ask_qty } => format!("quote {bid} {bid_qty} {ask} {ask_qty}"),
        TickKind::Trade { price, qty } => format!("trade {price} {qty}"),
        TickKind::Mark { price } => format!("mark {price}"),
    };
    format!("{} {symbol} {kind}", tick.ts_ns)
}

fn read(inputs: &[Input], options: Options) -> Result<Vec<String>, TickError> {
    let mut source = Source::open(inputs, options)?;
    let mut ticks = Vec::new();
    while let Some(tick) = source.next() {
        ticks.push(written(&tick?, source.symbols()));
    }
    Ok(ticks)
}

fn ticks(input: Input) -> Vec<String> {
    read(&[input], Options::default()).unwrap()
}

fn skipping() -> Options {
    Options { skip_bad: true, ..Options::default() }
}

/// Reads a file under `skip_bad`: the ticks, and how often each reason occurred.
fn skip(input: Input) -> (Vec<String>, Vec<(Reason, u64)>) {
    let mut source = Source::open(&[input], skipping()).unwrap();
    let mut ticks = Vec::new();
    while let Some(tick) = source.next() {
        ticks.push(written(&tick.unwrap(), source.symbols()));
    }
    (ticks, source.skipped().by_reason().map(|(reason, tally)| (reason, tally.count)).collect())
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

fn zip(files: &[(&str, &str)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Rows that do not pack well, so that half of the packed bytes hold some of them.
fn many_rows() -> String {
    let mut text = AGG_HEADER.to_owned();
    let mut noise: u64 = 1;
    for row in 0..20_000u64 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(text, "{row},{}.5,0.{:03}1,1,1,{},true", 1 + (noise >> 40), noise % 1000, 1_742_860_800_000 + row)
            .unwrap();
    }
    text
}

mod formats {
    use super::*;

    #[test]
    fn binance_agg_trades_with_and_without_header() {
        let files = Files::new();
        assert_eq!(ticks(files.add("BTCUSDT-aggTrades-2025-03-25.csv", AGG)), AGG_TICKS);
        assert_eq!(ticks(files.add("BTCUSDT-x.csv", format!("{AGG_HEADER}{AGG}"))), AGG_TICKS);
        assert_eq!(ticks(files.add("BTCUSDT-y.csv", format!("{AGG_HEADER}{AGG}").replace('\n', "\r\n"))), AGG_TICKS);
    }

    #[test]
    fn binance_spot_agg_trades_have_eight_columns_and_microseconds() {
        let row = "3500000001,87232.01000000,0.02026000,4744868158,4744868158,1742943620911123,False,True\n";
        let files = Files::new();
        let input = files.add("BTCUSDT-aggTrades-2025-03-25.csv", row);
        assert_eq!(ticks(input), ["1742943620911123000 BTCUSDT trade 87232.01 0.02026"]);
    }

    #[test]
    fn binance_book_ticker_goes_by_transaction_time() {
        let rows = "7012345678901,87232.10,2.500,87232.20,0.750,1742860800010,1742860800014\n\
                    7012345678905,87232.10,2.400,87232.30,1.750,1742860800012,1742860800013\n";
        let expected = [
            "1742860800010000000 BTCUSDT quote 87232.1 2.5 87232.2 0.75",
            "1742860800012000000 BTCUSDT quote 87232.1 2.4 87232.3 1.75",
        ];
        let files = Files::new();
        assert_eq!(ticks(files.add("BTCUSDT-bookTicker-2024-03-01.csv", rows)), expected);
        assert_eq!(ticks(files.add("BTCUSDT-x", format!("{BOOK_HEADER}{rows}"))), expected);
    }

    #[test]
    fn a_bar_is_four_marks() {
        let rows = "1742860800000,100,103,98,101,0,1742860859999,0,60,0,0,0\n\
                    1742860860000,101,102.5,99,100.5,0,1742860919999,0,60,0,0,0\n\
                    1742860920000,100,101,99,100,0,1742860979999,0,60,0,0,0\n";
        let expected = [
            "1742860800000000000 BTCUSDT mark 100",
            "1742860819999666666 BTCUSDT mark 98",
            "1742860839999333332 BTCUSDT mark 103",
            "1742860859999000000 BTCUSDT mark 101",
            "1742860860000000000 BTCUSDT mark 101",
            "1742860879999666666 BTCUSDT mark 102.5",
            "1742860899999333332 BTCUSDT mark 99",
            "1742860919999000000 BTCUSDT mark 100.5",
            "1742860920000000000 BTCUSDT mark 100",
            "1742860939999666666 BTCUSDT mark 99",
            "1742860959999333332 BTCUSDT mark 101",
            "1742860979999000000 BTCUSDT mark 100",
        ];
        let files = Files::new();
        assert_eq!(ticks(files.add("BTCUSDT-1m-2025-03-25.csv", rows)), expected);
        assert_eq!(ticks(files.add("BTCUSDT-x", format!("{KLINE_HEADER}{rows}"))), expected);
    }

    #[test]
    fn tardis_goes_by_local_time() {
        let trades = "binance-futures,BTCUSDT,1742860800006000,1742860800008123,61,buy,87232.1,0.25\n\
                      binance-futures,ETHUSDT,1742860800005000,1742860800009000,62,sell,2059.1,1e-7\n";
        let quotes = "deribit,BTC-PERPETUAL,1742860800006000,1742860800008123,3000,87232.5,87232,110\n\
                      deribit,BTC-PERPETUAL,1742860800007000,1742860800008124,,,87232,110\n\
                      deribit,BTC-PERPETUAL,1742860800007000,1742860800008125,10,87232.5,87231.5,20\n";
        let files = Files::new();
        assert_eq!(
            ticks(files.add("trades", format!("{TARDIS_TRADES}{trades}"))),
            ["1742860800008123000 BTCUSDT trade 87232.1 0.25", "1742860800009000000 ETHUSDT trade 2059.1 0.0000001"]
        );
        assert_eq!(
            ticks(files.add("quotes", format!("{TARDIS_QUOTES}{quotes}"))),
            [
                "1742860800008123000 BTC-PERPETUAL quote 87232 110 87232.5 3000",
                "1742860800008125000 BTC-PERPETUAL quote 87231.5 20 87232.5 10",
            ]
        );
    }

    #[test]
    fn tardis_derivative_ticker_gives_marks_where_they_changed() {
        let rows = "deribit,BTC-PERPETUAL,1742860800006000,1742860800008123,,0.0001,,9000,87232,87230.11,87231.25\n\
                    deribit,BTC-PERPETUAL,1742860800007000,1742860800009000,,0.0001,,9001,,87230.2,\n";
        let files = Files::new();
        let input = files.add("ticker", format!("{TARDIS_TICKER}{rows}"));
        assert_eq!(ticks(input), ["1742860800008123000 BTC-PERPETUAL mark 87231.25"]);
    }

    #[test]
    fn json_lines_are_put_in_order_and_keep_every_digit() {
        let rows = concat!(
            r#"{"Item":{"time_exchange":"2025-03-25T23:07:00.715Z","time_received":"2025-03-25T23:07:00.847021081Z","#,
            r#""exchange":"binance_spot","instrument":0,"kind":{"Trade":{"id":"1","price":87232.10000000000000001,"#,
            r#""amount":1.2e-4,"side":"Sell"}}}}"#,
            "\n",
            r#"{"Reconnecting":"binance_spot"}"#,
            "\n",
            r#"{"Item":{"time_exchange":"2025-03-25T23:07:00.773674Z","time_received":"2025-03-25T23:07:00.773684Z","#,
            r#""exchange":"binance_spot","instrument":1,"kind":{"OrderBookL1":{"last_update_time":"","#,
            r#""best_bid":{"price":"2059.10000000","amount":"33.09140000"},"#,
            r#""best_ask":{"price":"2059.11000000","amount":"3.01460000"}}}}}"#,
            "\n",
            r#"{"Item":{"time_exchange":"2025-03-25T23:07:00.9Z","time_received":"2025-03-25T23:07:00.9Z","#,
            r#""exchange":"binance_spot","instrument":1,"kind":{"OrderBookL1":{"last_update_time":"","#,
            r#""best_bid":null,"best_ask":{"price":"2059.11000000","amount":"3.01460000"}}}}}"#,
        );
        let files = Files::new();
        assert_eq!(
            ticks(files.add("events.json", rows)),
            [
                "1742944020773684000 ETHUSDT quote 2059.1 33.0914 2059.11 3.0146",
                "1742944020847021081 BTCUSDT trade 87232.10000000000000001 0.00012",
            ]
        );
    }

    #[test]
    fn a_given_format_is_taken_and_an_unknown_one_lists_all() {
        let files = Files::new();
        let mut input = files.add("trades.csv", AGG);
        input.symbol = Some("BTCUSDT".to_owned());
        input.format = Some(Format::BinanceAggTrades);
        assert_eq!(ticks(input), AGG_TICKS);
        assert_eq!(
            "csv".parse::<Format>().unwrap_err().to_string(),
            "unknown format: expected one of binance-agg-trades, binance-book-ticker, binance-mark-price-klines, \
             tardis-trades, tardis-quotes, tardis-derivative-ticker, jsonl, embedded, found \"csv\""
        );
        assert_eq!(
            files.error_of("rows.csv", "1,2\n"),
            "rows.csv: unknown format: expected one of binance-agg-trades, binance-book-ticker, \
             binance-mark-price-klines, tardis-trades, tardis-quotes, tardis-derivative-ticker, jsonl, embedded, \
             found a file named \"rows.csv\" that begins with \"1,2\""
        );
    }
}

mod symbols {
    use super::*;

    #[test]
    fn inputs_are_paths_with_or_without_a_symbol() {
        for (argument, symbol, path) in [
            ("a.csv", None, "a.csv"),
            ("ETHUSDT=a.csv", Some("ETHUSDT"), "a.csv"),
            ("BTC-PERPETUAL=dir/a=b.csv", Some("BTC-PERPETUAL"), "dir/a=b.csv"),
            ("dir/a=b.csv", None, "dir/a=b.csv"),
            ("./a=b", None, "./a=b"),
            ("=a", None, "=a"),
        ] {
            let expected = Input { path: PathBuf::from(path), symbol: symbol.map(str::to_owned), format: None };
            assert_eq!(Input::from(argument), expected);
        }
    }

    #[test]
    fn a_given_symbol_goes_before_the_name() {
        let files = Files::new();
        let mut input = files.add("BTCUSDT-aggTrades-2025-03-25.csv", AGG);
        input.symbol = Some("XBT".to_owned());
        assert_eq!(ticks(input)[0], "1742860800005000000 XBT trade 87232.1 0.25");
    }

    #[test]
    fn a_file_without_any_symbol_says_how_to_give_it() {
        let files = Files::new();
        for name in ["trades.csv", "btcusdt-trades.csv"] {
            assert_eq!(
                files.error_of(name, format!("{AGG_HEADER}{AGG}")),
                format!(
                    "{name}: binance-agg-trades rows do not name their symbol: expected it at the start of the file's \
                     name (BTCUSDT-...) or as SYMBOL={name}, found neither"
                )
            );
        }
    }

    #[test]
    fn a_needless_symbol_is_refused() {
        let files = Files::new();
        let mut input = files.add("a.csv", TARDIS_TRADES);
        input.symbol = Some("BTCUSDT".to_owned());
        assert_eq!(
            files.error(input),
            "a.csv: tardis-trades rows name their symbol: expected the path alone, found BTCUSDT="
        );
    }

    #[test]
    fn accepted_symbols_are_numbered_as_given() {
        let files = Files::new();
        let rows = format!("{TARDIS_TRADES}x,ETHUSDT,1,1,1,buy,1,1\nx,XRPUSDT,1,2,1,buy,1,1\n");
        let input = files.add("a.csv", rows);
        let accept = |names: &[&str]| Options {
            symbols: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            ..Options::default()
        };
        let mut source = Source::open(std::slice::from_ref(&input), accept(&["BTCUSDT", "ETHUSDT"])).unwrap();
        assert_eq!(source.next().unwrap().unwrap().symbol, 1);
        assert_eq!(
            files.relative(&source.next().unwrap().unwrap_err()),
            "a.csv:3: unknown name: expected one of BTCUSDT, ETHUSDT, found \"XRPUSDT\""
        );
        assert!(source.next().is_none());
        let input = files.add("BTCUSDT-x", format!("{AGG_HEADER}{AGG}"));
        assert_eq!(
            files.relative(&read(&[input], accept(&["ETHUSDT"])).unwrap_err()),
            "BTCUSDT-x: unknown symbol: expected one of ETHUSDT, found \"BTCUSDT\""
        );
        let many: Vec<String> = (0..=65_536).map(|number| number.to_string()).collect();
        let error = Source::open(&[], Options { symbols: Some(many), ..Options::default() }).err().unwrap();
        assert_eq!(error.to_string(), "expected at most 65536 symbols, found 65537");
    }
}

mod packing {
    use super::*;

    #[test]
    fn every_packing_is_told_by_its_first_bytes() {
        let files = Files::new();
        let text = format!("{AGG_HEADER}{AGG}");
        let (one, two) = text.split_at(100);
        for packed in [
            text.clone().into_bytes(),
            gzip(&text),
            [gzip(one), gzip(two)].concat(),
            zstd(&text),
            [zstd(one), zstd(two)].concat(),
            zip(&[("a.csv", &text)], zip::CompressionMethod::Deflated),
            zip(&[("a.csv", &text)], zip::CompressionMethod::Stored),
        ] {
            assert_eq!(ticks(files.add("BTCUSDT-x.dat", packed)), AGG_TICKS);
        }
    }

    #[test]
    fn truncated_streams_stop_or_end_the_file() {
        let files = Files::new();
        let text = many_rows();
        for (name, packed) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
            let half = files.add("BTCUSDT-x", &packed[..packed.len() / 2]);
            let error = files.error(half.clone());
            let line: usize = error.split(':').nth(1).unwrap().parse().unwrap();
            assert_eq!(
                error,
                format!("BTCUSDT-x:{line}: truncated: expected the rest of the {name} stream, found its end")
            );
            let (ticks, skipped) = skip(half);
            assert_eq!(skipped, [(Reason::Truncated, 1)]);
            assert_eq!(ticks.len(), line - 2, "every whole line, but for the header and the one cut off");
            assert!(line > 1000);

            // Cut off before the first line is whole.
            let head = files.add("BTCUSDT-x", &packed[..12]);
            assert_eq!(
                files.error(head.clone()),
                format!("BTCUSDT-x:1: truncated: expected the rest of the {name} stream, found its end")
            );
            assert_eq!(skip(head), (vec![], vec![(Reason::Truncated, 1)]));
        }
    }

    #[test]
    fn a_truncated_zip_archive_has_lost_its_directory() {
        let files = Files::new();
        let packed = zip(&[("a.csv", &many_rows())], zip::CompressionMethod::Deflated);
        for length in [4, 40, packed.len() / 2, packed.len() - 1] {
            let input = files.add("BTCUSDT-x.zip", &packed[..length]);
            assert_eq!(
                files.error(input.clone()),
                "BTCUSDT-x.zip:1: truncated: expected the rest of the zip archive, found its end"
            );
            assert_eq!(skip(input), (vec![], vec![(Reason::Truncated, 1)]));
        }
    }

    #[test]
    fn a_zip_archive_holds_one_file() {
        let files = Files::new();
        let two = zip(&[("a.csv", AGG), ("b.csv", AGG)], zip::CompressionMethod::Deflated);
        assert_eq!(
            files.error_of("two.zip", two),
            "two.zip: expected a zip archive of one deflated or stored file, found 2: a.csv, b.csv"
        );
        let none = zip(&[], zip::CompressionMethod::Deflated);
        assert_eq!(
            files.error_of("none.zip", none),
            "none.zip: empty: expected a file in the zip archive, found nothing"
        );
    }

    #[test]
    fn corrupt_data_is_an_error_even_when_skipping() {
        let files = Files::new();
        let text = format!("{AGG_HEADER}{AGG}");
        let mut stored = zip(&[("a.csv", &text)], zip::CompressionMethod::Stored);
        let at = stored.windows(8).position(|bytes| bytes == b"87232.10").unwrap();
        stored[at] = b'9';
        let input = files.add("BTCUSDT-x.zip", stored);
        assert_eq!(
            files.relative(&read(&[input], skipping()).unwrap_err()),
            "BTCUSDT-x.zip:5: cannot be read: wrong checksum in the zip archive"
        );
        let mut packed = gzip(&text);
        let crc = packed.len() - 8;
        packed[crc] ^= 1;
        let input = files.add("BTCUSDT-x.gz", packed);
        assert_eq!(
            files.relative(&read(&[input], skipping()).unwrap_err()),
            "BTCUSDT-x.gz:5: cannot be read: corrupt gzip stream does not have a matching checksum"
        );
    }
}

mod merging {
    use super::*;

    #[test]
    fn files_are_merged_by_time_and_then_as_given() {
        let files = Files::new();
        let file = |name: &str, times: &[u64]| {
            let mut text = TARDIS_TRADES.to_owned();
            for (row, time) in times.iter().enumerate() {
                writeln!(text, "x,{name},1,{time},1,buy,{},1", row + 1).unwrap();
            }
            files.add(name, text)
        };
        let (a, b, c) = (file("A", &[1, 3, 3, 9]), file("B", &[1, 2, 3]), file("C", &[3, 10]));
        let expected = ["A 1", "B 1", "B 2", "A 2", "A 3", "B 3", "C 1", "A 4", "C 2"];
        let mut source = Source::open(&[a, b, c], Options::default()).unwrap();
        let mut found = Vec::new();
        while let Some(tick) = source.next() {
            let line = written(&tick.unwrap(), source.symbols());
            let fields: Vec<&str> = line.split(' ').collect();
            found.push(format!("{} {}", fields[1], fields[3]));
        }
        assert_eq!(found, expected);
        assert_eq!(source.symbols(), ["A", "B", "C"]);
        assert!(source.next().is_none());
    }

    #[test]
    fn no_files_give_no_ticks() {
        assert!(read(&[], Options::default()).unwrap().is_empty());
    }
}

mod bad_files {
    use super::*;

    #[test]
    fn files_that_cannot_be_opened() {
        let files = Files::new();
        let path = files.0.path().join("none.csv");
        assert_eq!(
            files.error(Input { path, symbol: None, format: None }),
            "none.csv: cannot be opened: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn empty_files_and_bare_headers_are_errors_even_when_skipping() {
        let files = Files::new();
        for (contents, expected) in [
            (vec![], "x: empty: expected lines, found nothing"),
            (b"\n\r\n".to_vec(), "x: empty: expected lines, found nothing"),
            (gzip(""), "x: empty: expected lines, found nothing"),
            (TARDIS_TRADES.into(), "x: expected rows after the header, found none"),
            (zstd(EMBEDDED_HEADER), "x: expected rows after the header, found none"),
        ] {
            let input = files.add("x", contents);
            assert_eq!(files.relative(&read(std::slice::from_ref(&input), skipping()).unwrap_err()), expected);
            assert_eq!(files.error(input), expected);
        }
    }

    #[test]
    fn a_wrong_header_shows_the_right_one() {
        let files = Files::new();
        let mut input = files.add("x", TARDIS_QUOTES);
        input.format = Some(Format::TardisTrades);
        assert_eq!(
            files.error(input),
            "x: wrong header for tardis-trades: \
             expected \"exchange,symbol,timestamp,local_timestamp,id,side,price,amount\", \
             found \"exchange,symbol,timestamp,local_timestamp,ask_amount,ask_pri…\""
        );
        assert_eq!(
            files.error_of("BTCUSDT-aggTrades-x.csv", "id,price\n1,2\n"),
            "BTCUSDT-aggTrades-x.csv: wrong header for binance-agg-trades: expected \"agg_trade_id,price,quantity,\
             first_trade_id,last_trade_id,transact_time,is_buyer_maker\", found \"id,price\""
        );
    }
}

mod bad_lines {
    use super::*;

    const GOOD: &str = "1,BTCUSDT,t,2,3\n";
    const LATER: &str = "9,BTCUSDT,t,2,3\n";

    /// Checks the error of a row of the embedded format, and that it is skipped on request.
    #[track_caller]
    fn check(row: &[u8], reason: Reason, expected: &str) {
        let files = Files::new();
        let text = [EMBEDDED_HEADER.as_bytes(), GOOD.as_bytes(), row, b"\n", LATER.as_bytes()].concat();
        let input = files.add("x", text);
        assert_eq!(files.error(input.clone()), format!("x:3: {expected}"));
        let good = ["1 BTCUSDT trade 2 3", "9 BTCUSDT trade 2 3"].map(str::to_owned).to_vec();
        assert_eq!(skip(input), (good, vec![(reason, 1)]));
    }

    /// Checks the error of a first row.
    #[track_caller]
    fn check_row(name: &str, header: &str, row: &str, expected: &str) {
        let files = Files::new();
        assert_eq!(files.error_of(name, format!("{header}{row}\n")), format!("{name}:{expected}"));
    }

    #[test]
    fn wrong_numbers_of_columns() {
        check(
            b"2,BTCUSDT,t,5",
            Reason::Columns,
            "wrong number of columns: expected 5 columns, found 4 in \"2,BTCUSDT,t,5\"",
        );
        check(b"2", Reason::Columns, "wrong number of columns: expected 5 or 7 columns, found 1 in \"2\"");
        check_row(
            "BTCUSDT-aggTrades-1",
            "",
            "1,2,3,4,5,6",
            "1: wrong number of columns: expected 7 or 8 columns, found 6 in \"1,2,3,4,5,6\"",
        );
        check_row("x", TARDIS_TICKER, "1,2,3", "2: wrong number of columns: expected 11 columns, found 3 in \"1,2,3\"");
    }

    #[test]
    fn prices_and_quantities_that_are_no_positive_decimals() {
        for (price, shown) in [("0", "0"), ("-1", "-1"), ("x\t", "x\\t"), ("", ""), ("1e18", "1e18"), ("1.", "1.")] {
            let row = format!("2,BTCUSDT,t,{price},1");
            let expected = format!(
                "bad price or quantity: expected price as a positive decimal of at most 18+18 digits, found \"{shown}\""
            );
            check(row.as_bytes(), Reason::Number, &expected);
        }
        check(
            b"2,BTCUSDT,q,1,1,2,0.000",
            Reason::Number,
            "bad price or quantity: expected ask_qty as a positive decimal of at most 18+18 digits, found \"0.000\"",
        );
        check_row(
            "x",
            TARDIS_QUOTES,
            "x,BTCUSDT,1,1,,2,1,1",
            "2: bad price or quantity: expected ask_amount as a positive decimal of at most 18+18 digits, found \"\"",
        );
    }

    #[test]
    fn crossed_quotes() {
        for bid in ["2", "2.0000001"] {
            let row = format!("2,BTCUSDT,q,{bid},1,2.0,1");
            let expected = format!("crossed quote: expected a bid below the ask, found bid {bid}, ask 2");
            check(row.as_bytes(), Reason::Crossed, &expected);
        }
    }

    #[test]
    fn impossible_bars() {
        let bar = |prices: &str, closes: &str| format!("1742860800000,{prices},0,{closes},0,60,0,0,0");
        check_row(
            "BTCUSDT-1m-x",
            KLINE_HEADER,
            &bar("100,103,101,102", "1742860859999"),
            "2: impossible bar: expected open and close between low and high, \
             found open 100, high 103, low 101, close 102",
        );
        check_row(
            "BTCUSDT-1m-x",
            "",
            &bar("100,101,99,100", "1742860799999"),
            "1: impossible bar: expected a close_time at or after the open_time, \
             found 1742860800000000000 ns to 1742860799999000000 ns",
        );
    }

    #[test]
    fn times_that_are_no_integers_of_the_unit() {
        check(b"2.5,BTCUSDT,t,5,1", Reason::Time, "bad time: expected ts_ns as an integer (ns), found \"2.5\"");
        check(
            b"99999999999999999999,BTCUSDT,t,5,1",
            Reason::Time,
            "bad time: expected ts_ns as an integer (ns), found \"99999999999999999999\"",
        );
        check_row(
            "BTCUSDT-aggTrades-1",
            "",
            "1,2,3,4,5,1742860800,true",
            "1: bad time: expected transact_time as 13 digits (ms) or 16 digits (µs), found \"1742860800\"",
        );
        check_row(
            "x",
            TARDIS_TRADES,
            "x,BTCUSDT,1,-1,1,buy,2,3",
            "2: bad time: expected local_timestamp as an integer (µs), found \"-1\"",
        );
        let event = r#"{"Item":{"time_received":"2025-03-25 23:07:00Z","instrument":0,"kind":{"Trade":{"price":1,"amount":1}}}}"#;
        check_row(
            "x",
            "",
            event,
            "1: bad time: expected time_received as YYYY-MM-DDTHH:MM:SS.NNNNNNNNNZ, found \"2025-03-25 23:07:00Z\"",
        );
    }

    #[test]
    fn unknown_names() {
        check(b"2,BTCUSDT,x,5,1", Reason::Unknown, "unknown name: expected kind q or t, found \"x\"");
        check(b"2,,t,5,1", Reason::Unknown, "unknown name: expected a symbol, found \"\"");
        let event = r#"{"Item":{"time_received":"2025-03-25T23:07:00Z","instrument":3,"kind":{"Trade":{"price":1,"amount":1}}}}"#;
        check_row("x", "", event, "1: unknown name: expected instrument 0, 1 or 2, found \"3\"");
    }

    #[test]
    fn lines_that_are_no_events() {
        check_row(
            "x",
            "",
            "{\"Item\":{}}",
            "1: not a market event in JSON: expected an event (missing field `time_received`, column 10), \
             found \"{\\\"Item\\\":{}}\"",
        );
        check_row(
            "x",
            "",
            "{\"Item\":",
            "1: not a market event in JSON: expected an event (EOF while parsing a value, column 8), \
             found \"{\\\"Item\\\":\"",
        );
    }

    #[test]
    fn lines_that_are_too_long_or_not_utf8() {
        check(
            "7".repeat(70_000).as_bytes(),
            Reason::TooLong,
            &format!("line too long: expected at most 65536 bytes, found \"{}…\"", "7".repeat(60)),
        );
        check(
            b"2,BTC\xff,t,1,1",
            Reason::NotUtf8,
            "not UTF-8: expected UTF-8, which ends before byte 6, found \"2,BTC\u{fffd},t,1,1\"",
        );
    }

    #[test]
    fn rows_out_of_order() {
        check(
            b"0,BTCUSDT,t,5,1",
            Reason::OutOfOrder,
            "out of order: expected a time from 1 ns on (--skip-bad drops them), found 0 ns",
        );
        let rows = "1,2,1,3,1,1709251200005,1709251200005\n2,2,1,3,1,1709251200001,1709251200006\n";
        let files = Files::new();
        assert_eq!(
            files.error_of("BTCUSDT-bookTicker-2024-03-01.csv", rows),
            "BTCUSDT-bookTicker-2024-03-01.csv:2: out of order: expected a time from 1709251200005000000 ns on \
             (bookTicker files are known for such rows; --skip-bad drops them), found 1709251200001000000 ns"
        );
    }

    #[test]
    fn json_lines_may_be_late_but_not_too_late() {
        let row = |second: u64| {
            format!(
                "{{\"Item\":{{\"time_received\":\"2025-03-25T{:02}:{:02}:{:02}Z\",\"instrument\":0,\
                 \"kind\":{{\"Trade\":{{\"price\":1,\"amount\":{}}}}}}}}}\n",
                second / 3600,
                second / 60 % 60,
                second % 60,
                second + 1
            )
        };
        let files = Files::new();
        let late = |rows: u64| files.add("x", (1..=rows).chain([0]).map(row).collect::<String>());
        assert_eq!(ticks(late(4096)).first().unwrap(), "1742860800000000000 BTCUSDT trade 1 1");
        assert_eq!(
            files.error(late(4097)),
            "x:4098: out of order: expected a time from 1742860801000000000 ns on (rows may be 4096 rows late, \
             no more; --skip-bad drops them), found 1742860800000000000 ns"
        );
    }

    #[test]
    fn skipped_lines_are_counted_by_reason_with_the_first_few() {
        let files = Files::new();
        let text = format!("{EMBEDDED_HEADER}{GOOD}{}0,BTCUSDT,t,1,1\n", "x\n".repeat(5));
        let mut source = Source::open(&[files.add("x", text)], skipping()).unwrap();
        assert_eq!(source.by_ref().count(), 1);
        assert_eq!(source.skipped().total(), 6);
        let tallies: Vec<_> = source.skipped().by_reason().collect();
        assert_eq!(tallies.len(), 2);
        assert_eq!((tallies[0].0, tallies[0].1.count, tallies[0].1.examples.len()), (Reason::Columns, 5, 3));
        assert_eq!(tallies[0].1.examples.iter().map(|line| line.line).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!((tallies[1].0, tallies[1].1.count), (Reason::OutOfOrder, 1));
    }

    #[test]
    fn a_file_of_bad_lines_only_is_not_an_error_when_skipping() {
        let files = Files::new();
        let input = files.add("x", format!("{EMBEDDED_HEADER}x\n"));
        assert_eq!(skip(input), (vec![], vec![(Reason::Columns, 1)]));
    }
}

mod embedded {
    use super::*;

    #[test]
    fn holds_every_event_in_order() {
        let mut source = Source::embedded(Options::default()).unwrap();
        let ticks: Vec<Tick> = source.by_ref().map(Result::unwrap).collect();
        let quotes = ticks.iter().filter(|tick| matches!(tick.kind, TickKind::Quote { .. })).count();
        assert_eq!((quotes, ticks.len() - quotes), (38_968, 11_032));
        assert!(ticks.is_sorted_by_key(|tick| tick.ts_ns));
        assert_eq!(source.symbols(), ["ETHUSDT", "BTCUSDT", "SOLUSDT"]);
        assert_eq!(
            written(&ticks[0], source.symbols()),
            "1742944020773684644 ETHUSDT quote 2059.1 33.0914 2059.11 3.0146"
        );
    }

    #[test]
    fn reads_as_a_file_too() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ticks/data/binance-spot-2025-03-25.csv.zst");
        let from_file: Vec<Tick> =
            Source::open(&[path.into()], Options::default()).unwrap().map(Result::unwrap).collect();
        let built_in: Vec<Tick> = Source::embedded(Options::default()).unwrap().map(Result::unwrap).collect();
        assert_eq!(from_file, built_in);
    }

    #[test]
    #[ignore = "needs the original: TERRACE_ORIGINAL_DATA=binance_spot_trades_l1_btcusdt_ethusdt_solusdt.json.gz"]
    fn equals_the_original() {
        let path = std::env::var("TERRACE_ORIGINAL_DATA").unwrap();
        let input = Input { path: path.into(), symbol: None, format: None };
        let original: Vec<Tick> = Source::open(&[input], Options::default()).unwrap().map(Result::unwrap).collect();
        let built_in: Vec<Tick> = Source::embedded(Options::default()).unwrap().map(Result::unwrap).collect();
        assert_eq!(original.len(), 50_000);
        assert!(original == built_in);
    }
}
