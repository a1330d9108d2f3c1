#include <string.h>

#define NET_TARGET
#define NET_GROUP 1
#define NET_POSITIONS 2
// Without the instruction, a fused multiply-add would be a call of the library for each number.
#define NET_FMA(a, b, c) ((a) * (b) + (c))
#include "network_bodies.h"
#include "backward_bodies.h"

static const net_kernels set = NET_TABLE("portable");
const net_kernels *net_kernels_portable(void) { return &set; }

static const net_training_kernels backward_set = NET_BACKWARD_TABLE;
const net_training_kernels *net_training_kernels_portable(void) { return &backward_set; }

void net_transpose(float *out, const float *in) {
  for (int i = 0; i < net_lanes; i++)
    for (int j = 0; j < net_lanes; j++) out[j * net_lanes + i] = in[i * net_lanes + j];
}

static uint16_t rounded(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint16_t)((x == x ? bits + 0x7FFF + (bits >> 16 & 1) : bits | 0x400000) >> 16);
}

static void interleave(float *out, const float *x, ptrdiff_t plane, size_t channels, size_t n, const float *scale,
                       const float *shift) {
  if (channels == 3) {
    const float *r = x, *g = x + plane, *b = x + 2 * plane;
    const float scales[3] = {scale[0], scale[1], scale[2]}, shifts[3] = {shift[0], shift[1], shift[2]};
    for (size_t i = 0; i < n; i++) {
      out[3 * i] = r[i] * scales[0] + shifts[0];
      out[3 * i + 1] = g[i] * scales[1] + shifts[1];
      out[3 * i + 2] = b[i] * scales[2] + shifts[2];
    }
    return;
  }
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < channels; c++)
      out[i * channels + c] = x[(ptrdiff_t)c * plane + (ptrdiff_t)i] * scale[c] + shift[c];
}

static uint8_t quantized(float x) {
  x = x > 0 ? x : 0;
  x = x < 255 ? x : 255;
  return (uint8_t)((x + 0x1p23f) - 0x1p23f);
}

void net_interleave(void *out, int out_type, size_t pixel, const float *x, ptrdiff_t plane, size_t channels, size_t n,
                    const float *scale, const float *shift) {
  if (out_type == net_float32) {
    interleave(out, x, plane, channels, n, scale, shift);
    return;
  }
  for (size_t c = 0; c < pixel; c++) {
    const float *from = x + (ptrdiff_t)(c < channels ? c : 0) * plane;
    const float factor = c < channels ? scale[c] : 0, offset = c < channels ? shift[c] : 0;
    for (size_t i = 0; i < n; i++) {
      const float value = c < channels ? from[i] * factor + offset : 0;
      if (out_type == net_bfloat16) ((uint16_t *)out)[i * pixel + c] = rounded(value);
      else ((uint8_t *)out)[i * pixel + c] = quantized(value);
    }
  }
}
