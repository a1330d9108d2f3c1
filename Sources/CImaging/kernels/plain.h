// Compiles the plain form of every kernel for one instruction set. No include guard: each table includes it once, after
// it defines IMG_TARGET as the attribute of its functions.
#include "bodies.h"
#include "jpeg_bodies.h"

#define PLAIN static IMG_TARGET __attribute__((unused)) void

PLAIN plain_linear_across_1(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n) {
  body_linear_across(out, row, at, weights, n, 1);
}
PLAIN plain_linear_across_3(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n) {
  body_linear_across(out, row, at, weights, n, 3);
}
PLAIN plain_linear_across_4(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n) {
  body_linear_across(out, row, at, weights, n, 4);
}
PLAIN plain_linear_down(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  body_linear_down(out, upper, lower, w0, w1, n);
}
PLAIN plain_linear_down_3(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n) {
  body_linear_down_3(out, upper, lower, w0, w1, n);
}
PLAIN plain_linear_planes_1(float *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n,
                            float mean, float factor) {
  body_linear_planes_1(out, upper, lower, w0, w1, n, mean, factor);
}
PLAIN plain_linear_planes_3(float *red, float *green, float *blue, const int16_t *upper, const int16_t *lower, int w0,
                            int w1, size_t n, const float *mean, const float *factor) {
  body_linear_planes_3(red, green, blue, upper, lower, w0, w1, n, mean, factor);
}
PLAIN plain_planes_1(float *out, const uint8_t *row, size_t n, float mean, float factor) {
  body_planes_1(out, row, n, mean, factor);
}
PLAIN plain_planes_3(float *red, float *green, float *blue, const uint8_t *row, size_t n, const float *mean,
                     const float *factor) {
  body_planes_3(red, green, blue, row, n, mean, factor);
}
PLAIN plain_split_3(uint8_t *red, uint8_t *green, uint8_t *blue, const uint8_t *row, size_t n) {
  body_split_3(red, green, blue, row, n);
}
PLAIN plain_halve_1(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n) {
  body_halve(out, upper, lower, n, 1);
}
PLAIN plain_halve_3(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n) {
  body_halve(out, upper, lower, n, 3);
}
PLAIN plain_halve_4(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n) {
  body_halve(out, upper, lower, n, 4);
}

// The counts become constants in the common cases, which lets the compiler unroll.
PLAIN plain_taps_across_8(int32_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, int taps,
                          int channels, size_t n) {
  if (taps == 4 && channels == 3) body_taps_across_8(out, row, at, weights, 4, 3, n);
  else if (taps == 8 && channels == 3) body_taps_across_8(out, row, at, weights, 8, 3, n);
  else body_taps_across_8(out, row, at, weights, (size_t)taps, (size_t)channels, n);
}
PLAIN plain_taps_across_16(float *out, const uint16_t *row, const int32_t *at, const float *weights, int taps,
                           int channels, size_t n) {
  if (taps == 2 && channels == 3) body_taps_across_16(out, row, at, weights, 2, 3, n);
  else body_taps_across_16(out, row, at, weights, (size_t)taps, (size_t)channels, n);
}
PLAIN plain_taps_down_8(uint8_t *out, const int32_t *const *rows, const int16_t *weights, int taps, size_t n) {
  if (taps == 4) body_taps_down_8(out, rows, weights, 4, n);
  else if (taps == 8) body_taps_down_8(out, rows, weights, 8, n);
  else body_taps_down_8(out, rows, weights, (size_t)taps, n);
}
PLAIN plain_taps_down_16(uint16_t *out, const float *const *rows, const float *weights, int taps, size_t n) {
  if (taps == 2) body_taps_down_16(out, rows, weights, 2, n);
  else if (taps == 4) body_taps_down_16(out, rows, weights, 4, n);
  else body_taps_down_16(out, rows, weights, (size_t)taps, n);
}
PLAIN plain_cubic_down_8(uint8_t *out, const int32_t *const *rows, const float *weights, size_t n) {
  body_cubic_down_8(out, rows, weights, n);
}
PLAIN plain_cubic_down_16(uint16_t *out, const float *const *rows, const float *weights, size_t n) {
  body_cubic_down_16(out, rows, weights, n);
}
PLAIN plain_lerp_across_16(float *out, const uint16_t *row, const int32_t *at, const float *fractions, int fused,
                           int channels, size_t n) {
  if (fused) body_lerp_across_16(out, row, at, fractions, 1, (size_t)channels, n);
  else body_lerp_across_16(out, row, at, fractions, 0, (size_t)channels, n);
}
PLAIN plain_lerp_down_16(uint16_t *out, const float *upper, const float *lower, float fraction, int fused, size_t n) {
  if (fused) body_lerp_down_16(out, upper, lower, fraction, 1, n);
  else body_lerp_down_16(out, upper, lower, fraction, 0, n);
}
PLAIN plain_add_weighted(float *sum, const float *row, float weight, size_t n) {
  body_add_weighted(sum, row, weight, n);
}
PLAIN plain_round_8(uint8_t *out, const float *in, size_t n) { body_round_8(out, in, n); }
PLAIN plain_round_16(uint16_t *out, const float *in, size_t n) { body_round_16(out, in, n); }

static IMG_TARGET __attribute__((unused)) int plain_idct_8x8(uint8_t *out, size_t stride, const int16_t *coefficients) {
  return body_idct_8x8(out, stride, coefficients);
}
PLAIN plain_widen(uint8_t *out, const uint8_t *in, size_t n) { body_widen(out, in, n); }
PLAIN plain_widen_between(uint8_t *out, const uint8_t *near, const uint8_t *far, size_t n) {
  body_widen_between(out, near, far, n);
}
PLAIN plain_between(uint8_t *out, const uint8_t *near, const uint8_t *far, int bias, size_t n) {
  body_between(out, near, far, bias, n);
}
PLAIN plain_ycc_to_rgb(uint8_t *out, const uint8_t *luma, const uint8_t *blue, const uint8_t *red, size_t n) {
  body_ycc_to_rgb(out, luma, blue, red, n);
}
PLAIN plain_grey_to_rgb(uint8_t *out, const uint8_t *grey, size_t n) { body_grey_to_rgb(out, grey, n); }
PLAIN plain_shift_hls(uint8_t *out, const uint8_t *in, int hue, int lightness, int saturation, size_t n) {
  body_shift_hls(out, in, hue, lightness, saturation, n);
}
