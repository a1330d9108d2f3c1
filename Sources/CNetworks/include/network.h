#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The inner loops of networks in single precision, one table of them per instruction set.
///
/// Activations are stored in blocks of 16 channels: block, row, column, channel in the block. A *position* is the 16
/// channels of one row and column; a channel count that is no multiple of 16 is filled up with zeros. Weights are
/// stored in the order in which `product` reads them, see `net_product`.
///
/// Every function is pure, allocates nothing and takes any alignment. Outputs do not overlap inputs unless it says so.
/// The tables agree within rounding: one with fused multiply-add rounds once where the portable one rounds twice. Which
/// part of an output one call computes never changes its bits. NaN and infinity pass through, but for NaN in a maximum.
enum { net_lanes = 16 };

/// What is done to a position on the way in: `x * scale + shift` for each of the 16 channels of a block, block after
/// block, then the larger of it and 0. A `scale` of NULL: nothing is done.
typedef struct net_prologue {
  const float *_Nullable scale;
  const float *_Nullable shift;
  int relu;
} net_prologue;

/// Sums over taps and channels: y[block][position] = bias + residual + sum of x[position + tap][channel] * weights, the
/// sum in the order of taps and, within a tap, of channels; then the larger of it and 0 is taken.
/// Convolutions, and each of the 36 products of Winograd's, are such sums.
typedef struct net_product {
  /// The first channel of the first position. Positions of a row are `x_step` floats apart, rows `x_row`.
  const float *x;
  ptrdiff_t x_step, x_row;
  /// Where each tap lies from a position, in floats; each tap has `run` channels, one float apart.
  const ptrdiff_t *taps;
  size_t tap_count, run;
  /// Groups of `group` output blocks (the table says how many; the last one may have fewer): tap, channel, block of the
  /// group, lane.
  const float *weights;
  /// The weights of the product that comes next, to be near by then; perhaps these once more. Asking for memory that is
  /// not there, as there may be none behind `weights`, costs as much as half of a sum.
  const float *next;
  /// 16 numbers an output block; NULL is 0.
  const float *_Nullable bias;
  /// Lies like y, and may be y itself; NULL is 0.
  const float *_Nullable residual;
  /// Positions of a row are 16 floats apart.
  float *y;
  ptrdiff_t y_row, y_block;
  size_t rows, columns, blocks;
  int relu;
} net_product;

/// Some of the tiles of one image's Winograd transform F(4x4, 3x3): Lavin & Gray, "Fast Algorithms for Convolutional
/// Neural Networks", 2015. Tiles are counted along rows; each makes 4x4 positions of the output out of 6x6 of the input,
/// which begin `padding` rows and columns (1 for a convolution that keeps the size, 0 without padding) before it.
typedef struct net_tiles {
  size_t first, count, tiles_across;
  /// Of the 36 numbers of a transformed tile: floats from one to the next; the tile `first` is at the pointer given,
  /// the next one 16 floats on.
  ptrdiff_t plane;
  /// The same between blocks of channels.
  ptrdiff_t block;
  size_t blocks;
  /// Rows and columns of the image (input or output), and floats from one block of it to the next.
  size_t height, width;
  ptrdiff_t image_block;
  int padding;
} net_tiles;

typedef struct net_pool {
  size_t height, width, out_height, out_width;
  int kernel_rows, kernel_columns, stride_rows, stride_columns, padding_rows, padding_columns;
  /// Maximum, which passes over NaN and is -FLT_MAX at least: NULL. Average: what the sum is multiplied by, a number for
  /// each output position.
  const float *_Nullable factors;
  net_prologue prologue;
} net_pool;

typedef struct net_kernels {
  const char *name;
  /// Channels of a block, which are the lanes of its vectors.
  size_t lanes;
  /// Output blocks that `product` makes at once: how weights are grouped.
  size_t group;
  /// Positions that `product` makes at once; rows of multiples of it waste nothing.
  size_t positions;

  void (*product)(const net_product *p);

  void (*winograd_input)(float *v, const float *x, const net_tiles *t, const net_prologue *prologue);
  /// NaN or infinity in the input of a tile can make NaN of all its outputs: each is made of many inputs.
  /// Adds bias and residual, which lies like y, then takes the larger of it and 0.
  void (*winograd_output)(float *y, const float *m, const net_tiles *t, const float *bias,
                          const float *_Nullable residual, int relu);
  /// The 9 taps of a block of weights (tap, 16 channels, 16 filters) to the 36 planes of transformed weights, which are
  /// `plane` floats apart and in the order in which `product` reads them: `group` blocks of filters side by side, of
  /// which u is one.
  void (*winograd_weights)(float *u, const float *w, size_t group, ptrdiff_t plane);

  /// n positions `x_step` floats apart to positions side by side.
  void (*gather)(float *out, const float *x, ptrdiff_t x_step, size_t n, const net_prologue *prologue);
  /// One block of channels.
  void (*pool)(float *y, const float *x, const net_pool *pool);
  /// y = a + b, n floats; y may be a or b.
  void (*add)(float *y, const float *a, const float *b, size_t n, int relu);
} net_kernels;

/// Planes of `channels` channels, `plane` floats apart, to n pixels of `channels` floats: x * scale + shift.
void net_interleave(float *out, const float *x, ptrdiff_t plane, size_t channels, size_t n, const float *scale,
                  const float *shift);

/// Plain C: the oracle of the others, and what remains where they are lacking.
const net_kernels *net_kernels_portable(void);
/// NULL where the processor or the system lacks it.
const net_kernels *_Nullable net_kernels_avx2(void);
const net_kernels *_Nullable net_kernels_avx512(void);

#pragma clang assume_nonnull end
