#pragma once
// OpenBLAS's cblas.h also declares openblas_set_num_threads.
#include <cblas.h>

// OpenBLAS contains LAPACK's Cholesky factorization, but Debian has its header in another package.
extern void dpotrf_(const char *triangle, const blasint *size, double *matrix, const blasint *stride, blasint *info);
