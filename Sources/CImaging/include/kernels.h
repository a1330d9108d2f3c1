#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The inner loops of decoding JPEG, resizing and making tensors, a table of them for each instruction set.
///
/// Every function is pure (its outputs depend on its inputs only), allocates nothing, allows n == 0 and any
/// alignment, and gives the same bits in every table. Outputs never overlap inputs. `n` counts pixels unless the
/// comment says samples. Functions that take `at` may read `img_slack` bytes from the start of any pixel, so almost as
/// many bytes after the last one; the others read exactly what they are given. Floats are never NaN.
enum { img_slack = 64 };

typedef struct img_kernels {
  const char *name;

  // --- OpenCV's INTER_LINEAR for 8 bits ----------------------------------------------------------------------
  // Across a row: pixel i is (p0 * weights[2i] + p1 * weights[2i+1]) >> 4 for the pixel p0 at byte `at[i]` of the
  // row and the next one, p1. Weights are 0...2048 and the two sum to at most 2049. One channel gives one number a
  // pixel, three and four channels give four (of three channels, the last is 0).
  void (*linear_across_1)(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n);
  void (*linear_across_3)(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n);
  void (*linear_across_4)(int16_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, size_t n);
  // Between two such rows: (((upper * w0) >> 16) + ((lower * w1) >> 16) + 2) >> 2, for n samples.
  void (*linear_down)(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n);
  // The same of four numbers a pixel, of which the first three are stored.
  void (*linear_down_3)(uint8_t *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n);
  // The same, then (sample - mean) * factor, one plane a channel.
  void (*linear_planes_1)(float *out, const int16_t *upper, const int16_t *lower, int w0, int w1, size_t n, float mean,
                          float factor);
  void (*linear_planes_3)(float *red, float *green, float *blue, const int16_t *upper, const int16_t *lower, int w0,
                          int w1, size_t n, const float *mean, const float *factor);

  // --- from interleaved samples to planes --------------------------------------------------------------------
  void (*planes_1)(float *out, const uint8_t *row, size_t n, float mean, float factor);
  void (*planes_3)(float *red, float *green, float *blue, const uint8_t *row, size_t n, const float *mean,
                   const float *factor);
  void (*split_3)(uint8_t *red, uint8_t *green, uint8_t *blue, const uint8_t *row, size_t n);

  // --- the half in both directions: (a + b + c + d + 2) >> 2 of each 2x2 block ---------------------------------
  void (*halve_1)(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n);
  void (*halve_3)(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n);
  void (*halve_4)(uint8_t *out, const uint8_t *upper, const uint8_t *lower, size_t n);

  // --- any number of taps: cubic, Lanczos, and all of 16 bits --------------------------------------------------
  // Across: sample c of pixel i is the sum over t of row[at[i] + t * channels + c] * weights[i * taps + t], summed in
  // the order of t. `at` counts samples here.
  void (*taps_across_8)(int32_t *out, const uint8_t *row, const int32_t *at, const int16_t *weights, int taps,
                        int channels, size_t n);
  void (*taps_across_16)(float *out, const uint16_t *row, const int32_t *at, const float *weights, int taps,
                         int channels, size_t n);
  // Down: n samples of `taps` rows. 8 bits: (sum + 2^21) >> 22, clamped. 16 bits: rounded half to even, clamped.
  void (*taps_down_8)(uint8_t *out, const int32_t *_Nonnull const *_Nonnull rows, const int16_t *weights, int taps,
                      size_t n);
  void (*taps_down_16)(uint16_t *out, const float *_Nonnull const *_Nonnull rows, const float *weights, int taps,
                       size_t n);
  // Down with four taps as OpenCV's vector code does it, in single precision: the last product first, each weight
  // divided by 2^22 beforehand where the samples have 8 bits; rounded half to even, clamped.
  void (*cubic_down_8)(uint8_t *out, const int32_t *_Nonnull const *_Nonnull rows, const float *weights, size_t n);
  void (*cubic_down_16)(uint16_t *out, const float *_Nonnull const *_Nonnull rows, const float *weights, size_t n);

  // --- OpenCV's INTER_LINEAR for 16 bits, which is Intel IPP's -----------------------------------------------------
  // From a to b: a + (b - a) * fraction; `fused` rounds once, else the product is rounded first.
  // Across: pixel i goes from the pixel at sample `at[i]` of the row to the next one.
  void (*lerp_across_16)(float *out, const uint16_t *row, const int32_t *at, const float *fractions, int fused,
                         int channels, size_t n);
  // Down: n samples, rounded half to even.
  void (*lerp_down_16)(uint16_t *out, const float *upper, const float *lower, float fraction, int fused, size_t n);

  // --- areas ----------------------------------------------------------------------------------------------------
  // sum += row * weight over n samples
  void (*add_weighted)(float *sum, const float *row, float weight, size_t n);
  // Rounded half to even, clamped; n samples.
  void (*round_8)(uint8_t *out, const float *in, size_t n);
  void (*round_16)(uint16_t *out, const float *in, size_t n);

  // --- JPEG: ITU T.81's blocks, JFIF's colours, in libjpeg's arithmetic ------------------------------------------
  // The inverse DCT of 64 dequantized coefficients, each at `img_coefficient_at` its row and column, to eight rows of
  // eight samples. No coefficient exceeds `img_most_coefficient`. Returns not 0 if every implementation gives these
  // samples: all numbers between the passes are within +-img_most_coefficient, too, so that the sum of two fits 16
  // bits, and the samples are within -512...511 before 128 is added and they are clamped. Else 0, and the samples are
  // meaningless.
  int (*idct_8x8)(uint8_t *out, size_t stride, const int16_t *coefficients);
  // Twice as many samples as the n of a row, each a quarter of the way to the neighbour on its side; halves are rounded
  // down and up alternately. Reads one more sample on each side.
  void (*widen)(uint8_t *out, const uint8_t *in, size_t n);
  // The same of a row a quarter of the way from the row `near` to the row `far`, rounded once.
  void (*widen_between)(uint8_t *out, const uint8_t *near, const uint8_t *far, size_t n);
  // (3 * near + far + bias) >> 2 of n samples.
  void (*between)(uint8_t *out, const uint8_t *near, const uint8_t *far, int bias, size_t n);
  void (*ycc_to_rgb)(uint8_t *out, const uint8_t *luma, const uint8_t *blue, const uint8_t *red, size_t n);
  void (*grey_to_rgb)(uint8_t *out, const uint8_t *grey, size_t n);

  // --- colours -----------------------------------------------------------------------------------------------------
  // Converts RGB to OpenCV's HLS of 8 bits (hue 0...179, two degrees each), adds whole numbers to its three channels,
  // clamps them to 0...180, 0...255 and 0...255, and converts back: cvtColor's COLOR_BGR2HLS and COLOR_HLS2BGR, in
  // single precision.
  void (*shift_hls)(uint8_t *out, const uint8_t *in, int hue, int lightness, int saturation, size_t n);
} img_kernels;

enum { img_most_coefficient = 16383 };

/// Where `idct_8x8` reads a coefficient: rows i and i + 4 in pairs, the columns in the order 0 4 1 5 2 6 3 7, so that
/// vector code multiplies adjacent pairs.
static inline size_t img_coefficient_at(size_t row, size_t column) {
  return (row & 3) * 16 + (column & 3) * 4 + (column >> 2) * 2 + (row >> 2);
}

// --- without a vector form: not in the tables -------------------------------------------------------------------

/// Pixel i is the `size` bytes at `at[i]`.
void img_pick(uint8_t *out, const uint8_t *row, const int32_t *at, size_t size, size_t n);
/// Pixel i is the sum of the samples from pixel `first[i]` of the row on, with the weights from `start[i]` up to
/// `start[i + 1]`, added in that order.
void img_area_across_8(float *out, const uint8_t *row, const int32_t *first, const int32_t *start, const float *weights,
                       int channels, size_t n);
void img_area_across_16(float *out, const uint16_t *row, const int32_t *first, const int32_t *start,
                        const float *weights, int channels, size_t n);
/// The mean of each block of `across` x `down` pixels; `stride` counts samples from row to row. 2x2 blocks are
/// (sum + 2) >> 2, others sum * (1 / count) in single precision, rounded half to even.
void img_blocks_8(uint8_t *out, const uint8_t *in, size_t stride, int across, int down, int channels, size_t n);
void img_blocks_16(uint16_t *out, const uint16_t *in, size_t stride, int across, int down, int channels, size_t n);

/// A part of a picture that an affine map reads: every pixel of the picture that the map reads lies in the part.
typedef struct img_warp {
  /// The part's first pixel, and bytes from row to row.
  const uint8_t *in;
  int64_t stride;
  /// Where the part's first pixel lies in the picture.
  int64_t left, top;
  /// The picture's size.
  int64_t width, height;
  /// The distance of pixel i of an output row from the row's start, across and down the picture, in 1024ths of a pixel.
  const int64_t *steps;
  /// The value of every sample outside the picture.
  uint8_t border;
} img_warp;

/// OpenCV's warpAffine with INTER_LINEAR and a constant border, 8 bits: n pixels of a row that starts at x, y of the
/// picture. x and y are 1024ths of a pixel, plus 16, which rounds them to the 32nds that OpenCV interpolates with.
void img_warp_linear(uint8_t *out, const img_warp *warp, int64_t x, int64_t y, int channels, size_t n);

// --- the tables ---------------------------------------------------------------------------------------------------

/// Plain C: the oracle of the others, and the fallback.
const img_kernels *img_kernels_portable(void);
/// NULL if the processor or the system lacks the instructions.
const img_kernels *_Nullable img_kernels_avx2(void);
const img_kernels *_Nullable img_kernels_avx512(void);

#pragma clang assume_nonnull end
