// A decoder for the JPEG files that most photographs are: 8 bits, Huffman codes, one scan of grey or of YCbCr with
// chroma whole, halved across, down or both. What it makes is bit for bit what libjpeg makes. It has no errors:
// whatever is unusual or wrong it leaves to libjpeg, which then does the whole picture and says what there is to say.
//
// Sources: ITU T.81 for the format (annexes C and F), JFIF for colour; libjpeg's documentation and behaviour for the
// arithmetic that T.81 leaves open, see the kernels.
#pragma once
#include "internal.h"
#include "kernels.h"

enum {
  baseline_components = 3,
  baseline_look_bits = 10,  // 4 kB a table: two for AC and two for DC are at home in 32 kB of cache
  baseline_most_index = 63 + 16,
};

// What the next `baseline_look_bits` of the data mean, in one number: see `entry_of` in baseline_tables.c.
typedef int32_t baseline_entry;

typedef struct baseline_table {
  baseline_entry look[1 << baseline_look_bits];
  uint32_t limit[18];   // of the 16 next bits: codes of i bits are below limit[i]; [17] stops every search
  int32_t first[17];    // symbols[(code >> (16 - i)) + first[i]]
  uint8_t symbols[256];
} baseline_table;

// Bits in waiting: the `count` upper ones of `window`. Behind them lie only bits of the byte at `next`, or zeros.
typedef struct baseline_bits {
  uint64_t window;
  const uint8_t *next, *end;
  int count;
  int padding;  // zeros at the end of those `count` that the data do not have
} baseline_bits;

typedef struct baseline_component {
  const baseline_table *dc, *ac;
  int32_t quant[baseline_most_index + 1];  // in zigzag order; zeros after the 64th
  uint32_t blocks_across, blocks_down;     // in a unit (MCU)
  uint32_t width, height;                  // samples that mean something
  // The blocks and rows of blocks that are transformed.
  uint32_t first_column, column_count, first_row, row_count;
  // Rows of samples of one row of units, and one row above and below; `rows` is the first of the unit's.
  uint8_t *rows;
  size_t stride;
} baseline_component;

typedef struct baseline_picture {
  baseline_component components[baseline_components];
  int component_count;               // in the file: 1 or 3
  bool has_colour;                   // in the pixels
  uint32_t units_across, units_down, unit_height;
  bool halves_across, halves_down;   // chroma
  uint32_t restart_interval;         // in units; 0: none
  img_window window;
  const img_kernels *kernels;
  int64_t deadline;                  // as of a request
  bool is_read_only;                 // no pixels are made
  bool has_all_units;                // every unit has been decoded
  bool has_overrun;                  // a block has more than 64 coefficients

  baseline_bits bits;
  int32_t dc[baseline_components];   // the last of each component, not dequantised
  uint32_t units_to_restart;
  int next_restart;                  // 0...7
  int16_t block[64];                 // zeros between two blocks
  uint8_t *chroma[2];                // room for one row of the window, widened
  baseline_table tables[2 * baseline_components];
} baseline_picture;

enum { sink_most_rows = 16 };

// Where finished rows go. Turned pictures come a strip at a time.
typedef struct baseline_sink {
  uint8_t *pixels;
  size_t row_bytes;
  const img_turn *turn;  // NULL: upright, `pixels` holds the window
  uint8_t *strip;        // room for `sink_most_rows`
} baseline_sink;

// Where zigzag order has its k-th coefficient; past the 64th, somewhere.
typedef struct baseline_order {
  uint8_t at[baseline_most_index + 1];
} baseline_order;
extern const baseline_order baseline_zigzag;

// `counts[i]`: codes of i bits, 1...16; false: these are no codes. `is_dc`: symbols are sizes, 15 at most.
bool baseline_make_table(baseline_table *table, const uint8_t *counts, const uint8_t *symbols, bool is_dc);

// Decodes one row of units; blocks to transform go to the components' rows. False: leave it to libjpeg.
bool baseline_decode_row(baseline_picture *picture, uint32_t row);
// Whether the data end as they ought to: no byte is left over, and the end marker comes next.
bool baseline_has_end(const baseline_picture *picture);
// Whether bytes that are no padding lie between the last unit and the next marker.
bool baseline_has_rest(const baseline_picture *picture);

// All rows of the window into the sink. False: leave it to libjpeg, what the sink got means nothing.
bool baseline_decode(baseline_picture *picture, baseline_sink *sink);
