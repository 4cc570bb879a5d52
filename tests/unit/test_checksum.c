// links: hub backend passes runtime ir
// An artefact's checksums: XXH64 as it is published; a compiled file in which any bit of metadata, tables or
// code is another is not loaded, and one of the weights is found where they are asked for.
#include <fcntl.h>

#include "main.h"
#include "runtime/abi_checksum.h"
#include "toy_task.h"
#include "unit/artefact_case.h"

static uint64_t hash_in_pieces(const char *bytes, size_t size, size_t piece) {
    bertc_checksum c = bertc_checksum_begin();
    for (size_t at = 0; at < size; at += piece)
        bertc_checksum_add(&c, bytes + at, size - at < piece ? size - at : piece);
    return bertc_checksum_end(&c);
}

START_TEST(published_values) {
    static const struct {
        const char *text;
        uint64_t hash;
    } known[] = {{"", 0xef46db3751d8e999},
                 {"a", 0xd24ec4f1a98c6e5b},
                 {"abc", 0x44bc2cf5ad770999},
                 {"Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_assert_uint_eq(hash_in_pieces(known[i].text, strlen(known[i].text), 1000), known[i].hash);
    static char bytes[1000];
    for (int i = 0; i < 1000; i++) bytes[i] = (char)(i * 37 + i / 7);
    for (size_t size = 0; size < 300; size++)
        for (size_t piece = 1; piece < 70; piece += piece < 9 ? 1 : 8)
            ck_assert_uint_eq(hash_in_pieces(bytes, size, piece), hash_in_pieces(bytes, size, 1000));
    ck_assert_uint_eq(bertc_checksum_of("abc", 3), 0x44bc2cf5ad770999);
    ck_assert_uint_eq(bertc_checksum_stored(0), 1);
}
END_TEST

// The file without the weights and with zeros in the field, as one copy of it, wherever the two are.
START_TEST(of_a_file) {
    static char bytes[400], copy[400];
    for (int i = 0; i < 400; i++) bytes[i] = (char)(i * 29 + 1);
    static const uint64_t places[][3] = {{16, 64, 128}, {300, 64, 128}, {0, 8, 392}, {392, 0, 392},
                                         {64, 0, 64},   {8, 0, 0},      {8, 200, 0}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint64_t field = places[i][0], weights_at = places[i][1], n = places[i][2], size = 0;
        for (uint64_t k = 0; k < 400; k++)
            if (k < weights_at || k >= weights_at + n)
                copy[size++] = k >= field && k < field + 8 ? 0 : bytes[k];
        ck_assert_uint_eq(bertc_checksum_of_file(bytes, 400, field, weights_at, n),
                          bertc_checksum_of(copy, size));
    }
    // Places that no file has are of no harm.
    static const uint64_t wild[] = {0, 1, 399, 400, 401, UINT64_MAX, UINT64_MAX - 7, INT64_MAX};
    enum { WILD = sizeof wild / sizeof *wild };
    uint64_t sum = 0;
    for (int i = 0; i < WILD * WILD * WILD; i++)
        sum |=
            bertc_checksum_of_file(bytes, 400, wild[i % WILD], wild[i / WILD % WILD], wild[i / WILD / WILD]);
    ck_assert_uint_ne(sum, 0);
}
END_TEST

// --- A compiled file

typedef struct compiled {
    model m;
    const char *path, *file;
    size_t size, weights, weights_size, descriptor; // in the file
    int fd;
} compiled;

static size_t find(const compiled *c, const void *bytes, size_t n) {
    const char *at = memmem(c->file, c->size, bytes, n);
    ck_assert_ptr_nonnull(at);
    return (size_t)(at - c->file);
}

static void compile(compiled *to) {
    static struct {
        bertc_task task;
        uint64_t labels[2];
        char text[16];
    } task = {.task = {.size = sizeof(bertc_task),
                       .kind = BERTC_TASK_TENSORS,
                       .label_count = 2,
                       .mask_id = -1,
                       .labels = sizeof(bertc_task)},
              .labels = {sizeof(bertc_task) + 16, sizeof(bertc_task) + 20},
              .text = "bad\0good"};
    model_open(&to->m);
    head_model words = {.tokenizer = to->m.arena};
    const void *table;
    head_tokenizer(&words, &table, &to->m.a.tokenizer_bytes);
    to->m.a.tokenizer = table;
    to->m.a.task = &task;
    to->m.a.task_bytes = sizeof task;
    to->path = in_folder(&to->m, "model.so");
    ck_assert(write_as(&to->m, EMIT_SO, to->path, NULL, NULL));
    to->file = read_file(&to->m, to->path, &to->size);
    to->weights_size = (size_t)module_weight_bytes(to->m.a.module);
    to->weights = find(to, to->m.table, VOCAB * WIDTH * sizeof(float));
    to->descriptor = find(to, BERTC_MAGIC, 8);
    to->fd = open(to->path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(to->fd, 0);
}

static void compiled_close(compiled *c) {
    close(c->fd);
    unlink(c->path);
    model_close(&c->m);
}

// Loads the file with a bit of it turned; *error says why it is refused.
static bool loads_with(const compiled *c, size_t at, size_t bit, bool weights, bertc_error *error) {
    char other = (char)(c->file[at] ^ 1 << bit);
    ck_assert_int_eq(pwrite(c->fd, &other, 1, (off_t)at), 1);
    const bertc_load_options o = {.size = sizeof o, .check_weights = weights};
    bertc_model *m = bertc_load_with(c->path, &o, error);
    bertc_unload(m);
    ck_assert_int_eq(pwrite(c->fd, c->file + at, 1, (off_t)at), 1);
    return m != NULL;
}

static bool in_weights(const compiled *c, size_t at) {
    return at >= c->weights && at < c->weights + c->weights_size;
}

// A bit of each byte, and all of the ELF header and of the descriptor.
START_TEST(no_bit_is_another) {
    compiled c;
    compile(&c);
    bertc_error error;
    int tried = 0, damaged = 0;
    bertc_model *whole = bertc_load(c.path, &error);
    ck_assert_msg(whole != NULL, "%s", error.message);
    bertc_unload(whole);
    for (size_t i = 0; i < 8 * c.size; i++) {
        size_t at = i / 8;
        bool all =
            at < sizeof(Elf64_Ehdr) || (at >= c.descriptor && at < c.descriptor + sizeof(bertc_descriptor));
        if (in_weights(&c, at) || (!all && i % 8 != (at * 5 + at / 8) % 8)) continue;
        ck_assert_msg(!loads_with(&c, at, i % 8, false, &error), "bit %zu of byte %zu", i % 8, at);
        damaged += strstr(error.message, ": damaged: the checksum of its metadata, tables and code") != NULL;
        tried++;
    }
    ck_assert_int_gt(tried, 10000);
    ck_assert_int_gt(damaged, tried - 2000); // the others are refused for what they are
    compiled_close(&c);
}
END_TEST

START_TEST(no_bit_of_the_weights_is_another) {
    compiled c;
    compile(&c);
    bertc_error error;
    const bertc_load_options whole = {.size = sizeof whole, .check_weights = true};
    bertc_model *m = bertc_load_with(c.path, &whole, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    bertc_unload(m);
    for (size_t at = c.weights; at < c.weights + c.weights_size; at++) {
        size_t bit = (at * 5 + at / 8) % 8;
        ck_assert_msg(!loads_with(&c, at, bit, true, &error), "bit %zu of byte %zu", bit, at);
        ck_assert_ptr_nonnull(strstr(error.message, ": damaged: the checksum of its weights is "));
    }
    ck_assert(loads_with(&c, c.weights, 0, false, &error)); // which are not read, but on demand
    compiled_close(&c);
}
END_TEST

// Without its end, with more behind it, or with a block of zeros where a copy had a hole.
START_TEST(no_byte_is_missing) {
    compiled c;
    compile(&c);
    bertc_error error;
    static const char zeros[64];
    ck_assert_int_eq(ftruncate(c.fd, (off_t)c.size - 1), 0);
    ck_assert_ptr_null(bertc_load(c.path, &error));
    ck_assert_int_eq(ftruncate(c.fd, (off_t)c.size + 1), 0);
    ck_assert_ptr_null(bertc_load(c.path, &error));
    ck_assert_ptr_nonnull(strstr(error.message, ": damaged: "));
    ck_assert_int_eq(ftruncate(c.fd, (off_t)c.size - 1), 0);
    ck_assert_int_eq(pwrite(c.fd, c.file, c.size, 0), (ssize_t)c.size);
    for (size_t at = 0; at + sizeof zeros <= c.size; at += sizeof zeros) {
        if (in_weights(&c, at) || !memcmp(c.file + at, zeros, sizeof zeros)) continue;
        ck_assert_int_eq(pwrite(c.fd, zeros, sizeof zeros, (off_t)at), sizeof zeros);
        ck_assert_ptr_null(bertc_load(c.path, &error));
        ck_assert_int_eq(pwrite(c.fd, c.file + at, sizeof zeros, (off_t)at), sizeof zeros);
    }
    bertc_model *whole = bertc_load(c.path, &error);
    ck_assert_msg(whole != NULL, "%s", error.message);
    bertc_unload(whole);
    compiled_close(&c);
}
END_TEST

// --- Without checksums, and options

// An object that is linked by hand is loaded as it is; its weights have their checksum all the same.
START_TEST(linked_by_hand) {
    compiled c;
    compile(&c);
    char command[512];
    const char *object = in_folder(&c.m, "model.o"), *by_hand = in_folder(&c.m, "by_hand.so");
    bool made = write_as(&c.m, EMIT_OBJ, object, NULL, NULL);
    diag_print(&c.m.diag, stderr);
    ck_assert(made);
    snprintf(command, sizeof command, "cc -shared -nostdlib -Wl,-z,defs,-z,noexecstack -o %s %s", by_hand,
             object);
    ck_assert_int_eq(system(command), 0);
    bertc_error error;
    const bertc_load_options whole = {.size = sizeof whole, .check_weights = true};
    bertc_model *m = bertc_load_with(by_hand, &whole, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    bertc_unload(m);
    int fd = open(by_hand, O_RDWR | O_CLOEXEC);
    size_t size;
    const char *file = read_file(&c.m, by_hand, &size),
               *weights = memmem(file, size, c.m.table, VOCAB * WIDTH * sizeof(float));
    ck_assert_ptr_nonnull(weights);
    ck_assert_int_eq(pwrite(fd, "x", 1, weights + 5 - file), 1);
    close(fd);
    ck_assert_ptr_null(bertc_load_with(by_hand, &whole, &error));
    unlink(object);
    unlink(by_hand);
    compiled_close(&c);
}
END_TEST

START_TEST(options) {
    compiled c;
    compile(&c);
    bertc_error error;
    struct {
        bertc_load_options known;
        char later[8];
    } more = {.known = {.size = sizeof more, .check_weights = true}};
    bertc_model *m = bertc_load_with(c.path, &more.known, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    bertc_unload(m);
    more.later[3] = 1;
    ck_assert_ptr_null(bertc_load_with(c.path, &more.known, &error));
    ck_assert_str_eq(error.message, "bertc_load_options has a field of a later version, at byte 19");
    more.known.size = sizeof(size_t); // as an earlier version's: check_weights is not looked at
    m = bertc_load_with(c.path, &more.known, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    bertc_unload(m);
    more.known.size = 0;
    ck_assert_ptr_null(bertc_load_with(c.path, &more.known, &error));
    ck_assert_str_eq(error.message, "bertc_load_options.size is 0, not sizeof(bertc_load_options)");
    ck_assert_ptr_null(bertc_load_with(NULL, NULL, &error));
    ck_assert_str_eq(error.message, "path is NULL");
    compiled_close(&c);
}
END_TEST

int main(void) {
    Suite *s = suite_create("checksum");
    TCase *t = tcase_create("checksum");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, published_values);
    tcase_add_test(t, of_a_file);
    tcase_add_test(t, no_bit_is_another);
    tcase_add_test(t, no_bit_of_the_weights_is_another);
    tcase_add_test(t, no_byte_is_missing);
    tcase_add_test(t, linked_by_hand);
    tcase_add_test(t, options);
    suite_add_tcase(s, t);
    return suite_status(s);
}
