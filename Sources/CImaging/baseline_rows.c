// From the samples of components to rows of pixels, one row of units after the other. Only these rows are held in
// memory.
#include "baseline.h"

static uint8_t *row_of(const baseline_component *component, ptrdiff_t row) {
  return component->rows + row * (ptrdiff_t)component->stride;
}

static void copy_row(const baseline_component *component, ptrdiff_t from, ptrdiff_t to) {
  // Including the neighbours on both sides.
  memcpy(row_of(component, to) - 1, row_of(component, from) - 1, (size_t)component->width + 2);
}

// Repeats the samples at the picture's edges once, which is how libjpeg interpolates there.
static void extend_chroma(baseline_picture *picture, uint32_t unit_row) {
  for (int i = 1; i < picture->component_count; i++) {
    const baseline_component *component = &picture->components[i];
    for (ptrdiff_t y = 0; y < 8; y++) {
      uint8_t *row = row_of(component, y);
      row[-1] = row[0];
      row[component->width] = row[component->width - 1];
    }
    if (unit_row == 0) copy_row(component, 0, -1);
    const uint32_t height = component->height - unit_row * 8;
    if (height <= 8) copy_row(component, (ptrdiff_t)height - 1, (ptrdiff_t)height);
  }
}

// A row of one chroma component at full width, from its first sample in the window on. `y` counts from the first row
// of the unit and is at least -1.
static const uint8_t *chroma_row(const baseline_picture *picture, int index, ptrdiff_t y) {
  const baseline_component *component = &picture->components[index];
  const uint32_t x = picture->window.x, width = picture->window.width;
  uint8_t *out = picture->chroma[index - 1];
  if (!picture->halves_down && !picture->halves_across) return row_of(component, y) + x;
  // Rows lie alternately a quarter above and a quarter below the middle of a chroma row.
  const bool is_lower = y & 1;
  const ptrdiff_t place = (y + 2) / 2 - 1;
  const uint8_t *near = row_of(component, picture->halves_down ? place : y);
  const uint8_t *far = row_of(component, is_lower ? place + 1 : place - 1);
  if (!picture->halves_across) {
    picture->kernels->between(out, near + x, far + x, is_lower ? 2 : 1, width);
    return out;
  }
  const uint32_t first = x / 2, count = (x + width - 1) / 2 - first + 1;
  if (picture->halves_down) picture->kernels->widen_between(out, near + first, far + first, count);
  else picture->kernels->widen(out, near + first, count);
  return out + x % 2;
}

static void make_row(const baseline_picture *picture, ptrdiff_t y, uint8_t *out) {
  const uint8_t *luma = row_of(&picture->components[0], y) + picture->window.x;
  const uint32_t width = picture->window.width;
  if (!picture->has_colour) {
    memcpy(out, luma, width);
  } else if (picture->component_count == 1) {
    picture->kernels->grey_to_rgb(out, luma, width);
  } else {
    const uint8_t *blue = chroma_row(picture, 1, y), *red = chroma_row(picture, 2, y);
    picture->kernels->ycc_to_rgb(out, luma, blue, red, width);
  }
}

// Row `y` of the window.
static void put_row(const baseline_picture *picture, baseline_sink *sink, uint32_t y, ptrdiff_t row_in_unit) {
  if (sink->turn == NULL) {
    make_row(picture, row_in_unit, sink->pixels + y * sink->row_bytes);
    return;
  }
  uint8_t *rows[sink_most_rows];
  const uint32_t place = y % sink_most_rows;
  make_row(picture, row_in_unit, sink->strip + place * sink->row_bytes);
  if (place + 1 < sink_most_rows && y + 1 < picture->window.height) return;
  for (uint32_t i = 0; i <= place; i++) rows[i] = sink->strip + i * sink->row_bytes;
  img_place(sink->turn, rows, y - place, place + 1, picture->window.width, picture->has_colour ? 3 : 1, sink->pixels);
}

bool baseline_decode(baseline_picture *picture, baseline_sink *sink) {
  const img_window *window = &picture->window;
  const uint32_t end = window->y + window->height;
  uint32_t y = window->y;
  for (uint32_t unit_row = 0; unit_row < picture->units_down; unit_row++) {
    if (!baseline_decode_row(picture, unit_row) || img_is_late(picture->deadline)) return false;
    if (picture->is_read_only) continue;
    const uint32_t top = unit_row * picture->unit_height, bottom = top + picture->unit_height;
    // The last row of the unit above is kept. With vertically subsampled chroma, a unit's last row of pixels has to
    // wait for the next unit.
    if (y == end || bottom < window->y) continue;
    if (picture->halves_across || picture->halves_down) extend_chroma(picture, unit_row);
    const bool is_last = unit_row + 1 == picture->units_down;
    uint32_t ready = picture->halves_down && !is_last ? bottom - 1 : bottom;
    if (ready > end) ready = end;
    for (; y < ready; y++) put_row(picture, sink, y - window->y, (ptrdiff_t)y - (ptrdiff_t)top);
    if (picture->halves_down)
      for (int i = 0; i < picture->component_count; i++)
        copy_row(&picture->components[i], (ptrdiff_t)picture->components[i].blocks_down * 8 - 1, -1);
  }
  picture->has_all_units = true;
  return baseline_has_end(picture);
}
