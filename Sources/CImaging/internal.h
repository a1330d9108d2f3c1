// What the source files of this target share; nothing of it is seen outside.
#pragma once
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "imaging.h"

// The first member of every reader, so that `img_close` knows whose it is.
struct img_reader {
  void (*close)(img_reader *reader);
};

// A growing output buffer.
typedef struct img_output {
  uint8_t *bytes;
  size_t count, capacity;
} img_output;

// Room for `more` bytes after the first `count`; false: no memory, and the buffer is as it was.
bool img_output_reserve(img_output *output, size_t more);
void img_output_free(img_output *output);

// How a stored picture lies in its upright one.
typedef struct img_turn {
  ptrdiff_t start, across, down;  // bytes: of the first pixel, from one to its right, to the one below
  bool is_transposed;
} img_turn;

// `orientation`: 1...8 as EXIF numbers them; width and height as stored; 8-bit samples.
img_turn img_turn_for(int orientation, size_t width, size_t height, size_t channels);
// Puts `count` rows, from row `y` of the stored picture on, where they belong. `channels`: 1 or 3.
void img_place(const img_turn *turn, uint8_t *const *rows, uint32_t y, uint32_t count, uint32_t width,
               uint32_t channels, uint8_t *pixels);

// Whether the time that a request gives is over. Asked once for each row, or a few.
static inline bool img_is_late(int64_t deadline) {
  if (deadline == 0) return false;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec >= deadline;
}

static inline img_code img_fail(img_error *error, img_code code, size_t offset, const char *words) {
  error->code = code;
  error->offset = offset;
  snprintf(error->words, sizeof error->words, "%s", words);
  return code;
}
