// Vectors of 16 floats and how they are read and written. Each instruction set includes this file once, after it defines
//   NET_TARGET        the attribute of its functions
//   NET_GROUP         output blocks in registers at once
//   NET_POSITIONS     positions in registers at once: NET_GROUP * NET_POSITIONS accumulators, NET_GROUP weights and one
//                     broadcast fill the registers
//   NET_FMA(a, b, c)  a * b + c
#include "include/network.h"

// Vectors are passed only between functions that are always inlined, so no calling convention matters.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang assume_nonnull begin

typedef float lanes __attribute__((ext_vector_type(16)));
typedef float unaligned_lanes __attribute__((ext_vector_type(16), aligned(4)));

#define INLINE static inline NET_TARGET __attribute__((always_inline))
#define FAST static NET_TARGET void
#define UNROLLED _Pragma("clang loop unroll(full)")

INLINE lanes load(const float *p) { return *(const unaligned_lanes *)p; }
INLINE void store(float *p, lanes v) { *(unaligned_lanes *)p = v; }
INLINE lanes all(float f) { return (lanes)(f); }
// v > 0 ? v : 0 would make 0 of NaN.
INLINE lanes rectified(lanes v) { return v < all(0) ? all(0) : v; }

// --- bfloat16: the upper half of a float
// ---------------------------------------------------------------------------------------------------------

typedef uint16_t halves __attribute__((ext_vector_type(16)));
typedef uint16_t unaligned_halves __attribute__((ext_vector_type(16), aligned(2), may_alias));
typedef uint32_t bits __attribute__((ext_vector_type(16)));
typedef uint32_t unaligned_bits __attribute__((ext_vector_type(16), aligned(4), may_alias));

INLINE lanes load_bfloat16(const uint16_t *p) {
  return (lanes)(__builtin_convertvector(*(const unaligned_halves *)p, bits) << 16);
}

// To the nearest, ties to even, in the upper halves; the lower ones are anything. NaN stays NaN.
INLINE bits nearest_bfloat16(lanes v) {
  const bits b = (bits)v;
  const bits nearest = b + 0x7FFF + ((b >> 16) & 1);
  return v == v ? nearest : b | 0x400000;
}
INLINE void store_bfloat16(uint16_t *p, lanes v) {
  *(unaligned_halves *)p = __builtin_convertvector(nearest_bfloat16(v) >> 16, halves);
}

// --- uint8: what is outside its range is the nearest end, and NaN is 0
// ---------------------------------------------------------------------------------------------------------

typedef uint8_t bytes __attribute__((ext_vector_type(16)));
typedef uint8_t unaligned_bytes __attribute__((ext_vector_type(16), aligned(1), may_alias));
typedef int32_t integers __attribute__((ext_vector_type(16)));
typedef int16_t shorts __attribute__((ext_vector_type(32)));

INLINE lanes load_uint8(const uint8_t *p) { return __builtin_convertvector(*(const unaligned_bytes *)p, lanes); }
INLINE void store_uint8(uint8_t *p, lanes v) {
  v = v > all(0) ? v : all(0);
  v = v < all(255) ? v : all(255);
  // To the nearest, ties to even, as the sum has no bits behind the point.
  v = (v + all(0x1p23f)) - all(0x1p23f);
  *(unaligned_bytes *)p = __builtin_convertvector(__builtin_convertvector(v, integers), bytes);
}

// A block of lanes from number `at` of a value on, whichever type it has.
INLINE lanes load_as(int type, const void *p, ptrdiff_t at) {
  return type == net_float32    ? load((const float *)p + at)
         : type == net_bfloat16 ? load_bfloat16((const uint16_t *)p + at)
                                : load_uint8((const uint8_t *)p + at);
}
INLINE void store_as(int type, void *p, ptrdiff_t at, lanes v) {
  if (type == net_float32) store((float *)p + at, v);
  else if (type == net_bfloat16) store_bfloat16((uint16_t *)p + at, v);
  else store_uint8((uint8_t *)p + at, v);
}

// What product_bodies.h wants to know of bfloat16 and of uint8, but for how their products are summed.
typedef uint32_t word_bfloat16 __attribute__((may_alias));
typedef bits weights_bfloat16;
typedef lanes sums_bfloat16;
INLINE weights_bfloat16 load_words_bfloat16(const word_bfloat16 *w) { return *(const unaligned_bits *)w; }

typedef uint32_t word_uint8 __attribute__((may_alias));
typedef bits weights_uint8;
typedef integers sums_uint8;
INLINE weights_uint8 load_words_uint8(const word_uint8 *w) { return *(const unaligned_bits *)w; }

// What is known of the input when a tile is compiled: blocked activations; the words between two positions; nothing,
// for whatever else the first layer may read.
enum { blocked, near_words, far_words, any_input, input_kinds };

// If a product has at most this many channels, all its weights (64 KiB for two output blocks) are read for each tile.
// If it has more, half as many channels are summed at a time (32 KiB).
#define NET_CHUNK 512

#pragma clang assume_nonnull end
