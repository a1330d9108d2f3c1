// JPEG and PNG in memory, over libjpeg and libpng, and a decoder of our own for the usual JPEG. The libraries' longjmp
// never leaves these functions; every resource is freed by the close function or, on an error, before the call returns.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

#pragma clang assume_nonnull begin

typedef enum img_code {
  img_ok = 0,
  img_truncated,     // the file ends before the picture does
  img_damaged,       // the data contradict themselves
  img_unsupported,   // `words` names the kind, with its article
  img_too_wide,      // sides over the codec's own limit; the header holds them
  img_no_memory,
  img_cannot_encode,
} img_code;

typedef struct img_error {
  img_code code;
  size_t offset;    // where the reader stood
  char words[200];  // the codec's own words, ended by 0
} img_error;

const char *img_words(const img_error *error);

typedef struct img_header {
  uint32_t width, height;  // as stored
  uint32_t components;     // stored: 1, 2 (PNG grey and alpha), 3, 4; a palette counts 3, with tRNS 4
  uint32_t bit_depth;
  bool is_progressive;     // or interlaced
  bool has_transparency;   // PNG: an alpha channel or, for colour, a tRNS chunk
  size_t exif_offset;      // of the TIFF block of EXIF in the file, and its bytes; 0 bytes: none
  size_t exif_count;
  // The least and the actual bytes of compressed data; fewer cannot hold the picture.
  uint64_t least_byte_count, data_byte_count;
  bool data_reach_the_end; // nothing follows the compressed data in the file
} img_header;

typedef struct img_window {
  uint32_t x, y, width, height;
} img_window;

typedef struct img_reader img_reader;

// Reads the header; allocates little. NULL on an error. `file` must live until `img_close`.
img_reader *_Nullable img_open_jpeg(const uint8_t *file, size_t count, img_header *header, img_error *error);
img_reader *_Nullable img_open_png(const uint8_t *file, size_t count, img_header *header, img_error *error);
void img_close(img_reader *_Nullable reader);

// Widens `window` to the whole picture where the file's kind has no short way to a part of it.
void img_fit(img_reader *reader, img_window *window);

// Which decoder makes the pixels. All make the same ones, and have the same errors.
typedef enum img_route {
  img_any_route,      // our own where the file is of the usual kind and sound, else libjpeg
  img_libjpeg_route,
  img_own_route,      // fails as `img_unsupported` where libjpeg would be needed
} img_route;

// `pixels`: rows of `window->width * channels` bytes, equal to that part of the whole picture, or the turned
// picture. `orientation`: 1...8 as EXIF numbers them; other than 1 only with the whole picture. `channels`:
// 1 or 3. Once for each reader.
img_code img_read_jpeg(img_reader *reader, const img_window *window, uint32_t channels, int orientation,
                       bool keep_damaged, img_route route, const k_set *kernels, uint8_t *pixels,
                       img_error *error);

// The whole picture. `channels`: 1, 3 or 4; `bytes_per_sample`: 2 only of a 16-bit file, in machine order.
// `orientation`: other than 1 only with 1 or 3 channels of one byte.
img_code img_read_png(img_reader *reader, uint32_t channels, uint32_t bytes_per_sample, int orientation,
                      uint8_t *pixels, img_error *error);

// The checksum of PNG's chunks.
uint32_t img_crc32(const uint8_t *bytes, size_t count);

typedef struct img_pixels {
  const uint8_t *bytes;
  uint32_t width, height, channels, bytes_per_sample;
} img_pixels;

typedef struct img_jpeg_settings {
  int quality;                             // 0...100
  bool is_progressive, is_arithmetic;
  enum { img_ycc, img_cmyk, img_ycck } inks;  // how colour is stored; grey stays grey
  int luma_across, luma_down;              // luma samples for each chroma sample, 1...4
  uint32_t restart_interval;               // in MCUs; 0: none
  int orientation;                         // 2...8: written as EXIF; else none is
} img_jpeg_settings;

// On success `*bytes` is the caller's, to be freed with `free`.
img_code img_write_jpeg(const img_pixels *pixels, const img_jpeg_settings *settings,
                        uint8_t *_Nullable *_Nonnull bytes, size_t *count, img_error *error);
img_code img_write_png(const img_pixels *pixels, int level, uint8_t *_Nullable *_Nonnull bytes,
                       size_t *count, img_error *error);

#pragma clang assume_nonnull end
