#include "include/backward.h"

#if defined(__x86_64__)
#define N_TARGET __attribute__((target("avx2,fma")))
// 12 accumulators of two registers for 16 lanes each, two of weights, one of a broadcast: 15 of 16.
#define N_GROUP 1
#define N_POSITIONS 6
#define N_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "network_bodies.h"
#include "backward_bodies.h"

static const n_set set = N_TABLE("avx2");
const n_set *n_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &set : NULL; }
static const n_backward_set backward_set = N_BACKWARD_TABLE;
const n_backward_set *n_backward_avx2(void) { return n_avx2() ? &backward_set : NULL; }
#else
const n_backward_set *n_backward_avx2(void) { return NULL; }
const n_set *n_avx2(void) { return NULL; }
#endif
