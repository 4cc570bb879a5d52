#include "frontend/cli/bench/peak_loops.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Twelve chains cover latency x units (4 x 2, or 4 x 3) of every machine at hand and fit 16 registers.
#define CHAINS(X)   X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define CHAIN_COUNT 12
#define STEPS       20000
// Of a loop whose instruction multiplies and adds so many pairs.
#define OPERATIONS(pairs) (2.0 * (pairs) * CHAIN_COUNT * STEPS)

// A loop over vectors of type V; STEP(i) is a[i] = a[i] + b * c, or alike. The empty asm keeps each chain in its register
// and alive.
#define CHAIN_LOOP(name, attribute, V, SETUP, STEP, KEEP)                                                    \
    attribute static void name(void) {                                                                       \
        V a[CHAIN_COUNT];                                                                                    \
        SETUP                                                                                                \
        for (int i = 0; i < STEPS; i++) {                                                                    \
            CHAINS(STEP)                                                                                     \
        }                                                                                                    \
        CHAINS(KEEP)                                                                                         \
    }

#if defined(__x86_64__)
#include <immintrin.h>
#define KEEP(i)    __asm__ volatile("" ::"x"(a[i]));
#define KEEP512(i) __asm__ volatile("" ::"v"(a[i]));

// --- float32

#define FLOATS(V, SET)                                                                                       \
    V b = SET(0.999f), c = SET(0.001f);                                                                      \
    for (int i = 0; i < CHAIN_COUNT; i++) a[i] = SET((float)i);
#define FMA512(i) a[i] = _mm512_fmadd_ps(a[i], b, c);
#define FMA256(i) a[i] = _mm256_fmadd_ps(a[i], b, c);
#define MULADD(i) a[i] = _mm_add_ps(_mm_mul_ps(a[i], b), c);
CHAIN_LOOP(f32_avx512, __attribute__((target("avx512f"))), __m512, FLOATS(__m512, _mm512_set1_ps), FMA512,
           KEEP512)
CHAIN_LOOP(f32_avx2, __attribute__((target("avx2,fma"))), __m256, FLOATS(__m256, _mm256_set1_ps), FMA256,
           KEEP)
CHAIN_LOOP(f32_generic, , __m128, FLOATS(__m128, _mm_set1_ps), MULADD, KEEP)

// --- bf16

#define PAIRS512                                                                                             \
    __m512bh b = (__m512bh)_mm512_set1_epi32(0x3f7f3f7f), c = (__m512bh)_mm512_set1_epi32(0x3a833a83);       \
    for (int i = 0; i < CHAIN_COUNT; i++) a[i] = _mm512_set1_ps((float)i);
#define DPBF16(i) a[i] = _mm512_dpbf16_ps(a[i], b, c);
CHAIN_LOOP(bf16_avx512, __attribute__((target("avx512f,avx512bf16"))), __m512, PAIRS512, DPBF16, KEEP512)

// --- 8 bits, by an instruction for groups of four, and without: in two steps and a sum. There the left operand is new
// to the compiler each time, or it would multiply once.

#define BYTES(V, SET)                                                                                        \
    V b = SET(3), c = SET(5);                                                                                \
    for (int i = 0; i < CHAIN_COUNT; i++) a[i] = SET((char)i);
#define DPBUSD512(i) a[i] = _mm512_dpbusd_epi32(a[i], b, c);
#define DPBUSD256(i) a[i] = _mm256_dpbusd_avx_epi32(a[i], b, c);
#define MADDUBS512(i)                                                                                        \
    __asm__ volatile("" : "+v"(b));                                                                          \
    a[i] = _mm512_add_epi32(a[i], _mm512_madd_epi16(_mm512_maddubs_epi16(b, c), ones));
#define MADDUBS256(i)                                                                                        \
    __asm__ volatile("" : "+x"(b));                                                                          \
    a[i] = _mm256_add_epi32(a[i], _mm256_madd_epi16(_mm256_maddubs_epi16(b, c), ones));
CHAIN_LOOP(int8_avx512vnni, __attribute__((target("avx512f,avx512vnni"))), __m512i,
           BYTES(__m512i, _mm512_set1_epi8), DPBUSD512, KEEP512)
CHAIN_LOOP(int8_avxvnni, __attribute__((target("avx2,avxvnni"))), __m256i, BYTES(__m256i, _mm256_set1_epi8),
           DPBUSD256, KEEP)
CHAIN_LOOP(int8_avx512, __attribute__((target("avx512f,avx512bw"))), __m512i,
           BYTES(__m512i, _mm512_set1_epi8) __m512i ones = _mm512_set1_epi16(1);
           , MADDUBS512, KEEP512)
CHAIN_LOOP(int8_avx2, __attribute__((target("avx2"))), __m256i,
           BYTES(__m256i, _mm256_set1_epi8) __m256i ones = _mm256_set1_epi16(1);
           , MADDUBS256, KEEP)

// --- AMX: six sums of 16 x 16, two tiles of operands; the kernel is asked for the tiles' state first.

#define AMX           __attribute__((target("amx-tile,amx-int8,amx-bf16")))
#define TILE_COUNT    8
#define TILE_SUMS     6
#define REQUEST_STATE 0x1023 // ARCH_REQ_XCOMP_PERM
#define TILE_STATE    18

AMX static void amx_enter(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } tiles = {.palette = 1};
    syscall(SYS_arch_prctl, REQUEST_STATE, TILE_STATE);
    for (int i = 0; i < TILE_COUNT; i++) {
        tiles.row_bytes[i] = 64;
        tiles.rows[i] = 16;
    }
    __asm__ volatile("" ::"r"(&tiles)
                     : "memory"); // GCC takes the intrinsic to read 8 bytes, and drops the rest
    _tile_loadconfig(&tiles);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
}

AMX static void amx_leave(void) {
    _tile_release();
}

AMX static void int8_amx(void) {
    for (int i = 0; i < STEPS; i++) {
        _tile_dpbusd(0, 6, 7);
        _tile_dpbusd(1, 6, 7);
        _tile_dpbusd(2, 6, 7);
        _tile_dpbusd(3, 6, 7);
        _tile_dpbusd(4, 6, 7);
        _tile_dpbusd(5, 6, 7);
    }
}

AMX static void bf16_amx(void) {
    for (int i = 0; i < STEPS; i++) {
        _tile_dpbf16ps(0, 6, 7);
        _tile_dpbf16ps(1, 6, 7);
        _tile_dpbf16ps(2, 6, 7);
        _tile_dpbf16ps(3, 6, 7);
        _tile_dpbf16ps(4, 6, 7);
        _tile_dpbf16ps(5, 6, 7);
    }
}

#define TILES(k) (2.0 * 16 * 16 * (k) * TILE_SUMS * STEPS)

// Of each type from the best on: the first whose level is the one that is looked for.
static const peak_loop loops[] = {
    {PEAK_F32, "amx", f32_avx512, OPERATIONS(16), NULL, NULL},
    {PEAK_F32, "avx512bf16", f32_avx512, OPERATIONS(16), NULL, NULL},
    {PEAK_F32, "avx512vnni", f32_avx512, OPERATIONS(16), NULL, NULL},
    {PEAK_F32, "avx512", f32_avx512, OPERATIONS(16), NULL, NULL},
    {PEAK_F32, "avxvnni", f32_avx2, OPERATIONS(8), NULL, NULL},
    {PEAK_F32, "avx2", f32_avx2, OPERATIONS(8), NULL, NULL},
    {PEAK_F32, "", f32_generic, OPERATIONS(4), NULL, NULL},
    {PEAK_BF16, "amx", bf16_amx, TILES(32), amx_enter, amx_leave},
    {PEAK_BF16, "avx512bf16", bf16_avx512, OPERATIONS(32), NULL, NULL},
    {PEAK_INT8, "amx", int8_amx, TILES(64), amx_enter, amx_leave},
    {PEAK_INT8, "avx512bf16", int8_avx512vnni, OPERATIONS(64), NULL, NULL},
    {PEAK_INT8, "avx512vnni", int8_avx512vnni, OPERATIONS(64), NULL, NULL},
    {PEAK_INT8, "avx512", int8_avx512, OPERATIONS(64), NULL, NULL},
    {PEAK_INT8, "avxvnni", int8_avxvnni, OPERATIONS(32), NULL, NULL},
    {PEAK_INT8, "avx2", int8_avx2, OPERATIONS(32), NULL, NULL},
};
#elif defined(__aarch64__)
#include <arm_neon.h>
#define NEON_FLOATS                                                                                          \
    float32x4_t b = vdupq_n_f32(0.999f), c = vdupq_n_f32(0.001f);                                            \
    for (int i = 0; i < CHAIN_COUNT; i++) a[i] = vdupq_n_f32((float)i);
#define FMANEON(i) a[i] = vfmaq_f32(c, a[i], b);
#define KEEP(i)    __asm__ volatile("" ::"w"(a[i]));
CHAIN_LOOP(f32_neon, , float32x4_t, NEON_FLOATS, FMANEON, KEEP)
static const peak_loop loops[] = {{PEAK_F32, "", f32_neon, OPERATIONS(4), NULL, NULL}};
#endif

const peak_loop *peak_loop_find(peak_type type, const char *isa) {
    const peak_loop *any = NULL;
    size_t n = strcspn(isa, ",");
    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
        bool same = strlen(loops[i].isa) == n && !strncmp(loops[i].isa, isa, n);
        if (loops[i].type == type && same) return &loops[i];
        if (loops[i].type == PEAK_F32 && !*loops[i].isa) any = &loops[i];
    }
    return type == PEAK_F32 ? any : peak_loop_find(PEAK_F32, isa);
}
