#pragma once
#include "network.h"

#pragma clang assume_nonnull begin

/// The inner loops of training in single precision, beside those of network.h and with its layout and rules: the
/// gradients of convolutions' weights, BatchNorm and pooling backward, the optimisers' updates.
///
/// Weights that are learnt lie in blocks: block of outputs, block of inputs, tap, input of the block, output of the
/// block, the last two 16 each.

/// Sums over positions: sums[block][j][lane] of x[position][j] * dy[block][position][lane].
/// The gradient of the weights of one tap; or of one plane of Winograd's transform.
typedef struct net_outer {
  /// Positions of a row are `x_step` floats apart, rows `x_row`, images `x_image`; at each one, `run` numbers one float
  /// apart are taken.
  const float *x;
  ptrdiff_t x_step, x_row, x_image;
  /// Positions of a row are 16 floats apart.
  const float *dy;
  ptrdiff_t dy_row, dy_image, dy_block;
  size_t images, rows, columns, run, blocks;
  /// `run` times 16 numbers, and so many floats to those of the next block.
  float *sums;
  ptrdiff_t sums_block;
  /// Whether the sums begin at 0, and not with what is there.
  int begins;
} net_outer;

/// What a BatchNorm and the ReLU behind it do backward, for 16 channels.
typedef struct net_norm {
  /// Forward: y = x * scale + shift, then the larger of it and 0 where `relu`. The gradient passes where y > 0.
  const float *scale, *shift;
  int relu;
  const float *mean;
  /// dx = a * g + b * (x - mean) + c, g being what passes of dy.
  const float *a, *b, *c;
} net_norm;

/// One step of an optimiser for n parameters; `rescale` multiplies the gradient first.
typedef struct net_update {
  float *w;
  const float *gradient;
  float *_Nullable first;
  float *_Nullable second;
  size_t n;
  float rescale, rate, decay, momentum, beta, epsilon;
} net_update;

typedef struct net_training_kernels {
  void (*outer)(const net_outer *o);

  /// Of n positions: the mean of each channel, and the sum of the squares of what is left without it.
  void (*moments)(float *mean, float *squares, const float *x, size_t n);
  /// Adds to the 16 `sums` what passes of dy, and to the 16 `products` that times (x - mean).
  void (*norm_sums)(float *sums, float *products, const float *dy, const float *x, const net_norm *norm, size_t n);
  /// dx may be dy; `add` is added where it is, and may be dx.
  void (*norm_backward)(float *dx, const float *dy, const float *x, const float *_Nullable add, const net_norm *norm,
                        size_t n);

  /// Adds to dx, of one block. Of a maximum, the first position that has it gets the gradient, as in MXNet.
  void (*pool_backward)(float *dx, const float *dy, const float *x, const net_pool *pool);

  /// The 36 numbers of each tile of an output's gradient: the transpose of `winograd_output`, without its sum and ReLU.
  void (*winograd_gradient)(float *m, const float *dy, const net_tiles *t);
  /// 36 blocks of 16 inputs and 16 outputs, `plane` floats apart, to the 9 taps of their weights' gradient: the transpose
  /// of `winograd_weights`. Adds to what is there unless it `begins`.
  void (*winograd_weight_gradient)(float *dw, const float *u, ptrdiff_t plane, int begins);

  /// n positions side by side to positions `step` floats apart, or added to what is there.
  void (*scatter)(float *out, ptrdiff_t step, const float *in, size_t n, int adds);
  /// out = the parts' sum, n numbers; out may be a part.
  void (*sum)(float *out, const float *_Nonnull const *_Nonnull parts, size_t part_count, size_t n);

  /// MXNet's sgd_mom_update: first = momentum * first - rate * (g + decay * w); w += first.
  void (*sgd)(const net_update *u);
  /// MXNet's nag_mom_update: with v = momentum * first and s = rate * (g + decay * w), w += momentum * (v - s) - s; then
  /// first = v - rate * (g + decay * w), with the new w.
  void (*nag)(const net_update *u);
  /// MXNet's adam_update; `rate` has the correction of the first steps in it.
  void (*adam)(const net_update *u);
  /// MXNet's rmsprop_update: second = (1 - beta) * g^2 + beta * second; w -= rate * g / sqrt(second + epsilon).
  void (*rmsprop)(const net_update *u);
} net_training_kernels;

/// 16 x 16 numbers with rows and columns exchanged.
void net_transpose(float *out, const float *in);

const net_training_kernels *net_training_kernels_portable(void);
/// NULL where the processor or the system lacks it.
const net_training_kernels *_Nullable net_training_kernels_avx2(void);
const net_training_kernels *_Nullable net_training_kernels_avx512(void);

#pragma clang assume_nonnull end
