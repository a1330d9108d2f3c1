// The loops of network.h. Each instruction set includes this file once, after it defines what lanes.h wants.
#include "lanes.h"

#include <float.h>

#pragma clang assume_nonnull begin

INLINE lanes entering(lanes v, lanes scale, lanes shift, int relu) {
  v = NET_FMA(v, scale, shift);
  return relu ? rectified(v) : v;
}

// --- products
// ---------------------------------------------------------------------------------------------------------

typedef float word_float32 __attribute__((may_alias));
typedef lanes weights_float32;
INLINE weights_float32 load_words_float32(const word_float32 *w) { return load((const float *)w); }
INLINE lanes sum_float32(word_float32 x, weights_float32 w, lanes sum) { return NET_FMA(all(x), w, sum); }
#define NAME(x) x##_float32
typedef lanes sums_float32;
#define BLOCK_WORDS net_lanes
#define HAS_KNOWN_STEPS 1
// RGB pixels at strides 1 and 2.
#define NEAR 3
#define FAR 6
#define HAS_PARTS 1
#define IS_INTEGER 0
#pragma clang assume_nonnull end
#include "product_bodies.h"
#pragma clang assume_nonnull begin

// The processor has no sums of bfloat16, so the numbers become floats.
INLINE lanes sum_bfloat16(word_bfloat16 x, weights_bfloat16 w, lanes sum) {
  // The odd number of a pair, then the even one, as the instruction of other sets adds them.
  sum = NET_FMA((lanes)((bits)(x) & 0xFFFF0000), (lanes)(w & 0xFFFF0000), sum);
  return NET_FMA((lanes)((bits)(x) << 16), (lanes)(w << 16), sum);
}
#define NAME(x) x##_bfloat16
#define BLOCK_WORDS (net_lanes / 2)
#define HAS_KNOWN_STEPS 0
#define HAS_PARTS 0
#define IS_INTEGER 0
#pragma clang assume_nonnull end
#include "product_bodies.h"
#pragma clang assume_nonnull begin

INLINE integers sum_uint8(word_uint8 x, weights_uint8 w, integers sum) {
#ifdef NET_PAIRS
  // Products of pairs of 16-bit numbers: the sums of the instruction for bytes would not fit 16 bits.
  sum += NET_PAIRS((bits)(x & 0x00FF00FF), (shorts)(w << 8) >> 8);
  return sum + NET_PAIRS((bits)(x >> 8 & 0x00FF00FF), (shorts)w >> 8);
#else
  UNROLLED for (int i = 0; i < 4; i++) sum +=
      (integers)((int32_t)(x >> 8 * i & 0xFF)) * ((integers)(w << (24 - 8 * i)) >> 24);
  return sum;
#endif
}
#define NAME(x) x##_uint8
#define BLOCK_WORDS (net_lanes / 4)
#define HAS_KNOWN_STEPS 0
#define HAS_PARTS 0
#define IS_INTEGER 1
#pragma clang assume_nonnull end
#include "product_bodies.h"
#pragma clang assume_nonnull begin

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

INLINE void tile_in(float *v, ptrdiff_t plane, int type, const void *x, ptrdiff_t at, ptrdiff_t row, int prologue,
                    lanes scale, lanes shift, int relu) {
  lanes half[6][6];
  UNROLLED for (int j = 0; j < 6; j++) {
    lanes column[6];
    UNROLLED for (int i = 0; i < 6; i++) {
      column[i] = load_as(type, x, at + i * row + j * net_lanes);
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

INLINE void tiles_in(float *v, int type, const void *x, const net_tiles *t, const net_prologue *prologue) {
  const ptrdiff_t row = (ptrdiff_t)(t->width * net_lanes);
  const int before = prologue->scale != NULL;
  for (size_t b = 0; b < t->blocks; b++) {
    const ptrdiff_t image = (ptrdiff_t)b * t->image_block;
    lanes scale = before ? load(prologue->scale + b * net_lanes) : all(1);
    lanes shift = before ? load(prologue->shift + b * net_lanes) : all(0);
    for (size_t k = 0; k < t->count; k++) {
      ptrdiff_t top = (ptrdiff_t)((t->first + k) / t->tiles_across) * 4 - t->padding;
      ptrdiff_t left = (ptrdiff_t)((t->first + k) % t->tiles_across) * 4 - t->padding;
      float *to = v + (ptrdiff_t)b * t->block + (ptrdiff_t)(k * net_lanes);
      if (top >= 0 && left >= 0 && top + 6 <= (ptrdiff_t)t->height && left + 6 <= (ptrdiff_t)t->width) {
        const ptrdiff_t from = image + top * row + left * net_lanes;
        if (before) tile_in(to, t->plane, type, x, from, row, 1, scale, shift, prologue->relu);
        else tile_in(to, t->plane, type, x, from, row, 0, scale, shift, 0);
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
            value = load_as(type, x, image + (top + i) * row + (left + j) * net_lanes);
            if (before) value = entering(value, scale, shift, prologue->relu);
          }
          whole[i * 6 + j] = value;
        }
      }
      tile_in(to, t->plane, net_float32, whole, 0, 6 * net_lanes, 0, scale, shift, 0);
    }
  }
}

FAST winograd_input(float *v, const void *x, const net_tiles *t, const net_prologue *prologue) {
  if (t->image_type == net_bfloat16) tiles_in(v, net_bfloat16, x, t, prologue);
  else tiles_in(v, net_float32, x, t, prologue);
}

FAST winograd_output(void *y, const float *m, const net_tiles *t, const float *bias, const void *_Nullable residual,
                     int residual_type, int relu) {
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
          if (residual) value += load_as(residual_type, residual, at + (ptrdiff_t)(j * net_lanes));
          if (relu) value = rectified(value);
          store_as(t->image_type, y, at + (ptrdiff_t)(j * net_lanes), value);
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

INLINE void gather_as(int out_type, void *out, int x_type, const void *x, ptrdiff_t x_step, size_t n,
                      const net_prologue *prologue) {
  if (!prologue->scale) {
    for (size_t i = 0; i < n; i++)
      store_as(out_type, out, (ptrdiff_t)(i * net_lanes), load_as(x_type, x, (ptrdiff_t)i * x_step));
    return;
  }
  lanes scale = load(prologue->scale), shift = load(prologue->shift);
  for (size_t i = 0; i < n; i++) {
    lanes v = load_as(x_type, x, (ptrdiff_t)i * x_step);
    // Only single precision is fused: with the other types all sets round alike.
    v = x_type == net_float32 && out_type == net_float32 ? NET_FMA(v, scale, shift) : v * scale + shift;
    if (prologue->relu) v = rectified(v);
    store_as(out_type, out, (ptrdiff_t)(i * net_lanes), v);
  }
}

FAST gather(void *out, int out_type, const void *x, int x_type, ptrdiff_t x_step, size_t n,
            const net_prologue *prologue) {
#define TO(out_type)                                                                                                   \
  if (x_type == net_float32) gather_as(out_type, out, net_float32, x, x_step, n, prologue);                            \
  else if (x_type == net_bfloat16) gather_as(out_type, out, net_bfloat16, x, x_step, n, prologue);                     \
  else gather_as(out_type, out, net_uint8, x, x_step, n, prologue);
  if (out_type == net_float32) {
    TO(net_float32)
  } else if (out_type == net_bfloat16) {
    TO(net_bfloat16)
  } else {
    TO(net_uint8)
  }
#undef TO
}

// One axis of a pooling window: its first position within the image, and the end.
typedef struct side {
  ptrdiff_t from, end;
} side;

INLINE side window(size_t number, int stride, int padding, int kernel, size_t size) {
  ptrdiff_t from = (ptrdiff_t)number * stride - padding, end = from + kernel;
  return (side){.from = from<0 ? 0 : from, .end = end>(ptrdiff_t) size ? (ptrdiff_t)size : end};
}

FAST pool(void *y, const void *x, const net_pool *p) {
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
          lanes next = load_as(p->x_type, x, (i * (ptrdiff_t)p->width + j) * net_lanes);
          if (before) {
            next = p->x_type == net_float32 ? NET_FMA(next, scale, shift) : next * scale + shift;
            if (p->prologue.relu) next = rectified(next);
          }
          value = p->factors ? value + next : next > value ? next : value;
        }
      }
      if (p->factors) value *= all(p->factors[r * p->out_width + c]);
      store_as(p->y_type, y, (ptrdiff_t)((r * p->out_width + c) * net_lanes), value);
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

FAST add_blocks(void *y, int y_type, const void *a, int a_type, const void *b, int b_type, size_t n, int relu) {
  for (ptrdiff_t at = 0; at < (ptrdiff_t)(n * net_lanes); at += net_lanes) {
    lanes sum = load_as(a_type, a, at) + load_as(b_type, b, at);
    store_as(y_type, y, at, relu ? rectified(sum) : sum);
  }
}

#define NET_TABLE(set_name)                                                                                            \
  {.name = set_name,                                                                                                   \
   .lanes = net_lanes,                                                                                                 \
   .group = NET_GROUP,                                                                                                 \
   .positions = NET_POSITIONS,                                                                                         \
   .product = product_float32,                                                                                         \
   .product_bfloat16 = product_bfloat16,                                                                               \
   .product_uint8 = product_uint8,                                                                                     \
   .winograd_input = winograd_input,                                                                                   \
   .winograd_output = winograd_output,                                                                                 \
   .winograd_weights = winograd_weights,                                                                               \
   .gather = gather,                                                                                                   \
   .pool = pool,                                                                                                       \
   .add = add,                                                                                                         \
   .add_blocks = add_blocks}

#pragma clang assume_nonnull end
