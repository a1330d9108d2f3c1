// The fields of an entry of a Huffman table, from the lowest bit: 6 bits for its length in bits, value included where
// that is known; 2 bits for its kind; 8 bits for its advance in zigzag order; 16 bits for the coefficient or its
// size.
#pragma once
#include "baseline.h"

enum {
  entry_value = 0,  // a coefficient (0 after a run of zeros)
  entry_size = 1,   // the coefficient's bits follow
  entry_end = 2,    // the block has no more
  entry_long = 3,   // the code is longer than the table's index, or is invalid
};

// T.81, figure F.12: the coefficient of `size` bits, 1...15.
static inline int32_t baseline_extended(uint32_t bits, int size) {
  const int32_t is_negative = (int32_t)(bits >> (size - 1)) - 1;  // all ones or none
  return (int32_t)bits + (is_negative & (1 - (1 << size)));
}
