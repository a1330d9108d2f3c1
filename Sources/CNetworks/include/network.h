#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The inner loops of networks in single precision and in bfloat16, a table of them for each instruction set.
///
/// Activations are stored in blocks of 16 channels: block, row, column, channel of the block. A *position* is the 16
/// channels at one row and column. If the number of channels is no multiple of 16, the last block is filled up with
/// zeros. Weights are stored in the order in which `product` reads them, see `net_product`.
///
/// Every function is pure, allocates nothing and accepts any alignment. Outputs do not overlap inputs unless the
/// comment allows it. The tables agree within rounding: those with fused multiply-add round once where the portable one
/// rounds twice. Bits do not depend on how an output is divided among calls. NaN and infinity propagate, except for NaN
/// in a maximum.
enum { net_lanes = 16 };

/// How numbers are stored. bfloat16 is the upper half of a float: 8 bits of fraction, of which one is implied. uint8 is
/// a quantized number; what one step of it is worth, and which number is zero, is known to the caller alone.
enum { net_float32 = 0, net_bfloat16 = 1, net_uint8 = 2 };

/// What is done to activations as they are read: `x * scale + shift`, with 16 numbers for each block, block after
/// block, then ReLU if `relu`. A `scale` of NULL: nothing is done.
typedef struct net_prologue {
  const float *_Nullable scale;
  const float *_Nullable shift;
  int relu;
} net_prologue;

/// Sums over taps and channels: y[block][position] = bias + residual + the sum of x[position + tap][channel] * weights,
/// in the order of taps and, within a tap, of channels; then ReLU if `relu`. Direct convolutions, fully connected
/// layers and each of the 36 products of Winograd's transform are such sums.
///
/// The name of the function tells whether input and weights are floats, bfloat16, or uint8 with weights of int8.
/// Distances in the input are counted in *words* of four bytes: one float, two bfloat16, or four uint8, which are
/// neighbouring channels. Sums are floats (denormal bfloat16 may count as 0), those of uint8 32-bit integers, to which
/// bias and residual come only at the end, in floats: y = sum * scale + bias + residual * residual_scale. Then all sets
/// have the same bits.
typedef struct net_product {
  /// The first word of the first position. Positions of a row are `x_step` words apart, rows `x_row`.
  const void *x;
  ptrdiff_t x_step, x_row;
  /// The distance of each tap from a position, in words; each tap has `run` words, one behind the other.
  const ptrdiff_t *taps;
  size_t tap_count, run;
  /// Groups of output blocks, as many in a group as the table's `group`, perhaps fewer in the last one: tap, word,
  /// block of the group, filter.
  const void *weights;
  /// The weights of the next product, which are prefetched; these weights again if there is no next one. Prefetching
  /// memory that is not mapped, as behind `weights` it may not be, would cost as much as half of the sums.
  const void *next;
  /// 16 numbers for each output block; NULL: zeros.
  const float *_Nullable bias;
  /// Has the layout of y, and may be y itself; NULL: zeros.
  const void *_Nullable residual;
  int residual_type;
  /// For sums of uint8: 16 numbers for each output block, and a number for the residual.
  const float *_Nullable scales;
  float residual_scale;
  /// Positions of a row are 16 numbers apart.
  void *y;
  int y_type;
  /// In numbers.
  ptrdiff_t y_row, y_block;
  size_t rows, columns, blocks;
  int relu;
} net_product;

typedef void net_product_function(const net_product *p);

/// Some of the tiles of one image in Winograd's transform F(4x4, 3x3): Lavin & Gray, "Fast Algorithms for Convolutional
/// Neural Networks", 2015. Tiles are counted along rows. Each makes 4x4 positions of the output from 6x6 of the input,
/// which begin `padding` rows and columns before it: 1 for a convolution that keeps the size, 0 without padding.
typedef struct net_tiles {
  size_t first, count, tiles_across;
  /// Floats from one of the 36 numbers of a transformed tile to the next. The tile `first` is at the pointer given, the
  /// next tile 16 floats behind it.
  ptrdiff_t plane;
  /// Floats from one block of channels of the transformed tiles to the next.
  ptrdiff_t block;
  size_t blocks;
  /// Rows and columns of the image (the input or the output), its type, and numbers from one of its blocks to the next.
  size_t height, width;
  int image_type;
  ptrdiff_t image_block;
  int padding;
} net_tiles;

/// Windows of a pooling.
typedef struct net_pool {
  size_t height, width, out_height, out_width;
  int kernel_rows, kernel_columns, stride_rows, stride_columns, padding_rows, padding_columns;
  /// For an average, what the sum over each window is multiplied by, a number for each output position. NULL: the
  /// maximum, which ignores NaN and is at least -FLT_MAX.
  const float *_Nullable factors;
  net_prologue prologue;
  int x_type, y_type;
} net_pool;

/// What inference needs, for one instruction set.
typedef struct net_kernels {
  const char *name;
  /// Channels of a block, which are the lanes of its vectors.
  size_t lanes;
  /// Output blocks that `product` keeps in registers: weights are grouped by it.
  size_t group;
  /// Positions that `product` keeps in registers; rows of a multiple of it waste nothing.
  size_t positions;

  net_product_function *product;
  net_product_function *product_bfloat16;
  net_product_function *product_uint8;

  /// Transforms tiles of the input, after its prologue.
  void (*winograd_input)(float *v, const void *x, const net_tiles *t, const net_prologue *prologue);
  /// Transforms products back to tiles of the output, adds bias and residual, which has the layout of y and may be y,
  /// then ReLU if `relu`. NaN or infinity in the input of a tile can make all its outputs NaN.
  void (*winograd_output)(void *y, const float *m, const net_tiles *t, const float *bias,
                          const void *_Nullable residual, int residual_type, int relu);
  /// Transforms a block of weights (9 taps, 16 channels, 16 filters) to the 36 planes, which are `plane` floats apart
  /// and in the order in which `product` reads them: u is one of `group` blocks of filters side by side.
  void (*winograd_weights)(float *u, const float *w, size_t group, ptrdiff_t plane);

  /// Copies n positions that are `x_step` numbers apart to positions side by side, with the prologue done.
  void (*gather)(void *out, int out_type, const void *x, int x_type, ptrdiff_t x_step, size_t n,
                 const net_prologue *prologue);
  /// Pools one block of channels.
  void (*pool)(void *y, const void *x, const net_pool *pool);
  /// y = a + b, n floats, then ReLU if `relu`; y may be a or b.
  void (*add)(float *y, const float *a, const float *b, size_t n, int relu);
  /// The same for n positions of numbers of any type; y may be a or b if they have the same type.
  void (*add_blocks)(void *y, int y_type, const void *a, int a_type, const void *b, int b_type, size_t n, int relu);
} net_kernels;

/// Interleaves planes of channels, `plane` floats apart, to n pixels of `pixel` numbers each: x * scale + shift, and
/// zeros beyond the channels.
void net_interleave(void *out, int out_type, size_t pixel, const float *x, ptrdiff_t plane, size_t channels, size_t n,
                    const float *scale, const float *shift);

/// Plain C: the oracle of the others, and the fallback.
const net_kernels *net_kernels_portable(void);
/// NULL if the processor or the system lacks the instructions.
const net_kernels *_Nullable net_kernels_avx2(void);
const net_kernels *_Nullable net_kernels_avx512(void);
/// `product_bfloat16` by AVX512-BF16, and `product_uint8` by AVX512-VNNI, for the table of AVX-512; NULL if the
/// processor lacks them.
net_product_function *_Nullable net_product_bfloat16_avx512(void);
net_product_function *_Nullable net_product_uint8_avx512(void);

#pragma clang assume_nonnull end
