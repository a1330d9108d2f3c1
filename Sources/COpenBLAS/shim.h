#pragma once
// cblas.h of OpenBLAS declares openblas_set_num_threads too.
#include <cblas.h>
