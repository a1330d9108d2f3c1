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
  img_error *error;  // of the call under way
  uint8_t *stored;   // a picture that is still to be turned
  bool past_end;
} png_reader;

// ---- what libpng says

_Noreturn static void leave(png_reader *reader, img_code code, const char *words) {
  img_fail(reader->error, code, reader->offset, words);
  longjmp(reader->escape, 1);
}

static void on_error(png_structp codec, png_const_charp words) {
  png_reader *reader = png_get_error_ptr(codec);
  if (reader->past_end) leave(reader, img_truncated, words);
  leave(reader, strstr(words, "ut of memory") != NULL ? img_no_memory : img_damaged, words);
}

// libpng warns of chunks that do not touch the pixels, and of a wrong checksum after the last of them.
static void on_warning(png_structp codec, png_const_charp words) {
  if (strstr(words, "incorrect data check") != NULL) on_error(codec, words);
}

static void read_bytes(png_structp codec, png_bytep to, size_t count) {
  png_reader *reader = png_get_io_ptr(codec);
  if (count > reader->count - reader->offset) {
    reader->offset = reader->count;
    reader->past_end = true;
    png_error(codec, "the file ends");
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

// Chunks that cannot change a pixel are skipped unread: what they claim to unpack to costs nothing then.
static void ignore_words(png_structp codec) {
  static const png_byte chunks[] =
      "bKGD\0eXIf\0hIST\0iTXt\0oFFs\0pCAL\0pHYs\0sCAL\0sPLT\0tEXt\0tIME\0zTXt";
  png_set_keep_unknown_chunks(codec, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(codec, PNG_HANDLE_CHUNK_NEVER, chunks, (int)(sizeof chunks / 5));
}

static uint32_t checksum(const uint8_t *bytes, size_t count) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < count; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

// libpng would read an eXIf chunk after the pixels too late for the header, therefore it is looked for here;
// which ones count is as in libpng: the first that is whole and names its byte order.
static bool is_exif(const uint8_t *chunk, size_t length) {
  const uint8_t *data = chunk + 8;
  return memcmp(chunk + 4, "eXIf", 4) == 0 && length >= 2 &&
         (memcmp(data, "II", 2) == 0 || memcmp(data, "MM", 2) == 0) &&
         checksum(chunk + 4, length + 4) == png_get_uint_32(data + length);
}

// Goes through the chunks without unpacking any: how many bytes of compressed pixels there are, and EXIF.
static void walk(const png_reader *reader, img_header *header) {
  size_t at = 8;
  bool is_inside = false, is_past = false;
  while (reader->count - at >= 8) {
    const uint8_t *chunk = reader->file + at;
    const size_t length = png_get_uint_32(chunk), left = reader->count - at - 8;
    const bool is_data = memcmp(chunk + 4, "IDAT", 4) == 0;
    is_past = is_past || (is_inside && !is_data);
    is_inside = is_data;
    if (is_data && !is_past) header->data_byte_count += length < left ? length : left;
    if (left < 4 || length > left - 4) break;
    if (header->exif_count == 0 && is_exif(chunk, length)) {
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
  // Deflate unpacks one byte to 1032 at most.
  header->least_byte_count =
      (uint64_t)png_get_rowbytes(reader->codec, reader->info) * header->height / 1040;
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
  // The caller has a limit of his own for the product.
  png_set_user_limits(reader->codec, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  ignore_words(reader->codec);
  png_read_info(reader->codec, reader->info);
  describe(reader, header);
  return &reader->base;
}

// ---- pixels

// The transformations and their order are OpenCV's.
static void transform(png_reader *reader, uint32_t channels, uint32_t bytes_per_sample) {
  png_structp codec = reader->codec;
  const png_byte depth = png_get_bit_depth(codec, reader->info);
  const png_byte color = png_get_color_type(codec, reader->info);
  const bool has_color = (color & PNG_COLOR_MASK_COLOR) != 0;
  const uint16_t one = 1;
  if (depth == 16 && bytes_per_sample == 1)
    png_set_strip_16(codec);
  else if (*(const uint8_t *)&one == 1)
    png_set_swap(codec);
  if (channels < 4)
    png_set_strip_alpha(codec);
  else
    png_set_tRNS_to_alpha(codec);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(codec);
  if (!has_color && depth < 8) png_set_expand_gray_1_2_4_to_8(codec);
  if (channels == 1)
    png_set_rgb_to_gray(codec, PNG_ERROR_ACTION_NONE, 0.299, 0.587);
  else if (!has_color)
    png_set_gray_to_rgb(codec);
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

img_code img_read_png(img_reader *base, uint32_t channels, uint32_t bytes_per_sample, int orientation,
                      uint8_t *pixels, img_error *error) {
  png_reader *reader = (png_reader *)base;
  memset(error, 0, sizeof *error);
  reader->error = error;
  if (setjmp(reader->escape) != 0) return error->code;
  transform(reader, channels, bytes_per_sample);
  const int passes = png_set_interlace_handling(reader->codec);
  png_read_update_info(reader->codec, reader->info);
  const uint32_t height = png_get_image_height(reader->codec, reader->info);
  const size_t row_bytes =
      (size_t)png_get_image_width(reader->codec, reader->info) * channels * bytes_per_sample;
  if (png_get_rowbytes(reader->codec, reader->info) != row_bytes)
    leave(reader, img_unsupported, "a PNG of an unknown kind");
  if (orientation != 1) {
    reader->stored = malloc(row_bytes * height);
    if (reader->stored == NULL) leave(reader, img_no_memory, "");
  }
  uint8_t *rows = orientation == 1 ? pixels : reader->stored;
  // Every pass writes pixels of its own, so the rows need no first value.
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t y = 0; y < height; y++) png_read_row(reader->codec, rows + (size_t)y * row_bytes, NULL);
  png_read_end(reader->codec, NULL);
  if (orientation != 1) turn_upright(reader, channels, orientation, pixels);
  return img_ok;
}

uint32_t img_crc32(const uint8_t *bytes, size_t count) { return (uint32_t)crc32_z(0, bytes, count); }
