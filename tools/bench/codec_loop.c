// The bare loop: libjpeg-turbo and the project's resize kernels, and nothing else. Packing and decoding are measured
// against it.
//
//   codec_loop reencode THREADS LIST     reads each file, decodes, scales the shorter side to 256, encodes at 95
//   codec_loop reencode THREADS LIST OUT the same, and writes what it makes to OUT, one after the other, and syncs it
//   codec_loop decode THREADS LIST       files in memory; decodes, scales, cuts the central 224x224, to planes of floats
//
// LIST holds one path of a JPEG file a line. It prints {"images", "seconds", "bytes", "checksum"}: the bytes are those
// of the JPEG files made, so that they can be held against a .rec; the checksum is the sum of all floats.
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>

#include "kernels.h"

enum { short_side = 256, crop = 224, quality = 95, max_side = 1 << 15 };

typedef struct {
  const char *path;
  unsigned char *bytes;
  size_t size;
} input;

static input *inputs;
static size_t count;
static atomic_size_t next_input;
static int encoding;
static int output = -1;
static atomic_llong next_offset;
static const img_kernels *kernels;

typedef struct {
  pthread_t thread;
  size_t bytes;
  double checksum;
} worker;

static void stop(const char *what, const char *path) {
  fprintf(stderr, "codec_loop: %s: %s\n", path, what);
  exit(1);
}

static void *take(void *old, size_t *room, size_t wanted) {
  if (wanted <= *room) return old;
  free(old);
  *room = wanted;
  void *made = malloc(wanted);
  if (!made) stop("no memory", "");
  return made;
}

static size_t read_file(const char *path, unsigned char **bytes, size_t *room) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat about;
  if (file < 0 || fstat(file, &about) != 0) stop("cannot be read", path);
  *bytes = take(*bytes, room, (size_t)about.st_size + 1);
  ssize_t got = pread(file, *bytes, (size_t)about.st_size, 0);
  if (got != about.st_size) stop("cannot be read", path);
  close(file);
  return (size_t)got;
}

// Where each output position reads, and its two weights: OpenCV's INTER_LINEAR for 8 bits.
typedef struct {
  int32_t at[max_side];
  int16_t weights[2 * max_side];
} axis;

static void plan(axis *a, int in, int out, int clamp, int step) {
  double scale = (double)in / out;
  for (int i = 0; i < out; i++) {
    float f = (float)((i + 0.5) * scale - 0.5);
    int s = (int)floorf(f);
    f -= (float)s;
    if (clamp && s < 0) s = 0, f = 0;
    if (clamp && s >= in - 1) s = in - 1, f = 0;
    a->at[i] = s * step;
    a->weights[2 * i] = (int16_t)lrintf((1 - f) * 2048);
    a->weights[2 * i + 1] = (int16_t)lrintf(f * 2048);
  }
}

typedef struct {
  unsigned char *file, *pixels, *scaled, *encoded;
  size_t file_room, pixel_room, scaled_room;
  int16_t *rows[2];
  float *planes;
  axis across, down;
} state;

static int clamped(int at, int limit) { return at < 0 ? 0 : at >= limit ? limit - 1 : at; }

// Both rows that output row `y` lies between, made or kept from the row before.
static void two_rows(state *s, int held[2], int y, int height, size_t stride, int left, int width) {
  for (int i = 0; i < 2; i++) {
    int wanted = clamped(s->down.at[y] + i, height);
    if (held[i] == wanted) continue;
    if (i == 0 && held[1] == wanted) {
      int16_t *kept = s->rows[0];
      s->rows[0] = s->rows[1], s->rows[1] = kept;
      held[0] = wanted, held[1] = -1;
      continue;
    }
    kernels->linear_across_3(s->rows[i], s->pixels + (size_t)wanted * stride, s->across.at + left,
                             s->across.weights + 2 * left, (size_t)width);
    held[i] = wanted;
  }
}

static void scale(state *s, int width, int height, int new_width, int new_height) {
  s->scaled = take(s->scaled, &s->scaled_room, (size_t)new_width * (size_t)new_height * 3 + img_slack);
  if (width == new_width * 2 && height == new_height * 2) {
    for (int y = 0; y < new_height; y++) {
      const uint8_t *upper = s->pixels + (size_t)y * 2 * (size_t)width * 3;
      kernels->halve_3(s->scaled + (size_t)y * (size_t)new_width * 3, upper, upper + (size_t)width * 3,
                       (size_t)new_width);
    }
    return;
  }
  plan(&s->across, width, new_width, 1, 3);
  plan(&s->down, height, new_height, 0, 1);
  int held[2] = {-1, -1};
  for (int y = 0; y < new_height; y++) {
    two_rows(s, held, y, height, (size_t)width * 3, 0, new_width);
    kernels->linear_down_3(s->scaled + (size_t)y * (size_t)new_width * 3, s->rows[0], s->rows[1],
                           s->down.weights[2 * y], s->down.weights[2 * y + 1], (size_t)new_width);
  }
}

static void to_planes(state *s, int width, int height, int new_width, int new_height) {
  static const float mean[3] = {0, 0, 0}, factor[3] = {1, 1, 1};
  int left = (new_width - crop) / 2, top = (new_height - crop) / 2;
  if (width == new_width * 2 && height == new_height * 2) {
    scale(s, width, height, new_width, new_height);
    for (int y = 0; y < crop; y++) {
      float *out = s->planes + (size_t)y * crop;
      kernels->planes_3(out, out + crop * crop, out + 2 * crop * crop,
                        s->scaled + ((size_t)(y + top) * (size_t)new_width + (size_t)left) * 3, crop, mean, factor);
    }
    return;
  }
  plan(&s->across, width, new_width, 1, 3);
  plan(&s->down, height, new_height, 0, 1);
  int held[2] = {-1, -1};
  for (int y = 0; y < crop; y++) {
    two_rows(s, held, y + top, height, (size_t)width * 3, left, crop);
    float *out = s->planes + (size_t)y * crop;
    kernels->linear_planes_3(out, out + crop * crop, out + 2 * crop * crop, s->rows[0], s->rows[1],
                             s->down.weights[2 * (y + top)], s->down.weights[2 * (y + top) + 1], crop, mean, factor);
  }
}

static void *work(void *given) {
  worker *mine = given;
  state *s = calloc(1, sizeof *s);
  if (!s) stop("no memory", "");
  for (int i = 0; i < 2; i++) s->rows[i] = malloc(sizeof(int16_t) * 4 * max_side + img_slack);
  s->planes = malloc(sizeof(float) * 3 * crop * crop + img_slack);

  struct jpeg_error_mgr errors;
  struct jpeg_decompress_struct in = {.err = jpeg_std_error(&errors)};
  struct jpeg_compress_struct out = {.err = &errors};
  jpeg_create_decompress(&in);
  jpeg_create_compress(&out);
  size_t at;
  while ((at = atomic_fetch_add(&next_input, 1)) < count) {
    const unsigned char *bytes = inputs[at].bytes;
    size_t size = inputs[at].size;
    if (encoding) size = read_file(inputs[at].path, &s->file, &s->file_room), bytes = s->file;

    jpeg_mem_src(&in, bytes, size);
    jpeg_read_header(&in, TRUE);
    in.out_color_space = JCS_RGB;
    jpeg_start_decompress(&in);
    int width = (int)in.output_width, height = (int)in.output_height;
    if (width > max_side || height > max_side) stop("is too large", inputs[at].path);
    s->pixels = take(s->pixels, &s->pixel_room, (size_t)width * (size_t)height * 3 + img_slack);
    while (in.output_scanline < in.output_height) {
      JSAMPROW rows[4];
      for (unsigned i = 0; i < 4; i++) rows[i] = s->pixels + (in.output_scanline + i) * (size_t)width * 3;
      unsigned left = in.output_height - in.output_scanline;
      jpeg_read_scanlines(&in, rows, left < 4 ? left : 4);
    }
    jpeg_finish_decompress(&in);

    int new_width = height > width ? short_side : (int)((long)width * short_side / height);
    int new_height = height > width ? (int)((long)height * short_side / width) : short_side;
    if (new_width > max_side || new_height > max_side) stop("is too long", inputs[at].path);
    if (!encoding) {
      to_planes(s, width, height, new_width, new_height);
      for (size_t i = 0; i < 3 * crop * crop; i += crop + 1) mine->checksum += (double)s->planes[i];
      continue;
    }
    scale(s, width, height, new_width, new_height);
    unsigned long made = 0;
    unsigned char *encoded = NULL;
    jpeg_mem_dest(&out, &encoded, &made);
    out.image_width = (JDIMENSION)new_width, out.image_height = (JDIMENSION)new_height;
    out.input_components = 3, out.in_color_space = JCS_RGB;
    jpeg_set_defaults(&out);
    jpeg_set_quality(&out, quality, TRUE);
    jpeg_start_compress(&out, TRUE);
    while (out.next_scanline < out.image_height) {
      JSAMPROW row = s->scaled + out.next_scanline * (size_t)new_width * 3;
      jpeg_write_scanlines(&out, &row, 1);
    }
    jpeg_finish_compress(&out);
    mine->bytes += made;
    if (output >= 0) {
      long long offset = atomic_fetch_add(&next_offset, (long long)made);
      if (pwrite(output, encoded, made, offset) != (ssize_t)made) stop("cannot be written", inputs[at].path);
    }
    free(encoded);
  }
  jpeg_destroy_decompress(&in);
  jpeg_destroy_compress(&out);
  return NULL;
}

int main(int words, char **word) {
  int threads = words == 4 || words == 5 ? atoi(word[2]) : 0;
  if (threads < 1 || threads > 64) stop("usage: codec_loop reencode|decode THREADS LIST [OUT]", word[0]);
  encoding = strcmp(word[1], "reencode") == 0;
  kernels = img_kernels_avx512() ? img_kernels_avx512()
            : img_kernels_avx2() ? img_kernels_avx2()
                                 : img_kernels_portable();
  FILE *list = fopen(word[3], "r");
  if (!list) stop("cannot be read", word[3]);
  char *line = NULL;
  size_t room = 0;
  for (ssize_t got; (got = getline(&line, &room, list)) > 0;) {
    if (line[got - 1] == '\n') line[got - 1] = 0;
    inputs = realloc(inputs, (count + 1) * sizeof *inputs);
    if (!inputs) stop("no memory", line);
    inputs[count] = (input){.path = strdup(line)};
    if (!encoding) {
      size_t none = 0;
      inputs[count].size = read_file(line, &inputs[count].bytes, &none);
    }
    count++;
  }
  if (words == 5) {
    output = open(word[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output < 0) stop("cannot be written", word[4]);
  }
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  worker workers[64] = {0};
  for (int i = 0; i < threads; i++) pthread_create(&workers[i].thread, NULL, work, &workers[i]);
  size_t bytes = 0;
  double checksum = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    bytes += workers[i].bytes, checksum += workers[i].checksum;
  }
  if (output >= 0 && fsync(output) != 0) stop("cannot be written", word[4]);
  clock_gettime(CLOCK_MONOTONIC, &to);
  double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
  printf("{\"images\": %zu, \"seconds\": %.6f, \"bytes\": %zu, \"checksum\": %.1f, \"kernels\": \"%s\"}\n", count,
         seconds, bytes, checksum, kernels->name);
  return 0;
}
