#pragma once
// The plain form of every kernel. Each table compiles these for its own instruction set, vectorized by the compiler, and
// replaces those that gain from hand-written vectors; the hand-written ones use them for rows shorter than a vector.
#include <math.h>

#include "kernels.h"

#define BODY static inline __attribute__((always_inline)) void

// The start of the vector block after the one at i, or n after the last one. A block that does not fit is moved back to
// end with the row: its first part is computed twice, to the same values. If `first` is not 0, the second block starts
// there, so that it and all later ones are stored to whole cache lines. n is at least `block`.
static inline __attribute__((always_inline)) size_t block_after(size_t i, size_t block, size_t n, size_t first) {
  size_t next = i == 0 && first != 0 ? first : i + block;
  return n - i <= block ? n : n - next < block ? n - block : next;
}

static inline __attribute__((always_inline)) size_t floats_to_line(const float *start) {
  return (64 - (uintptr_t)start % 64) % 64 / sizeof(float);
}

// A float that is not NaN, clamped and rounded to the nearest whole number, halves to even, without a call of the math
// library, which the compiler could not vectorize. Adding 1.5 * 2^23 leaves the integer in the low bits.
static inline __attribute__((always_inline)) int32_t whole_within(float x, float most) {
  float clamped = x < 0.0f ? 0.0f : x > most ? most : x;
  return (int32_t)((clamped + 12582912.0f) - 12582912.0f);
}

BODY body_linear_across(int16_t *restrict out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n,
                        size_t channels) {
  size_t step = channels == 1 ? 1 : 4;
  for (size_t i = 0; i < n; i++) {
    const uint8_t *pixel = row + at[i];
    for (size_t c = 0; c < channels; c++)
      out[i * step + c] = (int16_t)((pixel[c] * weights[2 * i] + pixel[c + channels] * weights[2 * i + 1]) >> 4);
    if (channels == 3) out[4 * i + 3] = 0;
  }
}

static inline __attribute__((always_inline)) uint8_t between(int16_t upper, int16_t lower, int w0, int w1) {
  return (uint8_t)((((upper * w0) >> 16) + ((lower * w1) >> 16) + 2) >> 2);
}

BODY body_linear_down(uint8_t *restrict out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = between(upper[i], lower[i], w0, w1);
}

BODY body_linear_down_3(uint8_t *restrict out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < 3; c++) out[3 * i + c] = between(upper[4 * i + c], lower[4 * i + c], w0, w1);
}

BODY body_linear_planes_1(float *restrict out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n,
                          float mean, float factor) {
  for (size_t i = 0; i < n; i++) out[i] = ((float)between(upper[i], lower[i], w0, w1) - mean) * factor;
}

BODY body_linear_planes_3(float *restrict red, float *restrict green, float *restrict blue, const int16_t *upper,
                          const int16_t *lower, int w0, int w1, size_t n, const float *mean, const float *factor) {
  for (size_t i = 0; i < n; i++) {
    red[i] = ((float)between(upper[4 * i], lower[4 * i], w0, w1) - mean[0]) * factor[0];
    green[i] = ((float)between(upper[4 * i + 1], lower[4 * i + 1], w0, w1) - mean[1]) * factor[1];
    blue[i] = ((float)between(upper[4 * i + 2], lower[4 * i + 2], w0, w1) - mean[2]) * factor[2];
  }
}

BODY body_planes_1(float *restrict out, const uint8_t *row, size_t n, float mean, float factor) {
  for (size_t i = 0; i < n; i++) out[i] = ((float)row[i] - mean) * factor;
}

BODY body_planes_3(float *restrict red, float *restrict green, float *restrict blue, const uint8_t *row, size_t n,
                   const float *mean, const float *factor) {
  for (size_t i = 0; i < n; i++) {
    red[i] = ((float)row[3 * i] - mean[0]) * factor[0];
    green[i] = ((float)row[3 * i + 1] - mean[1]) * factor[1];
    blue[i] = ((float)row[3 * i + 2] - mean[2]) * factor[2];
  }
}

BODY body_split_3(uint8_t *restrict red, uint8_t *restrict green, uint8_t *restrict blue, const uint8_t *row,
                  size_t n) {
  for (size_t i = 0; i < n; i++) {
    red[i] = row[3 * i];
    green[i] = row[3 * i + 1];
    blue[i] = row[3 * i + 2];
  }
}

BODY body_halve(uint8_t *restrict out, const uint8_t *upper, const uint8_t *lower, size_t n, size_t channels) {
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < channels; c++) {
      size_t a = 2 * i * channels + c, b = a + channels;
      out[i * channels + c] = (uint8_t)((upper[a] + upper[b] + lower[a] + lower[b] + 2) >> 2);
    }
}

BODY body_taps_across_8(int32_t *restrict out, const uint8_t *row, const int32_t *at, const int16_t *weights,
                        size_t taps, size_t channels, size_t n) {
  // Vectorized, this would gather single bytes, which takes longer.
#pragma clang loop vectorize(disable)
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < channels; c++) {
      int32_t sum = 0;
      for (size_t t = 0; t < taps; t++) sum += row[(size_t)at[i] + t * channels + c] * weights[i * taps + t];
      out[i * channels + c] = sum;
    }
}

BODY body_taps_across_16(float *restrict out, const uint16_t *row, const int32_t *at, const float *weights, size_t taps,
                         size_t channels, size_t n) {
#pragma clang loop vectorize(disable)
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < channels; c++) {
      float sum = row[(size_t)at[i] + c] * weights[i * taps];
      for (size_t t = 1; t < taps; t++) sum += row[(size_t)at[i] + t * channels + c] * weights[i * taps + t];
      out[i * channels + c] = sum;
    }
}

BODY body_taps_down_8(uint8_t *restrict out, const int32_t *const *rows, const int16_t *weights, size_t taps,
                      size_t n) {
  for (size_t i = 0; i < n; i++) {
    // Unsigned, so that an overflow, which weights that sum to 2048 cannot cause, would not be undefined.
    uint32_t sum = 1u << 21;
    for (size_t t = 0; t < taps; t++) sum += (uint32_t)rows[t][i] * (uint32_t)(int32_t)weights[t];
    int32_t value = (int32_t)sum >> 22;
    out[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
  }
}

BODY body_taps_down_16(uint16_t *restrict out, const float *const *rows, const float *weights, size_t taps, size_t n) {
  for (size_t i = 0; i < n; i++) {
    float sum = rows[0][i] * weights[0];
    for (size_t t = 1; t < taps; t++) sum += rows[t][i] * weights[t];
    out[i] = (uint16_t)whole_within(sum, 65535.0f);
  }
}

// OpenCV's vectors add the last product first; its plain loop, the first.
#define CUBIC_DOWN(bits, sum_t, most)                                                                            \
  BODY body_cubic_down_##bits(uint##bits##_t *restrict out, const sum_t *const *rows, const float *weights, size_t n) {  \
    for (size_t i = 0; i < n; i++) {                                                                             \
      float sum = (float)rows[3][i] * weights[3];                                                                \
      sum = (float)rows[2][i] * weights[2] + sum;                                                                \
      sum = (float)rows[1][i] * weights[1] + sum;                                                                \
      sum = (float)rows[0][i] * weights[0] + sum;                                                                \
      out[i] = (uint##bits##_t)whole_within(sum, most);                                                          \
    }                                                                                                            \
  }
CUBIC_DOWN(8, int32_t, 255.0f)
CUBIC_DOWN(16, float, 65535.0f)

BODY body_lerp_across_16(float *restrict out, const uint16_t *row, const int32_t *at, const float *fractions, int fused,
                         size_t channels, size_t n) {
#pragma clang loop vectorize(disable)
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < channels; c++) {
      float from = row[(size_t)at[i] + c], to = row[(size_t)at[i] + channels + c];
      out[i * channels + c] = fused ? fmaf(to - from, fractions[i], from) : (to - from) * fractions[i] + from;
    }
}

BODY body_lerp_down_16(uint16_t *restrict out, const float *upper, const float *lower, float fraction, int fused,
                       size_t n) {
  for (size_t i = 0; i < n; i++) {
    float way = lower[i] - upper[i];
    out[i] = (uint16_t)whole_within(fused ? fmaf(way, fraction, upper[i]) : way * fraction + upper[i], 65535.0f);
  }
}

BODY body_add_weighted(float *restrict sum, const float *row, float weight, size_t n) {
  for (size_t i = 0; i < n; i++) sum[i] += row[i] * weight;
}

BODY body_round_8(uint8_t *restrict out, const float *in, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = (uint8_t)whole_within(in[i], 255.0f);
}

BODY body_round_16(uint16_t *restrict out, const float *in, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = (uint16_t)whole_within(in[i], 65535.0f);
}

static inline __attribute__((always_inline)) int32_t shifted(float value, int by, int most) {
  int32_t sum = whole_within(value, 255.0f) + by;
  return sum < 0 ? 0 : sum > most ? most : sum;
}

BODY body_shift_hls(uint8_t *restrict out, const uint8_t *in, int hue, int lightness, int saturation, size_t n) {
  for (size_t i = 0; i < n; i++) {
    float r = in[3 * i] * (1.0f / 255.0f), g = in[3 * i + 1] * (1.0f / 255.0f), b = in[3 * i + 2] * (1.0f / 255.0f);
    float most = r > g ? r : g, least = r < g ? r : g;
    most = most > b ? most : b;
    least = least < b ? least : b;
    float range = most - least, mean = (most + least) * 0.5f;
    int grey = !(range > 1.1920929e-7f);
    float sixty = 60.0f / (grey ? 1.0f : range);
    float angle = most == r ? (g - b) * sixty : most == g ? (b - r) * sixty + 120.0f : (r - g) * sixty + 240.0f;
    angle = angle < 0.0f ? angle + 360.0f : angle;
    float strength = range / (grey ? 1.0f : mean < 0.5f ? most + least : 2.0f - most - least);

    // Bytes in between, as whole numbers are added.
    int32_t shifted_hue = shifted(grey ? 0.0f : angle * 0.5f, hue, 180);
    float l = shifted(mean * 255.0f, lightness, 255) * (1.0f / 255.0f);
    int32_t shifted_strength = shifted(grey ? 0.0f : strength * 255.0f, saturation, 255);
    float s = shifted_strength * (1.0f / 255.0f);

    float p2 = l <= 0.5f ? l * (1.0f + s) : l + s - l * s, p1 = 2.0f * l - p2;
    float sixth = shifted_hue * (6.0f / 180.0f);
    sixth = sixth >= 6.0f ? sixth - 6.0f : sixth;
    int32_t sector = (int32_t)sixth;
    float part = sixth - (float)sector;
    float falling = p1 + (p2 - p1) * (1.0f - part), rising = p1 + (p2 - p1) * part;
    float red = sector == 1 ? falling : sector == 4 ? rising : sector == 2 || sector == 3 ? p1 : p2;
    float green = sector == 3 ? falling : sector == 0 ? rising : sector >= 4 ? p1 : p2;
    float blue = sector == 5 ? falling : sector == 2 ? rising : sector <= 1 ? p1 : p2;
    int none = shifted_strength == 0;
    out[3 * i] = (uint8_t)whole_within((none ? l : red) * 255.0f, 255.0f);
    out[3 * i + 1] = (uint8_t)whole_within((none ? l : green) * 255.0f, 255.0f);
    out[3 * i + 2] = (uint8_t)whole_within((none ? l : blue) * 255.0f, 255.0f);
  }
}
