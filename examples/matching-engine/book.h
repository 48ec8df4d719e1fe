/* Order books with price-time priority. Prices are ticks, quantities lots, all as whole numbers. */
#ifndef BOOK_H
#define BOOK_H

#include <stdint.h>

enum { BOOK_BUY = 0, BOOK_SELL = 1 };

/* No order. */
#define BOOK_NONE UINT32_MAX

/* An order at rest. It stands in two lists: its price level, oldest first, and its account's, oldest first. */
struct book_order {
  uint64_t id;
  int64_t price;
  int64_t rest;
  uint32_t account;
  uint32_t instrument;
  uint32_t side;
  uint32_t next, previous;
  uint32_t account_next, account_previous;
};

struct book_list {
  uint32_t first, last;
};

/* One instrument: a list for each price and side. */
struct book {
  struct book_list *levels[2];
  int64_t best[2]; /* -1 or `prices` where a side is empty */
};

struct books {
  struct book *books;
  struct book_order *orders;
  struct book_list *accounts;
  uint32_t *open; /* orders at rest, by account */
  uint32_t instruments;
  uint32_t prices;
  uint32_t capacity;
  uint32_t unused; /* first of the list of unused orders */
};

/* Books for prices from 0 to below `prices` and accounts from 0 to below `accounts`; 0 if there is no memory. */
int books_make(struct books *books, uint32_t instruments, uint32_t prices, uint32_t accounts);
void books_free(struct books *books);

/* Puts an order to rest; 0 if there is no memory. */
int books_add(struct books *books, const struct book_order *order);
void books_remove(struct books *books, uint32_t index);

/* The order that is next to be filled on a side; BOOK_NONE if there is none at `limit` or better for the other side. */
uint32_t books_best(const struct books *books, uint32_t instrument, uint32_t side, int64_t limit);

#endif
