#include <stdlib.h>

#include "baseline.h"
#include "baseline_read.h"

enum { margin = 32 };  // bytes on both sides of a row, for the neighbours of its first and last sample

// Whether the file is of the kind that is decoded here; libjpeg decodes all others.
static bool is_ours(const struct jpeg_decompress_struct *codec) {
  if (codec->progressive_mode || codec->arith_code || codec->data_precision != 8) return false;
  if (codec->Ss != 0 || codec->Se != DCTSIZE2 - 1 || codec->Ah != 0 || codec->Al != 0) return false;
  if (codec->comps_in_scan != codec->num_components) return false;
  if (codec->num_components == 1) return codec->jpeg_color_space == JCS_GRAYSCALE;
  if (codec->num_components != 3 || codec->jpeg_color_space != JCS_YCbCr) return false;
  const jpeg_component_info *all = codec->comp_info;
  for (int i = 0; i < 3; i++)
    if (codec->cur_comp_info[i] != &all[i] || (i > 0 && (all[i].h_samp_factor != 1 || all[i].v_samp_factor != 1)))
      return false;
  // libjpeg does not interpolate rows of one or two chroma samples.
  return all[0].h_samp_factor <= 2 && all[0].v_samp_factor <= 2 &&
         (all[0].h_samp_factor == 1 || codec->image_width > 4);
}

static bool find_tables(baseline_picture *picture, const struct jpeg_decompress_struct *codec, int index) {
  const jpeg_component_info *info = &codec->comp_info[index];
  baseline_component *component = &picture->components[index];
  const int dc = info->dc_tbl_no, ac = info->ac_tbl_no, quant = info->quant_tbl_no;
  if (dc < 0 || dc >= NUM_HUFF_TBLS || ac < 0 || ac >= NUM_HUFF_TBLS) return false;
  if (quant < 0 || quant >= NUM_QUANT_TBLS) return false;
  const JHUFF_TBL *dc_codes = codec->dc_huff_tbl_ptrs[dc], *ac_codes = codec->ac_huff_tbl_ptrs[ac];
  const JQUANT_TBL *factors = codec->quant_tbl_ptrs[quant];
  if (dc_codes == NULL || ac_codes == NULL || factors == NULL) return false;
  int32_t by_place[64];  // libjpeg stores them row by row
  for (size_t i = 0; i < 64; i++) by_place[img_coefficient_at(i / 8, i % 8)] = factors->quantval[i];
  for (int k = 0; k < 64; k++) component->quant[k] = by_place[baseline_zigzag.at[k]];
  // Components usually share their tables.
  for (int i = 0; i < index; i++) {
    if (codec->comp_info[i].dc_tbl_no == dc) component->dc = picture->components[i].dc;
    if (codec->comp_info[i].ac_tbl_no == ac) component->ac = picture->components[i].ac;
  }
  baseline_table *free_table = &picture->tables[2 * index];
  if (component->dc == NULL) {
    if (!baseline_make_table(free_table, dc_codes->bits, dc_codes->huffval, true)) return false;
    component->dc = free_table++;
  }
  if (component->ac == NULL) {
    if (!baseline_make_table(free_table, ac_codes->bits, ac_codes->huffval, false)) return false;
    component->ac = free_table;
  }
  return true;
}

// The blocks of a component that contain the samples `first`...`last` in one direction.
static void span_blocks(uint32_t first, uint32_t last, uint32_t *first_block, uint32_t *count) {
  *first_block = first / 8;
  *count = last / 8 - *first_block + 1;
}

static void lay_out(baseline_picture *picture, const struct jpeg_decompress_struct *codec, int index) {
  baseline_component *component = &picture->components[index];
  const img_window *window = &picture->window;
  const bool is_chroma = index > 0;
  const uint32_t across = is_chroma && picture->halves_across ? 2 : 1, down = is_chroma && picture->halves_down ? 2 : 1;
  component->blocks_across = !is_chroma && picture->halves_across ? 2 : 1;
  component->blocks_down = !is_chroma && picture->halves_down ? 2 : 1;
  component->width = (codec->image_width + across - 1) / across;
  component->height = (codec->image_height + down - 1) / down;
  if (picture->is_read_only || (is_chroma && !picture->has_colour)) return;
  uint32_t left = window->x / across, right = (window->x + window->width - 1) / across;
  uint32_t top = window->y / down, bottom = (window->y + window->height - 1) / down;
  // Interpolation needs one more sample on each side.
  if (across == 2 && left > 0) left--;
  if (across == 2 && right + 1 < component->width) right++;
  if (down == 2 && top > 0) top--;
  if (down == 2 && bottom + 1 < component->height) bottom++;
  span_blocks(left, right, &component->first_column, &component->column_count);
  span_blocks(top, bottom, &component->first_row, &component->row_count);
}

// One allocation for the rows of all components and the upsampled chroma.
static uint8_t *take_room(baseline_picture *picture) {
  size_t sizes[baseline_components], all = 0;
  for (int i = 0; i < picture->component_count; i++) {
    baseline_component *component = &picture->components[i];
    component->stride = (size_t)picture->units_across * component->blocks_across * 8 + 2 * margin;
    sizes[i] = component->stride * (component->blocks_down * 8 + 2);
    all += sizes[i];
  }
  const size_t widened = (size_t)picture->window.width + margin;
  uint8_t *room = calloc(all + 2 * widened, 1);
  if (room == NULL) return NULL;
  uint8_t *next = room;
  for (int i = 0; i < picture->component_count; i++) {
    picture->components[i].rows = next + picture->components[i].stride + margin;
    next += sizes[i];
  }
  picture->chroma[0] = next;
  picture->chroma[1] = next + widened;
  return room;
}

static bool prepare(baseline_picture *picture, const struct jpeg_decompress_struct *codec, const uint8_t *end) {
  picture->component_count = codec->num_components;
  // A single component's unit is one block, whatever its sampling factors say.
  picture->halves_across = codec->num_components == 3 && codec->comp_info[0].h_samp_factor == 2;
  picture->halves_down = codec->num_components == 3 && codec->comp_info[0].v_samp_factor == 2;
  const uint32_t unit_width = picture->halves_across ? 16 : 8;
  picture->unit_height = picture->halves_down ? 16 : 8;
  picture->units_across = (codec->image_width + unit_width - 1) / unit_width;
  picture->units_down = (codec->image_height + picture->unit_height - 1) / picture->unit_height;
  picture->restart_interval = picture->units_to_restart = codec->restart_interval;
  picture->bits.next = codec->src->next_input_byte;
  picture->bits.end = end;
  for (int i = 0; i < picture->component_count; i++) {
    if (!find_tables(picture, codec, i)) return false;
    lay_out(picture, codec, i);
  }
  return true;
}

static bool run(baseline_picture *picture, const struct jpeg_decompress_struct *codec, const img_request *request,
                uint8_t *pixels) {
  const uint32_t channels = request->channels;
  const img_turn turn = img_turn_for(request->orientation, codec->image_width, codec->image_height, channels);
  baseline_sink sink = {.pixels = pixels, .row_bytes = (size_t)picture->window.width * channels};
  if (request->orientation != 1 && !picture->is_read_only) {
    sink.turn = &turn;
    sink.strip = malloc(sink.row_bytes * sink_most_rows);
    if (sink.strip == NULL) return false;
  }
  uint8_t *room = take_room(picture);
  const bool is_done = room != NULL && baseline_decode(picture, &sink);
  free(room);
  free(sink.strip);
  return is_done;
}

bool baseline_read(const struct jpeg_decompress_struct *codec, const uint8_t *end, const img_window *window,
                   const img_request *request, uint8_t *pixels, const char **sign) {
  *sign = NULL;
  if (!is_ours(codec)) return false;
  baseline_picture *picture = calloc(1, sizeof *picture);
  if (picture == NULL) return false;
  picture->window = *window;
  picture->has_colour = request->channels == 3;
  picture->kernels = request->kernels;
  picture->deadline = request->deadline;
  picture->is_read_only = pixels == NULL;
  const bool is_done = prepare(picture, codec, end) && run(picture, codec, request, pixels);
  if (picture->has_overrun) *sign = "a block has more than 64 coefficients";
  if (picture->has_all_units && baseline_has_rest(picture)) *sign = "data are left over after the picture";
  const bool is_known = is_done || picture->has_overrun || picture->has_all_units;
  free(picture);
  // If decoding stopped at a number that is too large, signs of damage may follow: parse the file without making
  // pixels.
  if (!is_known && pixels != NULL) baseline_read(codec, end, window, request, NULL, sign);
  return is_done;
}
