#pragma once
// cblas.h of OpenBLAS declares openblas_set_num_threads too.
#include <cblas.h>

// LAPACK's Cholesky factor is in OpenBLAS, its header is not (Debian has it in a package of its own).
extern void dpotrf_(const char *triangle, const blasint *size, double *matrix, const blasint *stride, blasint *info);
