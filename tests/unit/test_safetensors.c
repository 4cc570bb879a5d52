// links: hub ir
// safetensors: what is well formed reads back, and each malformed form is an error that names the place.
#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/hub/hub.h"
#include "main.h"

static char folder[64];

static void setup(void) {
    strcpy(folder, "/tmp/bertc-safetensors-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int files_in(const char *path) {
    int n = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void teardown(void) {
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    fclose(f);
}

// A file of a header, a header length that may lie, and so many bytes of data.
static const char *write_raw(uint64_t length, const char *header, size_t header_size, size_t data) {
    char *bytes = calloc(1, 8 + header_size + data);
    for (int i = 0; i < 8; i++) bytes[i] = (char)(length >> (8 * i));
    memcpy(bytes + 8, header, header_size);
    for (size_t i = 0; i < data; i++) bytes[8 + header_size + i] = (char)i;
    const char *path = path_of("x.safetensors");
    write_file(path, bytes, 8 + header_size + data);
    free(bytes);
    return path;
}

static void expect_error(const char *path, const char *cause) {
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(path, &d);
    ck_assert_msg(!s, "was read, where \"%s\" was expected", cause);
    ck_assert_int_ge(d.errors, 1);
    ck_assert_msg(strstr(d.items[0].text, cause) && strstr(d.items[0].text, path),
                  "\"%s\" does not say \"%s\"", d.items[0].text, cause);
    diag_free(&d);
}

START_TEST(reads_what_is_well_formed) {
    // listed in another order than the data lies, an empty tensor, a scalar, and metadata
    const char *header = "{\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[12,20]},"
                         "\"__metadata__\":{\"format\":\"pt\"},"
                         "\"e\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[12,12]},"
                         "\"a\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]}}  ";
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(write_raw(strlen(header), header, strlen(header), 20), &d);
    ck_assert_msg(s, "%s", d.count ? d.items[0].text : "?");
    ck_assert_int_eq(safetensors_count(s), 3);
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    ck_assert(safetensors_entry(s, "a", &dtype, &rank, &shape, &data, &bytes));
    ck_assert_str_eq(dtype, "F16");
    ck_assert_int_eq(rank, 2);
    ck_assert_int_eq(shape[0], 2);
    ck_assert_int_eq(shape[1], 3);
    ck_assert_uint_eq(bytes, 12);
    ck_assert_int_eq(((const char *)data)[3], 3);
    ck_assert(safetensors_entry(s, "b", &dtype, &rank, &shape, &data, &bytes));
    ck_assert_int_eq(rank, 0);
    ck_assert_int_eq(((const char *)data)[0], 12);
    ck_assert(!safetensors_entry(s, "c", &dtype, &rank, &shape, &data, &bytes));
    ck_assert(!safetensors_entry(s, "__metadata__", &dtype, &rank, &shape, &data, &bytes));
    safetensors_close(s);
    diag_free(&d);
}
END_TEST

#define ENTRY(name, dtype, shape, offsets)                                                                   \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
static const struct {
    const char *header;
    size_t data;
    const char *cause;
} malformed[] = {
    {"{" ENTRY("a", "F32", "[2]", "[0,8]"), 8, "no JSON"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "} x", 8, "no JSON"},
    {"[]", 0, "no JSON object"},
    {"{\"a\":1}", 0, "is no object"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype: is missing"},
    {"{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype: is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "shape: is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets: are missing"},
    {"{" ENTRY("a", "F4", "[2]", "[0,8]") "}", 8, "dtype: F4 is not supported"},
    {"{" ENTRY("a", "F32", "[-2]", "[0,8]") "}", 8, "no whole number"},
    {"{" ENTRY("a", "F32", "[1.5]", "[0,8]") "}", 8, "no whole number"},
    {"{" ENTRY("a", "F32", "[\"2\"]", "[0,8]") "}", 8, "no whole number"},
    {"{" ENTRY("a", "F32", "[1e300]", "[0,8]") "}", 8, "no whole number"},
    {"{" ENTRY("a", "F32", "[9007199254740992,9007199254740992]", "[0,8]") "}", 8,
     "more elements than can be"},
    {"{" ENTRY("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "more elements than can be"},
    {"{" ENTRY("a", "F32", "[3]", "[0,8]") "}", 8, "its shape needs 12 bytes"},
    {"{" ENTRY("a", "F32", "[2]", "[8,0]") "}", 8, "end before they begin"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "}", 7, "truncated"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "}", 9, "belong to no tensor"},
    {"{" ENTRY("a", "F32", "[2]", "[-8,0]") "}", 8, "not two whole numbers"},
    {"{" ENTRY("a", "F32", "[2]", "[0]") "}", 8, "not two whole numbers"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8,16]") "}", 8, "not two whole numbers"},
    {"{" ENTRY("a", "F32", "[2]", "[18446744073709551608,18446744073709551616]") "}", 8,
     "not two whole numbers"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[2]", "[4,12]") "}", 12,
     "overlaps tensor \"a\""},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[2]", "[0,8]") "}", 8, "overlaps"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[2]", "[12,20]") "}", 20,
     "a gap of 4 bytes"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("a", "F32", "[2]", "[8,16]") "}", 16, "appears twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__"},
    {"{\"__metadata__\":[]}", 0, "__metadata__"},
    {"{\"\xff\":1}", 0, "no UTF-8"},
};

START_TEST(malformed_headers) {
    const char *header = malformed[_i].header;
    expect_error(write_raw(strlen(header), header, strlen(header), malformed[_i].data), malformed[_i].cause);
}
END_TEST

START_TEST(lying_lengths) {
    const char *header = "{" ENTRY("a", "F32", "[2]", "[0,8]") "}";
    size_t n = strlen(header);
    expect_error(write_raw(n + 9, header, n, 8), "truncated");
    expect_error(write_raw(UINT64_MAX, header, n, 8), "truncated");
    expect_error(write_raw(UINT64_MAX - 7, header, n, 8), "truncated");
    expect_error(write_raw(n - 1, header, n, 8), "no JSON");
    expect_error(write_raw(0, header, n, 8), "no JSON object");
    const char *path = path_of("short");
    write_file(path, "1234567", 7);
    expect_error(path, "no safetensors file");
    write_file(path, "", 0);
    expect_error(path, "no safetensors file");
}
END_TEST

// Every prefix of a good file is an error.
START_TEST(truncated_anywhere) {
    const char *header = "{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "I32", "[1]", "[8,12]") "}";
    char whole[256] = {0};
    size_t size = 8 + strlen(header) + 12;
    whole[0] = (char)strlen(header);
    memcpy(whole + 8, header, strlen(header));
    for (size_t n = 0; n < size; n++) {
        const char *path = path_of("cut");
        write_file(path, whole, n);
        expect_error(path, "");
    }
}
END_TEST

START_TEST(deep_and_wide) {
    size_t n = 2000000;
    char *header = malloc(n);
    memset(header, '[', n);
    memcpy(header, "{\"a\":", 5);
    expect_error(write_raw(n, header, n, 0), "nested too deeply");
    for (size_t i = 5; i < n; i++) header[i] = i % 2 ? '[' : ']';
    expect_error(write_raw(n, header, n, 0), "no JSON");
    free(header);
}
END_TEST

START_TEST(no_file) {
    expect_error(path_of("missing.safetensors"), "can't be opened");
    expect_error(folder, "is no file");
    ck_assert_int_eq(mkfifo(path_of("fifo"), 0600), 0);
    expect_error(path_of("fifo"), "is no file");
}
END_TEST

START_TEST(writes_and_reads_back) {
    static const float f[] = {1, 2, 3, 4, 5, 6};
    static const int64_t ids[] = {7, 8};
    const safetensors_item items[] = {
        {"ids", "I64", 1, {2}, ids, sizeof(ids)},
        {"a \"quoted\" \\ name\t", "F32", 2, {2, 3}, f, sizeof(f)},
    };
    diag d;
    diag_init(&d);
    char path[128];
    strcpy(path, path_of("out.safetensors"));
    write_file(path, "old", 3); // is replaced
    ck_assert(safetensors_write(path, 2, items, &d));
    ck_assert_int_eq(files_in(folder), 1);
    safetensors *s = safetensors_open(path, &d);
    ck_assert_msg(s, "%s", d.count ? d.items[0].text : "?");
    for (int i = 0; i < 2; i++) {
        const char *dtype;
        int rank;
        const int64_t *shape;
        const void *data;
        size_t bytes;
        ck_assert(safetensors_entry(s, items[i].name, &dtype, &rank, &shape, &data, &bytes));
        ck_assert_str_eq(dtype, items[i].dtype);
        ck_assert_int_eq(rank, items[i].rank);
        ck_assert_mem_eq(shape, items[i].shape, sizeof(int64_t) * (size_t)rank);
        ck_assert_uint_eq(bytes, items[i].bytes);
        ck_assert_mem_eq(data, items[i].data, bytes);
        ck_assert_uint_eq((uintptr_t)data % 8, 0);
    }
    safetensors_close(s);
    diag_free(&d);
}
END_TEST

static void expect_write_error(const char *path, size_t bytes, const char *cause) {
    static char data[4096];
    const safetensors_item item = {"x", "U8", 1, {4096}, data, bytes};
    diag d;
    diag_init(&d);
    ck_assert(!safetensors_write(path, 1, &item, &d));
    ck_assert_int_eq(d.errors, 1);
    ck_assert_msg(strstr(d.items[0].text, cause), "%s", d.items[0].text);
    diag_free(&d);
}

START_TEST(failed_writes_leave_nothing) {
    char path[128];
    strcpy(path, path_of("no/such/folder/x.safetensors"));
    expect_write_error(path, 4096, "can't be written");
    expect_write_error(folder, 4096, "is a folder");
    strcpy(path, path_of("x.safetensors"));
    expect_write_error(path, 5, "don't fit its shape");
    ck_assert_int_eq(files_in(folder), 0);
    if (access("/dev/full", W_OK) == 0) {
        expect_write_error("/dev/full", 4096, "can't be written");
        struct stat s;
        ck_assert(!stat("/dev/full", &s) && S_ISCHR(s.st_mode));
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("safetensors");
    TCase *c = tcase_create("safetensors");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, reads_what_is_well_formed);
    tcase_add_loop_test(c, malformed_headers, 0, sizeof(malformed) / sizeof(malformed[0]));
    tcase_add_test(c, lying_lengths);
    tcase_add_test(c, truncated_anywhere);
    tcase_add_test(c, deep_and_wide);
    tcase_add_test(c, no_file);
    tcase_add_test(c, writes_and_reads_back);
    tcase_add_test(c, failed_writes_leave_nothing);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
