#include <setjmp.h>
#include <stdlib.h>

#include "internal.h"
#include "jpeg_headers.h"
#include "baseline_read.h"

enum {
  strip_rows = 16,   // rows decoded at a time on the way to a turned or CMYK picture
  most_scans = 500,  // an ordinary progressive file has about ten
  fair_scans = 32,   // allowed whatever the size
};
// Blocks visited over all scans, which is what a small file of many empty scans costs.
static const uint64_t most_scan_blocks = 1ull << 26;

typedef struct jpeg_reader {
  img_reader base;
  struct jpeg_decompress_struct codec;
  struct jpeg_error_mgr messages;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  const uint8_t *file;
  size_t count;
  size_t exif_offset, exif_count;
  uint64_t block_count;      // of all components
  img_error *error;          // of the call under way
  uint8_t components_seen;   // bit i: component i has had a scan
  bool has_exif, past_end, keep_damaged;
  bool is_after_picture;     // every pixel has been read; only the end marker is looked for
  bool is_whole;             // then: nothing that was announced is missing
} jpeg_reader;

static jpeg_reader *reader_of(j_common_ptr codec) { return (jpeg_reader *)codec->client_data; }

static size_t offset_of(const jpeg_reader *reader) {
  return reader->past_end ? reader->count : (size_t)(reader->source.next_input_byte - reader->file);
}

_Noreturn static void leave(jpeg_reader *reader, img_code code, const char *words) {
  img_fail(reader->error, code, offset_of(reader), words);
  longjmp(reader->escape, 1);
}

// ---- what libjpeg says

static const char *frame_kind(int marker) {
  switch (marker) {
    case 0xc3: case 0xcb: return "a lossless JPEG";
    case 0xc5: case 0xc6: case 0xc7: case 0xcd: case 0xce: case 0xcf: return "a hierarchical JPEG";
    default: return "a JPEG of an unknown kind";
  }
}

static void on_error(j_common_ptr codec) {
  jpeg_reader *reader = reader_of(codec);
  const struct jpeg_error_mgr *m = codec->err;
  char words[JMSG_LENGTH_MAX];
  m->format_message(codec, words);
  switch (m->msg_code) {
    case JERR_OUT_OF_MEMORY: leave(reader, img_no_memory, words);
    case JERR_SOF_UNSUPPORTED: leave(reader, img_unsupported, frame_kind(m->msg_parm.i[0]));
    case JERR_BAD_PRECISION:
      snprintf(words, sizeof words, "a %d-bit JPEG", m->msg_parm.i[0]);
      leave(reader, img_unsupported, words);
    case JERR_ARITH_NOTIMPL: leave(reader, img_unsupported, "an arithmetic-coded JPEG");
    case JERR_IMAGE_TOO_BIG: leave(reader, img_too_wide, words);
    case JERR_UNKNOWN_MARKER:
      if (m->msg_parm.i[0] == 0xf7) leave(reader, img_unsupported, "a JPEG-LS image");
      break;
    default: break;
  }
  leave(reader, reader->past_end ? img_truncated : img_damaged, words);
}

// Warnings that leave every pixel right are no reason to refuse a picture; all others are.
static bool is_harmless(const jpeg_reader *reader) {
  const struct jpeg_error_mgr *m = &reader->messages;
  switch (m->msg_code) {
    case JWRN_ADOBE_XFORM: case JWRN_JFIF_MAJOR: case JWRN_NOT_SEQUENTIAL: case JWRN_BOGUS_ICC:
      return true;
    case JWRN_EXTRANEOUS_DATA:
      // Before the first scan and after the last cameras leave rubbish. Before a restart marker or
      // between scans the bytes are data that the decoder lost its place in.
      return m->msg_parm.i[1] == JPEG_EOI || reader->codec.input_scan_number == 0 || reader->is_after_picture;
    default: return false;
  }
}

static void on_message(j_common_ptr codec, int level) {
  jpeg_reader *reader = reader_of(codec);
  if (level >= 0 || reader->keep_damaged || is_harmless(reader)) return;
  char words[JMSG_LENGTH_MAX];
  codec->err->format_message(codec, words);
  leave(reader, reader->past_end ? img_truncated : img_damaged, words);
}

static void on_output(j_common_ptr codec) { (void)codec; }

static void on_progress(j_common_ptr common) {
  jpeg_reader *reader = reader_of(common);
  const struct jpeg_decompress_struct *codec = &reader->codec;
  for (int i = 0; i < codec->comps_in_scan; i++)
    reader->components_seen |= (uint8_t)(1u << codec->cur_comp_info[i]->component_index);
  const uint64_t scans = (uint64_t)codec->input_scan_number;
  if (scans > most_scans || (scans > fair_scans && scans * reader->block_count > most_scan_blocks))
    leave(reader, img_damaged, "there are more scans than any real picture has");
}

// ---- bytes from memory

static void nothing_to_do(j_decompress_ptr codec) { (void)codec; }

// As libjpeg's own file source: past the end there is an end marker, again and again.
static boolean fill(j_decompress_ptr codec) {
  static const JOCTET end_marker[2] = {0xff, JPEG_EOI};
  reader_of((j_common_ptr)codec)->past_end = true;
  codec->src->next_input_byte = end_marker;
  codec->src->bytes_in_buffer = sizeof end_marker;
  return TRUE;
}

static void skip(j_decompress_ptr codec, long count) {
  if (count <= 0) return;
  size_t left = (size_t)count;
  while (left > codec->src->bytes_in_buffer) {
    left -= codec->src->bytes_in_buffer;
    fill(codec);
  }
  codec->src->next_input_byte += left;
  codec->src->bytes_in_buffer -= left;
}

// Notes where the first APP1 segment is, instead of copying it, and goes past it.
static boolean on_app1(j_decompress_ptr codec) {
  jpeg_reader *reader = reader_of((j_common_ptr)codec);
  long length = 0;
  for (int i = 0; i < 2; i++) {
    if (codec->src->bytes_in_buffer == 0) fill(codec);
    length = length << 8 | *codec->src->next_input_byte++;
    codec->src->bytes_in_buffer--;
  }
  length -= 2;  // the length counts itself
  if (length >= 0 && !reader->has_exif && !reader->past_end) {
    size_t left = codec->src->bytes_in_buffer;
    reader->has_exif = true;
    reader->exif_offset = offset_of(reader);
    reader->exif_count = (size_t)length < left ? (size_t)length : left;
  }
  skip(codec, length);
  return TRUE;
}

// ---- open and close

static void close_reader(img_reader *base) {
  jpeg_reader *reader = (jpeg_reader *)base;
  jpeg_destroy_decompress(&reader->codec);  // allowed after any error; it raises none
  free(reader);
}

static void describe(jpeg_reader *reader, img_header *header) {
  const struct jpeg_decompress_struct *codec = &reader->codec;
  header->width = codec->image_width;
  header->height = codec->image_height;
  header->components = (uint32_t)codec->num_components;
  header->bit_depth = (uint32_t)codec->data_precision;
  header->is_progressive = codec->progressive_mode;
  const size_t name = 6;  // "Exif", 0, 0: OpenCV does not look at it
  if (reader->exif_count > name) {
    header->exif_offset = reader->exif_offset + name;
    header->exif_count = reader->exif_count - name;
  }
}

img_reader *img_open_jpeg(const uint8_t *file, size_t count, img_header *header, img_error *error) {
  memset(header, 0, sizeof *header);
  memset(error, 0, sizeof *error);
  jpeg_reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) {
    img_fail(error, img_no_memory, 0, "");
    return NULL;
  }
  struct jpeg_decompress_struct *codec = &reader->codec;
  reader->base.close = close_reader;
  reader->file = file;
  reader->count = count;
  reader->error = error;
  reader->source.next_input_byte = file;
  reader->source.bytes_in_buffer = count;
  reader->source.init_source = nothing_to_do;
  reader->source.fill_input_buffer = fill;
  reader->source.skip_input_data = skip;
  reader->source.resync_to_restart = jpeg_resync_to_restart;
  reader->source.term_source = nothing_to_do;
  codec->err = jpeg_std_error(&reader->messages);
  reader->messages.error_exit = on_error;
  reader->messages.emit_message = on_message;
  reader->messages.output_message = on_output;
  codec->client_data = reader;
  if (setjmp(reader->escape) != 0) {
    describe(reader, header);
    close_reader(&reader->base);
    return NULL;
  }
  jpeg_create_decompress(codec);  // keeps err and client_data
  codec->src = &reader->source;
  codec->progress = &reader->progress;
  reader->progress.progress_monitor = on_progress;
  jpeg_set_marker_processor(codec, JPEG_APP0 + 1, on_app1);
  jpeg_read_header(codec, TRUE);
  if (codec->num_components != 1 && codec->num_components != 3 && codec->num_components != 4) {
    char words[64];
    snprintf(words, sizeof words, "a JPEG of %d colour components", codec->num_components);
    leave(reader, img_unsupported, words);
  }
  for (int i = 0; i < codec->num_components; i++)
    reader->block_count +=
        (uint64_t)codec->comp_info[i].width_in_blocks * codec->comp_info[i].height_in_blocks;
  describe(reader, header);
  // A Huffman code has at least one bit, and every block at least one code in its first scan. Arithmetic
  // codes have no such bound.
  header->least_byte_count = codec->arith_code ? 0 : reader->block_count / 8;
  header->data_byte_count = codec->src->bytes_in_buffer;
  header->data_reach_the_end = true;
  return &reader->base;
}

// ---- pixels

// Grey, or luma with chroma of one sample a unit: the kinds for which a part is known to equal the whole.
static bool has_short_way(const struct jpeg_decompress_struct *codec) {
  if (codec->progressive_mode || codec->comps_in_scan != codec->num_components) return false;
  for (int i = 1; i < codec->num_components; i++)
    if (codec->comp_info[i].h_samp_factor != 1 || codec->comp_info[i].v_samp_factor != 1) return false;
  return codec->num_components != 4;
}

void img_fit(img_reader *base, img_window *window) {
  const struct jpeg_decompress_struct *codec = &((jpeg_reader *)base)->codec;
  if (!has_short_way(codec)) *window = (img_window){0, 0, codec->image_width, codec->image_height};
}

// The window that libjpeg has to decode for the inside to equal the whole picture's.
static img_window widened(const struct jpeg_decompress_struct *codec, const img_window *window) {
  const uint32_t width = codec->image_width, height = codec->image_height;
  // Interpolation of chroma reads over a block's edge, and takes the edge of what is decoded for the
  // edge of the picture: so one more unit on each side.
  const uint32_t unit_x = 8u * (uint32_t)codec->max_h_samp_factor;
  const uint32_t unit_y = 8u * (uint32_t)codec->max_v_samp_factor;
  uint32_t left = window->x / unit_x * unit_x, top = window->y / unit_y * unit_y;
  uint32_t right = window->x + window->width, bottom = window->y + window->height;
  left = left > unit_x ? left - unit_x : 0;
  top = top > unit_y ? top - unit_y : 0;
  right = (right + unit_x - 1) / unit_x * unit_x + unit_x;
  bottom += 1;
  if (right > width) right = width;
  if (bottom > height) bottom = height;
  return (img_window){left, top, right - left, bottom - top};
}

// Inks to colour as OpenCV does, in place: the components are stored inverted, 255 is no ink.
static void mix_inks(uint8_t *row, uint32_t width, uint32_t channels) {
  const uint8_t *ink = row;
  for (uint32_t x = 0; x < width; x++, ink += 4, row += channels) {
    const int k = ink[3];
    const int r = k - ((255 - ink[0]) * k >> 8);
    const int g = k - ((255 - ink[1]) * k >> 8);
    const int b = k - ((255 - ink[2]) * k >> 8);
    if (channels == 1) {
      row[0] = (uint8_t)((r * 4899 + g * 9617 + b * 1868 + (1 << 13)) >> 14);  // 0.299, 0.587, 0.114
    } else {
      row[0] = (uint8_t)r;
      row[1] = (uint8_t)g;
      row[2] = (uint8_t)b;
    }
  }
}

static void read_turned(jpeg_reader *reader, uint32_t channels, int orientation, uint8_t *pixels) {
  struct jpeg_decompress_struct *codec = &reader->codec;
  const bool has_inks = codec->out_color_space == JCS_CMYK;
  const uint32_t width = codec->output_width;
  const img_turn turn = img_turn_for(orientation, width, codec->output_height, channels);
  JSAMPARRAY rows = codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE,
                                             width * (has_inks ? 4 : channels), strip_rows);
  while (codec->output_scanline < codec->output_height) {
    const uint32_t y = codec->output_scanline;
    uint32_t count = 0;
    while (count < strip_rows && codec->output_scanline < codec->output_height)
      count += jpeg_read_scanlines(codec, rows + count, strip_rows - count);
    if (has_inks)
      for (uint32_t i = 0; i < count; i++) mix_inks(rows[i], width, channels);
    img_place(&turn, rows, y, count, width, channels, pixels);
  }
}

// The rows from the codec's place up to `end`, into the window that is part of what the codec makes.
static void read_rows(jpeg_reader *reader, const img_window *wide, const img_window *window, uint32_t channels,
                      uint8_t *pixels) {
  struct jpeg_decompress_struct *codec = &reader->codec;
  const size_t row_bytes = (size_t)window->width * channels, left = (size_t)(window->x - wide->x) * channels;
  const uint32_t end = window->y + window->height;
  const bool is_direct = wide->width == window->width;
  JSAMPARRAY strip = is_direct ? NULL
                               : codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE,
                                                          wide->width * channels, strip_rows);
  while (codec->output_scanline < end) {
    JSAMPROW direct[strip_rows];
    const uint32_t y = codec->output_scanline;
    const uint32_t count = end - y < strip_rows ? end - y : strip_rows;
    uint8_t *out = pixels + (size_t)(y - window->y) * row_bytes;
    for (uint32_t i = 0; i < count; i++) direct[i] = out + i * row_bytes;
    const uint32_t got = jpeg_read_scanlines(codec, is_direct ? direct : strip, count);
    if (!is_direct)
      for (uint32_t i = 0; i < got; i++) memcpy(direct[i], strip[i] + left, row_bytes);
  }
}

static void read_window(jpeg_reader *reader, const img_window *window, uint32_t channels, uint8_t *pixels) {
  struct jpeg_decompress_struct *codec = &reader->codec;
  const img_window wide = widened(codec, window);
  if (wide.width != codec->output_width) {
    JDIMENSION x = wide.x, width = wide.width;
    jpeg_crop_scanline(codec, &x, &width);
    if (x != wide.x || width != wide.width) leave(reader, img_damaged, "the window is not aligned");
  }
  // The rows between the wide window's top and the window's are decoded, so that the first has its neighbours.
  if (wide.y > 0) jpeg_skip_scanlines(codec, wide.y);
  JSAMPARRAY spare =
      codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, wide.width * (JDIMENSION)channels, 1);
  while (codec->output_scanline < window->y) jpeg_read_scanlines(codec, spare, 1);
  read_rows(reader, &wide, window, channels, pixels);
  const uint32_t end = window->y + window->height;
  if (end < codec->output_height) {
    // What lies below is decoded far enough to see its damage. A skip to the very end would look at
    // nothing, therefore the last row is read.
    if (end + 1 < codec->output_height) jpeg_skip_scanlines(codec, codec->output_height - 1 - end);
    while (codec->output_scanline < codec->output_height) jpeg_read_scanlines(codec, spare, 1);
  }
}

// libjpeg's private table of methods begins with these in every version since 6b.
typedef struct inverse_dct {
  void (*start_pass)(j_decompress_ptr codec);
  void (*methods[MAX_COMPONENTS])(j_decompress_ptr codec, jpeg_component_info *component, JCOEFPTR block,
                                  JSAMPARRAY rows, JDIMENSION column);
} inverse_dct;
__attribute__((weak)) void jpeg_idct_islow(j_decompress_ptr codec, jpeg_component_info *component,
                                           JCOEFPTR block, JSAMPARRAY rows, JDIMENSION column);

// Corrupt coefficients leave the range of samples by far: there the vector code clamps and the plain code
// wraps round. OpenCV's wheels have the plain code, so what is kept of a damaged picture comes from it too.
static void use_plain_transform(struct jpeg_decompress_struct *codec) {
  if (jpeg_idct_islow == NULL) return;
  inverse_dct *table = (inverse_dct *)codec->idct;
  for (int i = 0; i < codec->num_components; i++)
    if (table->methods[i] != NULL) table->methods[i] = jpeg_idct_islow;
}

// Whether everything that was announced has come, though the end marker has not.
static bool is_whole(const jpeg_reader *reader) {
  const struct jpeg_decompress_struct *codec = &reader->codec;
  if (codec->arith_code) return false;  // a missing tail of arithmetic code reads as zeros
  if (!jpeg_has_multiple_scans((j_decompress_ptr)codec)) return true;
  if (!codec->progressive_mode) return reader->components_seen == (1u << codec->num_components) - 1;
  for (int i = 0; i < codec->num_components; i++)
    for (int k = 0; k < DCTSIZE2; k++)
      if (codec->coef_bits[i][k] != 0) return false;
  return true;
}

img_code img_read_jpeg(img_reader *base, const img_window *window, uint32_t channels, int orientation,
                       bool keep_damaged, img_route route, const k_set *kernels, uint8_t *pixels,
                       img_error *error) {
  jpeg_reader *reader = (jpeg_reader *)base;
  struct jpeg_decompress_struct *codec = &reader->codec;
  memset(error, 0, sizeof *error);
  reader->error = error;
  reader->keep_damaged = keep_damaged;
  if (route != img_libjpeg_route && !reader->past_end &&
      baseline_read(codec, window, channels, orientation, kernels, pixels))
    return img_ok;
  if (route == img_own_route) return img_fail(error, img_unsupported, 0, "a JPEG that libjpeg has to decode");
  if (setjmp(reader->escape) != 0) {
    // A file that lacks only its end marker fails to finish, no more.
    return reader->is_whole && reader->past_end ? img_ok : error->code;
  }
  const bool has_inks = codec->num_components == 4;
  codec->out_color_space = has_inks ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(codec);
  if (keep_damaged) use_plain_transform(codec);
  if (has_inks || orientation != 1)
    read_turned(reader, channels, orientation, pixels);
  else
    read_window(reader, window, channels, pixels);
  if (keep_damaged) return img_ok;  // OpenCV takes no notice of what follows
  reader->is_whole = is_whole(reader);  // asked now: finishing lets go of what tells it
  reader->is_after_picture = true;
  jpeg_finish_decompress(codec);
  if (reader->past_end && !reader->is_whole) return img_fail(error, img_truncated, reader->count, "");
  return img_ok;
}
