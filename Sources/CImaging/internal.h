// What the source files of this target share; nothing of it is seen outside.
#pragma once
#include <stdio.h>
#include <string.h>

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

static inline img_code img_fail(img_error *error, img_code code, size_t offset, const char *words) {
  error->code = code;
  error->offset = offset;
  snprintf(error->words, sizeof error->words, "%s", words);
  return code;
}
