// The sums of backward.h's `net_outer` for one type of numbers. It is included once for each type, after NAME and the
// names behind it are defined as product_bodies.h wants them; `weights` are the words of 16 gradients.

#pragma clang assume_nonnull begin

#ifndef NET_WIDE
// Words of x that are in registers at once, each multiplied with NET_GROUP blocks of dy.
#if NET_POSITIONS == 14
#define NET_WIDE 8
#define NET_ODD 7
#else
#define NET_WIDE (NET_POSITIONS > 4 ? 4 : 2)
#define NET_ODD 1
#endif

// Words of a number that are summed at once: one block of inputs and NET_GROUP blocks of gradients of them (24 KiB for
// two blocks) stay in the first-level cache for all the numbers of x.
#define NET_NEAR 128
#endif

// Some rows and columns, which begin at `x` and `dy`.
typedef struct NAME(piece) {
  const NAME(word) * x, *dy;
  size_t rows, columns;
  int begins;
} NAME(piece);

INLINE void NAME(outer_tile)(const net_outer *o, const NAME(piece) * p, size_t block, int group, size_t from,
                             int width) {
  lanes sums[NET_GROUP][NET_WIDE];
  float *out = o->sums + (ptrdiff_t)block * o->sums_block + from * net_lanes;
#define EACH UNROLLED for (int g = 0; g < group; g++) UNROLLED for (int j = 0; j < width; j++)
  EACH sums[g][j] = p->begins ? all(0) : load(out + g * o->sums_block + j * net_lanes);
  for (size_t r = 0; r < p->rows; r++) {
    const NAME(word) *x = p->x + (ptrdiff_t)r * o->x_row + from;
    const NAME(word) *dy = p->dy + (ptrdiff_t)block * o->dy_block + (ptrdiff_t)r * o->dy_row;
    _Pragma("clang loop unroll_count(2)") for (size_t c = 0; c < p->columns; c++) {
      NAME(weights) gradients[NET_GROUP];
      UNROLLED for (int g = 0; g < group; g++) gradients[g] = NAME(load_words)(dy + g * o->dy_block);
      UNROLLED for (int j = 0; j < width; j++) UNROLLED for (int g = 0; g < group; g++) sums[g][j] =
          NAME(sum)(x[j], gradients[g], sums[g][j]);
      x += o->x_step;
      dy += net_lanes;
    }
  }
  EACH store(out + g * o->sums_block + j * net_lanes, sums[g][j]);
#undef EACH
}

#define OUTER(name, group, width)                                                                                      \
  FAST NAME(name)(const net_outer *o, const NAME(piece) * p, size_t block, size_t from) {                              \
    NAME(outer_tile)(o, p, block, group, from, width);                                                                 \
  }
OUTER(outer_one_wide, 1, NET_WIDE)
OUTER(outer_one_odd, 1, NET_ODD)
OUTER(outer_one_single, 1, 1)
#if NET_GROUP == 2
OUTER(outer_two_wide, 2, NET_WIDE)
OUTER(outer_two_odd, 2, NET_ODD)
OUTER(outer_two_single, 2, 1)
#endif

FAST NAME(outer_piece)(const net_outer *o, const NAME(piece) * p) {
  for (size_t block = 0; block < o->blocks; block += NET_GROUP) {
    const int pair = NET_GROUP == 2 && o->blocks - block >= 2;
    size_t from = 0;
    // What 8 does not divide, 7 may: the 21 numbers of a row of 7 RGB pixels.
    const int odd = o->run % NET_WIDE != 0 && o->run % NET_ODD == 0;
    while (from < o->run) {
      size_t left = o->run - from;
      size_t width = odd ? NET_ODD : left >= NET_WIDE ? NET_WIDE : 1;
#if NET_GROUP == 2
      if (pair) {
        (width == NET_WIDE  ? NAME(outer_two_wide)
         : width == NET_ODD ? NAME(outer_two_odd)
                            : NAME(outer_two_single))(o, p, block, from);
        from += width;
        continue;
      }
#else
      (void)pair;
#endif
      (width == NET_WIDE  ? NAME(outer_one_wide)
       : width == NET_ODD ? NAME(outer_one_odd)
                          : NAME(outer_one_single))(o, p, block, from);
      from += width;
    }
  }
}

FAST NAME(outer)(const net_outer *given) {
  net_outer flat = *given;
  net_outer *o = &flat;
  // Rows that follow each other without a gap are one row, and images of one row are rows.
  if (o->x_row == (ptrdiff_t)o->columns * o->x_step && o->dy_row == (ptrdiff_t)(o->columns * net_lanes)) {
    o->columns *= o->rows;
    o->rows = 1;
  }
  if (o->rows == 1) {
    o->rows = o->images;
    o->x_row = o->x_image;
    o->dy_row = o->dy_image;
    o->images = 1;
  }
  const size_t rows = o->columns < NET_NEAR ? NET_NEAR / o->columns : 1;
  int begins = o->begins;
  for (size_t i = 0; i < o->images; i++)
    for (size_t r = 0; r < o->rows; r += rows)
      for (size_t c = 0; c < o->columns; c += NET_NEAR) {
        NAME(piece)
        p = {.x = (const NAME(word) *)o->x + (ptrdiff_t)i * o->x_image + (ptrdiff_t)r * o->x_row +
                  (ptrdiff_t)c * o->x_step,
             .dy = (const NAME(word) *)o->dy + (ptrdiff_t)i * o->dy_image + (ptrdiff_t)r * o->dy_row +
                   (ptrdiff_t)(c * net_lanes),
             .rows = o->rows - r < rows ? o->rows - r : rows,
             .columns = o->columns - c < NET_NEAR ? o->columns - c : NET_NEAR,
             .begins = begins};
        NAME(outer_piece)(o, &p);
        begins = 0;
      }
}

#undef OUTER
#undef NAME

#pragma clang assume_nonnull end
