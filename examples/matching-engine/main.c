/* A small matching engine beside Terrace: an order rests or trades only after Terrace has admitted it; trades go back as
 * fills, with the last price and the mark that they make; liquidation orders meet the same book, immediate or cancel.
 *
 *   engine --lockstep SCRIPT LOG   each command is done before the next; leaves a script for `terrace exec` and the log
 *   engine --stream                commands flow; measures, then replays the record inline and compares
 *
 * The orders are made from a seed: accounts lean to one side, makers quote around a price that wanders, crashes and
 * recovers in part. */
#include "book.h"
#include "journal.h"
#include "terrace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONTRACTS = 2, EVENTS = 256, REQUESTS = 64, TRADER_ORDERS = 4, MAKER_ORDERS = 12 };

#define PRICES (1u << 18)
#define START_NS UINT64_C(1700000000000000000)
#define USDT INT64_C(1000000)

static struct contract contracts[CONTRACTS] = {
    {"BTCUSDT", "BTC", {5, 1}, {1, 3}, 100000, 0},
    {"ETHUSDT", "ETH", {5, 2}, {1, 2}, 50000, 0},
};
static const struct market market = {"USDT", {1, 6}, contracts, CONTRACTS};

/* An order that was submitted and is not known to be admitted yet. */
struct pending {
  struct book_order order;
  uint64_t seq;
  int refused;
};

/* The number by which lines know a liquidation order. */
struct numbered {
  terrace_order_name order;
  uint64_t number;
};

struct run {
  terrace_engine *engine;
  FILE *script, *log; /* in lockstep */
  uint64_t line;      /* of the script */
  uint64_t random;
  uint64_t now_ns;
  uint32_t accounts, makers, asset;
  struct books books;
  uint64_t *executions; /* fills so far, by account */
  int64_t fair[CONTRACTS];
  uint64_t next_order;

  terrace_request *requests; /* not answered yet, from `answered` on */
  size_t request_count, request_cap, answered;
  terrace_event *events; /* of the last command, in lockstep */
  size_t event_count, event_cap;
  struct numbered *numbered;
  size_t numbered_count, numbered_cap;
  struct pending *pending;
  size_t pending_count, batch;
  char *text;
  size_t text_cap;

  uint64_t commands, orders, refused, trades, liquidation_trades, full;
  uint64_t kinds[64]; /* by tag: more than there are */
};

static void die(struct run *run, const char *what, terrace_status status) {
  char text[512] = "";
  (void)terrace_last_error(run->engine, text, sizeof text, NULL);
  fprintf(stderr, "engine: %s: status %u %s\n", what, (unsigned)status, text);
  exit(1);
}

/* Room for one more in an array. */
static void *room(void *array, size_t count, size_t *cap, size_t size) {
  if (count < *cap) {
    return array;
  }
  *cap = *cap ? 2 * *cap : 256;
  array = realloc(array, *cap * size);
  if (!array) {
    fputs("engine: no memory\n", stderr);
    exit(1);
  }
  return array;
}

static uint32_t draw(struct run *run, uint32_t below) {
  run->random = run->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(((run->random >> 32) * below) >> 32);
}

static void note(struct run *run, const terrace_event *event) {
  run->kinds[event->what.tag]++;
  if (event->what.tag == TERRACE_HAPPENING_REFUSED) {
    for (size_t at = 0; at < run->pending_count; at++) {
      if (run->pending[at].seq == event->seq) {
        run->pending[at].refused = 1;
        run->refused++;
      }
    }
  }
  if (!run->script) {
    return;
  }
  if (event->what.tag == TERRACE_HAPPENING_LIQUIDATION_ORDER) {
    run->numbered = room(run->numbered, run->numbered_count, &run->numbered_cap, sizeof *run->numbered);
    const terrace_liquidation_order *order = &event->what.liquidation_order;
    run->numbered[run->numbered_count++] = (struct numbered){order->order, order->liquidation};
  }
  run->events = room(run->events, run->event_count, &run->event_cap, sizeof *run->events);
  run->events[run->event_count] = *event;
  run->events[run->event_count++].seq = run->line;
}

/* Takes what there is to take. */
static void poll(struct run *run) {
  terrace_request requests[REQUESTS];
  terrace_event events[EVENTS];
  size_t asked, told;
  do {
    terrace_status status = terrace_poll(run->engine, requests, REQUESTS, &asked, events, EVENTS, &told);
    if (status != TERRACE_STATUS_OK) {
      die(run, "poll", status);
    }
    for (size_t at = 0; at < asked; at++) {
      run->requests = room(run->requests, run->request_count, &run->request_cap, sizeof *run->requests);
      run->requests[run->request_count++] = requests[at];
    }
    for (size_t at = 0; at < told; at++) {
      note(run, &events[at]);
    }
  } while (asked + told > 0);
}

/* Writes the events of the last command to the log. */
static void write_events(struct run *run) {
  if (run->event_count == 0) {
    return;
  }
  size_t needed;
  terrace_status status;
  while ((status = terrace_format_events(run->engine, run->events, run->event_count, run->text, run->text_cap,
                                         &needed)) == TERRACE_STATUS_ROOM) {
    run->text_cap = 2 * needed;
    char *text = realloc(run->text, run->text_cap);
    if (!text) {
      die(run, "no memory", status);
    }
    run->text = text;
  }
  if (status != TERRACE_STATUS_OK) {
    die(run, "format", status);
  }
  fwrite(run->text, 1, needed, run->log);
  run->event_count = 0;
}

static uint64_t number_of(const struct run *run, terrace_order_name order) {
  for (size_t at = run->numbered_count; at-- > 0;) {
    const struct numbered *known = &run->numbered[at];
    if (known->order.owner_kind == order.owner_kind && known->order.owner == order.owner &&
        known->order.nth == order.nth) {
      return known->number;
    }
  }
  return 0;
}

/* Sends a command; whether it was not refused, as far as that is known. */
static int send(struct run *run, terrace_action action, uint64_t *seq) {
  terrace_command command = {.ts_ns = run->now_ns, .action = action};
  terrace_status status;
  run->commands++;
  if (run->script) {
    uint64_t liquidation = 0;
    if (action.tag == TERRACE_ACTION_LIQUIDATION_FILL) {
      liquidation = number_of(run, action.liquidation_fill.order);
    } else if (action.tag == TERRACE_ACTION_LIQUIDATION_EXPIRE) {
      liquidation = number_of(run, action.liquidation_expire);
    }
    run->line++;
    journal_write(run->script, &market, &command, liquidation);
    status = terrace_carry_out(run->engine, &command, seq);
    if (status == TERRACE_STATUS_REFUSED) {
      char text[1024];
      status = terrace_format_refusal(run->engine, run->line, text, sizeof text, NULL);
      if (status != TERRACE_STATUS_OK) {
        die(run, "refusal", status);
      }
      fputs(text, run->log);
      status = TERRACE_STATUS_REFUSED;
    }
    poll(run);
    write_events(run);
  } else {
    while ((status = terrace_submit(run->engine, &command, seq)) == TERRACE_STATUS_FULL) {
      run->full++;
      poll(run);
    }
  }
  if (status != TERRACE_STATUS_OK && status != TERRACE_STATUS_REFUSED) {
    die(run, "command", status);
  }
  return status == TERRACE_STATUS_OK;
}

/* A line of the protocol, in either mode; its answer is in `run->text`. */
static void send_line(struct run *run, const char *line) {
  size_t needed;
  if (run->script) {
    run->line++;
    fprintf(run->script, "%s\n", line);
  }
  terrace_status status =
      terrace_line(run->engine, run->line, line, strlen(line), run->text, run->text_cap, &needed);
  if (status != TERRACE_STATUS_OK) {
    die(run, line, status);
  }
  if (needed == 0) {
    run->text[0] = 0;
  } else if (run->log) {
    fputs(run->text, run->log);
  }
}

/* The prices that a trade makes. */
static void tell_price(struct run *run, uint32_t instrument, int64_t price) {
  terrace_price at = {.price = price, .instrument = instrument};
  send(run, (terrace_action){.tag = TERRACE_ACTION_LAST, .last = at}, NULL);
  send(run, (terrace_action){.tag = TERRACE_ACTION_MARK, .mark = at}, NULL);
}

static void cancel(struct run *run, uint32_t index) {
  terrace_item item = {.account = run->books.orders[index].account, .id = run->books.orders[index].id};
  books_remove(&run->books, index);
  send(run, (terrace_action){.tag = TERRACE_ACTION_CANCEL, .cancel = item}, NULL);
}

/* Takes lots from a resting order. */
static void take(struct run *run, uint32_t index, int64_t quantity) {
  struct book_order *maker = &run->books.orders[index];
  maker->rest -= quantity;
  run->executions[maker->account]++;
  if (maker->rest == 0) {
    books_remove(&run->books, index);
  }
}

/* An admitted order trades as far as it can, and rests. */
static void enter(struct run *run, struct book_order order) {
  uint32_t opposite = order.side == BOOK_BUY ? BOOK_SELL : BOOK_BUY;
  int64_t last = -1;
  while (order.rest > 0) {
    uint32_t index = books_best(&run->books, order.instrument, opposite, order.price);
    if (index == BOOK_NONE) {
      break;
    }
    struct book_order maker = run->books.orders[index];
    if (maker.account == order.account) {
      cancel(run, index); /* nobody trades with himself */
      continue;
    }
    int64_t quantity = order.rest < maker.rest ? order.rest : maker.rest;
    take(run, index, quantity);
    order.rest -= quantity;
    last = maker.price;
    run->executions[order.account]++;
    run->trades++;
    terrace_fill fill = {
        .account = order.account,
        .counterparty = maker.account,
        .order = order.id,
        .counter_order = maker.id,
        .quantity = quantity,
        .price = maker.price,
        .instrument = order.instrument,
        .side = order.side,
        .liquidity = TERRACE_LIQUIDITY_TAKER,
        .given = TERRACE_GIVEN_COUNTERPARTY | TERRACE_GIVEN_ORDER | TERRACE_GIVEN_COUNTER_ORDER,
    };
    send(run, (terrace_action){.tag = TERRACE_ACTION_FILL, .fill = fill}, NULL);
  }
  if (last >= 0) {
    tell_price(run, order.instrument, last);
  }
  if (order.rest > 0 && !books_add(&run->books, &order)) {
    die(run, "no memory", TERRACE_STATUS_OK);
  }
}

/* A liquidation order: immediate or cancel. The other side is an account of ours, but the liquidated one's lots pass
 * through the external venue account, so both halves are told. */
static void liquidate(struct run *run, const terrace_venue_order *asked) {
  uint32_t opposite = asked->side == TERRACE_SIDE_BUY ? BOOK_SELL : BOOK_BUY;
  int64_t rest = asked->quantity, last = -1;
  while (rest > 0) {
    uint32_t index = books_best(&run->books, asked->instrument, opposite, asked->limit);
    if (index == BOOK_NONE) {
      break;
    }
    struct book_order maker = run->books.orders[index];
    int64_t quantity = rest < maker.rest ? rest : maker.rest;
    take(run, index, quantity);
    rest -= quantity;
    last = maker.price;
    run->liquidation_trades++;
    terrace_liquidation_fill own = {
        .order = asked->order, .quantity = quantity, .price = last, .instrument = asked->instrument};
    send(run, (terrace_action){.tag = TERRACE_ACTION_LIQUIDATION_FILL, .liquidation_fill = own}, NULL);
    terrace_fill other = {
        .account = maker.account,
        .order = maker.id,
        .quantity = quantity,
        .price = last,
        .instrument = asked->instrument,
        .side = opposite,
        .liquidity = TERRACE_LIQUIDITY_MAKER,
        .given = TERRACE_GIVEN_ORDER,
    };
    send(run, (terrace_action){.tag = TERRACE_ACTION_FILL, .fill = other}, NULL);
  }
  if (rest > 0) {
    terrace_action expire = {.tag = TERRACE_ACTION_LIQUIDATION_EXPIRE, .liquidation_expire = asked->order};
    send(run, expire, NULL);
  }
  if (last >= 0) {
    tell_price(run, asked->instrument, last);
  }
}

static void cancel_all(struct run *run, const terrace_pool_of *asked) {
  uint32_t account = (uint32_t)asked->account;
  while (run->books.accounts[account].first != BOOK_NONE) {
    books_remove(&run->books, run->books.accounts[account].first);
  }
  terrace_cancel_ack ack = {
      .account = asked->account, .execution = run->executions[account], .pool = asked->pool};
  send(run, (terrace_action){.tag = TERRACE_ACTION_CANCEL_ACK, .cancel_ack = ack}, NULL);
}

/* Enters what has been admitted, then does what Terrace asks, and what that leads to, to the end. */
static void catch_up(struct run *run) {
  do {
    if (!run->script) {
      terrace_status status = terrace_settle(run->engine);
      if (status != TERRACE_STATUS_OK) {
        die(run, "settle", status);
      }
      poll(run);
    }
    size_t admitted = run->pending_count;
    run->pending_count = 0;
    for (size_t at = 0; at < admitted; at++) {
      if (!run->pending[at].refused) {
        enter(run, run->pending[at].order);
      }
    }
    while (run->answered < run->request_count) {
      terrace_request request = run->requests[run->answered++];
      if (request.what.tag == TERRACE_REQUEST_KIND_ORDER) {
        liquidate(run, &request.what.order);
      } else {
        cancel_all(run, &request.what.cancel);
      }
    }
    run->request_count = run->answered = 0;
    if (!run->script) {
      poll(run);
    }
  } while (run->request_count > 0);
}

static void place(struct run *run, uint32_t account, uint32_t instrument, uint32_t side, int64_t quantity,
                  int64_t price) {
  uint32_t most = account <= run->makers ? MAKER_ORDERS : TRADER_ORDERS;
  if (run->books.open[account] >= most) {
    cancel(run, run->books.accounts[account].first);
  }
  struct book_order order = {.id = ++run->next_order,
                             .price = price,
                             .rest = quantity,
                             .account = account,
                             .instrument = instrument,
                             .side = side};
  terrace_order asked = {.account = account,
                         .order = order.id,
                         .quantity = quantity,
                         .price = price,
                         .instrument = instrument,
                         .side = side};
  uint64_t seq = 0;
  run->orders++;
  run->now_ns += 100000;
  if (!send(run, (terrace_action){.tag = TERRACE_ACTION_ORDER, .order = asked}, &seq)) {
    run->refused++;
  } else {
    run->pending[run->pending_count++] = (struct pending){.order = order, .seq = seq};
  }
  if (run->pending_count == run->batch || run->script) {
    catch_up(run);
  }
}

static void declare(struct run *run) {
  char line[1024];
  send_line(run, "{\"op\":\"asset\",\"asset\":\"USDT\",\"decimals\":6}");
  send_line(run, "{\"op\":\"venue\",\"mode\":\"manual\",\"cancel_ack\":true}");
  for (uint32_t at = 0; at < CONTRACTS; at++) {
    const char *ticks[] = {"0.5", "0.05"}, *lots[] = {"0.001", "0.01"};
    snprintf(line, sizeof line,
             "{\"op\":\"instrument\",\"symbol\":\"%s\",\"kind\":\"linear_perp\",\"underlying\":\"%s\","
             "\"settle\":\"USDT\",\"tick\":\"%s\",\"lot\":\"%s\",\"maker_fee\":\"0.0002\",\"taker_fee\":\"0.0005\","
             "\"liquidation_fee\":\"0.002\",\"tiers\":["
             "{\"cap\":\"20000\",\"mmr\":\"0.004\",\"max_leverage\":125},"
             "{\"cap\":\"100000\",\"mmr\":\"0.006\",\"max_leverage\":75},"
             "{\"cap\":\"100000000\",\"mmr\":\"0.01\",\"max_leverage\":50}]}",
             contracts[at].symbol, contracts[at].underlying, ticks[at], lots[at]);
    send_line(run, line);
    terrace_status status = terrace_instrument_id(run->engine, contracts[at].symbol, &contracts[at].id);
    if (status != TERRACE_STATUS_OK || contracts[at].id != at) {
      die(run, contracts[at].symbol, status);
    }
    run->fair[at] = contracts[at].start;
  }
  terrace_status status = terrace_asset_id(run->engine, "USDT", &run->asset);
  if (status != TERRACE_STATUS_OK) {
    die(run, "USDT", status);
  }
}

static void open_accounts(struct run *run) {
  run->now_ns = START_NS;
  terrace_fund_deposit fund = {.amount = 2000 * USDT, .fund = 0};
  send(run, (terrace_action){.tag = TERRACE_ACTION_FUND_DEPOSIT, .fund_deposit = fund}, NULL);
  for (uint32_t account = 1; account <= run->accounts; account++) {
    int is_maker = account <= run->makers;
    int64_t amount = is_maker ? 200000 * USDT : (300 + draw(run, 1700)) * USDT;
    terrace_payment payment = {.account = account, .amount = amount, .asset = run->asset};
    send(run, (terrace_action){.tag = TERRACE_ACTION_DEPOSIT, .deposit = payment}, NULL);
    for (uint32_t at = 0; at < CONTRACTS; at++) {
      uint32_t leverage = is_maker ? 1000 : 1000 + 500 * draw(run, 15);
      terrace_leverage set = {.account = account, .instrument = at, .leverage = leverage};
      send(run, (terrace_action){.tag = TERRACE_ACTION_LEVERAGE, .leverage = set}, NULL);
    }
  }
  for (uint32_t at = 0; at < CONTRACTS; at++) {
    tell_price(run, at, run->fair[at]);
  }
}

/* The price that orders are made around: it wanders, falls by a seventh within a tenth of the run, and recovers half. */
static void wander(struct run *run, uint32_t at, uint64_t done, uint64_t all) {
  int64_t start = contracts[at].start, moves = (int64_t)(all / 10 / CONTRACTS) + 1;
  int64_t drift = 0;
  if (done * 10 >= all * 5 && done * 10 < all * 6) {
    drift = -start / 7;
  } else if (done * 10 >= all * 8 && done * 10 < all * 9) {
    drift = start / 14;
  }
  /* The remainder is drawn, so that the sum is right in the mean. */
  int64_t step = drift / moves, part = llabs(drift % moves);
  step += (int64_t)draw(run, (uint32_t)moves) < part ? (drift < 0 ? -1 : 1) : 0;
  run->fair[at] += step + (int64_t)draw(run, 21) - 10;
}

static void flow(struct run *run, uint64_t all) {
  for (uint64_t done = 0; done < all; done++) {
    uint32_t at = draw(run, CONTRACTS);
    wander(run, at, done, all);
    int64_t fair = run->fair[at], unit = contracts[at].start / 2000;
    if (draw(run, 100) < 40) {
      uint32_t maker = 1 + draw(run, run->makers), side = draw(run, 2);
      int64_t away = 1 + draw(run, (uint32_t)(8 * unit / 4));
      place(run, maker, at, side, 20 + draw(run, 200), side == BOOK_BUY ? fair - away : fair + away);
      continue;
    }
    uint32_t trader = run->makers + 1 + draw(run, run->accounts - run->makers);
    uint32_t lean = trader % 3 == 0 ? BOOK_SELL : BOOK_BUY;
    uint32_t side = draw(run, 10) < 8 ? lean : 1 - lean;
    int64_t over = (int64_t)draw(run, (uint32_t)unit) - unit / 3;
    place(run, trader, at, side, 10 + draw(run, 150), side == BOOK_BUY ? fair + over : fair - over);
  }
  catch_up(run);
}

static double seconds(void) {
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The sums of the books must be zero. */
static int balances(struct run *run) {
  static const char key[] = "\"difference\":\"";
  int found = 0;
  run->now_ns = 0;
  send_line(run, "{\"op\":\"get\",\"what\":\"totals\"}");
  for (const char *at = run->text; (at = strstr(at, key)) != NULL; found++) {
    at += sizeof key - 1;
    if (strncmp(at, "0\"", 2) != 0) {
      return 0;
    }
  }
  return found == 1 + CONTRACTS;
}

static void summary(const struct run *run, double elapsed) {
  const uint64_t *kinds = run->kinds;
  printf("orders %" PRIu64 ", refused %" PRIu64 ", trades %" PRIu64 "; liquidations %" PRIu64 ", orders %" PRIu64
         ", trades %" PRIu64 "; takeovers %" PRIu64 ", deleveraged %" PRIu64 "\n",
         run->orders, run->refused, run->trades, kinds[TERRACE_HAPPENING_LIQUIDATION_STARTED],
         kinds[TERRACE_HAPPENING_LIQUIDATION_ORDER], run->liquidation_trades, kinds[TERRACE_HAPPENING_TAKEOVER],
         kinds[TERRACE_HAPPENING_DELEVERAGED]);
  if (!run->script) {
    printf("%.2f s: %.0f orders/s, %.0f commands/s\n", elapsed, (double)run->orders / elapsed,
           (double)run->commands / elapsed);
  }
}

/* What only a record can show: that an inline kernel says the same. */
static int same_inline(struct run *run) {
  terrace_replay replay;
  terrace_status status = terrace_record_replay(run->engine, &replay);
  if (status != TERRACE_STATUS_OK) {
    die(run, "replay of the record", status);
  }
  printf("%" PRIu64 " places replayed inline: %" PRIu64 " entries, hash %016" PRIx64 ": the logs are %s\n",
         replay.places, replay.entries, replay.hash, replay.equal ? "equal" : "not equal");
  return (int)replay.equal;
}

static void run_free(struct run *run) {
  terrace_free(run->engine);
  books_free(&run->books);
  free(run->executions);
  free(run->requests);
  free(run->events);
  free(run->numbered);
  free(run->pending);
  free(run->text);
}

static int usage(void) {
  fputs("usage: engine --lockstep SCRIPT LOG | --stream\n"
        "  [--orders N] [--accounts N] [--seed N] [--workers N] [--wait spin|yield|park] [--pin] [--batch N]\n"
        "  [--no-record]\n",
        stderr);
  return 2;
}

struct options {
  const char *script, *log;
  uint64_t orders, seed, batch;
  uint32_t accounts;
  int stream, record;
  terrace_settings settings;
};

static int number(const char *text, uint64_t *value) {
  char *end;
  *value = text ? strtoull(text, &end, 10) : 0;
  return text && *text >= '0' && *text <= '9' && *end == 0;
}

static int read_options(int count, char **words, struct options *options) {
  static const char *const waits[] = {"auto", "spin", "yield", "park"};
  for (int at = 1; at < count; at++) {
    const char *word = words[at], *value = at + 1 < count ? words[at + 1] : NULL;
    uint64_t given = 0;
    if (!strcmp(word, "--lockstep") && at + 2 < count) {
      options->script = words[at + 1];
      options->log = words[at + 2];
      at += 2;
    } else if (!strcmp(word, "--stream")) {
      options->stream = 1;
    } else if (!strcmp(word, "--no-record")) {
      options->record = 0;
    } else if (!strcmp(word, "--pin")) {
      options->settings.pinning = TERRACE_PINNING_AUTO;
    } else if (!strcmp(word, "--wait") && value) {
      uint32_t wait = 0;
      while (wait < 4 && strcmp(waits[wait], value) != 0) {
        wait++;
      }
      options->settings.wait = wait; /* a word that is none is refused at the start */
      at++;
    } else if (number(value, &given)) {
      at++;
      if (!strcmp(word, "--orders")) {
        options->orders = given;
      } else if (!strcmp(word, "--seed")) {
        options->seed = given;
      } else if (!strcmp(word, "--batch") && given > 0 && given < 65536) {
        options->batch = given;
      } else if (!strcmp(word, "--accounts") && given >= 100 && given < 10000000) {
        options->accounts = (uint32_t)given;
      } else if (!strcmp(word, "--workers") && given < 1024) {
        options->settings.workers = (uint32_t)given;
      } else {
        return 0;
      }
    } else {
      return 0;
    }
  }
  return options->stream != (options->script != NULL);
}

int main(int count, char **words) {
  struct options options = {.orders = 20000,
                            .seed = 1,
                            .batch = 128,
                            .accounts = 2000,
                            .record = 1,
                            .settings = terrace_settings_default()};
  if (!read_options(count, words, &options)) {
    return usage();
  }
  struct run run = {.random = options.seed, .accounts = options.accounts, .makers = options.accounts / 20};
  run.batch = options.stream ? options.batch : 1;
  run.text_cap = 1 << 16;
  run.text = malloc(run.text_cap);
  run.pending = calloc(run.batch, sizeof *run.pending);
  run.executions = calloc(run.accounts + 1, sizeof *run.executions);
  if (!run.text || !run.pending || !run.executions || !books_make(&run.books, CONTRACTS, PRICES, run.accounts + 1)) {
    fputs("engine: no memory\n", stderr);
    return 1;
  }
  options.settings.record = (uint32_t)(options.stream && options.record);
  terrace_status status = terrace_start(&options.settings, &run.engine);
  if (status != TERRACE_STATUS_OK) {
    die(&run, "start", status);
  }
  if (options.script) {
    run.script = fopen(options.script, "w");
    run.log = fopen(options.log, "w");
    if (!run.script || !run.log) {
      perror("engine");
      return 1;
    }
  }
  char shape[256] = "";
  (void)terrace_describe(run.engine, shape, sizeof shape, NULL);
  printf("%s\n", shape);

  declare(&run);
  open_accounts(&run);
  catch_up(&run);
  uint64_t commands = run.commands;
  run.commands = 0;
  double start = seconds();
  flow(&run, options.orders);
  double elapsed = seconds() - start;
  int good = balances(&run);
  summary(&run, elapsed);
  run.commands += commands;
  if (!good) {
    fputs("engine: the books do not balance\n", stderr);
  }
  if (run.script && (fclose(run.script) != 0 || fclose(run.log) != 0)) {
    perror("engine");
    good = 0;
  }
  run.script = run.log = NULL;
  status = terrace_stop(run.engine);
  if (status != TERRACE_STATUS_OK) {
    die(&run, "stop", status);
  }
  poll(&run);
  if (options.settings.record) {
    good = same_inline(&run) && good;
  }
  run_free(&run);
  return good ? 0 : 1;
}
