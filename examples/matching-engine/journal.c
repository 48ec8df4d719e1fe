#include "journal.h"

#include <inttypes.h>
#include <stdlib.h>

/* Writes `"name":"decimal"`, without zeros at its end. */
static void decimal(FILE *file, const char *name, int64_t steps, struct grid grid) {
  int64_t value = steps * grid.mantissa;
  int scale = grid.scale;
  while (scale > 0 && value % 10 == 0) {
    value /= 10;
    scale--;
  }
  int64_t unit = 1;
  for (int place = 0; place < scale; place++) {
    unit *= 10;
  }
  fprintf(file, ",\"%s\":\"%s%" PRId64, name, value < 0 ? "-" : "", (int64_t)llabs(value / unit));
  if (scale > 0) {
    fprintf(file, ".%0*" PRId64, scale, (int64_t)llabs(value % unit));
  }
  fputc('"', file);
}

static const char *side_word(uint32_t side) { return side == TERRACE_SIDE_BUY ? "buy" : "sell"; }

static void begin(FILE *file, const char *op, const terrace_command *command) {
  fprintf(file, "{\"op\":\"%s\"", op);
  if (command->ts_ns) {
    fprintf(file, ",\"ts\":%" PRIu64, command->ts_ns);
  }
}

static void price_line(FILE *file, const struct market *market, const terrace_command *command, const char *op,
                       terrace_price at) {
  const struct contract *contract = &market->contracts[at.instrument];
  begin(file, op, command);
  fprintf(file, ",\"symbol\":\"%s\"", contract->symbol);
  decimal(file, "price", at.price, contract->tick);
}

static void traded(FILE *file, const struct contract *contract, uint32_t side, int64_t quantity, int64_t price) {
  fprintf(file, ",\"symbol\":\"%s\",\"side\":\"%s\"", contract->symbol, side_word(side));
  decimal(file, "qty", quantity, contract->lot);
  decimal(file, "price", price, contract->tick);
}

static void fill_line(FILE *file, const struct market *market, const terrace_command *command) {
  const terrace_fill *fill = &command->action.fill;
  begin(file, "fill", command);
  fprintf(file, ",\"account\":%" PRIu64, fill->account);
  traded(file, &market->contracts[fill->instrument], fill->side, fill->quantity, fill->price);
  if (fill->given & TERRACE_GIVEN_ORDER) {
    fprintf(file, ",\"order\":%" PRIu64, fill->order);
  }
  if (fill->given & TERRACE_GIVEN_COUNTERPARTY) {
    fprintf(file, ",\"counterparty\":%" PRIu64, fill->counterparty);
  }
  if (fill->given & TERRACE_GIVEN_COUNTER_ORDER) {
    fprintf(file, ",\"counter_order\":%" PRIu64, fill->counter_order);
  }
  if (fill->liquidity != TERRACE_LIQUIDITY_NONE) {
    fprintf(file, ",\"liquidity\":\"%s\"", fill->liquidity == TERRACE_LIQUIDITY_MAKER ? "maker" : "taker");
  }
}

void journal_write(FILE *file, const struct market *market, const terrace_command *command, uint64_t liquidation) {
  const terrace_action *action = &command->action;
  switch (action->tag) {
  case TERRACE_ACTION_MARK:
    price_line(file, market, command, "mark", action->mark);
    break;
  case TERRACE_ACTION_LAST:
    price_line(file, market, command, "last", action->last);
    break;
  case TERRACE_ACTION_FILL:
    fill_line(file, market, command);
    break;
  case TERRACE_ACTION_ORDER: {
    const terrace_order *order = &action->order;
    begin(file, "order", command);
    fprintf(file, ",\"account\":%" PRIu64 ",\"order\":%" PRIu64, order->account, order->order);
    traded(file, &market->contracts[order->instrument], order->side, order->quantity, order->price);
    break;
  }
  case TERRACE_ACTION_CANCEL:
    begin(file, "cancel", command);
    fprintf(file, ",\"account\":%" PRIu64 ",\"order\":%" PRIu64, action->cancel.account, action->cancel.id);
    break;
  case TERRACE_ACTION_DEPOSIT:
    begin(file, "deposit", command);
    fprintf(file, ",\"account\":%" PRIu64 ",\"asset\":\"%s\"", action->deposit.account, market->asset);
    decimal(file, "amount", action->deposit.amount, market->quantum);
    break;
  case TERRACE_ACTION_LEVERAGE:
    begin(file, "leverage", command);
    fprintf(file, ",\"account\":%" PRIu64 ",\"symbol\":\"%s\"", action->leverage.account,
            market->contracts[action->leverage.instrument].symbol);
    decimal(file, "leverage", action->leverage.leverage, (struct grid){1, 2});
    break;
  case TERRACE_ACTION_FUND_DEPOSIT:
    begin(file, "fund_deposit", command);
    fprintf(file, ",\"fund\":\"%s\"", market->asset);
    decimal(file, "amount", action->fund_deposit.amount, market->quantum);
    break;
  case TERRACE_ACTION_LIQUIDATION_FILL: {
    const terrace_liquidation_fill *fill = &action->liquidation_fill;
    begin(file, "liq_fill", command);
    fprintf(file, ",\"liquidation\":%" PRIu64, liquidation);
    decimal(file, "qty", fill->quantity, market->contracts[fill->instrument].lot);
    decimal(file, "price", fill->price, market->contracts[fill->instrument].tick);
    break;
  }
  case TERRACE_ACTION_LIQUIDATION_EXPIRE:
    begin(file, "liq_expire", command);
    fprintf(file, ",\"liquidation\":%" PRIu64, liquidation);
    break;
  case TERRACE_ACTION_CANCEL_ACK:
    begin(file, "cancel_ack", command);
    /* All accounts here are margined cross, by the one asset. */
    fprintf(file, ",\"account\":%" PRIu64 ",\"pool\":\"cross:%s\",\"execution\":%" PRIu64, action->cancel_ack.account,
            market->asset, action->cancel_ack.execution);
    break;
  default:
    fprintf(stderr, "engine: action %u has no line here\n", (unsigned)action->tag);
    exit(1);
  }
  fputs("}\n", file);
}
