// How many multiply-adds the processor can do: nothing but those, in registers, on some threads at once. Prints billions a
// second, all threads together, the best of five goes; 0 where the processor has no instructions for these numbers.
//   clang -O2 -Wno-psabi -pthread peak.c -o peak && ./peak THREADS [fp32|bf16|int8]
#include <immintrin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { chains = 12, steps = 20000000 };
typedef float lanes __attribute__((ext_vector_type(16)));

// As many chains as hide the latency of a sum; each lane of each chain is a multiply-add a step.
#define CHAINS(target)                                                                                                 \
  lanes sums[chains], x = 1.0001f, y = 1e-9f;                                                                          \
  for (int i = 0; i < chains; i++) sums[i] = (float)i;                                                                 \
  for (int k = 0; k < steps; k++)                                                                                      \
    for (int i = 0; i < chains; i++) sums[i] = __builtin_elementwise_fma(sums[i], x, y);                               \
  for (int i = 1; i < chains; i++) sums[0] += sums[i];                                                                 \
  *(volatile float *)out = sums[0][0];

__attribute__((target("avx512f"))) static void wide(float *out) { CHAINS() }
__attribute__((target("avx2,fma"))) static void narrow(float *out) { CHAINS() }

// The empty assembly keeps the compiler from adding equal products up beforehand.
__attribute__((target("avx512f,avx512bf16"))) static void wide_bf16(float *out) {
  __m512 sums[chains] = {0};
  const __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f803f80);
  for (int k = 0; k < steps; k++)
    for (int i = 0; i < chains; i++) {
      sums[i] = _mm512_dpbf16_ps(sums[i], x, x);
      __asm__("" : "+v"(sums[i]));
    }
  for (int i = 1; i < chains; i++) sums[0] += sums[i];
  *(volatile float *)out = sums[0][0];
}

__attribute__((target("avx512f,avx512vnni"))) static void wide_int8(float *out) {
  __m512i sums[chains] = {0};
  const __m512i x = _mm512_set1_epi32(0x01010101);
  for (int k = 0; k < steps; k++)
    for (int i = 0; i < chains; i++) {
      sums[i] = _mm512_dpbusd_epi32(sums[i], x, x);
      __asm__("" : "+v"(sums[i]));
    }
  for (int i = 1; i < chains; i++) sums[0] += sums[i];
  *(volatile float *)out = (float)sums[0][0];
}

static void (*loop)(float *);

static void *work(void *unused) {
  (void)unused;
  float out;
  loop(&out);
  return NULL;
}

int main(int count, char **words) {
  const int threads = count > 1 ? atoi(words[1]) : 1;
  const char *numbers = count > 2 ? words[2] : "fp32";
  if (threads < 1 || threads > 1024) return 64;
  int products = 16;  // of one instruction
  if (!strcmp(numbers, "fp32")) {
    loop = __builtin_cpu_supports("avx512f") ? wide : narrow;
  } else if (!strcmp(numbers, "bf16")) {
    loop = __builtin_cpu_supports("avx512bf16") ? wide_bf16 : NULL;
    products = 32;
  } else if (!strcmp(numbers, "int8")) {
    loop = __builtin_cpu_supports("avx512vnni") ? wide_int8 : NULL;
    products = 64;
  } else {
    return 64;
  }
  double best = 0;
  for (int go = 0; go < 5 && loop; go++) {
    pthread_t ids[1024];
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < threads; i++)
      if (pthread_create(&ids[i], NULL, work, NULL)) return 1;
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &to);
    const double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    const double rate = (double)threads * steps * chains * products / seconds / 1e9;
    if (rate > best) best = rate;
  }
  printf("%.1f\n", best);
}
