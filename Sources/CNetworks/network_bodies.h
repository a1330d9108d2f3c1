// The loops of network.h. Each instruction set includes this file once, after it defines
//   NET_TARGET        the attribute of its functions
//   NET_GROUP         output blocks in registers at once
//   NET_POSITIONS     positions in registers at once: NET_GROUP * NET_POSITIONS accumulators, NET_GROUP weights and one
//                     broadcast fill the registers
//   NET_FMA(a, b, c)  a * b + c
#include "include/network.h"

#include <float.h>

// Vectors are passed only between functions that are always inlined, so no calling convention matters.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang assume_nonnull begin

// If a product has at most this many channels, all its weights (64 KiB for two output blocks) are read for each tile.
// If it has more, half as many channels are summed at a time (32 KiB).
#define NET_CHUNK 512

typedef float lanes __attribute__((ext_vector_type(16)));
typedef float unaligned_lanes __attribute__((ext_vector_type(16), aligned(4)));

#define INLINE static inline NET_TARGET __attribute__((always_inline))
#define FAST static NET_TARGET void
#define UNROLLED _Pragma("clang loop unroll(full)")

INLINE lanes load(const float *p) { return *(const unaligned_lanes *)p; }
INLINE void store(float *p, lanes v) { *(unaligned_lanes *)p = v; }
INLINE lanes all(float f) { return (lanes)(f); }
// v > 0 ? v : 0 would make 0 of NaN.
INLINE lanes rectified(lanes v) { return v < all(0) ? all(0) : v; }

INLINE lanes entering(lanes v, lanes scale, lanes shift, int relu) {
  v = NET_FMA(v, scale, shift);
  return relu ? rectified(v) : v;
}

// --- products
// ---------------------------------------------------------------------------------------------------------

// Some of the taps of a product: `from` up to `end`.
typedef struct part {
  size_t from, end;
  const float *weights;
  // What the tile prefetches: its share of the weights of the next part, so many bytes for each channel.
  const char *ahead;
  size_t ahead_step;
  // Whether the sums begin with bias and residual and not with what the part before left in y; whether they end here.
  int begins, ends;
} part;

// `split` positions begin at x0 and y0, the others at x1 and y1, so that a tile can have positions of two rows.
// Positions are `known_step` apart or, if that is 0, as the product says; if they are as far apart as blocks, a tap has
// 16 channels.
INLINE void tile(const net_product *p, const part *part, int group, int positions, int split, ptrdiff_t known_step,
                 const float *x0, const float *x1, const float *_Nullable bias, ptrdiff_t y0, ptrdiff_t y1) {
#define AT(g, i) (g * p->y_block + (i < split ? y0 + i * net_lanes : y1 + (i - split) * net_lanes))
#define EACH                                                                                                           \
  UNROLLED for (int g = 0; g < group; g++) UNROLLED for (int i = 0; i < positions; i++)
  lanes sums[NET_GROUP][NET_POSITIONS];
  if (part->begins) {
    UNROLLED for (int g = 0; g < group; g++) {
      lanes start = bias ? load(bias + g * net_lanes) : all(0);
      UNROLLED for (int i = 0; i < positions; i++) sums[g][i] = start;
    }
    // Now, as y may be the residual, and keeps the sums between parts.
    if (p->residual) EACH sums[g][i] += load(p->residual + AT(g, i));
  } else {
    EACH sums[g][i] = load(p->y + AT(g, i));
  }
  const ptrdiff_t step = known_step ? known_step : p->x_step;
  const size_t run = known_step == net_lanes ? net_lanes : p->run;
  const float *w = part->weights;
  const char *ahead = part->ahead;
  for (size_t t = part->from; t < part->end; t++) {
    const float *a = x0 + p->taps[t], *b = x1 + p->taps[t];
    _Pragma("clang loop unroll_count(4)") for (size_t c = 0; c < run; c++) {
      lanes weights[NET_GROUP];
      UNROLLED for (int g = 0; g < group; g++) weights[g] = load(w + g * net_lanes);
      w += group * net_lanes;
      // Weights come to the first-level cache some 200 cycles ahead, and to the second one a part ahead: memory, which
      // all cores share, is slower than the sums.
      UNROLLED for (int g = 0; g < group; g++) __builtin_prefetch(w + 512 + g * net_lanes, 0, 3);
      __builtin_prefetch(ahead, 0, 2);
      ahead += part->ahead_step;
      UNROLLED for (int i = 0; i < positions; i++) {
        lanes x = all(i < split ? a[i * step + (ptrdiff_t)c] : b[(i - split) * step + (ptrdiff_t)c]);
        UNROLLED for (int g = 0; g < group; g++) sums[g][i] = NET_FMA(x, weights[g], sums[g][i]);
      }
    }
  }
  if (part->ends && p->relu) EACH sums[g][i] = rectified(sums[g][i]);
  EACH store(p->y + AT(g, i), sums[g][i]);
#undef EACH
#undef AT
}

typedef void tile_function(const net_product *p, const part *part, const float *x0, const float *x1,
                           const float *_Nullable bias, ptrdiff_t y0, ptrdiff_t y1);

#define TILE(name, group, positions, split, step)                                                                      \
  FAST name(const net_product *p, const part *part, const float *x0, const float *x1, const float *_Nullable bias,      \
            ptrdiff_t y0, ptrdiff_t y1) {                                                                              \
    tile(p, part, group, positions, split, step, x0, x1, bias, y0, y1);                                                \
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
  {[1] = name##_1,   [2] = name##_2,   [3] = name##_3,   [4] = name##_4,   [5] = name##_5,                             \
   [6] = name##_6,   [7] = name##_7,   [8] = name##_8,   [9] = name##_9,   [10] = name##_10,                           \
   [11] = name##_11, [12] = name##_12, [13] = name##_13, [14] = name##_14}
#define TWO_ROWS(name)                                                                                                 \
  {[1] = name##_1_1, [2] = name##_2_2, [3] = name##_3_3, [4] = name##_4_4, [5] = name##_5_5, [6] = name##_6_6,         \
   [7] = name##_7_7}
#elif NET_POSITIONS == 6
#define TILES TILES_TO_6
#define ONE_ROW(name)                                                                                                  \
  {[1] = name##_1, [2] = name##_2, [3] = name##_3, [4] = name##_4, [5] = name##_5, [6] = name##_6}
#define TWO_ROWS(name) {[1] = name##_1_1, [2] = name##_2_2, [3] = name##_3_3}
#else
#define TILES(name, group, step) TILE(name##_1, group, 1, 1, step) TILE(name##_2, group, 2, 2, step)                   \
  TILE(name##_1_1, group, 2, 1, step)
#define ONE_ROW(name) {[1] = name##_1, [2] = name##_2}
#define TWO_ROWS(name) {[1] = name##_1_1}
#endif

// The tiles of a width: that many positions of one row, or as many of each of two rows.
typedef struct tiles {
  tile_function *_Nullable one_row[NET_POSITIONS + 1], *_Nullable two_rows[NET_POSITIONS / 2 + 1];
} tiles;

// What is known of the input when the tile is compiled: blocked activations; RGB pixels at strides 1 and 2; nothing,
// for whatever else the first layer may read.
enum { blocked, rgb, rgb_stride_2, any_input, input_kinds };

#define TILES_OF(group)                                                                                                \
  {[blocked] = {.one_row = ONE_ROW(blocked_##group), .two_rows = TWO_ROWS(blocked_##group)},                           \
   [rgb] = {.one_row = ONE_ROW(rgb_##group), .two_rows = TWO_ROWS(rgb_##group)},                                       \
   [rgb_stride_2] = {.one_row = ONE_ROW(rgb_stride_2_##group), .two_rows = TWO_ROWS(rgb_stride_2_##group)},            \
   [any_input] = {.one_row = ONE_ROW(any_##group), .two_rows = TWO_ROWS(any_##group)}}

TILES(blocked_one, 1, net_lanes)
TILES(rgb_one, 1, 3)
TILES(rgb_stride_2_one, 1, 6)
TILES(any_one, 1, 0)
static const tiles tiles_of_one[input_kinds] = TILES_OF(one);
#if NET_GROUP == 2
TILES(blocked_two, 2, net_lanes)
TILES(rgb_two, 2, 3)
TILES(rgb_stride_2_two, 2, 6)
TILES(any_two, 2, 0)
static const tiles tiles_of_two[input_kinds] = TILES_OF(two);
#endif

static const tiles *tiles_for(size_t group, ptrdiff_t step, size_t run) {
  // Pixels of 16 numbers are as far apart as blocks, so the step alone does not tell.
  const int kind = step == net_lanes && run == net_lanes ? blocked
                   : step == 3                           ? rgb
                   : step == 6                           ? rgb_stride_2
                                                         : any_input;
#if NET_GROUP == 2
  if (group == 2) return &tiles_of_two[kind];
#endif
  (void)group;
  return &tiles_of_one[kind];
}

// All positions of one group of output blocks, in as few tiles as possible, all about as wide; narrow rows two at a
// time.
INLINE void positions(const net_product *p, part *part, const tiles *kinds, const float *_Nullable bias, ptrdiff_t y) {
  const size_t count = (p->columns + NET_POSITIONS - 1) / NET_POSITIONS;
  const int pairs = p->columns <= NET_POSITIONS / 2;
  const size_t share = (part->end - part->from) * p->run * part->ahead_step;
  for (size_t r = 0; r < p->rows; r++) {
    const float *x = p->x + (ptrdiff_t)r * p->x_row;
    ptrdiff_t to = y + (ptrdiff_t)r * p->y_row;
    if (pairs && r + 1 < p->rows) {
      kinds->two_rows[p->columns](p, part, x, x + p->x_row, bias, to, to + p->y_row);
      part->ahead += share;
      r++;
      continue;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
      size_t width = (p->columns - at + count - i - 1) / (count - i);
      const float *from = x + (ptrdiff_t)at * p->x_step;
      ptrdiff_t begin = to + (ptrdiff_t)(at * net_lanes);
      kinds->one_row[width](p, part, from, from, bias, begin, begin);
      part->ahead += share;
      at += width;
    }
  }
}

FAST product(const net_product *given) {
  net_product flat = *given;
  const net_product *p = &flat;
  // Rows that follow each other without a gap are one row.
  if (p->x_row == (ptrdiff_t)p->columns * p->x_step && p->y_row == (ptrdiff_t)(p->columns * net_lanes)) {
    flat.columns *= flat.rows;
    flat.rows = 1;
  }
  const float *w = p->weights;
  // As many taps at once as have weights that stay in the first-level cache while all positions are summed.
  const size_t most =
      p->tap_count * p->run <= NET_CHUNK || p->rows * p->columns <= NET_POSITIONS || p->run > NET_CHUNK / 2
          ? p->tap_count
          : NET_CHUNK / 2 / p->run;
  const size_t tiles_of_row = (p->columns + NET_POSITIONS - 1) / NET_POSITIONS;
  const size_t tile_count = p->columns <= NET_POSITIONS / 2 ? (p->rows + 1) / 2 : p->rows * tiles_of_row;
  for (size_t block = 0; block < p->blocks; block += NET_GROUP) {
    size_t group = p->blocks - block < NET_GROUP ? p->blocks - block : NET_GROUP;
    const tiles *kinds = tiles_for(group, p->x_step, p->run);
    const float *bias = p->bias ? p->bias + block * net_lanes : NULL;
    for (size_t from = 0; from < p->tap_count; from += most) {
      size_t end = p->tap_count - from < most ? p->tap_count : from + most;
      const float *next = w + (end - from) * p->run * group * net_lanes;
      const int is_last = end == p->tap_count && block + group == p->blocks;
      size_t step = (group * net_lanes * sizeof(float) + tile_count - 1) / tile_count;
      part part = {.from = from,
                   .end = end,
                   .weights = w,
                   .ahead = (const char *)(is_last ? p->next : next),
                   .ahead_step = step,
                   .begins = from == 0,
                   .ends = end == p->tap_count};
      positions(p, &part, kinds, bias, (ptrdiff_t)block * p->y_block);
      w = next;
    }
  }
}

// --- Winograd F(4x4, 3x3), points 0, 1, -1, 2, -2, infinity
// -------------------------------------------------------------

// One column or row of the input transform, of the output transform and of the weight transform: B, A and G of Lavin &
// Gray.
INLINE void six_in(lanes *out, lanes a, lanes b, lanes c, lanes d, lanes e, lanes f) {
  lanes even = NET_FMA(c, all(-4), e), odd = NET_FMA(b, all(-4), d);
  lanes even2 = e - c, odd2 = (d - b) + (d - b);
  out[0] = NET_FMA(a, all(4), NET_FMA(c, all(-5), e));
  out[1] = even + odd;
  out[2] = even - odd;
  out[3] = even2 + odd2;
  out[4] = even2 - odd2;
  out[5] = NET_FMA(b, all(4), NET_FMA(d, all(-5), f));
}

INLINE void four_out(lanes *out, lanes a, lanes b, lanes c, lanes d, lanes e, lanes f) {
  lanes sum = b + c, difference = b - c, sum2 = d + e, difference2 = d - e;
  out[0] = a + sum + sum2;
  out[1] = NET_FMA(difference2, all(2), difference);
  out[2] = NET_FMA(sum2, all(4), sum);
  out[3] = NET_FMA(difference2, all(8), difference) + f;
}

INLINE void tile_in(float *v, ptrdiff_t plane, const float *x, ptrdiff_t row, int prologue, lanes scale, lanes shift,
                    int relu) {
  lanes half[6][6];
  UNROLLED for (int j = 0; j < 6; j++) {
    lanes column[6];
    UNROLLED for (int i = 0; i < 6; i++) {
      column[i] = load(x + i * row + j * net_lanes);
      if (prologue) column[i] = entering(column[i], scale, shift, relu);
    }
    lanes six[6];
    six_in(six, column[0], column[1], column[2], column[3], column[4], column[5]);
    UNROLLED for (int i = 0; i < 6; i++) half[i][j] = six[i];
  }
  UNROLLED for (int i = 0; i < 6; i++) {
    lanes six[6];
    six_in(six, half[i][0], half[i][1], half[i][2], half[i][3], half[i][4], half[i][5]);
    UNROLLED for (int j = 0; j < 6; j++) store(v + (i * 6 + j) * plane, six[j]);
  }
}

FAST winograd_input(float *v, const float *x, const net_tiles *t, const net_prologue *prologue) {
  const ptrdiff_t row = (ptrdiff_t)(t->width * net_lanes);
  const int before = prologue->scale != NULL;
  for (size_t b = 0; b < t->blocks; b++) {
    const float *image = x + (ptrdiff_t)b * t->image_block;
    lanes scale = before ? load(prologue->scale + b * net_lanes) : all(1);
    lanes shift = before ? load(prologue->shift + b * net_lanes) : all(0);
    for (size_t k = 0; k < t->count; k++) {
      ptrdiff_t top = (ptrdiff_t)((t->first + k) / t->tiles_across) * 4 - t->padding;
      ptrdiff_t left = (ptrdiff_t)((t->first + k) % t->tiles_across) * 4 - t->padding;
      float *to = v + (ptrdiff_t)b * t->block + (ptrdiff_t)(k * net_lanes);
      if (top >= 0 && left >= 0 && top + 6 <= (ptrdiff_t)t->height && left + 6 <= (ptrdiff_t)t->width) {
        const float *from = image + top * row + left * net_lanes;
        if (before) tile_in(to, t->plane, from, row, 1, scale, shift, prologue->relu);
        else tile_in(to, t->plane, from, row, 0, scale, shift, 0);
        continue;
      }
      // Padding is 0 after the prologue, so the prologue is done here.
      lanes whole[36];
      for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++) {
          int inside =
              top + i >= 0 && top + i < (ptrdiff_t)t->height && left + j >= 0 && left + j < (ptrdiff_t)t->width;
          lanes value = all(0);
          if (inside) {
            value = load(image + (top + i) * row + (left + j) * net_lanes);
            if (before) value = entering(value, scale, shift, prologue->relu);
          }
          whole[i * 6 + j] = value;
        }
      }
      tile_in(to, t->plane, (const float *)whole, 6 * net_lanes, 0, scale, shift, 0);
    }
  }
}

FAST winograd_output(float *y, const float *m, const net_tiles *t, const float *bias, const float *_Nullable residual,
                     int relu) {
  const ptrdiff_t row = (ptrdiff_t)(t->width * net_lanes);
  for (size_t b = 0; b < t->blocks; b++) {
    const lanes start = load(bias + b * net_lanes);
    for (size_t k = 0; k < t->count; k++) {
      size_t top = (t->first + k) / t->tiles_across * 4, left = (t->first + k) % t->tiles_across * 4;
      const float *from = m + (ptrdiff_t)b * t->block + (ptrdiff_t)(k * net_lanes);
      lanes half[4][6];
      UNROLLED for (int j = 0; j < 6; j++) {
        lanes column[6], four[4];
        UNROLLED for (int i = 0; i < 6; i++) column[i] = load(from + (i * 6 + j) * t->plane);
        four_out(four, column[0], column[1], column[2], column[3], column[4], column[5]);
        UNROLLED for (int i = 0; i < 4; i++) half[i][j] = four[i];
      }
      size_t rows = t->height - top < 4 ? t->height - top : 4, columns = t->width - left < 4 ? t->width - left : 4;
      for (size_t i = 0; i < rows; i++) {
        lanes four[4];
        four_out(four, half[i][0], half[i][1], half[i][2], half[i][3], half[i][4], half[i][5]);
        ptrdiff_t at = (ptrdiff_t)b * t->image_block + (ptrdiff_t)(top + i) * row + (ptrdiff_t)(left * net_lanes);
        for (size_t j = 0; j < columns; j++) {
          lanes value = four[j] + start;
          if (residual) value += load(residual + at + (ptrdiff_t)(j * net_lanes));
          if (relu) value = rectified(value);
          store(y + at + (ptrdiff_t)(j * net_lanes), value);
        }
      }
    }
  }
}

INLINE void six_weights(lanes *out, lanes a, lanes b, lanes c) {
  lanes even = (a + c) * all(-1.0f / 6), even2 = NET_FMA(a, all(1.0f / 24), c * all(1.0f / 6));
  out[0] = a * all(0.25f);
  out[1] = NET_FMA(b, all(-1.0f / 6), even);
  out[2] = NET_FMA(b, all(1.0f / 6), even);
  out[3] = NET_FMA(b, all(1.0f / 12), even2);
  out[4] = NET_FMA(b, all(-1.0f / 12), even2);
  out[5] = c;
}

FAST winograd_weights(float *u, const float *w, size_t group, ptrdiff_t plane) {
  for (size_t c = 0; c < net_lanes; c++) {
    lanes half[6][3];
    UNROLLED for (int j = 0; j < 3; j++) {
      lanes six[6];
      const float *at = w + j * net_lanes * net_lanes + c * net_lanes;
      six_weights(six, load(at), load(at + 3 * net_lanes * net_lanes), load(at + 6 * net_lanes * net_lanes));
      UNROLLED for (int i = 0; i < 6; i++) half[i][j] = six[i];
    }
    UNROLLED for (int i = 0; i < 6; i++) {
      lanes six[6];
      six_weights(six, half[i][0], half[i][1], half[i][2]);
      UNROLLED for (int j = 0; j < 6; j++) store(u + (i * 6 + j) * plane + (ptrdiff_t)(c * group * net_lanes), six[j]);
    }
  }
}

// --- the rest
// ---------------------------------------------------------------------------------------------------------

FAST gather(float *out, const float *x, ptrdiff_t x_step, size_t n, const net_prologue *prologue) {
  if (!prologue->scale) {
    for (size_t i = 0; i < n; i++) store(out + i * net_lanes, load(x + (ptrdiff_t)i * x_step));
    return;
  }
  lanes scale = load(prologue->scale), shift = load(prologue->shift);
  for (size_t i = 0; i < n; i++)
    store(out + i * net_lanes, entering(load(x + (ptrdiff_t)i * x_step), scale, shift, prologue->relu));
}

// One axis of a pooling window: its first position within the image, and the end.
typedef struct side {
  ptrdiff_t from, end;
} side;

INLINE side window(size_t number, int stride, int padding, int kernel, size_t size) {
  ptrdiff_t from = (ptrdiff_t)number * stride - padding, end = from + kernel;
  return (side){.from = from<0 ? 0 : from, .end = end>(ptrdiff_t) size ? (ptrdiff_t)size : end};
}

FAST pool(float *y, const float *x, const net_pool *p) {
  const int before = p->prologue.scale != NULL;
  lanes scale = before ? load(p->prologue.scale) : all(1), shift = before ? load(p->prologue.shift) : all(0);
  for (size_t r = 0; r < p->out_height; r++) {
    const side rows = window(r, p->stride_rows, p->padding_rows, p->kernel_rows, p->height);
    for (size_t c = 0; c < p->out_width; c++) {
      const side columns = window(c, p->stride_columns, p->padding_columns, p->kernel_columns, p->width);
      // As in MXNet, NaN is never larger than another number, and the maximum is at least the least finite number.
      lanes value = all(p->factors ? 0 : -FLT_MAX);
      for (ptrdiff_t i = rows.from; i < rows.end; i++) {
        for (ptrdiff_t j = columns.from; j < columns.end; j++) {
          lanes next = load(x + (i * (ptrdiff_t)p->width + j) * net_lanes);
          if (before) next = entering(next, scale, shift, p->prologue.relu);
          value = p->factors ? value + next : next > value ? next : value;
        }
      }
      if (p->factors) value *= all(p->factors[r * p->out_width + c]);
      store(y + (r * p->out_width + c) * net_lanes, value);
    }
  }
}

FAST add(float *y, const float *a, const float *b, size_t n, int relu) {
  size_t i = 0;
  for (; i + net_lanes <= n; i += net_lanes) {
    lanes sum = load(a + i) + load(b + i);
    store(y + i, relu ? rectified(sum) : sum);
  }
  for (; i < n; i++) {
    float sum = a[i] + b[i];
    y[i] = relu && sum < 0 ? 0 : sum;
  }
}

#define NET_TABLE(set_name)                                                                                            \
  {.name = set_name,                                                                                                   \
   .lanes = net_lanes,                                                                                                 \
   .group = NET_GROUP,                                                                                                 \
   .positions = NET_POSITIONS,                                                                                         \
   .product = product,                                                                                                 \
   .winograd_input = winograd_input,                                                                                   \
   .winograd_output = winograd_output,                                                                                 \
   .winograd_weights = winograd_weights,                                                                               \
   .gather = gather,                                                                                                   \
   .pool = pool,                                                                                                       \
   .add = add}

#pragma clang assume_nonnull end
