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
  img_truncated,    // the file ends before the picture does
  img_damaged,      // the data contradict themselves
  img_doubtful,     // every pixel could be made, but a sound file does not look so; never an error
  img_unsupported,  // `words` names the kind, with its article
  img_excessive,    // more work than any real picture needs
  img_timed_out,
  img_too_wide,  // sides over the codec's own limit; the header holds them
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
  bool is_progressive;    // or interlaced
  bool has_transparency;  // PNG: an alpha channel or, for colour, a tRNS chunk
  size_t exif_offset;     // of the TIFF block of EXIF in the file, and its bytes; 0 bytes: none
  size_t exif_count;
  // The least and the actual bytes of compressed data; fewer cannot hold the picture.
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

// Widens `window` to the whole picture where the file's kind has no short way to a part of it.
void img_fit(img_reader *reader, img_window *window);

// Which decoder makes the pixels. All make the same ones, and have the same errors.
typedef enum img_route {
  img_any_route,  // our own where the file is of the usual kind and sound, else libjpeg
  img_libjpeg_route,
  img_own_route,  // fails as `img_unsupported` where libjpeg would be needed
} img_route;

typedef struct img_request {
  uint32_t channels;          // of the pixels: 1 or 3; of a PNG 4, too
  uint32_t bytes_per_sample;  // 2 only of a 16-bit PNG, in machine order
  // 1...8 as EXIF numbers them; other than 1 only with the whole picture, and 1 or 3 channels of one byte.
  int orientation;
  bool keep_damaged;  // damage that leaves a picture is told in `doubt`, and is no error
  img_route route;
  const img_kernels *kernels;
  uint64_t most_scan_blocks;  // of a JPEG, over all its scans
  int64_t deadline;           // nanoseconds of CLOCK_MONOTONIC, after which the picture is given up; 0: none
} img_request;

// Both read the whole file, up to the end of the picture. Once for each reader.
// `pixels`: rows of `window->width * channels` bytes, equal to that part of the whole picture, or the turned
// picture. NULL: none are made, but the same doubts and errors come out.
// `doubt`: code `img_ok`, or what a sound file does not have: `img_doubtful`, or damage that was kept.
img_code img_read_jpeg(img_reader *reader, const img_window *window, const img_request *request,
                       uint8_t *_Nullable pixels, img_error *doubt, img_error *error);
// The whole picture.
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
  enum { img_ycc, img_cmyk, img_ycck } inks;  // how colour is stored; grey stays grey
  int luma_across, luma_down;                 // luma samples for each chroma sample, 1...4
  uint32_t restart_interval;                  // in MCUs; 0: none
  int orientation;                            // 2...8: written as EXIF; else none is
} img_jpeg_settings;

// On success `*bytes` is the caller's, to be freed with `free`.
img_code img_write_jpeg(const img_pixels *pixels, const img_jpeg_settings *settings, uint8_t *_Nullable *_Nonnull bytes,
                        size_t *count, img_error *error);
img_code img_write_png(const img_pixels *pixels, int level, uint8_t *_Nullable *_Nonnull bytes, size_t *count,
                       img_error *error);

#pragma clang assume_nonnull end
