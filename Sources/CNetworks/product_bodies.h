// The sums of network.h's `net_product` for one type of numbers. network_bodies.h includes this file once for each type,
// after it defines
//   NAME(x)         x with the name of the type behind it
//   BLOCK_WORDS     words of a block of channels
//   HAS_KNOWN_STEPS whether there are tiles for blocks and for NEAR and FAR words between two positions: they are
//                   faster, and most of what the compiler does
//   HAS_PARTS       whether y keeps float sums between parts of the taps; otherwise all taps are one part
//   IS_INTEGER      whether sums are integers, which are scaled at the end; otherwise floats
// and the types and functions
//   NAME(word)        four bytes of the input
//   NAME(weights)     the words of 16 filters
//   NAME(load_words)  reads those
//   NAME(sums)        16 sums
//   NAME(sum)         adds the products of one word of the input and the weights to 16 sums

#pragma clang assume_nonnull begin

// Some of the taps of a product: `from` up to `end`.
typedef struct NAME(part) {
  size_t from, end;
  const NAME(word) * weights;
  // The numbers of the group's first block; NULL: as in the product.
  const float *_Nullable bias;
  const float *_Nullable scales;
  // What the tile prefetches: its share of the weights of the next part, so many bytes for each word.
  const char *ahead;
  size_t ahead_step;
  // Whether the sums begin with bias and residual and not with what the part before left in y; whether they end here.
  int begins, ends;
} NAME(part);

// `split` positions begin at x0 and y0, the others at x1 and y1, so that a tile can have positions of two rows.
// Positions are `known_step` words apart or, if that is 0, as the product says; if they are as far apart as blocks, a
// tap has 16 channels.
INLINE void NAME(tile)(const net_product *p, const NAME(part) * part, int group, int positions, int split,
                       ptrdiff_t known_step, const NAME(word) * x0, const NAME(word) * x1, ptrdiff_t y0, ptrdiff_t y1) {
#define AT(g, i) (g * p->y_block + (i < split ? y0 + i * net_lanes : y1 + (i - split) * net_lanes))
#define EACH                                                                                                           \
  UNROLLED for (int g = 0; g < group; g++) UNROLLED for (int i = 0; i < positions; i++)
  NAME(sums) sums[NET_GROUP][NET_POSITIONS];
#if IS_INTEGER
  EACH sums[g][i] = (NAME(sums))(0);
#else
  if (!HAS_PARTS || part->begins) {
    UNROLLED for (int g = 0; g < group; g++) {
      lanes start = part->bias ? load(part->bias + g * net_lanes) : all(0);
      UNROLLED for (int i = 0; i < positions; i++) sums[g][i] = start;
    }
    // Now, as y may be the residual, and keeps the sums between parts.
    if (p->residual) {
      if (p->residual_type == net_bfloat16) EACH sums[g][i] += load_bfloat16((const uint16_t *)p->residual + AT(g, i));
      else EACH sums[g][i] += load((const float *)p->residual + AT(g, i));
    }
  } else {
    EACH sums[g][i] = load((const float *)p->y + AT(g, i));
  }
#endif
  const ptrdiff_t step = known_step ? known_step : p->x_step;
  const size_t run = known_step == BLOCK_WORDS ? BLOCK_WORDS : p->run;
  const NAME(word) *w = part->weights;
  const char *ahead = part->ahead;
  for (size_t t = part->from; t < part->end; t++) {
    const NAME(word) *a = x0 + p->taps[t], *b = x1 + p->taps[t];
    _Pragma("clang loop unroll_count(4)") for (size_t c = 0; c < run; c++) {
      NAME(weights) weights[NET_GROUP];
      UNROLLED for (int g = 0; g < group; g++) weights[g] = NAME(load_words)(w + g * net_lanes);
      w += group * net_lanes;
      // Weights come to the first-level cache some 200 cycles ahead, and to the second one a part ahead: memory, which
      // all cores share, is slower than the sums.
      UNROLLED for (int g = 0; g < group; g++) __builtin_prefetch(w + 512 + g * net_lanes, 0, 3);
      __builtin_prefetch(ahead, 0, 2);
      ahead += part->ahead_step;
      UNROLLED for (int i = 0; i < positions; i++) {
        const NAME(word) x = i < split ? a[i * step + (ptrdiff_t)c] : b[(i - split) * step + (ptrdiff_t)c];
        UNROLLED for (int g = 0; g < group; g++) sums[g][i] = NAME(sum)(x, weights[g], sums[g][i]);
      }
    }
  }
#if IS_INTEGER
  // Multiplied and added one after the other, never fused: all sets round alike.
  UNROLLED for (int g = 0; g < group; g++) {
    const lanes scale = load(part->scales + g * net_lanes);
    const lanes start = part->bias ? load(part->bias + g * net_lanes) : all(0);
    UNROLLED for (int i = 0; i < positions; i++) {
      lanes value = __builtin_convertvector(sums[g][i], lanes) * scale + start;
      if (p->residual) value += load_as(p->residual_type, p->residual, AT(g, i)) * all(p->residual_scale);
      if (p->relu) value = rectified(value);
      store_as(p->y_type, p->y, AT(g, i), value);
    }
  }
#else
  if (part->ends && p->relu) EACH sums[g][i] = rectified(sums[g][i]);
  if (p->y_type == net_bfloat16) EACH store_bfloat16((uint16_t *)p->y + AT(g, i), sums[g][i]);
  else EACH store((float *)p->y + AT(g, i), sums[g][i]);
#endif
#undef EACH
#undef AT
}

typedef void NAME(tile_function)(const net_product *p, const NAME(part) * part, const NAME(word) * x0,
                                 const NAME(word) * x1, ptrdiff_t y0, ptrdiff_t y1);

#define TILE(name, group, positions, split, step)                                                                      \
  FAST NAME(name)(const net_product *p, const NAME(part) * part, const NAME(word) * x0, const NAME(word) * x1,         \
                  ptrdiff_t y0, ptrdiff_t y1) {                                                                        \
    NAME(tile)(p, part, group, positions, split, step, x0, x1, y0, y1);                                                \
  }
// All tiles of one group size and one step between positions.
#define TILES_TO_6(name, group, step)                                                                                  \
  TILE(name##_1, group, 1, 1, step) TILE(name##_2, group, 2, 2, step) TILE(name##_3, group, 3, 3, step)                \
  TILE(name##_4, group, 4, 4, step) TILE(name##_5, group, 5, 5, step) TILE(name##_6, group, 6, 6, step)                \
  TILE(name##_1_1, group, 2, 1, step) TILE(name##_2_2, group, 4, 2, step) TILE(name##_3_3, group, 6, 3, step)
#define TILES_TO_14(name, group, step)                                                                                 \
  TILES_TO_6(name, group, step)                                                                                        \
  TILE(name##_7, group, 7, 7, step) TILE(name##_8, group, 8, 8, step) TILE(name##_9, group, 9, 9, step)                \
  TILE(name##_10, group, 10, 10, step) TILE(name##_11, group, 11, 11, step) TILE(name##_12, group, 12, 12, step)       \
  TILE(name##_13, group, 13, 13, step) TILE(name##_14, group, 14, 14, step)                                            \
  TILE(name##_4_4, group, 8, 4, step) TILE(name##_5_5, group, 10, 5, step) TILE(name##_6_6, group, 12, 6, step)        \
  TILE(name##_7_7, group, 14, 7, step)
#if NET_POSITIONS == 14
#define TILES TILES_TO_14
#define ONE_ROW(name)                                                                                                  \
  {[1] = NAME(name##_1),   [2] = NAME(name##_2),   [3] = NAME(name##_3),   [4] = NAME(name##_4),                       \
   [5] = NAME(name##_5),   [6] = NAME(name##_6),   [7] = NAME(name##_7),   [8] = NAME(name##_8),                       \
   [9] = NAME(name##_9),   [10] = NAME(name##_10), [11] = NAME(name##_11), [12] = NAME(name##_12),                     \
   [13] = NAME(name##_13), [14] = NAME(name##_14)}
#define TWO_ROWS(name)                                                                                                 \
  {[1] = NAME(name##_1_1), [2] = NAME(name##_2_2), [3] = NAME(name##_3_3), [4] = NAME(name##_4_4),                     \
   [5] = NAME(name##_5_5), [6] = NAME(name##_6_6), [7] = NAME(name##_7_7)}
#elif NET_POSITIONS == 6
#define TILES TILES_TO_6
#define ONE_ROW(name)                                                                                                  \
  {[1] = NAME(name##_1), [2] = NAME(name##_2), [3] = NAME(name##_3),                                                   \
   [4] = NAME(name##_4), [5] = NAME(name##_5), [6] = NAME(name##_6)}
#define TWO_ROWS(name) {[1] = NAME(name##_1_1), [2] = NAME(name##_2_2), [3] = NAME(name##_3_3)}
#else
#define TILES(name, group, step) TILE(name##_1, group, 1, 1, step) TILE(name##_2, group, 2, 2, step)                   \
  TILE(name##_1_1, group, 2, 1, step)
#define ONE_ROW(name) {[1] = NAME(name##_1), [2] = NAME(name##_2)}
#define TWO_ROWS(name) {[1] = NAME(name##_1_1)}
#endif

// The tiles of a width: that many positions of one row, or as many of each of two rows.
typedef struct NAME(tiles) {
  NAME(tile_function) *_Nullable one_row[NET_POSITIONS + 1], *_Nullable two_rows[NET_POSITIONS / 2 + 1];
} NAME(tiles);

#define ROWS_OF(name) {.one_row = ONE_ROW(name), .two_rows = TWO_ROWS(name)}
#if HAS_KNOWN_STEPS
#define TILES_OF(group)                                                                                                \
  {[blocked] = ROWS_OF(blocked_##group),                                                                               \
   [near_words] = ROWS_OF(near_##group),                                                                               \
   [far_words] = ROWS_OF(far_##group),                                                                                 \
   [any_input] = ROWS_OF(any_##group)}
TILES(blocked_one, 1, BLOCK_WORDS)
TILES(near_one, 1, NEAR)
TILES(far_one, 1, FAR)
#if NET_GROUP == 2
TILES(blocked_two, 2, BLOCK_WORDS)
TILES(near_two, 2, NEAR)
TILES(far_two, 2, FAR)
#endif
#else
#define TILES_OF(group) {[any_input] = ROWS_OF(any_##group)}
#endif

TILES(any_one, 1, 0)
static const NAME(tiles) NAME(tiles_of_one)[input_kinds] = TILES_OF(one);
#if NET_GROUP == 2
TILES(any_two, 2, 0)
static const NAME(tiles) NAME(tiles_of_two)[input_kinds] = TILES_OF(two);
#endif

static const NAME(tiles) * NAME(tiles_for)(size_t group, ptrdiff_t step, size_t run) {
#if HAS_KNOWN_STEPS
  // Pixels of as many words as a block are as far apart as blocks, so the step alone does not tell.
  const int kind = step == BLOCK_WORDS && run == BLOCK_WORDS ? blocked
                   : step == NEAR                            ? near_words
                   : step == FAR                             ? far_words
                                                             : any_input;
#else
  const int kind = any_input;
  (void)step, (void)run;
#endif
#if NET_GROUP == 2
  if (group == 2) return &NAME(tiles_of_two)[kind];
#endif
  (void)group;
  return &NAME(tiles_of_one)[kind];
}

// All positions of one group of output blocks, in as few tiles as possible, all about as wide; narrow rows two at a
// time.
INLINE void NAME(positions)(const net_product *p, NAME(part) * part, const NAME(tiles) * kinds, ptrdiff_t y) {
  const size_t count = (p->columns + NET_POSITIONS - 1) / NET_POSITIONS;
  const int pairs = p->columns <= NET_POSITIONS / 2;
  const size_t share = (part->end - part->from) * p->run * part->ahead_step;
  for (size_t r = 0; r < p->rows; r++) {
    const NAME(word) *x = (const NAME(word) *)p->x + (ptrdiff_t)r * p->x_row;
    ptrdiff_t to = y + (ptrdiff_t)r * p->y_row;
    if (pairs && r + 1 < p->rows) {
      kinds->two_rows[p->columns](p, part, x, x + p->x_row, to, to + p->y_row);
      part->ahead += share;
      r++;
      continue;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
      size_t width = (p->columns - at + count - i - 1) / (count - i);
      const NAME(word) *from = x + (ptrdiff_t)at * p->x_step;
      ptrdiff_t begin = to + (ptrdiff_t)(at * net_lanes);
      kinds->one_row[width](p, part, from, from, begin, begin);
      part->ahead += share;
      at += width;
    }
  }
}

FAST NAME(product)(const net_product *given) {
  net_product flat = *given;
  const net_product *p = &flat;
  // Rows that follow each other without a gap are one row.
  if (p->x_row == (ptrdiff_t)p->columns * p->x_step && p->y_row == (ptrdiff_t)(p->columns * net_lanes)) {
    flat.columns *= flat.rows;
    flat.rows = 1;
  }
  const NAME(word) *w = p->weights;
  // As many taps at once as have weights that stay in the first-level cache while all positions are summed.
  const size_t most = !HAS_PARTS || p->y_type != net_float32 || p->tap_count * p->run <= NET_CHUNK ||
                              p->rows * p->columns <= NET_POSITIONS || p->run > NET_CHUNK / 2
                          ? p->tap_count
                          : NET_CHUNK / 2 / p->run;
  const size_t tiles_of_row = (p->columns + NET_POSITIONS - 1) / NET_POSITIONS;
  const size_t tile_count = p->columns <= NET_POSITIONS / 2 ? (p->rows + 1) / 2 : p->rows * tiles_of_row;
  for (size_t block = 0; block < p->blocks; block += NET_GROUP) {
    size_t group = p->blocks - block < NET_GROUP ? p->blocks - block : NET_GROUP;
    const NAME(tiles) *kinds = NAME(tiles_for)(group, p->x_step, p->run);
    for (size_t from = 0; from < p->tap_count; from += most) {
      size_t end = p->tap_count - from < most ? p->tap_count : from + most;
      const NAME(word) *next = w + (end - from) * p->run * group * net_lanes;
      const int is_last = end == p->tap_count && block + group == p->blocks;
      size_t step = (group * net_lanes * sizeof(NAME(word)) + tile_count - 1) / tile_count;
      NAME(part)
      part = {.from = from,
              .end = end,
              .weights = w,
              .bias = p->bias ? p->bias + block * net_lanes : NULL,
              .scales = p->scales ? p->scales + block * net_lanes : NULL,
              .ahead = is_last ? (const char *)p->next : (const char *)next,
              .ahead_step = step,
              .begins = from == 0,
              .ends = end == p->tap_count};
      NAME(positions)(p, &part, kinds, (ptrdiff_t)block * p->y_block);
      w = next;
    }
  }
}

#undef TILE
#undef TILES
#undef TILES_TO_6
#undef TILES_TO_14
#undef TILES_OF
#undef ONE_ROW
#undef TWO_ROWS
#undef NAME
#undef BLOCK_WORDS
#undef HAS_KNOWN_STEPS
#undef NEAR
#undef FAR
#undef ROWS_OF
#undef HAS_PARTS
#undef IS_INTEGER

#pragma clang assume_nonnull end
