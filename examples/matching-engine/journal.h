/* Commands as lines of the protocol, so that a run in lockstep leaves a script. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "terrace.h"

#include <stdio.h>

/* A step of a grid: `mantissa / 10^scale`. */
struct grid {
  int64_t mantissa;
  int scale;
};

struct contract {
  const char *symbol;
  const char *underlying;
  struct grid tick;
  struct grid lot;
  int64_t start; /* price in ticks */
  uint32_t id;
};

struct market {
  const char *asset;
  struct grid quantum;
  struct contract *contracts; /* by id */
  uint32_t count;
};

/* Writes a command as a line. `liquidation` is the number by which lines know a liquidation order. */
void journal_write(FILE *file, const struct market *market, const terrace_command *command, uint64_t liquidation);

#endif
