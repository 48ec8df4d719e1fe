#include "book.h"

#include <stdlib.h>

int books_make(struct books *books, uint32_t instruments, uint32_t prices, uint32_t accounts) {
  *books = (struct books){.instruments = instruments, .prices = prices, .unused = BOOK_NONE};
  books->books = calloc(instruments, sizeof *books->books);
  books->accounts = malloc(accounts * sizeof *books->accounts);
  books->open = calloc(accounts, sizeof *books->open);
  if (!books->books || !books->accounts || !books->open) {
    return 0;
  }
  for (uint32_t account = 0; account < accounts; account++) {
    books->accounts[account] = (struct book_list){BOOK_NONE, BOOK_NONE};
  }
  for (uint32_t at = 0; at < instruments; at++) {
    struct book *book = &books->books[at];
    for (int side = 0; side < 2; side++) {
      book->levels[side] = malloc(prices * sizeof *book->levels[side]);
      if (!book->levels[side]) {
        return 0;
      }
      for (uint32_t price = 0; price < prices; price++) {
        book->levels[side][price] = (struct book_list){BOOK_NONE, BOOK_NONE};
      }
    }
    book->best[BOOK_BUY] = -1;
    book->best[BOOK_SELL] = prices;
  }
  return 1;
}

void books_free(struct books *books) {
  for (uint32_t at = 0; books->books && at < books->instruments; at++) {
    free(books->books[at].levels[BOOK_BUY]);
    free(books->books[at].levels[BOOK_SELL]);
  }
  free(books->books);
  free(books->orders);
  free(books->accounts);
  free(books->open);
}

static int grow(struct books *books) {
  uint32_t capacity = books->capacity ? 2 * books->capacity : 1024;
  struct book_order *orders = realloc(books->orders, capacity * sizeof *orders);
  if (!orders) {
    return 0;
  }
  for (uint32_t index = books->capacity; index < capacity; index++) {
    orders[index].next = index + 1 < capacity ? index + 1 : BOOK_NONE;
  }
  books->unused = books->capacity;
  books->orders = orders;
  books->capacity = capacity;
  return 1;
}

int books_add(struct books *books, const struct book_order *order) {
  if (books->unused == BOOK_NONE && !grow(books)) {
    return 0;
  }
  uint32_t index = books->unused;
  struct book_order *own = &books->orders[index];
  books->unused = own->next;
  *own = *order;

  struct book *book = &books->books[own->instrument];
  struct book_list *level = &book->levels[own->side][own->price];
  own->next = BOOK_NONE;
  own->previous = level->last;
  *(level->last == BOOK_NONE ? &level->first : &books->orders[level->last].next) = index;
  level->last = index;

  struct book_list *account = &books->accounts[own->account];
  own->account_next = BOOK_NONE;
  own->account_previous = account->last;
  *(account->last == BOOK_NONE ? &account->first : &books->orders[account->last].account_next) = index;
  account->last = index;
  books->open[own->account]++;

  int64_t *best = &book->best[own->side];
  if (own->side == BOOK_BUY ? own->price > *best : own->price < *best) {
    *best = own->price;
  }
  return 1;
}

void books_remove(struct books *books, uint32_t index) {
  struct book_order *own = &books->orders[index];
  struct book *book = &books->books[own->instrument];
  struct book_list *level = &book->levels[own->side][own->price];
  *(own->previous == BOOK_NONE ? &level->first : &books->orders[own->previous].next) = own->next;
  *(own->next == BOOK_NONE ? &level->last : &books->orders[own->next].previous) = own->previous;

  struct book_list *account = &books->accounts[own->account];
  *(own->account_previous == BOOK_NONE ? &account->first
                                       : &books->orders[own->account_previous].account_next) = own->account_next;
  *(own->account_next == BOOK_NONE ? &account->last : &books->orders[own->account_next].account_previous) =
      own->account_previous;
  books->open[own->account]--;

  int64_t *best = &book->best[own->side];
  int64_t step = own->side == BOOK_BUY ? -1 : 1;
  while (*best >= 0 && *best < books->prices && book->levels[own->side][*best].first == BOOK_NONE) {
    *best += step;
  }
  own->next = books->unused;
  books->unused = index;
}

uint32_t books_best(const struct books *books, uint32_t instrument, uint32_t side, int64_t limit) {
  const struct book *book = &books->books[instrument];
  int64_t best = book->best[side];
  if (side == BOOK_BUY ? best < 0 || best < limit : best >= books->prices || best > limit) {
    return BOOK_NONE;
  }
  return book->levels[side][best].first;
}
