// links: hub ir
// Files of torch.save: what its pickles say of tensors reads back, and whatever else one holds is an error that names
// it. Nothing of them is ever run.
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/hub/files/torch.h"
#include "frontend/hub/files/zip.h"
#include "frontend/hub/hub.h"
#include "main.h"
#include "torch_zip.h"

static char path[64];

static void setup(void) {
    strcpy(path, "/tmp/bertc-torch-XXXXXX");
    close(mkstemp(path));
}
static void teardown(void) {
    unlink(path);
}

static void write_parts(int n, const torch_part *parts) {
    uint8_t *zip = malloc(torch_zip_room(n, parts));
    FILE *f = fopen(path, "wb");
    ck_assert(zip && f);
    size_t size = torch_zip(zip, n, parts);
    ck_assert_uint_eq(fwrite(zip, 1, size, f), size);
    fclose(f);
    free(zip);
}

static void expect_error(const char *cause) {
    diag d;
    diag_init(&d);
    torch_file *t = torch_open(path, &d);
    ck_assert_msg(!t, "was read, where \"%s\" was expected", cause);
    ck_assert_int_eq(d.errors, 1);
    ck_assert_msg(strstr(d.items[0].text, cause) && strstr(d.items[0].text, path),
                  "\"%s\" does not say \"%s\"", d.items[0].text, cause);
    diag_free(&d);
}

// --- Pickles by hand

typedef struct pickle {
    uint8_t bytes[1 << 16];
    size_t size;
} pickle;

static void add(pickle *p, const void *bytes, size_t n) {
    ck_assert(p->size + n <= sizeof p->bytes);
    memcpy(p->bytes + p->size, bytes, n);
    p->size += n;
}
#define ADD(p, text) add(p, text, sizeof(text) - 1)

static void add_text(pickle *p, const char *text) {
    uint8_t head[5] = {'X', (uint8_t)strlen(text)};
    add(p, head, sizeof head);
    add(p, text, strlen(text));
}
static void add_int(pickle *p, int64_t x) {
    uint8_t head[10] = {0x8a, 8};
    for (int i = 0; i < 8; i++) head[2 + i] = (uint8_t)((uint64_t)x >> (8 * i));
    add(p, head, sizeof head);
}
static void add_ints(pickle *p, int n, const int64_t *x) {
    ADD(p, "(");
    for (int i = 0; i < n; i++) add_int(p, x[i]);
    ADD(p, "t");
}

typedef struct view {
    const char *type, *key;
    int64_t numbers, offset;
    int rank;
    int64_t sizes[3], strides[3];
} view;

static void add_view(pickle *p, const view *v) {
    ADD(p, "ctorch._utils\n_rebuild_tensor_v2\n((");
    add_text(p, "storage");
    ADD(p, "ctorch\n");
    add(p, v->type, strlen(v->type));
    ADD(p, "\n");
    add_text(p, v->key);
    add_text(p, "cpu");
    add_int(p, v->numbers);
    ADD(p, "tQ");
    add_int(p, v->offset);
    add_ints(p, v->rank, v->sizes);
    add_ints(p, v->rank, v->strides);
    ADD(p, "\x89"
           "ccollections\nOrderedDict\n)RtR");
}

// A file of that pickle and a storage "0" of these numbers.
static void write_pickle(const pickle *p, const void *numbers, size_t bytes, const char *order) {
    const torch_part parts[] = {
        {.name = "m/data.pkl", .data = p->bytes, .size = p->size},
        {.name = "m/data/0", .data = numbers, .size = bytes, .crc = zip_crc(0, numbers, bytes)},
        {.name = "m/byteorder", .data = order, .size = order ? strlen(order) : 0}};
    write_parts(order ? 3 : 2, parts);
}

// {"a": the view}
static void write_view(const view *v, const void *numbers, size_t bytes, const char *order) {
    pickle p = {.size = 0};
    ADD(&p, "\x80\x02}");
    add_text(&p, "a");
    add_view(&p, v);
    ADD(&p, "s.");
    write_pickle(&p, numbers, bytes, order);
}

static const float six[] = {0, 1, 2, 3, 4, 5};

START_TEST(views) {
    static const uint8_t big[] = {0x40, 0x40, 0, 0, 0x40, 0x80, 0, 0}; // 3 and 4
    static const struct {
        view v;
        const void *numbers;
        size_t bytes;
        const char *order;
        int count;
        float wants[6];
    } cases[] = {
        {{"FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}}, six, sizeof six, "little", 6, {0, 1, 2, 3, 4, 5}},
        {{"FloatStorage", "0", 6, 0, 2, {3, 2}, {1, 3}}, six, sizeof six, NULL, 6, {0, 3, 1, 4, 2, 5}},
        {{"FloatStorage", "0", 6, 1, 1, {2}, {3}}, six, sizeof six, NULL, 2, {1, 4}},
        {{"FloatStorage", "0", 6, 5, 0, {0}, {0}}, six, sizeof six, NULL, 1, {5}},
        {{"FloatStorage", "0", 6, 2, 3, {1, 2, 1}, {77, 1, INT64_MAX}}, six, sizeof six, NULL, 2, {2, 3}},
        {{"FloatStorage", "0", 6, 0, 2, {2, 2}, {0, 1}}, six, sizeof six, NULL, 4, {0, 1, 0, 1}},
        {{"FloatStorage", "0", 6, 6, 1, {0}, {1}}, six, sizeof six, NULL, 0, {0}},
        {{"FloatStorage", "0", 2, 0, 1, {2}, {1}}, big, sizeof big, "big", 2, {3, 4}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_view(&cases[i].v, cases[i].numbers, cases[i].bytes, cases[i].order);
        diag d;
        diag_init(&d);
        torch_file *t = torch_open(path, &d);
        ck_assert_msg(t != NULL, "%zu: %s", i, d.count ? d.items[0].text : "?");
        const char *dtype;
        int rank;
        const int64_t *shape;
        const void *data;
        size_t bytes;
        ck_assert(torch_count(t) == 1 && !strcmp(torch_name(t, 0), "a") && torch_unchanged(t, &d));
        ck_assert(torch_entry(t, "a", &dtype, &rank, &shape, &data, &bytes));
        ck_assert(!torch_entry(t, "b", &dtype, &rank, &shape, &data, &bytes));
        ck_assert(!strcmp(dtype, "F32") && rank == cases[i].v.rank);
        ck_assert(!rank || !memcmp(shape, cases[i].v.sizes, (size_t)rank * sizeof *shape));
        ck_assert_uint_eq(bytes, (size_t)cases[i].count * sizeof(float));
        ck_assert_msg(!memcmp(data, cases[i].wants, bytes), "%zu: other numbers", i);
        torch_close(t);
        diag_free(&d);
    }
}
END_TEST

START_TEST(views_out_of_bounds) {
    static const struct {
        view v;
        const char *cause;
    } cases[] = {
        {{"FloatStorage", "0", 6, 0, 1, {7}, {1}}, "lead out of its numbers"},
        {{"FloatStorage", "0", 6, 5, 1, {2}, {1}}, "lead out of its numbers"},
        {{"FloatStorage", "0", 6, -1, 1, {2}, {1}}, "lead out of its numbers"},
        {{"FloatStorage", "0", 6, 0, 1, {-2}, {1}}, "lead out of its numbers"},
        {{"FloatStorage", "0", 6, 0, 1, {2}, {-1}}, "lead out of its numbers"},
        {{"FloatStorage", "0", 6, 0, 2, {INT64_MAX, INT64_MAX}, {INT64_MAX, 2}}, "lead out of its numbers"},
        {{"FloatStorage", "0", 6, 0, 2, {INT64_MAX, INT64_MAX}, {0, 0}}, "lead out of its numbers"},
        {{"FloatStorage", "0", 6, 0, 2, {1 << 20, 1 << 20}, {0, 0}}, "repeats its numbers"},
        {{"FloatStorage", "0", 7, 0, 1, {6}, {1}}, "more than its entry in the archive holds"},
        {{"FloatStorage", "0", -1, 0, 1, {6}, {1}}, "more than its entry in the archive holds"},
        {{"DoubleStorage", "0", 6, 0, 1, {6}, {1}}, "more than its entry in the archive holds"},
        {{"FloatStorage", "1", 6, 0, 1, {6}, {1}}, "its numbers are not in the archive"},
        {{"FloatStorage", "../data.pkl", 6, 0, 1, {6}, {1}}, "its numbers are not in the archive"},
        {{"ComplexFloatStorage", "0", 6, 0, 1, {6}, {1}}, "asks for `torch.ComplexFloatStorage`"},
        {{"QInt8Storage", "0", 6, 0, 1, {6}, {1}}, "asks for `torch.QInt8Storage`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_view(&cases[i].v, six, sizeof six, NULL);
        expect_error(cases[i].cause);
    }
    write_view(&(view){"FloatStorage", "0", 6, 0, 1, {6}, {1}}, six, sizeof six, "middle");
    expect_error("byteorder is neither little nor big");
}
END_TEST

// Dictionaries in dictionaries; values of other kinds and attributes are passed over.
START_TEST(names) {
    const view v = {"FloatStorage", "0", 6, 0, 1, {6}, {1}};
    pickle p = {.size = 0};
    ADD(&p, "\x80\x02}q\x00(");
    add_text(&p, "epoch");
    ADD(&p, "K\x03");
    add_text(&p, "list");
    ADD(&p, "](K\x01NG\x3f\xf0\x00\x00\x00\x00\x00\x00"
            "e");
    add_text(&p, "state_dict");
    ADD(&p, "ccollections\nOrderedDict\n)R(");
    add_text(&p, "w.weight");
    add_view(&p, &v);
    ADD(&p, "q\x01"); // the next one is the same tensor
    add_text(&p, "tied");
    ADD(&p, "h\x01"
            "K\x07");
    ADD(&p, "ctorch._utils\n_rebuild_parameter\n(h\x01\x88"
            "ccollections\nOrderedDict\n)RtRu}");
    add_text(&p, "_metadata");
    ADD(&p, "}sbu.");
    write_pickle(&p, six, sizeof six, NULL);
    diag d;
    diag_init(&d);
    torch_file *t = torch_open(path, &d);
    ck_assert_msg(t != NULL, "%s", d.count ? d.items[0].text : "?");
    static const char *const wants[] = {"state_dict.w.weight", "state_dict.tied", "state_dict.7"};
    ck_assert_int_eq(torch_count(t), 3);
    for (int i = 0; i < 3; i++) ck_assert_str_eq(torch_name(t, i), wants[i]);
    torch_close(t);
    diag_free(&d);
}
END_TEST

// --- Hostile pickles

START_TEST(hostile_pickles) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *cause;
    } cases[] = {
#define CASE(bytes, cause) {bytes, sizeof(bytes) - 1, cause}
        CASE("\x80\x02"
             "cposix\nsystem\nq\x00X\x02\x00\x00\x00id\x85R.",
             "byte 2: asks for `posix.system`"),
        CASE("cos\nsystem\n(U\x02idtR.", "byte 0: asks for `os.system`"),
        CASE("cbuiltins\neval\n.", "asks for `builtins.eval`"),
        CASE("ctorch\nload\n.", "asks for `torch.load`"),
        CASE("(S'id'\nios\nsystem\n.", "instruction 0x53 is none"), // INST
        CASE("(cos\nsystem\no.", "asks for `os.system`"),
        CASE("\x80\x04\x95\x00", "pickle protocol 4 is not read"),
        CASE("\x80\x02}\x93.", "instruction 0x93 is none"), // STACK_GLOBAL
        CASE("\x80\x02}\x81.", "instruction 0x81 is none"), // NEWOBJ
        CASE("\x80\x02P1\n.", "instruction 0x50 is none"),
        CASE("\x80\x02\x82\x01.", "instruction 0x82 is none"), // EXT1
        CASE("", "ends within an instruction"),
        CASE("\x80", "ends within an instruction"),
        CASE("X\xff\xff\xff\xff", "ends within an instruction"),
        CASE("T\xff\xff\xff\x7f", "ends within an instruction"),
        CASE("\x8a\xff", "ends within an instruction"),
        CASE("}", "ends within an instruction"),
        CASE(".", "takes a value where there is none"),
        CASE("R.", "takes a value where there is none"),
        CASE("(R.", "takes a value where there is none"),
        CASE("N\x86.", "takes a value where there is none"),
        CASE("(N\x86.", "takes a value where there is none"),
        CASE("t.", "looks for a mark where there is none"),
        CASE("Nu.", "looks for a mark where there is none"),
        CASE("h\x00.", "takes value 0 before it is there"),
        CASE("j\xff\xff\xff\xff.", "takes value 4294967295 before it is there"),
        CASE("Nr\xff\xff\xff\xff.", "numbers a value 4294967295"),
        CASE("}(Nu.", "fills what is no dictionary"),
        CASE("N(NNu.", "fills what is no dictionary"),
        CASE("}Na.", "fills what is no list"),
        CASE("NN}R.", "calls what is no function"),
        CASE("ctorch\nFloatStorage\n)R.", "calls what is no function"),
        CASE("ccollections\nOrderedDict\n(NtR.", "makes a dictionary of something"),
        CASE("ctorch._utils\n_rebuild_tensor_v2\n)R.", "makes a tensor of what is no storage"),
        CASE("ctorch._utils\n_rebuild_parameter\n)R.", "makes a parameter of what is no tensor"),
        CASE("NQ.", "loads something that is no storage"),
        CASE("U\x03xyzQ.", "loads something that is no storage"),
        CASE("NNb.", "sets attributes of what is no dictionary"),
        CASE("c", "a name does not end"),
        CASE("cposix", "a name does not end"),
        CASE("}}.", "something is left behind the pickle's end"),
        CASE("}.N", "something is left behind the pickle's end"),
        CASE("N.", "holds no dictionary of tensors"),
        CASE("}q\x00U\x01"
             "ah\x00s.",
             "the dictionary a appears in two places"), // in itself
        CASE("}U\x01"
             "a}q\x00sU\x01"
             "bh\x00s.",
             "the dictionary b appears in two places"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pickle p = {.size = 0};
        add(&p, cases[i].bytes, cases[i].size);
        write_pickle(&p, six, sizeof six, NULL);
        expect_error(cases[i].cause);
    }
}
END_TEST

// Dictionaries that hold the one before twice, deep ones, a stack without end, and values without end.
START_TEST(bombs) {
    pickle p = {.size = 0};
    ADD(&p, "}U\x01k}q");
    ADD(&p, "\0s");
    for (uint8_t i = 1; i < 100; i++) {
        const uint8_t last = (uint8_t)(i - 1), next[] = {'U',  1,   'k', '}', 'q', i,   'U',  1,   'a', 'h',
                                                         last, 's', 'U', 1,   'b', 'h', last, 's', 's'};
        add(&p, next, sizeof next);
    }
    ADD(&p, ".");
    write_pickle(&p, six, sizeof six, NULL);
    expect_error("appears in two places");
    p.size = 0;
    for (int i = 0; i < 1000; i++)
        ADD(&p, "}U\x01"
                "a");
    ADD(&p, "}");
    for (int i = 0; i < 1000; i++) ADD(&p, "s");
    ADD(&p, ".");
    write_pickle(&p, six, sizeof six, NULL);
    expect_error("nested more than 32 deep");
    p.size = 0;
    while (p.size < sizeof p.bytes) ADD(&p, "(");
    write_pickle(&p, six, sizeof six, NULL);
    expect_error("ends within an instruction");
    uint8_t *long_one = malloc(3 << 20);
    memset(long_one, '(', 3 << 20);
    const torch_part part = {.name = "m/data.pkl", .data = long_one, .size = 3 << 20};
    write_parts(1, &part);
    expect_error("stack has more than 65536 values");
    long_one[0] = '}';
    for (size_t i = 1; i + 4 < 3 << 20; i += 4) memcpy(long_one + i, "K\x01Ns", 4);
    write_parts(1, &part);
    expect_error("makes more than 1048576 values");
    free(long_one);
}
END_TEST

// --- Hostile archives

START_TEST(hostile_archives) {
    pickle p = {.size = 0};
    const view v = {"FloatStorage", "0", 6, 0, 1, {6}, {1}};
    ADD(&p, "\x80\x02}");
    add_text(&p, "a");
    add_view(&p, &v);
    ADD(&p, "s.");
    torch_part parts[3] = {{.name = "m/data.pkl", .data = p.bytes, .size = p.size},
                           {.name = "m/data/0", .data = six, .size = sizeof six}};
    struct {
        torch_part second;
        const char *cause;
    } cases[] = {
        {{.name = "m/data/0", .data = six, .size = sizeof six, .crc = 1}, "\"m/data/0\": is damaged"},
        {{.name = "m/data/0", .data = six, .size = sizeof six, .method = 8}, "is compressed (deflate)"},
        {{.name = "m/data/0", .data = six, .size = sizeof six, .method = 99}, "is compressed"},
        {{.name = "m/data/0", .data = six, .size = sizeof six, .encrypted = 1}, "is encrypted"},
        {{.name = "m/data/0", .data = six, .size = sizeof six, .said = 1 << 30}, "lie outside of the file"},
        {{.name = "m/data/0", .data = six, .size = sizeof six, .at = 1 << 30}, "has no header"},
        {{.name = "m/data.pkl", .data = six, .size = sizeof six}, "holds \"m/data.pkl\" twice"},
        {{.name = "n/data.pkl", .data = six, .size = sizeof six}, "holds two pickles"},
        {{.name = "other/data/0", .data = six, .size = sizeof six}, "its numbers are not in the archive"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parts[1] = cases[i].second;
        write_parts(2, parts);
        expect_error(cases[i].cause);
    }
    parts[1] = (torch_part){.name = "m/data/0", .data = six, .size = sizeof six};
    parts[0].name = "m/other.pkl";
    write_parts(2, parts);
    expect_error("holds no data.pkl");
    parts[0].name = "m/data.pkl";
    parts[0].size -= 1;
    write_parts(2, parts);
    expect_error("ends within an instruction");
}
END_TEST

// A storage's entry that begins within another's bytes.
START_TEST(overlapping_entries) {
    pickle p = {.size = 0};
    const view a = {"FloatStorage", "0", 40, 0, 1, {40}, {1}}, b = {"FloatStorage", "1", 1, 0, 1, {1}, {1}};
    uint8_t numbers[200] = {0};
    torch_part inner = {.name = "m/data/1", .size = 4};
    torch_header(numbers, 8, &inner, 0, false);
    ADD(&p, "\x80\x02}");
    add_text(&p, "a");
    add_view(&p, &a);
    ADD(&p, "s");
    add_text(&p, "b");
    add_view(&p, &b);
    ADD(&p, "s.");
    torch_part parts[] = {{.name = "m/data/0", .data = numbers, .size = sizeof numbers},
                          {.name = "m/data/1", .size = 0, .said = 4, .at = 30 + 8 + 8},
                          {.name = "m/data.pkl", .data = p.bytes, .size = p.size}};
    write_parts(3, parts);
    expect_error("\"m/data/0\" and \"m/data/1\" lie over each other");
}
END_TEST

START_TEST(other_files) {
    static const char legacy[] =
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    static const struct {
        const char *bytes;
        size_t size;
        const char *cause;
    } cases[] = {{legacy, sizeof legacy - 1, "is in the format of PyTorch before version 1.6"},
                 {"\x80\x02}.", 4, "is a pickle by itself"},
                 {"PK\x03\x04 and more", 13, "is no whole zip file"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *f = fopen(path, "wb");
        ck_assert_uint_eq(fwrite(cases[i].bytes, 1, cases[i].size, f), cases[i].size);
        fclose(f);
        ck_assert(hub_is_torch(path));
        expect_error(cases[i].cause);
    }
    ck_assert(!hub_is_torch("/tmp"));
    ck_assert(!hub_is_torch("/proc/self/nothing"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("torch");
    TCase *t = tcase_create("torch");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, views);
    tcase_add_test(t, views_out_of_bounds);
    tcase_add_test(t, names);
    tcase_add_test(t, hostile_pickles);
    tcase_add_test(t, bombs);
    tcase_add_test(t, hostile_archives);
    tcase_add_test(t, overlapping_entries);
    tcase_add_test(t, other_files);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
