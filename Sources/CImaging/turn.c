#include "internal.h"

img_turn img_turn_for(int orientation, size_t width, size_t height, size_t channels) {
  const ptrdiff_t pixel = (ptrdiff_t)channels;
  const bool transposed = orientation >= 5;
  const ptrdiff_t row = pixel * (ptrdiff_t)(transposed ? height : width);
  img_turn turn = {0, transposed ? row : pixel, transposed ? pixel : row, transposed};
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  if (from_right) {
    turn.start += turn.across * (ptrdiff_t)(width - 1);
    turn.across = -turn.across;
  }
  if (from_below) {
    turn.start += turn.down * (ptrdiff_t)(height - 1);
    turn.down = -turn.down;
  }
  return turn;
}

static inline void move_pixel(uint8_t *to, const uint8_t *from, uint32_t channels) {
  to[0] = from[0];
  if (channels == 3) {
    to[1] = from[1];
    to[2] = from[2];
  }
}

void img_place(const img_turn *turn, uint8_t *const *rows, uint32_t y, uint32_t count, uint32_t width,
               uint32_t channels, uint8_t *pixels) {
  uint8_t *first = pixels + turn->start + turn->down * (ptrdiff_t)y;
  if (turn->is_transposed) {
    // Pixels of one column become neighbours in a row, so the loop over rows is the inner one: its writes are adjacent.
    for (uint32_t x = 0; x < width; x++)
      for (uint32_t i = 0; i < count; i++)
        move_pixel(first + turn->across * (ptrdiff_t)x + turn->down * (ptrdiff_t)i, rows[i] + x * channels, channels);
  } else {
    for (uint32_t i = 0; i < count; i++)
      for (uint32_t x = 0; x < width; x++)
        move_pixel(first + turn->across * (ptrdiff_t)x + turn->down * (ptrdiff_t)i, rows[i] + x * channels, channels);
  }
}
