#include "include/backward.h"

#if defined(__x86_64__)
#define N_TARGET __attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl")))
// 28 accumulators, two of weights, two for broadcasts: all 32 registers.
#define N_GROUP 2
#define N_POSITIONS 14
#define N_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "network_bodies.h"
#include "backward_bodies.h"

static const n_set set = N_TABLE("avx512");
const n_set *n_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vl")
             ? &set
             : NULL;
}
static const n_backward_set backward_set = N_BACKWARD_TABLE;
const n_backward_set *n_backward_avx512(void) { return n_avx512() ? &backward_set : NULL; }
#else
const n_backward_set *n_backward_avx512(void) { return NULL; }
const n_set *n_avx512(void) { return NULL; }
#endif
