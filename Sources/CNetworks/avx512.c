#include "include/backward.h"

#if defined(__x86_64__)
#define NET_TARGET __attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl")))
// 28 accumulators, two blocks of weights and two broadcasts take all 32 registers.
#define NET_GROUP 2
#define NET_POSITIONS 14
#define NET_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define NET_PAIRS(a, b) ((integers)__builtin_ia32_pmaddwd512((shorts)(a), (b)))
#include "network_bodies.h"
#include "backward_bodies.h"

static const net_kernels set = NET_TABLE("avx512");
const net_kernels *net_kernels_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
             ? &set
             : NULL;
}
static const net_training_kernels backward_set = NET_BACKWARD_TABLE;
const net_training_kernels *net_training_kernels_avx512(void) { return net_kernels_avx512() ? &backward_set : NULL; }
#else
const net_training_kernels *net_training_kernels_avx512(void) { return NULL; }
const net_kernels *net_kernels_avx512(void) { return NULL; }
#endif
