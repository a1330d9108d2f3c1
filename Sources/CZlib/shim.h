#pragma once
#include <zlib.h>

// inflateInit2 is a macro. 15 + 16: the largest window, and gzip's format, whose checksum inflate then verifies.
static inline int z_begin_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
