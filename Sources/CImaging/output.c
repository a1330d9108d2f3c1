#include <stdlib.h>

#include "internal.h"

bool img_output_reserve(img_output *output, size_t more) {
  if (output->capacity - output->count >= more) return true;
  size_t capacity = output->capacity < (1u << 12) ? 1u << 12 : output->capacity;
  while (capacity - output->count < more) {
    if (capacity > SIZE_MAX / 2) return false;
    capacity *= 2;
  }
  uint8_t *bytes = realloc(output->bytes, capacity);
  if (bytes == NULL) return false;
  output->bytes = bytes;
  output->capacity = capacity;
  return true;
}

void img_output_free(img_output *output) {
  free(output->bytes);
  *output = (img_output){NULL, 0, 0};
}
