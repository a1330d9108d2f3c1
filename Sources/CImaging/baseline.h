// A decoder for the most common kind of JPEG: 8 bits, Huffman codes, one scan of grey or of YCbCr with 4:4:4, 4:2:2,
// 4:4:0 or 4:2:0 chroma. Its pixels equal libjpeg's bit for bit. It reports no errors: whatever is unusual or wrong
// is left to libjpeg, which then decodes the whole picture and reports what there is to report.
//
// Sources: ITU T.81 for the format (annexes C and F), JFIF for colour; libjpeg's documentation and behaviour for the
// arithmetic that T.81 leaves open, see the kernels.
#pragma once
#include "internal.h"
#include "kernels.h"

enum {
  baseline_components = 3,
  baseline_look_bits = 10,  // 4 kB per table: two for AC and two for DC fit in a cache of 32 kB
  baseline_most_index = 63 + 16,
};

// The meaning of the next `baseline_look_bits` bits of the data, packed into one number: see baseline_entry.h.
typedef int32_t baseline_entry;

typedef struct baseline_table {
  baseline_entry look[1 << baseline_look_bits];
  uint32_t limit[18];  // a code has at most i bits if the next 16 bits are below limit[i]; [17] ends every search
  int32_t first[17];   // symbols[(code >> (16 - i)) + first[i]]
  uint8_t symbols[256];
} baseline_table;

// The bit buffer: the `count` upper bits of `window` are valid. The bits after them belong to the byte at `next`, or
// are 0.
typedef struct baseline_bits {
  uint64_t window;
  const uint8_t *next, *end;
  int count;
  int padding;  // how many of the last `count` bits are zeros that were added after the end of the data
} baseline_bits;

typedef struct baseline_component {
  const baseline_table *dc, *ac;
  int32_t quant[baseline_most_index + 1];  // in zigzag order; zeros after the 64th
  uint32_t blocks_across, blocks_down;     // in a unit (MCU)
  uint32_t width, height;                  // in samples, without those that only fill the last blocks
  // The columns and rows of blocks that are transformed; the others are only parsed.
  uint32_t first_column, column_count, first_row, row_count;
  // The samples of one row of units, with one more row above and below; `rows` points at the first row of the units.
  uint8_t *rows;
  size_t stride;
} baseline_component;

typedef struct baseline_picture {
  baseline_component components[baseline_components];
  int component_count;  // in the file: 1 or 3
  bool has_colour;      // of the pixels that are made
  uint32_t units_across, units_down, unit_height;
  bool halves_across, halves_down;  // chroma
  uint32_t restart_interval;        // in units; 0: none
  img_window window;
  const img_kernels *kernels;
  int64_t deadline;    // as in img_request
  bool is_read_only;   // the file is checked, but no pixels are made
  bool has_all_units;  // every unit has been decoded
  bool has_overrun;    // a block has more than 64 coefficients

  baseline_bits bits;
  int32_t dc[baseline_components];  // the last DC coefficient of each component, not dequantized
  uint32_t units_to_restart;
  int next_restart;    // 0...7
  int16_t block[64];   // all zero between two blocks
  uint8_t *chroma[2];  // one row of the window, upsampled to full width
  baseline_table tables[2 * baseline_components];
} baseline_picture;

enum { sink_most_rows = 16 };

// Where finished rows go. Rotated pictures are written a strip at a time.
typedef struct baseline_sink {
  uint8_t *pixels;
  size_t row_bytes;
  const img_turn *turn;  // NULL: upright, `pixels` holds the window
  uint8_t *strip;        // room for `sink_most_rows`
} baseline_sink;

// The position of the k-th coefficient in zigzag order; past the 64th, any valid position.
typedef struct baseline_order {
  uint8_t at[baseline_most_index + 1];
} baseline_order;
extern const baseline_order baseline_zigzag;

// Builds a table. `counts[i]` is the number of codes of i bits, 1...16. `is_dc`: symbols are sizes, at most 15.
// False: this is not a valid set of codes.
bool baseline_make_table(baseline_table *table, const uint8_t *counts, const uint8_t *symbols, bool is_dc);

// Decodes one row of units into the rows of the components. False: libjpeg has to decode the file.
bool baseline_decode_row(baseline_picture *picture, uint32_t row);
// Whether the data end as they should: no byte is left over, and the end marker comes next.
bool baseline_has_end(const baseline_picture *picture);
// Whether there are bytes other than padding between the last unit and the next marker.
bool baseline_has_rest(const baseline_picture *picture);

// Decodes all rows of the window into the sink. False: libjpeg has to decode the file, and the sink's contents are
// undefined.
bool baseline_decode(baseline_picture *picture, baseline_sink *sink);
