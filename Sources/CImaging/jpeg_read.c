#include <setjmp.h>
#include <stdlib.h>

#include "internal.h"
#include "jpeg_headers.h"
#include "baseline_read.h"

enum {
  strip_rows = 16,    // rows decoded at a time for a rotated or CMYK picture
  most_scans = 500,   // an ordinary progressive file has about ten
  most_padding = 16,  // bytes of 00 or FF before a marker; encoders that write units larger than bytes leave a few
  piece_bytes = 256,
};

typedef struct jpeg_reader {
  img_reader base;
  struct jpeg_decompress_struct codec;
  struct jpeg_error_mgr messages;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  const uint8_t *file;
  size_t count;
  size_t given;  // bytes of the file that were passed to the codec
  bool in_pieces;
  size_t exif_offset, exif_count;
  uint64_t scan_blocks, most_scan_blocks;  // of all scans up to `scan`
  int scan;
  int64_t deadline;
  img_error *error;  // of the current call
  img_error doubt;
  uint8_t components_seen;  // bit i: component i was in a scan
  bool has_exif, past_end, keep_damaged;
  bool is_after_picture;  // every pixel was read, and only the end marker is missing
  bool is_whole;          // valid after the picture: nothing that the file announced is missing
  bool is_refused;        // because of something that is only a warning for libjpeg
} jpeg_reader;

static jpeg_reader *reader_of(j_common_ptr codec) { return (jpeg_reader *)codec->client_data; }

static size_t offset_of(const jpeg_reader *reader) {
  return reader->past_end ? reader->count : (size_t)(reader->source.next_input_byte - reader->file);
}

_Noreturn static void leave(jpeg_reader *reader, img_code code, const char *words) {
  img_fail(reader->error, code, offset_of(reader), words);
  longjmp(reader->escape, 1);
}

// ---- messages of libjpeg

static const char *frame_kind(int marker) {
  switch (marker) {
    case 0xc3:
    case 0xcb: return "a lossless JPEG";
    case 0xc5:
    case 0xc6:
    case 0xc7:
    case 0xcd:
    case 0xce:
    case 0xcf: return "a hierarchical JPEG";
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

// Whether the bytes that libjpeg has just skipped in search of a marker are padding: few, and only 00 and FF.
static bool is_padding(const jpeg_reader *reader, int count) {
  const size_t end = offset_of(reader);
  if (count > most_padding || (size_t)count > end) return false;
  for (const uint8_t *byte = reader->file + end - count; byte < reader->file + end; byte++)
    if (*byte != 0x00 && *byte != 0xff) return false;
  return true;
}

// Classifies a warning of libjpeg. Damage changes pixels: an invalid code, data that end before the picture does, a
// restart marker out of order, coefficients in an order that loses some of them, and data left over before a marker,
// because they belong to the picture and the decoder has lost its place in it. Doubtful is what leaves all pixels as
// they would be without it: an unknown Adobe colour transform, a later JFIF version, scan parameters that a
// sequential picture does not use, and left-over bytes that cannot be data: anything before the first scan, and a few
// bytes of padding after one.
static img_code judge(const jpeg_reader *reader) {
  const struct jpeg_error_mgr *m = &reader->messages;
  switch (m->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_ICC: return img_doubtful;
    case JWRN_EXTRANEOUS_DATA:
      if (reader->codec.input_scan_number == 0 || is_padding(reader, m->msg_parm.i[0])) return img_doubtful;
      break;
    default: break;
  }
  return reader->past_end ? img_truncated : img_damaged;
}

// Keeps the first doubt; damage replaces it.
static void note(jpeg_reader *reader, img_code code, const char *words) {
  const img_code before = reader->doubt.code;
  if (before == img_ok || (before == img_doubtful && code != img_doubtful))
    img_fail(&reader->doubt, code, offset_of(reader), words);
}

static void on_message(j_common_ptr codec, int level) {
  jpeg_reader *reader = reader_of(codec);
  if (level >= 0) return;
  char words[JMSG_LENGTH_MAX];
  codec->err->format_message(codec, words);
  const img_code code = judge(reader);
  if (code == img_doubtful || reader->keep_damaged) {
    note(reader, code, words);
  } else {
    reader->is_refused = true;
    leave(reader, code, words);
  }
}

static void on_output(j_common_ptr codec) { (void)codec; }

static void on_progress(j_common_ptr common) {
  jpeg_reader *reader = reader_of(common);
  const struct jpeg_decompress_struct *codec = &reader->codec;
  if (img_is_late(reader->deadline)) leave(reader, img_timed_out, "");
  if (codec->input_scan_number == reader->scan) return;
  reader->scan = codec->input_scan_number;
  for (int i = 0; i < codec->comps_in_scan; i++) {
    const jpeg_component_info *component = codec->cur_comp_info[i];
    reader->components_seen |= (uint8_t)(1u << component->component_index);
    reader->scan_blocks += (uint64_t)component->width_in_blocks * component->height_in_blocks;
  }
  // A small file of many empty scans could take very long.
  if (reader->scan > most_scans || reader->scan_blocks > reader->most_scan_blocks)
    leave(reader, img_excessive, "there are more scans than any real picture has");
}

// ---- bytes from memory

static void nothing_to_do(j_decompress_ptr codec) { (void)codec; }

// Like libjpeg's own file source: past the end of the file, supplies end markers.
static boolean fill(j_decompress_ptr codec) {
  static const JOCTET end_marker[2] = {0xff, JPEG_EOI};
  jpeg_reader *reader = reader_of((j_common_ptr)codec);
  const size_t left = reader->count - reader->given;
  if (left > 0) {
    codec->src->next_input_byte = reader->file + reader->given;
    codec->src->bytes_in_buffer = reader->in_pieces && left > piece_bytes ? piece_bytes : left;
    reader->given += codec->src->bytes_in_buffer;
    return TRUE;
  }
  reader->past_end = true;
  codec->src->next_input_byte = end_marker;
  codec->src->bytes_in_buffer = sizeof end_marker;
  return TRUE;
}

// libjpeg's fast Huffman decoder silently reads an invalid code as a zero. It runs only while much data is in the
// buffer, so the data is passed in small pieces.
static void give_pieces(jpeg_reader *reader) {
  if (reader->past_end || reader->codec.progressive_mode || reader->codec.arith_code) return;
  reader->in_pieces = true;
  reader->given = offset_of(reader);
  reader->source.bytes_in_buffer = 0;
}

static void skip(j_decompress_ptr codec, long count) {
  if (count <= 0) return;
  size_t left = (size_t)count;
  while (left > codec->src->bytes_in_buffer) {
    left -= codec->src->bytes_in_buffer;
    fill(codec);
    if (reader_of((j_common_ptr)codec)->past_end) return;
  }
  codec->src->next_input_byte += left;
  codec->src->bytes_in_buffer -= left;
}

// Notes the position of the first APP1 segment instead of copying it, and skips it.
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
    const size_t left = reader->count - offset_of(reader);
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
  jpeg_destroy_decompress(&reader->codec);  // allowed after any error, and raises none
  free(reader);
}

static void describe(jpeg_reader *reader, img_header *header) {
  const struct jpeg_decompress_struct *codec = &reader->codec;
  header->width = codec->image_width;
  header->height = codec->image_height;
  header->components = (uint32_t)codec->num_components;
  header->bit_depth = (uint32_t)codec->data_precision;
  header->is_progressive = codec->progressive_mode;
  const size_t name = 6;  // "Exif", 0, 0, which OpenCV does not check
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
  reader->source.bytes_in_buffer = reader->given = count;
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
  uint64_t block_count = 0;
  for (int i = 0; i < codec->num_components; i++)
    block_count += (uint64_t)codec->comp_info[i].width_in_blocks * codec->comp_info[i].height_in_blocks;
  describe(reader, header);
  // A Huffman code has at least one bit, and every block at least one code in its first scan. Arithmetic
  // codes have no such bound.
  header->least_byte_count = codec->arith_code ? 0 : block_count / 8;
  header->data_byte_count = reader->past_end ? 0 : count - offset_of(reader);
  header->data_reach_the_end = true;
  return &reader->base;
}

// ---- pixels

// Whether a part can be decoded alone: for grey, or luma with one block of chroma per unit, it is known to equal the
// whole picture's.
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

// The window that libjpeg has to decode, so that the pixels in `window` equal those of the whole picture.
static img_window widened(const struct jpeg_decompress_struct *codec, const img_window *window) {
  const uint32_t width = codec->image_width, height = codec->image_height;
  // Interpolation of chroma reads across the edges of blocks, and treats the edge of the decoded window as the
  // picture's edge. Therefore one more unit is decoded on each side.
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

// Converts CMYK to RGB or grey as OpenCV does, in place. The components are stored inverted: 255 is no ink.
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
  JSAMPARRAY rows =
      codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, width * (has_inks ? 4 : channels), strip_rows);
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

// Reads the rows from the codec's position up to the end of `window`, which lies within `wide`, the window that the
// codec makes.
static void read_rows(jpeg_reader *reader, const img_window *wide, const img_window *window, uint32_t channels,
                      uint8_t *pixels) {
  struct jpeg_decompress_struct *codec = &reader->codec;
  const size_t row_bytes = (size_t)window->width * channels, left = (size_t)(window->x - wide->x) * channels;
  const uint32_t end = window->y + window->height;
  const bool is_direct = wide->width == window->width;
  JSAMPARRAY strip =
      is_direct ? NULL : codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, wide->width * channels, strip_rows);
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
  // The rows between the top of the wide window and that of the window are decoded, so that its first row has its
  // neighbours.
  if (wide.y > 0) jpeg_skip_scanlines(codec, wide.y);
  JSAMPARRAY spare = codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, wide.width * (JDIMENSION)channels, 1);
  while (codec->output_scanline < window->y) jpeg_read_scanlines(codec, spare, 1);
  read_rows(reader, &wide, window, channels, pixels);
  const uint32_t end = window->y + window->height;
  if (end < codec->output_height) {
    // The rest is decoded far enough to find damage in it. A skip to the very end would not decode anything, so the
    // last row is read.
    if (end + 1 < codec->output_height) jpeg_skip_scanlines(codec, codec->output_height - 1 - end);
    while (codec->output_scanline < codec->output_height) jpeg_read_scanlines(codec, spare, 1);
  }
}

// The first members of libjpeg's private table of methods, the same in every version since 6b.
typedef struct inverse_dct {
  void (*start_pass)(j_decompress_ptr codec);
  void (*methods[MAX_COMPONENTS])(j_decompress_ptr codec, jpeg_component_info *component, JCOEFPTR block,
                                  JSAMPARRAY rows, JDIMENSION column);
} inverse_dct;
__attribute__((weak)) void jpeg_idct_islow(j_decompress_ptr codec, jpeg_component_info *component, JCOEFPTR block,
                                           JSAMPARRAY rows, JDIMENSION column);

// Corrupt coefficients may give samples far out of range, which the vector code clamps and the scalar code wraps
// around. OpenCV's wheels contain the scalar code, so damaged pictures that are kept are decoded with it here too.
static void use_plain_transform(struct jpeg_decompress_struct *codec) {
  if (jpeg_idct_islow == NULL) return;
  inverse_dct *table = (inverse_dct *)codec->idct;
  for (int i = 0; i < codec->num_components; i++)
    if (table->methods[i] != NULL) table->methods[i] = jpeg_idct_islow;
}

// Reads all rows into the same buffer.
static void read_nowhere(jpeg_reader *reader) {
  struct jpeg_decompress_struct *codec = &reader->codec;
  JSAMPARRAY spare = codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE,
                                              codec->output_width * (JDIMENSION)codec->output_components, 1);
  while (codec->output_scanline < codec->output_height) jpeg_read_scanlines(codec, spare, 1);
}

// Whether every scan that the picture needs was in the file.
static bool has_every_scan(const jpeg_reader *reader) {
  const struct jpeg_decompress_struct *codec = &reader->codec;
  if (!jpeg_has_multiple_scans((j_decompress_ptr)codec)) return true;
  if (!codec->progressive_mode) return reader->components_seen == (1u << codec->num_components) - 1;
  for (int i = 0; i < codec->num_components; i++)
    for (int k = 0; k < DCTSIZE2; k++)
      if (codec->coef_bits[i][k] != 0) return false;
  return true;
}

// Reads on to the end marker.
static void finish(jpeg_reader *reader) {
  struct jpeg_decompress_struct *codec = &reader->codec;
  const bool has_all = has_every_scan(reader);  // before finishing, which frees the data that this reads
  // With arithmetic coding, missing data at the end would read as zeros, so nothing proves that the picture is whole.
  reader->is_whole = has_all && !codec->arith_code;
  reader->is_after_picture = true;
  jpeg_finish_decompress(codec);
  if (!reader->past_end && !has_all) note(reader, img_doubtful, "scans are missing that the others refer to");
}

static void read_pixels(jpeg_reader *reader, const img_window *window, const img_request *request, uint8_t *pixels) {
  struct jpeg_decompress_struct *codec = &reader->codec;
  const bool has_inks = codec->num_components == 4;
  codec->out_color_space = has_inks ? JCS_CMYK : request->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  give_pieces(reader);
  jpeg_start_decompress(codec);
  if (reader->keep_damaged) use_plain_transform(codec);
  if (pixels == NULL) read_nowhere(reader);
  else if (has_inks || request->orientation != 1) read_turned(reader, request->channels, request->orientation, pixels);
  else read_window(reader, window, request->channels, pixels);
}

// The result, judged by the reader's position after the picture and by an error there.
static img_code judge_end(jpeg_reader *reader, img_error *error) {
  if (reader->is_refused) return error->code;
  if (reader->past_end && reader->is_whole) {
    note(reader, img_doubtful, "the end marker is missing");
    return img_ok;
  }
  if (reader->past_end && error->code == img_ok) img_fail(error, img_truncated, reader->count, "");
  if (error->code == img_ok || error->code == img_timed_out || !reader->keep_damaged) return error->code;
  note(reader, error->code, error->words);  // OpenCV ignores what follows the pixels
  error->code = img_ok;
  return img_ok;
}

img_code img_read_jpeg(img_reader *base, const img_window *window, const img_request *request, uint8_t *pixels,
                       img_error *doubt, img_error *error) {
  jpeg_reader *reader = (jpeg_reader *)base;
  memset(error, 0, sizeof *error);
  memset(doubt, 0, sizeof *doubt);
  reader->error = error;
  reader->keep_damaged = request->keep_damaged;
  reader->deadline = request->deadline;
  reader->most_scan_blocks = request->most_scan_blocks;
  const char *sign = NULL;
  if (!reader->past_end) {
    uint8_t *own_pixels = request->route == img_libjpeg_route ? NULL : pixels;
    const bool is_done =
        baseline_read(&reader->codec, reader->file + reader->count, window, request, own_pixels, &sign);
    if (is_done && request->route != img_libjpeg_route) {
      *doubt = reader->doubt;
      return img_ok;
    }
  }
  if (request->route == img_own_route) return img_fail(error, img_unsupported, 0, "a JPEG that libjpeg has to decode");
  if (setjmp(reader->escape) == 0) {
    read_pixels(reader, window, request, pixels);
    finish(reader);
  } else if (!reader->is_after_picture) {
    return error->code;
  }
  const img_code code = judge_end(reader, error);
  if (sign != NULL) note(reader, img_doubtful, sign);
  *doubt = reader->doubt;
  return code;
}
