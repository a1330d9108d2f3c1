#pragma once
#include "imaging.h"
#include "jpeg_headers.h"

// The pixels of a file whose header libjpeg has read up to its first scan, as `img_read_jpeg` gives them. Only reads
// from `codec`, whose data end at `end`; `pixels` may be NULL there, too. False: libjpeg has to do it, from the start,
// and `*sign`, if it is not NULL, is a sign of damage that libjpeg does not look for.
bool baseline_read(const struct jpeg_decompress_struct *codec, const uint8_t *end, const img_window *window,
                   const img_request *request, uint8_t *pixels, const char **sign);
