#include <string.h>

#define IMG_TARGET
#include "plain.h"

static const img_kernels portable = {
    .name = "portable",
    .linear_across_1 = plain_linear_across_1,
    .linear_across_3 = plain_linear_across_3,
    .linear_across_4 = plain_linear_across_4,
    .linear_down = plain_linear_down,
    .linear_down_3 = plain_linear_down_3,
    .linear_planes_1 = plain_linear_planes_1,
    .linear_planes_3 = plain_linear_planes_3,
    .planes_1 = plain_planes_1,
    .planes_3 = plain_planes_3,
    .split_3 = plain_split_3,
    .halve_1 = plain_halve_1,
    .halve_3 = plain_halve_3,
    .halve_4 = plain_halve_4,
    .taps_across_8 = plain_taps_across_8,
    .taps_across_16 = plain_taps_across_16,
    .taps_down_8 = plain_taps_down_8,
    .taps_down_16 = plain_taps_down_16,
    .cubic_down_8 = plain_cubic_down_8,
    .cubic_down_16 = plain_cubic_down_16,
    .lerp_across_16 = plain_lerp_across_16,
    .lerp_down_16 = plain_lerp_down_16,
    .add_weighted = plain_add_weighted,
    .round_8 = plain_round_8,
    .round_16 = plain_round_16,
    .idct_8x8 = plain_idct_8x8,
    .widen = plain_widen,
    .widen_between = plain_widen_between,
    .between = plain_between,
    .ycc_to_rgb = plain_ycc_to_rgb,
    .grey_to_rgb = plain_grey_to_rgb,
    .shift_hls = plain_shift_hls,
};

const img_kernels *img_kernels_portable(void) { return &portable; }

BODY pick(uint8_t *restrict out, const uint8_t *row, const int32_t *at, size_t size, size_t n) {
  for (size_t i = 0; i < n; i++) memcpy(out + i * size, row + (size_t)at[i], size);
}

void img_pick(uint8_t *out, const uint8_t *row, const int32_t *at, size_t size, size_t n) {
  switch (size) {
    case 1: return pick(out, row, at, 1, n);
    case 3: return pick(out, row, at, 3, n);
    case 4: return pick(out, row, at, 4, n);
    default: return pick(out, row, at, size, n);
  }
}

#define AREA_ACROSS(bits)                                                                                        \
  void img_area_across_##bits(float *out, const uint##bits##_t *row, const int32_t *first, const int32_t *start,  \
                            const float *weights, int channels, size_t n) {                                      \
    size_t step = (size_t)channels;                                                                              \
    for (size_t i = 0; i < n; i++)                                                                               \
      for (size_t c = 0; c < step; c++) {                                                                        \
        const uint##bits##_t *sample = row + (size_t)first[i] * step + c;                                        \
        float sum = 0.0f;                                                                                        \
        for (int32_t k = start[i]; k < start[i + 1]; k++, sample += step) sum += *sample * weights[k];           \
        out[i * step + c] = sum;                                                                                 \
      }                                                                                                          \
  }
AREA_ACROSS(8)
AREA_ACROSS(16)

void img_blocks_8(uint8_t *out, const uint8_t *in, size_t stride, int across, int down, int channels, size_t n) {
  size_t step = (size_t)channels, wide = (size_t)across * step;
  float factor = 1.0f / (float)((int64_t)across * down);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < step; c++) {
      const uint8_t *corner = in + i * wide + c;
      int64_t sum = 0;
      for (int y = 0; y < down; y++)
        for (size_t x = 0; x < wide; x += step) sum += corner[(size_t)y * stride + x];
      out[i * step + c] =
          across == 2 && down == 2 ? (uint8_t)((sum + 2) >> 2) : (uint8_t)whole_within((float)sum * factor, 255.0f);
    }
}

void img_blocks_16(uint16_t *out, const uint16_t *in, size_t stride, int across, int down, int channels, size_t n) {
  size_t step = (size_t)channels, area = (size_t)across * (size_t)down;
  float factor = 1.0f / (float)area;
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < step; c++) {
      const uint16_t *corner = in + i * (size_t)across * step + c;
      // OpenCV adds four samples at a time to a float, then the remaining ones singly.
      float sum = 0.0f;
      int32_t four = 0;
      for (size_t k = 0; k < area; k++) {
        int32_t sample = corner[k / (size_t)across * stride + k % (size_t)across * step];
        if (k < area / 4 * 4) {
          four += sample;
          if (k % 4 == 3) sum += (float)four, four = 0;
        } else {
          sum += (float)sample;
        }
      }
      out[i * step + c] = across == 2 && down == 2 ? (uint16_t)(((int32_t)sum + 2) >> 2)
                                                   : (uint16_t)whole_within(sum * factor, 65535.0f);
    }
}

BODY warp_linear(uint8_t *restrict out, const img_warp *w, int64_t x, int64_t y, size_t channels, size_t n) {
  for (size_t i = 0; i < n; i++) {
    // 32nds of a pixel.
    int64_t at_x = (x + w->steps[2 * i]) >> 5, at_y = (y + w->steps[2 * i + 1]) >> 5;
    int64_t column = at_x >> 5, row = at_y >> 5;
    int32_t right = (int32_t)(at_x & 31), lower = (int32_t)(at_y & 31);
    int32_t weights[4] = {(32 - right) * (32 - lower), right * (32 - lower), (32 - right) * lower, right * lower};
    for (size_t c = 0; c < channels; c++) {
      int32_t sum = 512;
      if (column >= 0 && column < w->width - 1 && row >= 0 && row < w->height - 1) {
        const uint8_t *corner =
            w->in + (row - w->top) * w->stride + (column - w->left) * (int64_t)channels + (int64_t)c;
        sum += corner[0] * weights[0] + corner[channels] * weights[1];
        corner += w->stride;
        sum += corner[0] * weights[2] + corner[channels] * weights[3];
      } else {
        for (int64_t k = 0; k < 4; k++) {
          int64_t beside = column + (k & 1), below = row + (k >> 1);
          int inside = beside >= 0 && beside < w->width && below >= 0 && below < w->height;
          sum += weights[k] *
                 (inside ? w->in[(below - w->top) * w->stride + (beside - w->left) * (int64_t)channels + (int64_t)c]
                         : w->border);
        }
      }
      out[i * channels + c] = (uint8_t)(sum >> 10);
    }
  }
}

void img_warp_linear(uint8_t *out, const img_warp *warp, int64_t x, int64_t y, int channels, size_t n) {
  if (channels == 3) warp_linear(out, warp, x, y, 3, n);
  else warp_linear(out, warp, x, y, (size_t)channels, n);
}
