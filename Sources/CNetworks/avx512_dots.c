// The sums of AVX-512's later extensions, which take the place of those that avx512.c has.
#include "include/backward.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define NET_TARGET __attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni")))
#define NET_GROUP 2
#define NET_POSITIONS 14
#define NET_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "lanes.h"

INLINE lanes sum_bfloat16(word_bfloat16 x, weights_bfloat16 w, lanes sum) {
  return (lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)(bits)(x), (__m512bh)w);
}
#define NAME(x) x##_bfloat16
#define BLOCK_WORDS (net_lanes / 2)
#define HAS_KNOWN_STEPS 1
// RGB pixels at strides 2 and 4.
#define NEAR 3
#define FAR 6
#define HAS_PARTS 0
#define IS_INTEGER 0
#include "product_bodies.h"
#define NAME(x) x##_bfloat16
#include "outer_bodies.h"

INLINE integers sum_uint8(word_uint8 x, weights_uint8 w, integers sum) {
  return (integers)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)(bits)(x), (__m512i)w);
}
#define NAME(x) x##_uint8
#define BLOCK_WORDS (net_lanes / 4)
#define HAS_KNOWN_STEPS 1
// Pixels of four channels at strides 1 and 2.
#define NEAR 1
#define FAR 2
#define HAS_PARTS 0
#define IS_INTEGER 1
#include "product_bodies.h"

net_product_function *_Nullable net_product_bfloat16_avx512(void) {
  return net_kernels_avx512() && __builtin_cpu_supports("avx512bf16") ? product_bfloat16 : NULL;
}
net_outer_function *_Nullable net_outer_bfloat16_avx512(void) {
  return net_product_bfloat16_avx512() ? outer_bfloat16 : NULL;
}
net_product_function *_Nullable net_product_uint8_avx512(void) {
  return net_kernels_avx512() && __builtin_cpu_supports("avx512vnni") ? product_uint8 : NULL;
}
#else
net_product_function *_Nullable net_product_bfloat16_avx512(void) { return NULL; }
net_outer_function *_Nullable net_outer_bfloat16_avx512(void) { return NULL; }
net_product_function *_Nullable net_product_uint8_avx512(void) { return NULL; }
#endif
