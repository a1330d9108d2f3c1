// Entropy decoding as in ITU T.81, annex F.2.2, one row of units at a time.
#include "baseline.h"
#include "baseline_entry.h"

#define INLINE static inline __attribute__((always_inline))

enum { least_bits = 32 };                    // a code and its value together have at most 31
static const uint32_t overrun = UINT32_MAX;  // in place of a magnitude: the block has too many coefficients

// Byte by byte: removes stuffed zeros, and adds zeros from a marker or the end of the data on.
static __attribute__((noinline)) void refill_slowly(baseline_bits *bits) {
  while (bits->count <= 56) {
    uint64_t byte = 0;
    if (bits->next < bits->end && *bits->next != 0xff) {
      byte = *bits->next++;
    } else if (bits->end - bits->next >= 2 && bits->next[1] == 0) {
      byte = 0xff;
      bits->next += 2;
    } else {
      bits->padding += 8;
    }
    bits->window |= byte << (56 - bits->count);
    bits->count += 8;
  }
}

// Makes sure that there are at least `least_bits` bits.
INLINE void refill(baseline_bits *bits) {
  if (__builtin_expect(bits->end - bits->next >= 8, 1)) {
    uint64_t eight;
    memcpy(&eight, bits->next, 8);
    eight = __builtin_bswap64(eight);
    const uint64_t ones = 0x0101010101010101u;
    const bool has_marker = ((~eight - ones) & eight & ones << 7) != 0;  // one of the bytes is 0xff
    if (__builtin_expect(!has_marker, 1)) {
      // All eight bytes are appended; bits of the last one may not fit, and the next refill appends that byte again.
      bits->window |= eight >> bits->count;
      bits->next += (63 - bits->count) >> 3;
      bits->count |= 56;
      return;
    }
  }
  baseline_bits copy = *bits;  // so that the original need not have an address
  refill_slowly(&copy);
  *bits = copy;
}

INLINE void drop(baseline_bits *bits, int count) {
  bits->window <<= count;
  bits->count -= count;
}

// The entry for a code longer than the table's index. Its kind is `entry_long` if there is no such code.
static __attribute__((noinline)) baseline_entry look_further(const baseline_table *table, uint64_t window, bool is_dc) {
  const uint32_t next = (uint32_t)(window >> 48);
  int length = baseline_look_bits + 1;
  while (next >= table->limit[length]) length++;
  if (length > 16) return entry_long << 6;
  const int32_t index = (int32_t)(next >> (16 - length)) + table->first[length];
  const int symbol = table->symbols[index & 255];
  const int size = symbol & 15, run = is_dc ? 0 : symbol >> 4;
  const uint32_t kind = size > 0 ? entry_size : run == 15 || is_dc ? entry_value : entry_end;
  return (baseline_entry)((uint32_t)size << 16 | (uint32_t)(run + 1) << 8 | kind << 6 | (uint32_t)length);
}

// Reads a value whose size the entry tells, and drops its code and its bits.
INLINE int32_t take_value(baseline_bits *bits, baseline_entry entry) {
  const int size = entry >> 16;
  drop(bits, entry & 63);
  const int32_t value = baseline_extended((uint32_t)(bits->window >> (64 - size)), size);
  drop(bits, size);
  return value;
}

INLINE bool decode_dc(baseline_bits *bits, const baseline_table *table, int32_t *dc) {
  if (bits->count < least_bits) refill(bits);
  baseline_entry entry = table->look[bits->window >> (64 - baseline_look_bits)];
  if (__builtin_expect((entry & 0xc0) != entry_value << 6, 0)) {
    if ((entry & 0xc0) == entry_long << 6) entry = look_further(table, bits->window, true);
    if ((entry & 0xc0) == entry_long << 6) return false;
  }
  if ((entry & 0xc0) == entry_size << 6) {
    *dc += take_value(bits, entry);
  } else {
    *dc += entry >> 16;
    drop(bits, entry & 63);
  }
  return (uint32_t)(*dc + 32768) < 65536;
}

typedef struct ac_result {
  int count;           // coefficients up to the last one, DC included; 0: libjpeg has to decode the file
  uint32_t magnitude;  // the OR of their magnitudes (less 1 for negative ones); with count 0, possibly `overrun`
} ac_result;

// The count is at most 79; there is room past 64, and such a block is rejected afterwards.
INLINE void store(const int32_t *quant, int16_t *block, ac_result *result, int32_t value) {
  const unsigned k = (unsigned)result->count - 1;
  value *= quant[k];
  result->magnitude |= (uint32_t)(value ^ value >> 31);
  block[baseline_zigzag.at[k]] = (int16_t)value;
}

// `is_kept`: the coefficients are dequantized and stored.
INLINE ac_result decode_ac(baseline_bits *bits, const baseline_component *component, int16_t *block, bool is_kept) {
  const baseline_entry *const look = component->ac->look;
  const int32_t *const quant = component->quant;
  ac_result result = {.count = 1};
  for (;;) {
    refill(bits);
    baseline_entry entry;
    // After two short codes there are still enough bits for a long one with its value.
    for (int i = 0; i < 3; i++) {
      entry = look[bits->window >> (64 - baseline_look_bits)];
      if (__builtin_expect((entry & 0xc0) != entry_value << 6, 0)) goto other;
      drop(bits, entry & 63);
      result.count += entry >> 8 & 0xff;
      if (is_kept) store(quant, block, &result, entry >> 16);
      if (__builtin_expect(result.count >= 64, 0)) goto full;
    }
    continue;
  other:
    if ((entry & 0xc0) == entry_long << 6) {
      entry = look_further(component->ac, bits->window, false);
      if ((entry & 0xc0) == entry_long << 6) break;
    }
    if ((entry & 0xc0) == entry_end << 6) {
      drop(bits, entry & 63);
      return result;
    }
    int32_t value = 0;
    if ((entry & 0xc0) == entry_size << 6) value = take_value(bits, entry);
    else drop(bits, entry & 63);
    result.count += entry >> 8 & 0xff;
    if (is_kept) store(quant, block, &result, value);
    if (result.count < 64) continue;
  full:
    if (result.count <= 64) return result;
    result.magnitude = overrun;
    break;
  }
  result.count = 0;
  return result;
}

// A block with only a DC coefficient: all samples are equal.
INLINE bool fill_block(uint8_t *out, size_t stride, int32_t dc) {
  const int32_t sample = (dc + 4) >> 3;
  if (sample < -512 || sample > 511) return false;
  const uint8_t clamped = (uint8_t)(sample < -128 ? 0 : sample > 127 ? 255 : sample + 128);
  const uint64_t eight = clamped * (uint64_t)0x0101010101010101u;
  for (size_t y = 0; y < 8; y++) memcpy(out + y * stride, &eight, 8);
  return true;
}

// `out`: where the block's samples go; NULL: the block is only parsed.
INLINE bool decode_block(baseline_bits *bits, const baseline_component *component, int32_t *dc,
                         baseline_picture *picture, uint8_t *out) {
  if (!decode_dc(bits, component->dc, dc)) return false;
  int16_t *block = picture->block;
  const ac_result ac = out == NULL ? decode_ac(bits, component, NULL, false) : decode_ac(bits, component, block, true);
  if (__builtin_expect(ac.count == 0, 0)) {
    picture->has_overrun = ac.magnitude == overrun;
    return false;
  }
  if (out == NULL) return true;
  const int32_t first = *dc * component->quant[0];
  if (ac.count == 1) return fill_block(out, component->stride, first);
  // libjpeg's scalar and vector code do not agree on numbers that do not fit in 16 bits.
  if ((ac.magnitude | (uint32_t)(first ^ first >> 31)) > img_most_coefficient) return false;
  block[0] = (int16_t)first;
  const bool is_sound = picture->kernels->idct_8x8(out, component->stride, block) != 0;
  memset(block, 0, sizeof picture->block);
  return is_sound;
}

// T.81, F.2.2.4 and E.2.4: the rest of the byte is skipped; then the restart marker with the next number must follow.
static bool take_restart(baseline_picture *picture, baseline_bits *bits) {
  if (bits->count < bits->padding || bits->count - bits->padding >= 8) return false;
  if (bits->end - bits->next < 2 || bits->next[0] != 0xff) return false;
  if (bits->next[1] != 0xd0 + picture->next_restart) return false;
  *bits = (baseline_bits){.next = bits->next + 2, .end = bits->end};
  picture->next_restart = (picture->next_restart + 1) & 7;
  return true;
}

INLINE bool decode_row(baseline_picture *picture, uint32_t row) {
  baseline_bits bits = picture->bits;
  const int component_count = picture->component_count;
  for (uint32_t unit = 0; unit < picture->units_across; unit++) {
    if (picture->restart_interval != 0) {
      if (picture->units_to_restart == 0) {
        if (!take_restart(picture, &bits)) return false;
        memset(picture->dc, 0, sizeof picture->dc);
        picture->units_to_restart = picture->restart_interval;
      }
      picture->units_to_restart--;
    }
    for (int i = 0; i < component_count; i++) {
      const baseline_component *component = &picture->components[i];
      int32_t dc = picture->dc[i];
      for (uint32_t down = 0; down < component->blocks_down; down++) {
        const uint32_t block_row = row * component->blocks_down + down;
        const bool has_row = block_row - component->first_row < component->row_count;
        for (uint32_t across = 0; across < component->blocks_across; across++) {
          const uint32_t column = unit * component->blocks_across + across;
          const bool is_kept = has_row && column - component->first_column < component->column_count;
          uint8_t *out = component->rows + (size_t)down * 8 * component->stride + (size_t)column * 8;
          const bool is_sound = is_kept ? decode_block(&bits, component, &dc, picture, out)
                                        : decode_block(&bits, component, &dc, picture, NULL);
          if (!is_sound) return false;
        }
      }
      picture->dc[i] = dc;
    }
  }
  picture->bits = bits;
  return bits.padding <= bits.count;  // no bit beyond the end of the data was used
}

static bool decode_row_anywhere(baseline_picture *picture, uint32_t row) { return decode_row(picture, row); }

#if defined(__x86_64__)
// The same code with BMI2's shifts, which need no fixed register; shifts are most of the critical path.
static __attribute__((target("bmi,bmi2"))) bool decode_row_bmi2(baseline_picture *picture, uint32_t row) {
  return decode_row(picture, row);
}
#endif

bool baseline_decode_row(baseline_picture *picture, uint32_t row) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) return decode_row_bmi2(picture, row);
#endif
  return decode_row_anywhere(picture, row);
}

bool baseline_has_end(const baseline_picture *picture) {
  const baseline_bits *bits = &picture->bits;
  if (bits->count < bits->padding || bits->count - bits->padding >= 8) return false;
  return bits->end - bits->next >= 2 && bits->next[0] == 0xff && bits->next[1] == 0xd9;
}

bool baseline_has_rest(const baseline_picture *picture) {
  const baseline_bits *bits = &picture->bits;
  for (int left = (bits->count - bits->padding) & ~7; left > 0; left -= 8) {
    const uint8_t byte = (uint8_t)(bits->window >> (64 - (bits->count - bits->padding) + left - 8));
    if (byte != 0x00 && byte != 0xff) return true;
  }
  for (const uint8_t *next = bits->next; next < bits->end; next++) {
    if (*next != 0xff && *next != 0) return true;
    if (*next == 0xff && bits->end - next >= 2 && next[1] != 0 && next[1] != 0xff) return false;
  }
  return false;
}
