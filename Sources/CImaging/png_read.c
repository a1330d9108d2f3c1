#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <zlib.h>

#include "internal.h"

typedef struct png_reader {
  img_reader base;
  png_structp codec;
  png_infop info;
  jmp_buf escape;
  const uint8_t *file;
  size_t count, offset;
  img_error *error;  // of the current call
  img_error doubt;
  uint8_t *stored;  // the picture before it is rotated, or a single row if no pixels are made
  size_t stored_row_bytes;
  size_t last_bytes, most_last_bytes;  // compressed data read from the last row on, and their limit
  bool is_at_last_row, past_end;
} png_reader;

// libpng decompresses data after the last row for their checksum. This many bytes of them can unpack to 66 MB.
static const size_t most_surplus = 1 << 16;

// ---- messages of libpng

_Noreturn static void leave(png_reader *reader, img_code code, const char *words) {
  img_fail(reader->error, code, reader->offset, words);
  longjmp(reader->escape, 1);
}

static void on_error(png_structp codec, png_const_charp words) {
  png_reader *reader = png_get_error_ptr(codec);
  if (reader->past_end) leave(reader, img_truncated, words);
  leave(reader, strstr(words, "ut of memory") != NULL ? img_no_memory : img_damaged, words);
}

// Keeps the first doubt; damage replaces it.
static void note(png_reader *reader, img_code code, size_t offset, const char *words) {
  const img_code before = reader->doubt.code;
  if (before == img_ok || (before == img_doubtful && code != img_doubtful))
    img_fail(&reader->doubt, code, offset, words);
}

// libpng warns of many things that no pixel depends on, such as odd colour profiles. A wrong checksum after the last
// pixel means damage; too much compressed data and colours that the palette lacks are doubtful.
static void on_warning(png_structp codec, png_const_charp words) {
  static const char *const doubtful[] = {"oo much image data", "xtra compressed data", "palette index exceeding"};
  png_reader *reader = png_get_error_ptr(codec);
  if (strstr(words, "incorrect data check") != NULL) on_error(codec, words);
  for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; i++)
    if (strstr(words, doubtful[i]) != NULL) note(reader, img_doubtful, reader->offset, words);
}

static const uint32_t data_chunk = 0x49444154;  // "IDAT"

static void read_bytes(png_structp codec, png_bytep to, size_t count) {
  png_reader *reader = png_get_io_ptr(codec);
  if (count > reader->count - reader->offset) {
    reader->offset = reader->count;
    reader->past_end = true;
    png_error(codec, "the file ends");
  }
  if (reader->is_at_last_row && png_get_io_chunk_type(codec) == data_chunk) {
    reader->last_bytes += count;
    if (reader->last_bytes > reader->most_last_bytes)
      leave(reader, img_excessive, "there are more data than its rows can hold");
  }
  memcpy(to, reader->file + reader->offset, count);
  reader->offset += count;
}

// ---- open and close

static void close_reader(img_reader *base) {
  png_reader *reader = (png_reader *)base;
  png_destroy_read_struct(&reader->codec, &reader->info, NULL);
  free(reader->stored);
  free(reader);
}

// Skips chunks that cannot change a pixel, so that it costs nothing if they unpack to huge sizes.
static void ignore_words(png_structp codec) {
  static const png_byte chunks[] = "bKGD\0eXIf\0hIST\0iTXt\0oFFs\0pCAL\0pHYs\0sCAL\0sPLT\0tEXt\0tIME\0zTXt";
  png_set_keep_unknown_chunks(codec, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(codec, PNG_HANDLE_CHUNK_NEVER, chunks, (int)(sizeof chunks / 5));
}

uint32_t img_crc32(const uint8_t *bytes, size_t count) { return (uint32_t)crc32_z(0, bytes, count); }

// libpng would read an eXIf chunk that follows the pixels too late for the header, so it is searched for here. As in
// libpng, the first complete chunk that names its byte order counts.
static bool is_exif(const uint8_t *chunk, size_t length) {
  const uint8_t *data = chunk + 8;
  return memcmp(chunk + 4, "eXIf", 4) == 0 && length >= 2 && (memcmp(data, "II", 2) == 0 || memcmp(data, "MM", 2) == 0);
}

// Checks an ancillary chunk. libpng rejects wrong checksums of critical chunks, and ignores the other chunks with
// one. Without tRNS the picture has lost its transparency, which is damage; the other chunks change no pixel.
static bool has_checksum(png_reader *reader, const uint8_t *chunk, size_t length) {
  if (img_crc32(chunk + 4, length + 4) == png_get_uint_32(chunk + 8 + length)) return true;
  char words[] = "xxxx: CRC error";
  for (size_t i = 0; i < 4; i++) {
    const uint8_t letter = chunk[4 + i] | 0x20;
    words[i] = letter >= 'a' && letter <= 'z' ? (char)chunk[4 + i] : '?';
  }
  const bool is_damage = memcmp(chunk + 4, "tRNS", 4) == 0;
  note(reader, is_damage ? img_damaged : img_doubtful, (size_t)(chunk - reader->file), words);
  return false;
}

// Walks through the chunks without decompressing any: counts the bytes of compressed pixels, finds EXIF, checks
// checksums.
static void walk(png_reader *reader, img_header *header) {
  size_t at = 8;
  bool is_inside = false, is_past = false;
  while (reader->count - at >= 8) {
    const uint8_t *chunk = reader->file + at;
    const size_t length = png_get_uint_32(chunk), left = reader->count - at - 8;
    const bool is_data = memcmp(chunk + 4, "IDAT", 4) == 0;
    is_past = is_past || (is_inside && !is_data);
    if (is_past && is_data) note(reader, img_doubtful, at, "IDAT: in a second place");
    is_inside = is_data;
    if (is_data && !is_past) header->data_byte_count += length < left ? length : left;
    if (left < 4 || length > left - 4) break;
    const bool is_ancillary = (chunk[4] & 0x20) != 0;
    if (is_ancillary && has_checksum(reader, chunk, length) && header->exif_count == 0 && is_exif(chunk, length)) {
      header->exif_offset = at + 8;
      header->exif_count = length;
    }
    if (memcmp(chunk + 4, "IEND", 4) == 0) break;
    at += length + 12;
  }
  header->data_reach_the_end = !is_past;
}

static void describe(png_reader *reader, img_header *header) {
  png_byte depth = png_get_bit_depth(reader->codec, reader->info);
  png_byte color = png_get_color_type(reader->codec, reader->info);
  png_bytep alphas = NULL;
  int alpha_count = 0;
  png_color_16p clear = NULL;
  if (color & PNG_COLOR_MASK_COLOR)  // OpenCV looks at tRNS only in a colour picture
    png_get_tRNS(reader->codec, reader->info, &alphas, &alpha_count, &clear);
  header->width = png_get_image_width(reader->codec, reader->info);
  header->height = png_get_image_height(reader->codec, reader->info);
  header->bit_depth = depth;
  header->components = png_get_channels(reader->codec, reader->info);
  if (color == PNG_COLOR_TYPE_PALETTE) header->components = alpha_count > 0 ? 4 : 3;
  header->is_progressive = png_get_interlace_type(reader->codec, reader->info) != PNG_INTERLACE_NONE;
  header->has_transparency = (color & PNG_COLOR_MASK_ALPHA) != 0 || alpha_count > 0;
  // Deflate expands one byte to at most 1032.
  reader->stored_row_bytes = png_get_rowbytes(reader->codec, reader->info);
  header->least_byte_count = (uint64_t)reader->stored_row_bytes * header->height / 1040;
  walk(reader, header);
}

img_reader *img_open_png(const uint8_t *file, size_t count, img_header *header, img_error *error) {
  static const uint8_t head[8] = {0, 0, 0, 13, 'I', 'H', 'D', 'R'};
  memset(header, 0, sizeof *header);
  memset(error, 0, sizeof *error);
  png_reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) {
    img_fail(error, img_no_memory, 0, "");
    return NULL;
  }
  reader->base.close = close_reader;
  reader->file = file;
  reader->count = count;
  reader->error = error;
  if (setjmp(reader->escape) != 0) {
    close_reader(&reader->base);
    return NULL;
  }
  reader->offset = count < 16 ? count : 8;
  if (count < 16) leave(reader, img_truncated, "");
  if (memcmp(file + 12, "CgBI", 4) == 0) leave(reader, img_unsupported, "a PNG in Apple's own CgBI form");
  if (memcmp(file + 8, head, sizeof head) != 0) leave(reader, img_damaged, "the first chunk is not IHDR");
  reader->offset = 0;
  reader->codec = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning);
  if (reader->codec == NULL) leave(reader, img_no_memory, "");
  reader->info = png_create_info_struct(reader->codec);
  if (reader->info == NULL) leave(reader, img_no_memory, "");
  png_set_read_fn(reader->codec, reader, read_bytes);
  // The caller has its own limit for the number of pixels.
  png_set_user_limits(reader->codec, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  ignore_words(reader->codec);
  png_read_info(reader->codec, reader->info);
  describe(reader, header);
  return &reader->base;
}

// ---- pixels

// Sets the same transformations as OpenCV, in the same order.
static void transform(png_reader *reader, uint32_t channels, uint32_t bytes_per_sample) {
  png_structp codec = reader->codec;
  const png_byte depth = png_get_bit_depth(codec, reader->info);
  const png_byte color = png_get_color_type(codec, reader->info);
  const bool has_color = (color & PNG_COLOR_MASK_COLOR) != 0;
  const uint16_t one = 1;
  if (depth == 16 && bytes_per_sample == 1) png_set_strip_16(codec);
  else if (*(const uint8_t *)&one == 1) png_set_swap(codec);
  if (channels < 4) png_set_strip_alpha(codec);
  else png_set_tRNS_to_alpha(codec);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(codec);
  if (!has_color && depth < 8) png_set_expand_gray_1_2_4_to_8(codec);
  if (channels == 1) png_set_rgb_to_gray(codec, PNG_ERROR_ACTION_NONE, 0.299, 0.587);
  else if (!has_color) png_set_gray_to_rgb(codec);
}

static void turn_upright(const png_reader *reader, uint32_t channels, int orientation, uint8_t *pixels) {
  const uint32_t width = png_get_image_width(reader->codec, reader->info);
  const uint32_t height = png_get_image_height(reader->codec, reader->info);
  const img_turn turn = img_turn_for(orientation, width, height, channels);
  enum { strip_rows = 16 };
  for (uint32_t y = 0; y < height; y += strip_rows) {
    uint8_t *rows[strip_rows];
    const uint32_t count = height - y < strip_rows ? height - y : strip_rows;
    for (uint32_t i = 0; i < count; i++) rows[i] = reader->stored + (size_t)(y + i) * width * channels;
    img_place(&turn, rows, y, count, width, channels, pixels);
  }
}

static void read_rows(png_reader *reader, int passes, int64_t deadline, uint8_t *rows, size_t row_bytes) {
  const uint32_t height = png_get_image_height(reader->codec, reader->info);
  // A row that does not compress takes a little more than its own bytes.
  reader->most_last_bytes = most_surplus + 2 * reader->stored_row_bytes;
  // Together the passes write every pixel, so the rows need not be initialized.
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < height; y++) {
      if (img_is_late(deadline)) leave(reader, img_timed_out, "");
      reader->is_at_last_row = pass + 1 == passes && y + 1 == height;  // with it, libpng reads all remaining data
      png_read_row(reader->codec, rows + y * row_bytes, NULL);
    }
  png_read_end(reader->codec, NULL);
}

img_code img_read_png(img_reader *base, const img_request *request, uint8_t *pixels, img_error *doubt,
                      img_error *error) {
  png_reader *reader = (png_reader *)base;
  const uint32_t channels = request->channels, bytes_per_sample = request->bytes_per_sample;
  memset(error, 0, sizeof *error);
  memset(doubt, 0, sizeof *doubt);
  reader->error = error;
  if (reader->doubt.code == img_damaged && !request->keep_damaged) {
    *error = reader->doubt;
    return error->code;
  }
  if (setjmp(reader->escape) != 0) return error->code;
  transform(reader, channels, bytes_per_sample);
  const int passes = png_set_interlace_handling(reader->codec);
  png_read_update_info(reader->codec, reader->info);
  const uint32_t height = png_get_image_height(reader->codec, reader->info);
  const size_t row_bytes = (size_t)png_get_image_width(reader->codec, reader->info) * channels * bytes_per_sample;
  if (png_get_rowbytes(reader->codec, reader->info) != row_bytes)
    leave(reader, img_unsupported, "a PNG of an unknown kind");
  const bool is_direct = pixels != NULL && request->orientation == 1;
  if (!is_direct) {
    reader->stored = malloc(pixels == NULL ? row_bytes : row_bytes * height);
    if (reader->stored == NULL) leave(reader, img_no_memory, "");
  }
  read_rows(reader, passes, request->deadline, is_direct ? pixels : reader->stored, pixels == NULL ? 0 : row_bytes);
  if (pixels != NULL && !is_direct) turn_upright(reader, channels, request->orientation, pixels);
  *doubt = reader->doubt;
  return img_ok;
}
