#pragma once
#include "network.h"

#pragma clang assume_nonnull begin

/// The inner loops of training, in addition to those of network.h and with its layout and rules: the gradients of
/// convolutions' weights, BatchNorm and pooling backward, the updates of the optimisers.
///
/// Weights that are learnt lie in blocks: block of outputs, block of inputs, tap, the 16 inputs of the block, the 16
/// outputs of the block.

/// Outer products, summed over positions: sums[block][j][lane] = the sum of x[position][j] * dy[block][position][lane].
/// This is the gradient of the weights of one tap, or of one plane of Winograd's transform.
///
/// The name of the function tells whether x and dy are floats or bfloat16. They are counted in words of four bytes: one
/// float, or the bfloat16 of two positions, of which the earlier one is the lower half; then two positions are one here.
/// Sums are floats.
typedef struct net_outer {
  /// Positions of a row are `x_step` words apart, rows `x_row`, images `x_image`; each position has `run` words, one
  /// behind the other.
  const void *x;
  ptrdiff_t x_step, x_row, x_image;
  /// Positions of a row are 16 words apart.
  const void *dy;
  ptrdiff_t dy_row, dy_image, dy_block;
  size_t images, rows, columns, run, blocks;
  /// `run` times 16 numbers for each block, and the floats from one block's numbers to the next one's.
  float *sums;
  ptrdiff_t sums_block;
  /// Whether the sums begin at 0 and are not added to what is there.
  int begins;
} net_outer;

typedef void net_outer_function(const net_outer *o);

/// A BatchNorm and the ReLU after it, for 16 channels.
typedef struct net_norm {
  /// Forward: y = x * scale + shift, then ReLU if `relu`, which lets the gradient pass where y > 0.
  const float *scale, *shift;
  int relu;
  const float *mean;
  /// Backward: dx = a * g + b * (x - mean) + c, where g is dy as far as ReLU lets it pass.
  const float *a, *b, *c;
} net_norm;

/// One step of an optimiser for n parameters w; the gradient is multiplied by `rescale` first. `first` and `second` are
/// what the optimiser remembers, NULL if it does not.
typedef struct net_update {
  float *w;
  const float *gradient;
  float *_Nullable first;
  float *_Nullable second;
  size_t n;
  float rescale, rate, decay, momentum, beta, epsilon;
} net_update;

/// What training needs beside `net_kernels`, for one instruction set.
typedef struct net_training_kernels {
  net_outer_function *outer;
  net_outer_function *outer_bfloat16;
  /// Makes words of two bfloat16, n times 16 of them, which are `words_step` apart: the lower halves are the numbers of
  /// `low`, the upper ones those of `high`, after the prologue and rounded to nearest, ties to even. The n positions of
  /// each are `step` floats apart. NULL: zeros.
  void (*pair)(void *words, ptrdiff_t words_step, const float *_Nullable low, const float *_Nullable high,
               ptrdiff_t step, size_t n, const net_prologue *prologue);

  /// For each channel of n positions, the mean and the sum of squared deviations from it.
  void (*moments)(float *mean, float *squares, const float *x, size_t n);
  /// Adds g, dy as far as ReLU lets it pass, to the 16 `sums`, and g * (x - mean) to the 16 `products`.
  void (*norm_sums)(float *sums, float *products, const float *dy, const float *x, const net_norm *norm, size_t n);
  /// Computes dx, which may be dy; `add`, which may be dx, is added to it unless it is NULL.
  void (*norm_backward)(float *dx, const float *dy, const float *x, const float *_Nullable add, const net_norm *norm,
                        size_t n);

  /// Adds the gradient of one block's input to dx. The gradient of a maximum goes to the first position that has it, as
  /// in MXNet.
  void (*pool_backward)(float *dx, const float *dy, const float *x, const net_pool *pool);

  /// Transforms tiles of an output's gradient: the transpose of `winograd_output`, without its sum and ReLU.
  void (*winograd_gradient)(float *m, const float *dy, const net_tiles *t);
  /// Transforms 36 blocks of 16 inputs and 16 outputs, `plane` floats apart, back to the 9 taps of the gradient of a
  /// block of weights: the transpose of `winograd_weights`. Adds to what is there unless it `begins`.
  void (*winograd_weight_gradient)(float *dw, const float *u, ptrdiff_t plane, int begins);

  /// Copies n positions that lie side by side to positions `step` floats apart, or adds them to what is there.
  void (*scatter)(float *out, ptrdiff_t step, const float *in, size_t n, int adds);
  /// out = the sum of the parts, n numbers each; out may be one of them.
  void (*sum)(float *out, const float *_Nonnull const *_Nonnull parts, size_t part_count, size_t n);

  /// MXNet's sgd_mom_update: first = momentum * first - rate * (g + decay * w); w += first.
  void (*sgd)(const net_update *u);
  /// MXNet's nag_mom_update: with v = momentum * first and s = rate * (g + decay * w), w += momentum * (v - s) - s;
  /// then first = v - rate * (g + decay * w), with the new w.
  void (*nag)(const net_update *u);
  /// MXNet's adam_update; `rate` includes the correction of the first steps.
  void (*adam)(const net_update *u);
  /// MXNet's rmsprop_update: second = (1 - beta) * g^2 + beta * second; w -= rate * g / sqrt(second + epsilon).
  void (*rmsprop)(const net_update *u);
} net_training_kernels;

/// Transposes 16 x 16 numbers.
void net_transpose(float *out, const float *in);

/// Plain C: the oracle of the others, and the fallback.
const net_training_kernels *net_training_kernels_portable(void);
/// NULL if the processor or the system lacks the instructions.
const net_training_kernels *_Nullable net_training_kernels_avx2(void);
const net_training_kernels *_Nullable net_training_kernels_avx512(void);
/// `outer_bfloat16` by AVX512-BF16, for the table of AVX-512; NULL if the processor lacks it.
net_outer_function *_Nullable net_outer_bfloat16_avx512(void);

#pragma clang assume_nonnull end
