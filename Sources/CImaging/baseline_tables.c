#include "baseline.h"
#include "baseline_entry.h"

// The zigzag order of T.81, figure A.6, in the coefficient layout of `idct_8x8`.
#define AT(row, column) (((row) & 3) * 16 + ((column) & 3) * 4 + ((column) >> 2) * 2 + ((row) >> 2))
const baseline_order baseline_zigzag = {{
    AT(0, 0), AT(0, 1), AT(1, 0), AT(2, 0), AT(1, 1), AT(0, 2), AT(0, 3), AT(1, 2), AT(2, 1), AT(3, 0), AT(4, 0),
    AT(3, 1), AT(2, 2), AT(1, 3), AT(0, 4), AT(0, 5), AT(1, 4), AT(2, 3), AT(3, 2), AT(4, 1), AT(5, 0), AT(6, 0),
    AT(5, 1), AT(4, 2), AT(3, 3), AT(2, 4), AT(1, 5), AT(0, 6), AT(0, 7), AT(1, 6), AT(2, 5), AT(3, 4), AT(4, 3),
    AT(5, 2), AT(6, 1), AT(7, 0), AT(7, 1), AT(6, 2), AT(5, 3), AT(4, 4), AT(3, 5), AT(2, 6), AT(1, 7), AT(2, 7),
    AT(3, 6), AT(4, 5), AT(5, 4), AT(6, 3), AT(7, 2), AT(7, 3), AT(6, 4), AT(5, 5), AT(4, 6), AT(3, 7), AT(4, 7),
    AT(5, 6), AT(6, 5), AT(7, 4), AT(7, 5), AT(6, 6), AT(5, 7), AT(6, 7), AT(7, 6), AT(7, 7),
}};

static baseline_entry make_entry(int32_t value, int kind, int advance, int length) {
  return (baseline_entry)((uint32_t)value << 16 | (uint32_t)advance << 8 | (uint32_t)kind << 6 | (uint32_t)length);
}

// The entry of a symbol whose code has `length` bits. `rest`: the bits after the code, left-aligned in 16 bits, of
// which `known` are known.
static baseline_entry entry_of(int symbol, int length, uint32_t rest, int known, bool is_dc) {
  const int size = is_dc ? symbol : symbol & 15, run = is_dc ? 0 : symbol >> 4;
  if (size == 0) {
    if (is_dc) return make_entry(0, entry_value, 1, length);
    // Only the longest run means zeros (ZRL). The others end the block, also those that T.81 does not define.
    return run == 15 ? make_entry(0, entry_value, 16, length) : make_entry(0, entry_end, 0, length);
  }
  if (size > known) return make_entry(size, entry_size, run + 1, length);
  return make_entry(baseline_extended(rest >> (16 - size), size), entry_value, run + 1, length + size);
}

bool baseline_make_table(baseline_table *table, const uint8_t *counts, const uint8_t *symbols, bool is_dc) {
  const int look = baseline_look_bits;
  for (int i = 0; i < 1 << look; i++) table->look[i] = make_entry(0, entry_long, 0, 0);
  memcpy(table->symbols, symbols, sizeof table->symbols);
  uint32_t code = 0;
  int32_t index = 0;
  for (int length = 1; length <= 16; length++) {
    code <<= 1;
    table->first[length] = index - (int32_t)code;
    for (int i = 0; i < counts[length]; i++, code++, index++) {
      if (index >= 256 || code >= 1u << length || (is_dc && symbols[index] > 15)) return false;
      if (length > look) continue;
      const int known = look - length;
      for (uint32_t rest = 0; rest < 1u << known; rest++)
        table->look[code << known | rest] = entry_of(symbols[index], length, rest << (16 - known), known, is_dc);
    }
    if (code >= 1u << length) return false;  // a code of all ones is not allowed
    table->limit[length] = code << (16 - length);
  }
  table->limit[17] = UINT32_MAX;
  return true;
}
