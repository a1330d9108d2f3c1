#pragma once
#include <zlib.h>

// inflateInit2 is a macro. 15 + 16: the largest window, in gzip's frame, whose checksum inflate then checks.
static inline int z_begin_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
