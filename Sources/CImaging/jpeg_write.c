#include <setjmp.h>
#include <stdlib.h>

#include "internal.h"
#include "jpeg_headers.h"

enum { strip_rows = 16 };

typedef struct jpeg_writer {
  struct jpeg_compress_struct codec;
  struct jpeg_error_mgr messages;
  struct jpeg_destination_mgr destination;
  jmp_buf escape;
  img_output output;
  img_error *error;
} jpeg_writer;

static void on_error(j_common_ptr codec) {
  jpeg_writer *writer = codec->client_data;
  char words[JMSG_LENGTH_MAX];
  codec->err->format_message(codec, words);
  img_fail(writer->error, codec->err->msg_code == JERR_OUT_OF_MEMORY ? img_no_memory : img_cannot_encode, 0, words);
  longjmp(writer->escape, 1);
}

static void on_message(j_common_ptr codec, int level) {
  (void)codec;
  (void)level;
}

static void on_output(j_common_ptr codec) { (void)codec; }

// ---- bytes to memory

static void use_free_room(jpeg_writer *writer) {
  writer->destination.next_output_byte = writer->output.bytes + writer->output.count;
  writer->destination.free_in_buffer = writer->output.capacity - writer->output.count;
}

static void grow(jpeg_writer *writer, size_t more) {
  if (!img_output_reserve(&writer->output, more)) {
    img_fail(writer->error, img_no_memory, 0, "");
    longjmp(writer->escape, 1);
  }
  use_free_room(writer);
}

static void begin(j_compress_ptr codec) { use_free_room(codec->client_data); }

// libjpeg calls this when the buffer is full, whatever `free_in_buffer` says.
static boolean empty(j_compress_ptr codec) {
  jpeg_writer *writer = codec->client_data;
  writer->output.count = writer->output.capacity;
  grow(writer, writer->output.capacity);
  return TRUE;
}

static void end(j_compress_ptr codec) {
  jpeg_writer *writer = codec->client_data;
  writer->output.count = writer->output.capacity - writer->destination.free_in_buffer;
}

// ---- writing

static void configure(jpeg_writer *writer, const img_pixels *pixels, const img_jpeg_settings *settings) {
  struct jpeg_compress_struct *codec = &writer->codec;
  const bool is_grey = pixels->channels == 1;
  const bool has_inks = !is_grey && settings->inks != img_ycc;
  codec->image_width = pixels->width;
  codec->image_height = pixels->height;
  codec->input_components = is_grey ? 1 : has_inks ? 4 : (int)pixels->channels;
  codec->in_color_space = is_grey                 ? JCS_GRAYSCALE
                          : has_inks              ? JCS_CMYK
                          : pixels->channels == 4 ? JCS_EXT_RGBX
                                                  : JCS_EXT_RGB;
  jpeg_set_defaults(codec);
  if (has_inks) jpeg_set_colorspace(codec, settings->inks == img_cmyk ? JCS_CMYK : JCS_YCCK);
  jpeg_set_quality(codec, settings->quality, TRUE);
  if (!is_grey) {
    // CMYK has no chroma, so nothing is subsampled.
    const bool whole = has_inks && settings->inks == img_cmyk;
    for (int i = 0; i < codec->num_components; i++) {
      const bool is_luma = i == 0 || i == 3;
      codec->comp_info[i].h_samp_factor = is_luma && !whole ? settings->luma_across : 1;
      codec->comp_info[i].v_samp_factor = is_luma && !whole ? settings->luma_down : 1;
    }
  }
  if (settings->is_progressive) jpeg_simple_progression(codec);
  codec->arith_code = settings->is_arithmetic;
  codec->restart_interval = settings->restart_interval;
}

// Writes the smallest EXIF segment with an orientation: a big-endian TIFF header and one entry, tag 0x112.
static void write_orientation(j_compress_ptr codec, int orientation) {
  // clang-format off
  uint8_t segment[] = {'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                       0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (uint8_t)orientation, 0, 0, 0, 0, 0, 0};
  // clang-format on
  jpeg_write_marker(codec, JPEG_APP0 + 1, segment, sizeof segment);
}

// Converts one row to 8-bit samples for libjpeg: 16 bits are saturated, and CMYK is inverted, without black.
static void convert(const img_pixels *pixels, uint32_t y, bool has_inks, uint8_t *row) {
  const size_t channels = pixels->channels;
  const uint8_t *from = pixels->bytes + (size_t)y * pixels->width * channels * pixels->bytes_per_sample;
  const size_t kept = has_inks ? 3 : channels, step = has_inks ? 4 : channels;
  for (size_t x = 0; x < pixels->width; x++) {
    for (size_t c = 0; c < kept; c++) {
      const size_t sample = x * channels + c;
      uint16_t value = pixels->bytes_per_sample == 2 ? 0 : from[sample];
      if (pixels->bytes_per_sample == 2) memcpy(&value, from + sample * 2, 2);
      row[x * step + c] = value > 255 ? 255 : (uint8_t)value;
    }
    if (has_inks) row[x * step + 3] = 255;
  }
}

static void write_rows(jpeg_writer *writer, const img_pixels *pixels) {
  struct jpeg_compress_struct *codec = &writer->codec;
  const bool has_inks = codec->in_color_space == JCS_CMYK;
  const bool as_they_are = pixels->bytes_per_sample == 1 && !has_inks;
  const size_t row_bytes = (size_t)pixels->width * pixels->channels;
  JSAMPARRAY converted =
      as_they_are ? NULL
                  : codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE,
                                             pixels->width * (JDIMENSION)codec->input_components, strip_rows);
  while (codec->next_scanline < codec->image_height) {
    JSAMPROW direct[strip_rows];
    const JDIMENSION y = codec->next_scanline, left = codec->image_height - y;
    const JDIMENSION count = left < strip_rows ? left : strip_rows;
    for (JDIMENSION i = 0; i < count; i++) {
      if (as_they_are) direct[i] = (JSAMPROW)(pixels->bytes + (size_t)(y + i) * row_bytes);  // libjpeg only reads it
      else convert(pixels, y + i, has_inks, converted[i]);
    }
    jpeg_write_scanlines(codec, as_they_are ? direct : converted, count);
  }
}

img_code img_write_jpeg(const img_pixels *pixels, const img_jpeg_settings *settings, uint8_t **bytes, size_t *count,
                        img_error *error) {
  jpeg_writer writer = {0};
  struct jpeg_compress_struct *codec = &writer.codec;
  memset(error, 0, sizeof *error);
  writer.error = error;
  codec->err = jpeg_std_error(&writer.messages);
  writer.messages.error_exit = on_error;
  writer.messages.emit_message = on_message;
  writer.messages.output_message = on_output;
  codec->client_data = &writer;
  writer.destination.init_destination = begin;
  writer.destination.empty_output_buffer = empty;
  writer.destination.term_destination = end;
  if (setjmp(writer.escape) != 0) {
    jpeg_destroy_compress(codec);
    img_output_free(&writer.output);
    return error->code;
  }
  jpeg_create_compress(codec);
  codec->dest = &writer.destination;
  // Photographs at quality 95 take about 3 bits per sample; the buffer grows if more are needed.
  grow(&writer, (size_t)pixels->width * pixels->height * pixels->channels * 3 / 8 + (1u << 12));
  configure(&writer, pixels, settings);
  jpeg_start_compress(codec, TRUE);
  if (settings->orientation >= 2 && settings->orientation <= 8) write_orientation(codec, settings->orientation);
  write_rows(&writer, pixels);
  jpeg_finish_compress(codec);
  jpeg_destroy_compress(codec);
  *bytes = writer.output.bytes;
  *count = writer.output.count;
  return img_ok;
}
