// The sums of AVX-512's later extensions, which take the place of those that avx512.c has.
#include "include/network.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define NET_TARGET __attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define NET_GROUP 2
#define NET_POSITIONS 14
#define NET_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "lanes.h"

typedef uint32_t word_bfloat16 __attribute__((may_alias));
typedef bits weights_bfloat16;
INLINE weights_bfloat16 load_words_bfloat16(const word_bfloat16 *w) { return *(const unaligned_bits *)w; }
INLINE lanes sum_bfloat16(word_bfloat16 x, weights_bfloat16 w, lanes sum) {
  return (lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)(bits)(x), (__m512bh)w);
}
#define NAME(x) x##_bfloat16
#define BLOCK_WORDS (net_lanes / 2)
#define HAS_PARTS 0
#include "product_bodies.h"

net_product_function *_Nullable net_product_bfloat16_avx512(void) {
  return net_kernels_avx512() && __builtin_cpu_supports("avx512bf16") ? product_bfloat16 : NULL;
}
#else
net_product_function *_Nullable net_product_bfloat16_avx512(void) { return NULL; }
#endif
