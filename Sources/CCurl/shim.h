#pragma once
#include <curl/curl.h>

// Swift cannot call variadic functions, so there is one wrapper for each type of option.
static inline CURLcode set_number(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode set_large_number(CURL *handle, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode set_pointer(CURL *handle, CURLoption option, const void *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode set_text(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode set_receiver(CURL *handle, CURLoption option, size_t (*take)(char *, size_t, size_t, void *)) {
  return curl_easy_setopt(handle, option, take);
}
static inline long get_number(CURL *handle, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(handle, info, &value);
  return value;
}

// The next transfer that has ended, or NULL. The message that tells it has a union, which Swift imports poorly.
static inline CURL *finished_transfer(CURLM *multi, CURLcode *result) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));)
    if (message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return message->easy_handle;
    }
  return 0;
}
