// Declarations that the source files of this target share, and that are not visible outside.
#pragma once
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "imaging.h"

// The first member of every reader, by which `img_close` finds its close function.
struct img_reader {
  void (*close)(img_reader *reader);
};

// A growing output buffer.
typedef struct img_output {
  uint8_t *bytes;
  size_t count, capacity;
} img_output;

// Makes room for `more` bytes after the first `count`. False: no memory, and the buffer is unchanged.
bool img_output_reserve(img_output *output, size_t more);
void img_output_free(img_output *output);

// How the pixels of a stored picture are arranged in the upright one.
typedef struct img_turn {
  ptrdiff_t start, across, down;  // in bytes: offset of the first pixel, step to the right, step down
  bool is_transposed;
} img_turn;

// `orientation`: 1...8 as EXIF numbers them; width and height as stored; 8-bit samples.
img_turn img_turn_for(int orientation, size_t width, size_t height, size_t channels);
// Writes `count` rows, from row `y` of the stored picture on, to their upright positions. `channels`: 1 or 3.
void img_place(const img_turn *turn, uint8_t *const *rows, uint32_t y, uint32_t count, uint32_t width,
               uint32_t channels, uint8_t *pixels);

// Whether the deadline of a request has passed. Called every row, or every few rows.
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
