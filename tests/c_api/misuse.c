/* Everything that a caller can get wrong is answered, and changes nothing. */
#include "terrace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(what)                                                                                                   \
  do {                                                                                                                 \
    if (!(what)) {                                                                                                     \
      fprintf(stderr, "misuse.c:%d: not so: %s\n", __LINE__, #what);                                                   \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

static terrace_engine *engine;
static char text[4096];
static size_t needed;

static terrace_status line(const char *words) {
  return terrace_line(engine, 0, words, strlen(words), text, sizeof text, &needed);
}

static terrace_status act(terrace_action action) {
  terrace_command command = {.ts_ns = 0, .action = action};
  return terrace_carry_out(engine, &command, NULL);
}

static void starting(void) {
  terrace_settings settings = terrace_settings_default();
  EXPECT(settings.size == sizeof settings);
  EXPECT(terrace_start(NULL, NULL) == TERRACE_STATUS_NULL);
  settings.size--;
  EXPECT(terrace_start(&settings, &engine) == TERRACE_STATUS_INVALID && !engine);
  settings = terrace_settings_default();
  settings.wait = 4;
  EXPECT(terrace_start(&settings, &engine) == TERRACE_STATUS_INVALID);
  settings = terrace_settings_default();
  settings.ring = 1000;
  EXPECT(terrace_start(&settings, &engine) == TERRACE_STATUS_FAILED && !engine);
  EXPECT(terrace_last_error(NULL, text, sizeof text, &needed) == TERRACE_STATUS_OK);
  EXPECT(strstr(text, "power of two"));
  settings.ring = 1 << 10;
  settings.workers = 1;
  settings.wait = TERRACE_WAIT_YIELD;
  settings.record = 1;
  EXPECT(terrace_start(&settings, &engine) == TERRACE_STATUS_OK && engine);
}

static void nothing_there(void) {
  terrace_command command = {.action = {.tag = TERRACE_ACTION_TIME, .time = 1}};
  size_t asked, told;
  uint32_t id;
  EXPECT(terrace_submit(NULL, &command, NULL) == TERRACE_STATUS_NULL);
  EXPECT(terrace_submit(engine, NULL, NULL) == TERRACE_STATUS_NULL);
  EXPECT(terrace_carry_out(engine, NULL, NULL) == TERRACE_STATUS_NULL);
  EXPECT(terrace_poll(engine, NULL, 9, NULL, NULL, 9, &told) == TERRACE_STATUS_NULL);
  EXPECT(terrace_poll(engine, NULL, 9, &asked, NULL, 9, &told) == TERRACE_STATUS_OK && asked + told == 0);
  EXPECT(terrace_line(engine, 0, NULL, 3, text, sizeof text, NULL) == TERRACE_STATUS_NULL);
  EXPECT(terrace_format_events(engine, NULL, 1, text, sizeof text, NULL) == TERRACE_STATUS_NULL);
  EXPECT(terrace_instrument_id(engine, NULL, &id) == TERRACE_STATUS_NULL);
  EXPECT(terrace_instrument_id(engine, "X", NULL) == TERRACE_STATUS_NULL);
  EXPECT(terrace_instrument_id(engine, "X", &id) == TERRACE_STATUS_UNKNOWN);
  EXPECT(terrace_instrument_id(engine, "\xff", &id) == TERRACE_STATUS_INVALID);
  EXPECT(terrace_settle(NULL) == TERRACE_STATUS_NULL && terrace_stop(NULL) == TERRACE_STATUS_NULL);
  EXPECT(terrace_last_code(engine) == TERRACE_CODE_NONE && terrace_last_code(NULL) == TERRACE_CODE_NONE);
  EXPECT(terrace_format_refusal(engine, 1, text, sizeof text, NULL) == TERRACE_STATUS_UNKNOWN);
  EXPECT(terrace_record_replay(engine, NULL) == TERRACE_STATUS_UNKNOWN);
  EXPECT(!terrace_code_word(99) && !terrace_op_word(99) && !strcmp(terrace_code_word(15), "locked"));
  terrace_free(NULL);
}

static void lines(void) {
  EXPECT(line("{") == TERRACE_STATUS_REFUSED && terrace_last_code(engine) == TERRACE_CODE_MALFORMED);
  EXPECT(strstr(text, "\"rejected\"") && strlen(text) == needed);
  EXPECT(line("") == TERRACE_STATUS_OK && needed == 0);
  EXPECT(line("{\"op\":\"asset\",\"asset\":\"USDT\",\"decimals\":2}") == TERRACE_STATUS_OK);
  EXPECT(line("{\"op\":\"venue\",\"mode\":\"manual\"}") == TERRACE_STATUS_OK);
  EXPECT(line("{\"op\":\"instrument\",\"symbol\":\"X\",\"kind\":\"linear_perp\",\"underlying\":\"Y\",\"settle\":"
              "\"USDT\",\"tick\":\"0.5\",\"lot\":\"1\",\"tiers\":[{\"cap\":\"1000000\",\"mmr\":\"0.01\","
              "\"max_leverage\":50}]}") == TERRACE_STATUS_OK);
  const char *totals = "{\"op\":\"get\",\"what\":\"totals\"}";
  EXPECT(terrace_line(engine, 77, totals, strlen(totals), text, 8, &needed) == TERRACE_STATUS_ROOM);
  EXPECT(terrace_answer(engine, text, needed, NULL) == TERRACE_STATUS_ROOM);
  EXPECT(terrace_answer(engine, text, needed + 1, &needed) == TERRACE_STATUS_OK && strstr(text, "\"seq\":77,"));
}

static void numbers(void) {
  struct {
    terrace_action action;
    terrace_code code;
  } refused[] = {
      {{.tag = TERRACE_ACTION_MARK, .mark = {.price = 1, .instrument = 7}}, TERRACE_CODE_UNKNOWN_SYMBOL},
      {{.tag = TERRACE_ACTION_MARK, .mark = {.price = 0}}, TERRACE_CODE_BAD_VALUE},
      {{.tag = TERRACE_ACTION_MARK, .mark = {.price = INT64_MIN}}, TERRACE_CODE_BAD_VALUE},
      {{.tag = TERRACE_ACTION_MARK, .mark = {.price = INT64_MAX}}, TERRACE_CODE_OVERFLOW},
      {{.tag = TERRACE_ACTION_DEPOSIT, .deposit = {1, INT64_MAX, 0}}, TERRACE_CODE_OVERFLOW},
      {{.tag = TERRACE_ACTION_DEPOSIT, .deposit = {1, 5, UINT32_MAX}}, TERRACE_CODE_UNKNOWN_ASSET},
      {{.tag = TERRACE_ACTION_CANCEL, .cancel = {9, 9}}, TERRACE_CODE_UNKNOWN_ACCOUNT},
      {{.tag = TERRACE_ACTION_LIQUIDATION_EXPIRE, .liquidation_expire = {TERRACE_OWNER_KIND_ACCOUNT, 1, 9}},
       TERRACE_CODE_UNKNOWN_LIQUIDATION},
      {{.tag = TERRACE_ACTION_LIQUIDATION_EXPIRE, .liquidation_expire = {TERRACE_OWNER_KIND_FUND, 0, 55}},
       TERRACE_CODE_UNKNOWN_LIQUIDATION},
      {{.tag = TERRACE_ACTION_FUND_DEPOSIT, .fund_deposit = {5, 3}}, TERRACE_CODE_UNKNOWN_FUND},
      {{.tag = TERRACE_ACTION_LEVERAGE, .leverage = {1, 0, UINT32_MAX}}, TERRACE_CODE_UNKNOWN_ACCOUNT},
      {{.tag = TERRACE_ACTION_ACCOUNT, .account = {2, TERRACE_POSITION_MODE_HEDGE}}, TERRACE_CODE_DUPLICATE},
      {{.tag = TERRACE_ACTION_FILL, .fill = {.account = 2, .quantity = 1, .price = 1, .position_side = 1}},
       TERRACE_CODE_BAD_VALUE},
      {{.tag = TERRACE_ACTION_MARK_FROM, .mark_from = {0, 7, 0}}, TERRACE_CODE_BAD_VALUE},
      {{.tag = TERRACE_ACTION_AIRLOCK_RELEASE, .airlock_release = {9, 1}}, TERRACE_CODE_UNKNOWN_SYMBOL},
      {{.tag = TERRACE_ACTION_HEALTH, .health = {.scope = TERRACE_SCOPE_INSTRUMENT, .id = 9, .active = 1}},
       TERRACE_CODE_UNKNOWN_SYMBOL},
      {{.tag = TERRACE_ACTION_WITHDRAW, .withdraw = {2, 100000, 0}}, TERRACE_CODE_INSUFFICIENT_MARGIN},
  };
  EXPECT(act((terrace_action){.tag = TERRACE_ACTION_DEPOSIT, .deposit = {2, 500, 0}}) == TERRACE_STATUS_OK);
  for (size_t at = 0; at < sizeof refused / sizeof *refused; at++) {
    terrace_status status = act(refused[at].action);
    terrace_code code = terrace_last_code(engine);
    if (status != TERRACE_STATUS_REFUSED || code != refused[at].code) {
      fprintf(stderr, "action %zu: status %u, code %s\n", at, (unsigned)status, terrace_code_word(code));
      exit(1);
    }
    EXPECT(terrace_last_error(engine, text, sizeof text, NULL) == TERRACE_STATUS_OK && text[0]);
  }
  EXPECT(!strcmp(text, "available would be -995 USDT"));
  EXPECT(terrace_format_refusal(engine, 5, text, sizeof text, NULL) == TERRACE_STATUS_OK);
  EXPECT(!strcmp(text, "{\"ev\":\"rejected\",\"seq\":5,\"code\":\"insufficient_margin\",\"reason\":"
                       "\"available would be -995 USDT\"}\n"));

  /* Numbers that no field takes. */
  terrace_action invalid[] = {
      {.tag = TERRACE_ACTION_TIME + 1},
      {.tag = UINT32_MAX},
      {.tag = TERRACE_ACTION_ORDER, .order = {.account = 2, .order = 1, .quantity = 1, .price = 1, .side = 2}},
      {.tag = TERRACE_ACTION_ORDER, .order = {.account = 2, .order = 1, .quantity = 1, .price = 1, .reduce_only = 2}},
      {.tag = TERRACE_ACTION_FILL, .fill = {.account = 2, .quantity = 1, .price = 1, .given = 8}},
      {.tag = TERRACE_ACTION_FILL,
       .fill = {.account = 2, .quantity = 1, .price = 1, .given = TERRACE_GIVEN_COUNTER_ORDER}},
      {.tag = TERRACE_ACTION_FILL, .fill = {.account = 2, .quantity = 1, .price = 1, .liquidity = 3}},
      {.tag = TERRACE_ACTION_MARGIN_MODE, .margin_mode = {2, 0, 2}},
      {.tag = TERRACE_ACTION_CANCEL_ACK, .cancel_ack = {.account = 2, .pool = {4, 0}}},
      {.tag = TERRACE_ACTION_ACCOUNT, .account = {9, 2}},
      {.tag = TERRACE_ACTION_ORDER, .order = {.account = 2, .order = 1, .quantity = 1, .price = 1, .position_side = 3}},
      {.tag = TERRACE_ACTION_FILL, .fill = {.account = 2, .quantity = 1, .price = 1, .position_side = 3}},
      {.tag = TERRACE_ACTION_FILL, .fill = {.account = 2, .quantity = 1, .price = 1, .counter_position_side = 1}},
      {.tag = TERRACE_ACTION_ISOLATED_MARGIN, .isolated_margin = {.account = 2, .amount = 1, .position_side = 3}},
      {.tag = TERRACE_ACTION_AIRLOCK_RELEASE, .airlock_release = {0, 2}},
      {.tag = TERRACE_ACTION_HEALTH, .health = {.scope = TERRACE_SCOPE_ALL, .state = 6, .active = 1}},
      {.tag = TERRACE_ACTION_HEALTH, .health = {.scope = TERRACE_SCOPE_ACCOUNT, .id = 2, .active = 1}},
      {.tag = TERRACE_ACTION_HEALTH, .health = {.scope = TERRACE_SCOPE_ALL, .active = 2}},
      {.tag = TERRACE_ACTION_HEALTH,
       .health = {.scope = TERRACE_SCOPE_ALL, .active = 0, .mode = TERRACE_MODE_WORD_HALTED}},
      {.tag = TERRACE_ACTION_LIQUIDATION_EXPIRE, .liquidation_expire = {2, 1, 1}},
      {.tag = TERRACE_ACTION_LIQUIDATION_EXPIRE, .liquidation_expire = {TERRACE_OWNER_KIND_FUND, 1, UINT64_MAX}},
  };
  for (size_t at = 0; at < sizeof invalid / sizeof *invalid; at++) {
    EXPECT(act(invalid[at]) == TERRACE_STATUS_INVALID);
  }
}

static void events(void) {
  terrace_event odd[] = {
      {1, {.tag = 1000}}, /* beyond all that will ever be */
      {1, {.tag = TERRACE_HAPPENING_REFUSED, .refused = 3}},
      {1, {.tag = TERRACE_HAPPENING_TAKEOVER, .takeover = {.account = 1, .quantity = INT64_MIN}}},
      {1, {.tag = TERRACE_HAPPENING_TAKEOVER, .takeover = {.account = 1, .instrument = 9}}},
      {1, {.tag = TERRACE_HAPPENING_FUND_DEFICIT, .fund_deficit = {.equity = {0, INT64_MIN}}}},
      {1, {.tag = TERRACE_HAPPENING_FUND_CHANGE, .fund_change = {.fund = 4}}},
      {1, {.tag = TERRACE_HAPPENING_LIQUIDATION_SUPPRESSED, .liquidation_suppressed = {1, {0, 9}}}},
      {1, {.tag = TERRACE_HAPPENING_LIQUIDATION_STARTED, .liquidation_started = {.cause = {1, 99}}}},
  };
  for (size_t at = 0; at < sizeof odd / sizeof *odd; at++) {
    EXPECT(terrace_format_events(engine, &odd[at], 1, text, sizeof text, NULL) == TERRACE_STATUS_INVALID);
  }
  terrace_pool usdt = {TERRACE_POOL_KIND_CROSS, 0};
  terrace_event group[] = {
      {4, {.tag = TERRACE_HAPPENING_ORDER_CANCELLED, .order_cancelled = {6, 11, usdt, 1}}},
      {4, {.tag = TERRACE_HAPPENING_ORDER_CANCELLED, .order_cancelled = {6, 12, usdt, 0}}},
  };
  EXPECT(terrace_format_events(engine, group, 2, NULL, 0, &needed) == TERRACE_STATUS_ROOM);
  EXPECT(terrace_format_events(engine, group, 2, text, needed + 1, NULL) == TERRACE_STATUS_OK);
  EXPECT(!strcmp(text, "{\"ev\":\"orders_cancelled\",\"seq\":4,\"account\":6,\"pool\":\"cross:USDT\",\"orders\":[11,12]}"
                       "\n"));
}

static void polled(void) {
  /* What the shard refuses comes with the log. */
  terrace_command withdraw = {.action = {.tag = TERRACE_ACTION_WITHDRAW, .withdraw = {2, 100000, 0}}};
  uint64_t seq = 0;
  EXPECT(terrace_submit(engine, &withdraw, &seq) == TERRACE_STATUS_OK && seq > 0);
  EXPECT(terrace_settle(engine) == TERRACE_STATUS_OK);
  size_t asked, told;
  terrace_event event;
  EXPECT(terrace_poll(engine, NULL, 0, &asked, &event, 1, &told) == TERRACE_STATUS_OK && told == 1);
  EXPECT(event.seq == seq && event.what.tag == TERRACE_HAPPENING_REFUSED);
  EXPECT(event.what.refused == TERRACE_CODE_INSUFFICIENT_MARGIN);
  EXPECT(terrace_format_events(engine, &event, 1, text, sizeof text, NULL) == TERRACE_STATUS_OK);
  EXPECT(strstr(text, "insufficient_margin"));

  terrace_pool_view view;
  terrace_pool usdt = {TERRACE_POOL_KIND_CROSS, 0}, none = {9, 0};
  EXPECT(terrace_look_at_pool(engine, 2, usdt, &view) == TERRACE_STATUS_OK);
  EXPECT(view.available.low == 500 && view.available.high == 0 && !view.locked);
  EXPECT(terrace_look_at_pool(engine, 2, none, &view) == TERRACE_STATUS_INVALID);
  EXPECT(terrace_look_at_pool(engine, 3, usdt, &view) == TERRACE_STATUS_UNKNOWN);

  /* A ring that nobody reads fills up, and says so: here the reader is quick, so both answers are right. */
  for (uint32_t at = 0; at < 5000; at++) {
    terrace_command mark = {.action = {.tag = TERRACE_ACTION_MARK, .mark = {.price = 100 + at % 7, .instrument = 0}}};
    terrace_status status = terrace_submit(engine, &mark, NULL);
    EXPECT(status == TERRACE_STATUS_OK || status == TERRACE_STATUS_FULL);
  }
}

static void stopping(void) {
  terrace_command mark = {.action = {.tag = TERRACE_ACTION_MARK, .mark = {.price = 100, .instrument = 0}}};
  terrace_metrics metrics;
  terrace_replay replay;
  size_t asked, told;
  EXPECT(terrace_read_metrics(engine, &metrics) == TERRACE_STATUS_OK && metrics.places > 0);
  EXPECT(terrace_stop(engine) == TERRACE_STATUS_OK);
  EXPECT(terrace_stop(engine) == TERRACE_STATUS_STOPPED);
  EXPECT(terrace_submit(engine, &mark, NULL) == TERRACE_STATUS_STOPPED);
  EXPECT(terrace_carry_out(engine, &mark, NULL) == TERRACE_STATUS_STOPPED);
  EXPECT(terrace_settle(engine) == TERRACE_STATUS_STOPPED);
  EXPECT(line("{\"op\":\"mark\",\"symbol\":\"X\",\"price\":\"5\"}") == TERRACE_STATUS_STOPPED);
  EXPECT(terrace_read_metrics(engine, &metrics) == TERRACE_STATUS_STOPPED);
  EXPECT(terrace_poll(engine, NULL, 0, &asked, NULL, 0, &told) == TERRACE_STATUS_OK);
  EXPECT(terrace_record_replay(engine, &replay) == TERRACE_STATUS_OK && replay.equal);
  uint32_t id;
  EXPECT(terrace_instrument_id(engine, "X", &id) == TERRACE_STATUS_OK && id == 0);
  terrace_free(engine);

  /* Freed while it runs. */
  terrace_settings settings = terrace_settings_default();
  settings.wait = TERRACE_WAIT_PARK;
  EXPECT(terrace_start(&settings, &engine) == TERRACE_STATUS_OK);
  terrace_free(engine);
}

int main(void) {
  starting();
  nothing_there();
  lines();
  numbers();
  events();
  polled();
  stopping();
  puts("all answered");
  return 0;
}
