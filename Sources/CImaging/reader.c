#include "internal.h"

const char *img_words(const img_error *error) { return error->words; }

void img_close(img_reader *reader) {
  if (reader != NULL) reader->close(reader);
}
