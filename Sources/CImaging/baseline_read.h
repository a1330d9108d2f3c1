#pragma once
#include "imaging.h"
#include "jpeg_headers.h"

// The pixels of a file whose header libjpeg has read up to its first scan, as `img_read_jpeg` gives them. Only reads
// from `codec`. False: libjpeg has to do it, from the start.
bool baseline_read(const struct jpeg_decompress_struct *codec, const img_window *window, uint32_t channels,
                   int orientation, const k_set *kernels, uint8_t *pixels);
