#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

#include "internal.h"

typedef struct png_writer {
  png_structp codec;
  png_infop info;
  jmp_buf escape;
  img_output output;
  img_error *error;
} png_writer;

static void on_error(png_structp codec, png_const_charp words) {
  png_writer *writer = png_get_error_ptr(codec);
  img_fail(writer->error, strstr(words, "ut of memory") != NULL ? img_no_memory : img_cannot_encode, 0, words);
  longjmp(writer->escape, 1);
}

static void on_warning(png_structp codec, png_const_charp words) {
  (void)codec;
  (void)words;
}

static void write_bytes(png_structp codec, png_bytep from, size_t count) {
  png_writer *writer = png_get_io_ptr(codec);
  if (!img_output_reserve(&writer->output, count)) png_error(codec, "Out of memory");
  memcpy(writer->output.bytes + writer->output.count, from, count);
  writer->output.count += count;
}

static void flush(png_structp codec) { (void)codec; }

img_code img_write_png(const img_pixels *pixels, int level, uint8_t **bytes, size_t *count, img_error *error) {
  png_writer writer = {0};
  memset(error, 0, sizeof *error);
  writer.error = error;
  if (setjmp(writer.escape) != 0) {
    png_destroy_write_struct(&writer.codec, &writer.info);
    img_output_free(&writer.output);
    return error->code;
  }
  writer.codec = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, on_error, on_warning);
  if (writer.codec == NULL) return img_fail(error, img_no_memory, 0, "");
  writer.info = png_create_info_struct(writer.codec);
  if (writer.info == NULL) png_error(writer.codec, "Out of memory");
  png_set_write_fn(writer.codec, &writer, write_bytes, flush);
  png_set_user_limits(writer.codec, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_compression_level(writer.codec, level);
  png_set_compression_strategy(writer.codec, 0);  // Z_DEFAULT_STRATEGY, which OpenCV uses when a level is given
  png_set_IHDR(writer.codec, writer.info, pixels->width, pixels->height, (int)pixels->bytes_per_sample * 8,
               pixels->channels == 1   ? PNG_COLOR_TYPE_GRAY
               : pixels->channels == 3 ? PNG_COLOR_TYPE_RGB
                                       : PNG_COLOR_TYPE_RGB_ALPHA,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writer.codec, writer.info);
  const uint16_t one = 1;
  if (pixels->bytes_per_sample == 2 && *(const uint8_t *)&one == 1) png_set_swap(writer.codec);
  const size_t row_bytes = (size_t)pixels->width * pixels->channels * pixels->bytes_per_sample;
  for (uint32_t y = 0; y < pixels->height; y++) png_write_row(writer.codec, pixels->bytes + (size_t)y * row_bytes);
  png_write_end(writer.codec, writer.info);
  png_destroy_write_struct(&writer.codec, &writer.info);
  *bytes = writer.output.bytes;
  *count = writer.output.count;
  return img_ok;
}
