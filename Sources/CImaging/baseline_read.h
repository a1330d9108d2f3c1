#pragma once
#include "imaging.h"
#include "jpeg_headers.h"

// Decodes a file whose header libjpeg has read up to its first scan; the pixels are those of `img_read_jpeg`, and
// `pixels` may be NULL as there. `codec`, whose data end at `end`, is only read. False: libjpeg has to decode the
// file, from the start. `*sign`, if not NULL, is a sign of damage that libjpeg does not check for.
bool baseline_read(const struct jpeg_decompress_struct *codec, const uint8_t *end, const img_window *window,
                   const img_request *request, uint8_t *pixels, const char **sign);
