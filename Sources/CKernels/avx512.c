#include "include/kernels.h"

const k_set *k_avx512(void) { return NULL; }
