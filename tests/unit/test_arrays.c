// links: cli hub ir
// .npy and .npz: what is written reads back, and each malformed form is an error that names what is wrong.
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/arrays/npz.h"
#include "main.h"

static char folder[64], path[96];

static void setup(void) {
    strcpy(folder, "/tmp/bertc-arrays-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.npz", folder);
}

static void teardown(void) {
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); // nothing else is left
}

// --- .npy

// An array's bytes, of a header of version 1 and `size` zeros.
static size_t array_bytes(unsigned char *out, const char *header, size_t size) {
    size_t n = strlen(header);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)n;
    out[9] = 0;
    memcpy(out + 10, header, n);
    memset(out + 10 + n, 0, size);
    return 10 + n + size;
}

static void expect(const char *header, size_t size, const char *message) {
    unsigned char bytes[1024];
    npy_array a;
    diag d;
    diag_init(&d);
    bool ok = npy_read(bytes, array_bytes(bytes, header, size), "x.npy", &a, &d);
    ck_assert_msg(ok == !message, "%s: %s", header, d.count ? d.items[0].text : "read");
    if (message) ck_assert_msg(strstr(d.items[0].text, message), "%s: %s", header, d.items[0].text);
    diag_free(&d);
}

START_TEST(test_headers) {
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }\n", 48, NULL);
    expect("{\"shape\":(3,),\"descr\":\"<i8\",\"fortran_order\":False}", 24, NULL);
    expect("{'descr': '|S3', 'fortran_order': False, 'shape': (), }", 3, NULL);
    expect("{'descr': '<U3', 'fortran_order': False, 'shape': (), }", 12, NULL);
    expect("{'descr': '<f4', 'fortran_order': True, 'shape': (5,), }", 20, NULL);
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 7), }", 0, NULL);
    expect("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }", 48, "Fortran");
    expect("{'descr': '>f4', 'fortran_order': False, 'shape': (3, 4), }", 48, "big-endian");
    expect("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "dtype is <c8");
    expect("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, "dtype is |O");
    expect("{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }", 3, "dtype is <f3");
    expect("{'descr': [('a', '<f4'), ('b', '<i4', (2, 3))], 'fortran_order': False, 'shape': (1,), }", 28,
           "several fields");
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 47,
           "float32 [3, 4], which is 48 bytes, but has 47");
    expect("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 49, "has 49 behind its header");
    expect("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0,
           "beyond memory");
    expect("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0,
           "none of numpy's");
    expect("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1), }", 8,
           "none of numpy's");
    expect("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", 0, "none of numpy's");
    expect("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,), }", 8, "none of numpy's");
    expect("{'descr': '<f8', 'shape': (1,), }", 8, "none of numpy's");
    expect("{'descr': '<f8", 8, "none of numpy's");
    expect("{'descr': [('a', ", 8, "none of numpy's");
    expect("", 0, "none of numpy's");
}
END_TEST

START_TEST(test_starts) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {{"", 0, "doesn't begin"},
                 {"\x93NUMPY", 6, "doesn't begin"},
                 {"PK\x03\x04......", 10, "doesn't begin"},
                 {"\x93NUMPY\x01\x00\xff\x00{", 11, "cut short in its header"},
                 {"\x93NUMPY\x02\x00\xff\x00\x00", 11, "cut short in its header"},
                 {"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14, "cut short in its header"},
                 {"\x93NUMPY\x04\x00\x02\x00{}", 12, "version 4"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        npy_array a;
        diag d;
        diag_init(&d);
        ck_assert(!npy_read((const unsigned char *)cases[i].bytes, cases[i].size, "x.npy", &a, &d));
        ck_assert_msg(strstr(d.items[0].text, cases[i].message), "%zu: %s", i, d.items[0].text);
        diag_free(&d);
    }
}
END_TEST

START_TEST(test_integers) {
    static const unsigned char bytes[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    npy_array a = {.kind = 'i', .element = 4, .data = bytes};
    ck_assert_int_eq(npy_integer(&a, 0), -2);
    a.kind = 'u';
    ck_assert_int_eq(npy_integer(&a, 0), 0xfffffffeLL);
    a.element = 8;
    ck_assert_int_eq(npy_integer(&a, 0), INT64_MAX);
    a.kind = 'i';
    ck_assert_int_eq(npy_integer(&a, 0), -2);
    a.element = 1;
    ck_assert_int_eq(npy_integer(&a, 1), -1);
}
END_TEST

// --- .npz

static void write_three(diag *d) {
    static const float rows[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t bounds[] = {0, 2};
    npz_writer w;
    npz_begin(&w, path);
    npz_array *a = npz_add(&w, "vectors", "<f4", d), *b = npz_add(&w, "bounds", "<i8", d),
              *c = npz_add(&w, "format", "|S3", d);
    ck_assert(a && b && c);
    for (int i = 0; i < 3; i++) ck_assert(npz_append(&w, a, rows + 2 * i, 8, d)); // by turns
    ck_assert(npz_append(&w, b, bounds, sizeof bounds, d));
    ck_assert(npz_append(&w, c, "csr", 3, d));
    a->rank = 2, a->shape[0] = 3, a->shape[1] = 2;
    b->rank = 1, b->shape[0] = 2;
    ck_assert(npz_end(&w, d));
    npz_drop(&w);
}

START_TEST(test_round_trip) {
    diag d;
    diag_init(&d);
    write_three(&d);
    npz_file z;
    npy_array a, b, c, none;
    ck_assert(npz_open(&z, path, &d));
    ck_assert(npz_read(&z, "vectors", &a, &d) && npz_read(&z, "bounds", &b, &d) &&
              npz_read(&z, "format", &c, &d));
    ck_assert(a.kind == 'f' && a.element == 4 && a.rank == 2 && a.shape[0] == 3 && a.shape[1] == 2);
    ck_assert_int_eq((uintptr_t)a.data % 64, 0);
    float last;
    memcpy(&last, a.data + 20, 4);
    ck_assert(last == 6 && npy_integer(&b, 1) == 2);
    ck_assert(c.rank == 0 && c.count == 1 && !memcmp(c.data, "csr", 3));
    ck_assert(npz_has(&z, "vectors") && !npz_has(&z, "data"));
    ck_assert(!npz_read(&z, "data", &none, &d));
    ck_assert_ptr_nonnull(strstr(d.items[0].text, "has no array \"data\""));
    for (int i = 0; i < z.index.count; i++) {
        const unsigned char *bytes;
        size_t size;
        ck_assert(zip_bytes(&z.index, &z.index.entries[i], &bytes, &size, &d));
        ck_assert(zip_check(&z.index, &z.index.entries[i], bytes, size, &d));
    }
    npz_close(&z);
    diag_free(&d);
}
END_TEST

START_TEST(test_crc) {
    ck_assert_uint_eq(zip_crc(0, "123456789", 9), 0xcbf43926u); // the check value of the CRC catalogue
    ck_assert_uint_eq(zip_crc(zip_crc(0, "12345678", 8), "9", 1), 0xcbf43926u);
    ck_assert_uint_eq(zip_crc(0, "", 0), 0);
}
END_TEST

// The file with one byte changed, or cut: read, or refused, and never outside of its bytes (sanitizers see that).
static void try_bytes(const unsigned char *bytes, size_t size) {
    unsigned char *exact = malloc(size + !size);
    memcpy(exact, bytes, size);
    arena *a = arena_new();
    zip_index z;
    diag d;
    diag_init(&d);
    bool ok = zip_read(exact, size, "x.npz", a, &z, &d);
    for (int i = 0; ok && i < z.count; i++) {
        const unsigned char *data;
        size_t n;
        npy_array array;
        if (zip_bytes(&z, &z.entries[i], &data, &n, &d)) {
            ck_assert(data >= exact && data + n <= exact + size);
            npy_read(data, n, "x", &array, &d);
        }
    }
    ck_assert(ok || diag_failed(&d));
    diag_free(&d);
    arena_free(a);
    free(exact);
}

START_TEST(test_damaged) {
    diag d;
    diag_init(&d);
    write_three(&d);
    hub_file f;
    ck_assert(hub_file_map(path, &f, &d));
    unsigned char *copy = malloc(f.size);
    for (size_t n = 0; n < f.size; n++) try_bytes(f.data, n);
    for (size_t i = 0; i < f.size; i++) {
        static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
        for (size_t k = 0; k < sizeof values; k++) {
            memcpy(copy, f.data, f.size);
            copy[i] = values[k];
            try_bytes(copy, f.size);
        }
    }
    free(copy);
    hub_file_unmap(&f);
    diag_free(&d);
}
END_TEST

// One entry: `method` 8 is deflate; flag 1 encryption.
START_TEST(test_refused) {
    static const struct {
        int method, flags;
        const char *message;
    } cases[] = {
        {8, 0, "\"a.npy\": is compressed (deflate)"}, {12, 0, "is compressed"}, {0, 1, "is encrypted"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char bytes[128] = "PK\x03\x04", *p = bytes + 36;
        bytes[26] = 5;
        memcpy(bytes + 30, "a.npy!", 6);
        memcpy(p, "PK\x01\x02", 4);
        p[8] = (unsigned char)cases[i].flags, p[10] = (unsigned char)cases[i].method;
        p[20] = p[24] = 1, p[28] = 5;
        memcpy(p + 46, "a.npy", 5);
        p += 51;
        memcpy(p, "PK\x05\x06", 4);
        p[8] = p[10] = 1, p[12] = 51, p[16] = 36;
        arena *a = arena_new();
        zip_index z;
        diag d;
        diag_init(&d);
        const unsigned char *data;
        size_t n;
        ck_assert(zip_read(bytes, 36 + 51 + 22, "x.npz", a, &z, &d));
        ck_assert(!zip_bytes(&z, zip_find(&z, "a.npy"), &data, &n, &d));
        ck_assert_msg(strstr(d.items[0].text, cases[i].message), "%s", d.items[0].text);
        diag_free(&d);
        arena_free(a);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("arrays");
    TCase *c = tcase_create("arrays");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_headers);
    tcase_add_test(c, test_starts);
    tcase_add_test(c, test_integers);
    tcase_add_test(c, test_round_trip);
    tcase_add_test(c, test_crc);
    tcase_add_test(c, test_damaged);
    tcase_add_test(c, test_refused);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
