#include "include/backward.h"

#if defined(__x86_64__)
#define NET_TARGET __attribute__((target("avx2,fma")))
// 6 accumulators of 16 lanes take 12 registers, a block of weights two, a broadcast one: 15 of 16.
#define NET_GROUP 1
#define NET_POSITIONS 6
#define NET_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define HALF(v, n)                                                                                                     \
  __builtin_shufflevector(v, v, n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10, n + 11, n + 12, \
                          n + 13, n + 14, n + 15)
#define NET_PAIRS(a, b)                                                                                                \
  ((integers)__builtin_shufflevector(__builtin_ia32_pmaddwd256(HALF((shorts)(a), 0), HALF(b, 0)),                      \
                                     __builtin_ia32_pmaddwd256(HALF((shorts)(a), 16), HALF(b, 16)), 0, 1, 2, 3, 4, 5,   \
                                     6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#include "network_bodies.h"
#include "backward_bodies.h"

static const net_kernels set = NET_TABLE("avx2");
const net_kernels *net_kernels_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &set : NULL;
}
static const net_training_kernels backward_set = NET_BACKWARD_TABLE;
const net_training_kernels *net_training_kernels_avx2(void) { return net_kernels_avx2() ? &backward_set : NULL; }
#else
const net_training_kernels *net_training_kernels_avx2(void) { return NULL; }
const net_kernels *net_kernels_avx2(void) { return NULL; }
#endif
