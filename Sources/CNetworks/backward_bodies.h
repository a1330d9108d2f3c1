// The loops of backward.h, included after network_bodies.h, which defines what they use.
#include "include/backward.h"

#pragma clang assume_nonnull begin

// --- gradients of weights
// -----------------------------------------------------------------------------------------------

#define NAME(x) x##_float32
#pragma clang assume_nonnull end
#include "outer_bodies.h"
#pragma clang assume_nonnull begin

#define NAME(x) x##_bfloat16
#pragma clang assume_nonnull end
#include "outer_bodies.h"
#pragma clang assume_nonnull begin

INLINE void pair_as(void *words, ptrdiff_t words_step, const float *_Nullable low, const float *_Nullable high,
                    ptrdiff_t step, size_t n, const net_prologue *prologue, int before) {
  const lanes scale = before ? load(prologue->scale) : all(1), shift = before ? load(prologue->shift) : all(0);
  for (size_t i = 0; i < n; i++) {
    bits word = (bits)(0);
    // Not fused, as where `gather` makes bfloat16: all sets round alike.
    if (low) {
      lanes v = load(low + (ptrdiff_t)i * step);
      if (before) v = v * scale + shift;
      if (before && prologue->relu) v = rectified(v);
      word = nearest_bfloat16(v) >> 16;
    }
    if (high) {
      lanes v = load(high + (ptrdiff_t)i * step);
      if (before) v = v * scale + shift;
      if (before && prologue->relu) v = rectified(v);
      word |= nearest_bfloat16(v) & 0xFFFF0000;
    }
    *(unaligned_bits *)((uint32_t *)words + (ptrdiff_t)i * words_step) = word;
  }
}

FAST pair(void *words, ptrdiff_t words_step, const float *_Nullable low, const float *_Nullable high, ptrdiff_t step,
          size_t n, const net_prologue *prologue) {
  if (prologue->scale) pair_as(words, words_step, low, high, step, n, prologue, 1);
  else pair_as(words, words_step, low, high, step, n, prologue, 0);
}

INLINE void six_gradients(lanes *out, lanes a, lanes b, lanes c, lanes d) {
  lanes even = a + c, odd = b + d, even4 = NET_FMA(c, all(4), a), odd8 = NET_FMA(d, all(8), b + b);
  out[0] = a;
  out[1] = even + odd;
  out[2] = even - odd;
  out[3] = even4 + odd8;
  out[4] = even4 - odd8;
  out[5] = d;
}

FAST winograd_gradient(float *m, const float *dy, const net_tiles *t) {
  const ptrdiff_t row = (ptrdiff_t)(t->width * net_lanes);
  for (size_t b = 0; b < t->blocks; b++) {
    for (size_t k = 0; k < t->count; k++) {
      size_t top = (t->first + k) / t->tiles_across * 4, left = (t->first + k) % t->tiles_across * 4;
      size_t rows = t->height - top < 4 ? t->height - top : 4, columns = t->width - left < 4 ? t->width - left : 4;
      const float *from = dy + (ptrdiff_t)b * t->image_block + (ptrdiff_t)top * row + (ptrdiff_t)(left * net_lanes);
      float *to = m + (ptrdiff_t)b * t->block + (ptrdiff_t)(k * net_lanes);
      lanes half[6][4];
      UNROLLED for (size_t j = 0; j < 4; j++) {
        lanes column[4];
        UNROLLED for (size_t i = 0; i < 4; i++) column[i] =
            i < rows && j < columns ? load(from + (ptrdiff_t)i * row + j * net_lanes) : all(0);
        lanes six[6];
        six_gradients(six, column[0], column[1], column[2], column[3]);
        UNROLLED for (int i = 0; i < 6; i++) half[i][j] = six[i];
      }
      UNROLLED for (int i = 0; i < 6; i++) {
        lanes six[6];
        six_gradients(six, half[i][0], half[i][1], half[i][2], half[i][3]);
        UNROLLED for (int j = 0; j < 6; j++) store(to + (i * 6 + j) * t->plane, six[j]);
      }
    }
  }
}

INLINE void three_gradients(lanes *out, lanes a, lanes b, lanes c, lanes d, lanes e, lanes f) {
  lanes even = (b + c) * all(-1.0f / 6), even2 = d + e;
  out[0] = NET_FMA(even2, all(1.0f / 24), NET_FMA(a, all(0.25f), even));
  out[1] = NET_FMA(c - b, all(1.0f / 6), (d - e) * all(1.0f / 12));
  out[2] = NET_FMA(even2, all(1.0f / 6), even) + f;
}

FAST winograd_weight_gradient(float *dw, const float *u, ptrdiff_t plane, int begins) {
  for (size_t c = 0; c < net_lanes; c++) {
    lanes half[3][6];
    UNROLLED for (int j = 0; j < 6; j++) {
      lanes column[6], three[3];
      UNROLLED for (int i = 0; i < 6; i++) column[i] = load(u + (i * 6 + j) * plane + c * net_lanes);
      three_gradients(three, column[0], column[1], column[2], column[3], column[4], column[5]);
      UNROLLED for (int i = 0; i < 3; i++) half[i][j] = three[i];
    }
    UNROLLED for (int i = 0; i < 3; i++) {
      lanes three[3];
      three_gradients(three, half[i][0], half[i][1], half[i][2], half[i][3], half[i][4], half[i][5]);
      UNROLLED for (int j = 0; j < 3; j++) {
        float *to = dw + (i * 3 + j) * net_lanes * net_lanes + c * net_lanes;
        store(to, begins ? three[j] : load(to) + three[j]);
      }
    }
  }
}

// --- BatchNorm and ReLU
// -------------------------------------------------------------------------------------------------

FAST moments(float *mean, float *squares, const float *x, size_t n) {
  // Four independent sums, as a single one would be bound by the latency of an addition.
  lanes sums[4] = {all(0), all(0), all(0), all(0)};
  size_t i = 0;
  for (; i + 4 <= n; i += 4) UNROLLED for (size_t k = 0; k < 4; k++) sums[k] += load(x + (i + k) * net_lanes);
  for (; i < n; i++) sums[0] += load(x + i * net_lanes);
  lanes middle = ((sums[0] + sums[1]) + (sums[2] + sums[3])) * all(n ? 1.0f / (float)n : 0);
  UNROLLED for (size_t k = 0; k < 4; k++) sums[k] = all(0);
  for (i = 0; i + 4 <= n; i += 4) UNROLLED for (size_t k = 0; k < 4; k++) {
      lanes rest = load(x + (i + k) * net_lanes) - middle;
      sums[k] = NET_FMA(rest, rest, sums[k]);
    }
  for (; i < n; i++) {
    lanes rest = load(x + i * net_lanes) - middle;
    sums[0] = NET_FMA(rest, rest, sums[0]);
  }
  store(mean, middle);
  store(squares, (sums[0] + sums[1]) + (sums[2] + sums[3]));
}

INLINE lanes passing(lanes dy, lanes x, lanes scale, lanes shift, int relu) {
  return relu ? (NET_FMA(x, scale, shift) > all(0) ? dy : all(0)) : dy;
}

FAST norm_sums(float *sums, float *products, const float *dy, const float *x, const net_norm *norm, size_t n) {
  const lanes scale = load(norm->scale), shift = load(norm->shift), mean = load(norm->mean);
  lanes sum[2] = {all(0), all(0)}, product[2] = {all(0), all(0)};
  size_t i = 0;
  for (; i + 2 <= n; i += 2) UNROLLED for (size_t k = 0; k < 2; k++) {
      lanes at = load(x + (i + k) * net_lanes);
      lanes g = passing(load(dy + (i + k) * net_lanes), at, scale, shift, norm->relu);
      sum[k] += g;
      product[k] = NET_FMA(g, at - mean, product[k]);
    }
  for (; i < n; i++) {
    lanes at = load(x + i * net_lanes);
    lanes g = passing(load(dy + i * net_lanes), at, scale, shift, norm->relu);
    sum[0] += g;
    product[0] = NET_FMA(g, at - mean, product[0]);
  }
  store(sums, load(sums) + (sum[0] + sum[1]));
  store(products, load(products) + (product[0] + product[1]));
}

FAST norm_backward(float *dx, const float *dy, const float *x, const float *_Nullable add, const net_norm *norm,
                   size_t n) {
  const lanes scale = load(norm->scale), shift = load(norm->shift), mean = load(norm->mean);
  const lanes a = load(norm->a), b = load(norm->b), c = load(norm->c);
  for (size_t i = 0; i < n; i++) {
    lanes at = load(x + i * net_lanes);
    lanes g = passing(load(dy + i * net_lanes), at, scale, shift, norm->relu);
    lanes value = NET_FMA(a, g, NET_FMA(b, at - mean, c));
    if (add) value += load(add + i * net_lanes);
    store(dx + i * net_lanes, value);
  }
}

// --- pooling
// ------------------------------------------------------------------------------------------------------------

FAST pool_backward(float *dx, const float *dy, const float *x, const net_pool *p) {
  const int before = p->prologue.scale != NULL;
  lanes scale = before ? load(p->prologue.scale) : all(1), shift = before ? load(p->prologue.shift) : all(0);
  for (size_t r = 0; r < p->out_height; r++) {
    const side rows = window(r, p->stride_rows, p->padding_rows, p->kernel_rows, p->height);
    for (size_t c = 0; c < p->out_width; c++) {
      const side columns = window(c, p->stride_columns, p->padding_columns, p->kernel_columns, p->width);
      lanes gradient = load(dy + (r * p->out_width + c) * net_lanes);
      if (p->factors) {
        gradient *= all(p->factors[r * p->out_width + c]);
        for (ptrdiff_t i = rows.from; i < rows.end; i++)
          for (ptrdiff_t j = columns.from; j < columns.end; j++) {
            float *to = dx + (i * (ptrdiff_t)p->width + j) * net_lanes;
            store(to, load(to) + gradient);
          }
        continue;
      }
      lanes most = all(-FLT_MAX), where = all(-1);
      float index = 0;
      for (ptrdiff_t i = rows.from; i < rows.end; i++)
        for (ptrdiff_t j = columns.from; j < columns.end; j++, index += 1) {
          lanes next = load(x + (i * (ptrdiff_t)p->width + j) * net_lanes);
          if (before) next = entering(next, scale, shift, p->prologue.relu);
          where = next > most ? all(index) : where;
          most = next > most ? next : most;
        }
      index = 0;
      for (ptrdiff_t i = rows.from; i < rows.end; i++)
        for (ptrdiff_t j = columns.from; j < columns.end; j++, index += 1) {
          float *to = dx + (i * (ptrdiff_t)p->width + j) * net_lanes;
          store(to, load(to) + (where == all(index) ? gradient : all(0)));
        }
    }
  }
}

// --- updates
// ------------------------------------------------------------------------------------------------------------

FAST scatter(float *out, ptrdiff_t step, const float *in, size_t n, int adds) {
  for (size_t i = 0; i < n; i++) {
    lanes value = load(in + i * net_lanes);
    store(out + (ptrdiff_t)i * step, adds ? load(out + (ptrdiff_t)i * step) + value : value);
  }
}

FAST sum(float *out, const float *_Nonnull const *_Nonnull parts, size_t part_count, size_t n) {
  size_t i = 0;
  for (; i + net_lanes <= n; i += net_lanes) {
    lanes total = load(parts[0] + i);
    for (size_t k = 1; k < part_count; k++) total += load(parts[k] + i);
    store(out + i, total);
  }
  for (; i < n; i++) {
    float total = parts[0][i];
    for (size_t k = 1; k < part_count; k++) total += parts[k][i];
    out[i] = total;
  }
}

// Local copies, as the compiler must otherwise assume that a store of a number changes the description.
#define UPDATE(name)                                                                                                   \
  FAST name(const net_update *given) {                                                                                   \
    const net_update u = *given;                                                                                         \
    float *restrict w = u.w, *restrict first = u.first, *restrict second = u.second;                                   \
    const float *restrict gradient = u.gradient;                                                                       \
    (void)first, (void)second;                                                                                         \
    for (size_t i = 0; i < u.n; i++) {                                                                                 \
      const float g = gradient[i] * u.rescale + u.decay * w[i];                                                        \
      name##_one                                                                                                       \
    }                                                                                                                  \
  }

#define sgd_one                                                                                                        \
  first[i] = u.momentum * first[i] - u.rate * g;                                                                       \
  w[i] += first[i];
#define nag_one                                                                                                        \
  const float speed = u.momentum * first[i];                                                                           \
  w[i] += u.momentum * (speed - u.rate * g) - u.rate * g;                                                              \
  first[i] = speed - u.rate * (gradient[i] * u.rescale + u.decay * w[i]);
#define adam_one                                                                                                       \
  first[i] = u.momentum * first[i] + (1 - u.momentum) * g;                                                             \
  second[i] = u.beta * second[i] + (1 - u.beta) * g * g;                                                               \
  w[i] -= u.rate * first[i] / (__builtin_elementwise_sqrt(second[i]) + u.epsilon);
#define rmsprop_one                                                                                                    \
  second[i] = (1 - u.beta) * g * g + u.beta * second[i];                                                               \
  w[i] -= u.rate * g / __builtin_elementwise_sqrt(second[i] + u.epsilon);

UPDATE(sgd)
UPDATE(nag)
UPDATE(adam)
UPDATE(rmsprop)

#define NET_BACKWARD_TABLE                                                                                             \
  {.outer = outer_float32,                                                                                             \
   .outer_bfloat16 = outer_bfloat16,                                                                                   \
   .pair = pair,                                                                                                       \
   .moments = moments,                                                                                                 \
   .norm_sums = norm_sums,                                                                                             \
   .norm_backward = norm_backward,                                                                                     \
   .pool_backward = pool_backward,                                                                                     \
   .winograd_gradient = winograd_gradient,                                                                             \
   .winograd_weight_gradient = winograd_weight_gradient,                                                               \
   .scatter = scatter,                                                                                                 \
   .sum = sum,                                                                                                         \
   .sgd = sgd,                                                                                                         \
   .nag = nag,                                                                                                         \
   .adam = adam,                                                                                                       \
   .rmsprop = rmsprop}

#pragma clang assume_nonnull end
