#include "include/kernels.h"

const k_set *k_avx2(void) { return NULL; }
