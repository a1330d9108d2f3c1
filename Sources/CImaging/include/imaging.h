// JPEG and PNG in memory, with libjpeg and libpng, and our own decoder for the most common kind of JPEG. The
// libraries' longjmp never leaves these functions. Resources are freed by the close function or, on an error, before
// the call returns.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

#pragma clang assume_nonnull begin

typedef enum img_code {
  img_ok = 0,
  img_truncated,    // the file ends before the picture does
  img_damaged,      // the data are inconsistent
  img_doubtful,     // every pixel could be made, but sound files do not look like this; never an error
  img_unsupported,  // `words` names the kind, with its article
  img_excessive,    // decoding would take more work than any real picture needs
  img_timed_out,
  img_too_wide,  // sides above the codec's own limit; they are in the header
  img_no_memory,
  img_cannot_encode,
} img_code;

typedef struct img_error {
  img_code code;
  size_t offset;    // the reader's position in the file
  char words[200];  // the codec's message, NUL-terminated
} img_error;

const char *img_words(const img_error *error);

typedef struct img_header {
  uint32_t width, height;  // as stored
  uint32_t components;     // stored: 1, 2 (PNG grey and alpha), 3, 4; a palette counts 3, with tRNS 4
  uint32_t bit_depth;
  bool is_progressive;    // or interlaced
  bool has_transparency;  // PNG: an alpha channel or, for colour, a tRNS chunk
  size_t exif_offset;     // of EXIF's TIFF block in the file
  size_t exif_count;      // bytes of that block; 0: there is none
  // How many bytes of compressed data the picture needs at least, and how many there are.
  uint64_t least_byte_count, data_byte_count;
  bool data_reach_the_end;  // nothing follows the compressed data in the file
} img_header;

typedef struct img_window {
  uint32_t x, y, width, height;
} img_window;

typedef struct img_reader img_reader;

// Reads the header; allocates little. NULL on an error. `file` must live until `img_close`.
img_reader *_Nullable img_open_jpeg(const uint8_t *file, size_t count, img_header *header, img_error *error);
img_reader *_Nullable img_open_png(const uint8_t *file, size_t count, img_header *header, img_error *error);
void img_close(img_reader *_Nullable reader);

// Widens `window` to the whole picture if a part of this kind of file cannot be decoded alone.
void img_fit(img_reader *reader, img_window *window);

// Which decoder makes the pixels. All make the same ones, and report the same errors.
typedef enum img_route {
  img_any_route,  // our own for sound files of the most common kind, libjpeg for all others
  img_libjpeg_route,
  img_own_route,  // fails with `img_unsupported` where libjpeg would be needed
} img_route;

typedef struct img_request {
  uint32_t channels;          // of the pixels: 1 or 3; for a PNG also 4
  uint32_t bytes_per_sample;  // 2 only for a 16-bit PNG, in machine order
  // 1...8 as EXIF numbers them; other than 1 only with the whole picture, and 1 or 3 channels of one byte.
  int orientation;
  bool keep_damaged;  // damage that leaves a picture is reported in `doubt`, and is not an error
  img_route route;
  const img_kernels *kernels;
  uint64_t most_scan_blocks;  // limit for all scans of a JPEG together
  int64_t deadline;           // in nanoseconds of CLOCK_MONOTONIC; decoding is abandoned after it. 0: none
} img_request;

// Both functions read the whole file, up to the end of the picture, and may be called once for each reader. `pixels`:
// rows of `window->width * channels` bytes, equal to that part of the whole picture; or the whole picture, rotated.
// NULL: no pixels are made, but the same doubts and errors are reported. `doubt`: code `img_ok`; or `img_doubtful`,
// or the code of damage that was kept.
img_code img_read_jpeg(img_reader *reader, const img_window *window, const img_request *request,
                       uint8_t *_Nullable pixels, img_error *doubt, img_error *error);
// Reads the whole picture.
img_code img_read_png(img_reader *reader, const img_request *request, uint8_t *_Nullable pixels, img_error *doubt,
                      img_error *error);

// The checksum of PNG's chunks.
uint32_t img_crc32(const uint8_t *bytes, size_t count);

typedef struct img_pixels {
  const uint8_t *bytes;
  uint32_t width, height, channels, bytes_per_sample;
} img_pixels;

typedef struct img_jpeg_settings {
  int quality;  // 0...100
  bool is_progressive, is_arithmetic;
  enum { img_ycc, img_cmyk, img_ycck } inks;  // the stored colour space; grey stays grey
  int luma_across, luma_down;                 // luma samples for each chroma sample, 1...4
  uint32_t restart_interval;                  // in MCUs; 0: none
  int orientation;                            // 2...8 is written as EXIF; other values are not
} img_jpeg_settings;

// On success, the caller owns `*bytes` and frees it with `free`.
img_code img_write_jpeg(const img_pixels *pixels, const img_jpeg_settings *settings, uint8_t *_Nullable *_Nonnull bytes,
                        size_t *count, img_error *error);
img_code img_write_png(const img_pixels *pixels, int level, uint8_t *_Nullable *_Nonnull bytes, size_t *count,
                       img_error *error);

#pragma clang assume_nonnull end
