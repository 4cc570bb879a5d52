// links: runtime
// The loader's checks of states and parameters: each field of a row that is wrong is refused.
#include <check.h>

#include "loader_case.h"
#include "main.h"

enum { PARTS = 3, ROOM = 2048 };

// Tensor "a" [2,3] and tensor "b" [4], which is in two parts, lie in one packed state of one row.
typedef struct table {
    bertc_parameter_part parts[PARTS];
    char a[2], b[2];
} table;

static table *table_of(blob *b) {
    return (void *)(b->data + ELF_DATA + descriptor_of(b)->parameters);
}

static blob make_states(void) {
    blob b = make();
    size_t at = (b.size + 63) / 64 * 64;
    bertc_off off = (bertc_off)at - ELF_DATA;
    table t = {.parts = {{.name = off + (bertc_off)offsetof(table, a),
                          .elem = BERTC_F16,
                          .rank = 2,
                          .shape = {2, 3},
                          .rows = 1,
                          .columns = 6,
                          .state_rows = 1,
                          .state_columns = 10,
                          .packed = 1},
                         {.name = off + (bertc_off)offsetof(table, b),
                          .rank = 1,
                          .shape = {4},
                          .rows = 1,
                          .columns = 3,
                          .state_rows = 1,
                          .state_columns = 10,
                          .column = 7,
                          .packed = 1},
                         {.name = off + (bertc_off)offsetof(table, b),
                          .rank = 1,
                          .shape = {4},
                          .first = 3,
                          .rows = 1,
                          .columns = 1,
                          .state_rows = 1,
                          .state_columns = 10,
                          .column = 6,
                          .packed = 1}},
               .a = "a",
               .b = "b"};
    memcpy(b.data + at, &t, sizeof t);
    ((Elf64_Phdr *)(void *)(b.data + sizeof(Elf64_Ehdr)))[2].p_filesz += ROOM;
    ((Elf64_Phdr *)(void *)(b.data + sizeof(Elf64_Ehdr)))[2].p_memsz += ROOM;
    b.size += ROOM;
    ck_assert(at + sizeof t <= b.size && b.size <= b.capacity);
    descriptor_of(&b)->parameters = off;
    descriptor_of(&b)->parameter_count = PARTS;
    descriptor_of(&b)->state_bytes = 64;
    descriptor_of(&b)->updates = 1;
    return b;
}

START_TEST(reads_parts) {
    blob b = make_states();
    write_file(b.data, b.size);
    bertc_error error = {""};
    bertc_model *m = bertc_load(path, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    ck_assert_int_eq(bertc_parameter_count(m), 2);
    bertc_parameter p = BERTC_PARAMETER_INIT, other = {.size = 8};
    ck_assert(bertc_parameter_describe(m, 1, &p, NULL) && p.rank == 1 && p.count == 4 && p.shape[0] == 4);
    ck_assert_str_eq(p.name, "b");
    ck_assert(bertc_parameter_describe(m, 0, &p, NULL) && p.rank == 2 && p.count == 6 && p.size == sizeof p);
    ck_assert(!bertc_parameter_describe(m, 2, &p, &error) && !bertc_parameter_describe(m, -1, &p, &error));
    ck_assert_str_eq(error.message, "parameter -1: the model has 2 of them");
    ck_assert(!bertc_parameter_describe(m, 0, NULL, NULL) && !bertc_parameter_describe(NULL, 0, &p, NULL));
    ck_assert(!bertc_parameter_describe(m, 0, &other, &error));
    ck_assert_str_eq(error.message, "bertc_parameter.size is 8, not sizeof(bertc_parameter)");
    ck_assert_int_eq(bertc_parameter_count(NULL), 0);
    bertc_session *s = bertc_open(m, NULL, &error), *t = bertc_open(m, NULL, &error);
    float first[4], in[4] = {1, 2, 3, 4}, out[4];
    ck_assert(bertc_parameter_read(s, 1, first, &error) && bertc_parameter_write(s, 1, in, &error));
    ck_assert(bertc_parameter_read(s, 1, out, &error));
    ck_assert_mem_eq(out, in, sizeof in);
    ck_assert(bertc_parameter_read(t, 1, out, &error)); // each session has its own
    ck_assert_mem_eq(out, first, sizeof first);
    ck_assert(!bertc_parameter_read(s, 2, out, &error));
    ck_assert_str_eq(error.message, "parameter 2: the model has 2 of them");
    ck_assert(!bertc_parameter_read(NULL, 0, out, &error) && !bertc_parameter_write(s, 0, NULL, &error));
    ck_assert_str_eq(error.message, "data is NULL");
    // More texts than one call holds would be several steps.
    int32_t ids[40] = {0};
    ck_assert(bertc_run(s,
                        &(bertc_batch){BERTC_SIZED(bertc_batch), .batch = 4, .length = 8, .input_ids = ids},
                        NULL, NULL, &error));
    ck_assert(!bertc_run(s,
                         &(bertc_batch){BERTC_SIZED(bertc_batch), .batch = 5, .length = 8, .input_ids = ids},
                         NULL, NULL, &error));
    ck_assert_str_eq(error.message,
                     "5 texts of 40 tokens don't fit in one call, which a model that changes its "
                     "parameters needs: at most 32 tokens");
    bertc_close(s);
    bertc_close(t);
    bertc_unload(m);
    free(b.data);
}
END_TEST

// One field changed: of the descriptor, or of a part.
typedef struct change {
    const char *message;
    size_t at;
    int part; // -1: the descriptor
    uint64_t value;
    int bytes;
} change;
#define D(field)       offsetof(bertc_descriptor, field), -1
#define P(part, field) offsetof(bertc_parameter_part, field), part
static const change changes[] = {
    {"the states", D(state_bytes), UINT64_MAX - 63, 8},
    {"the states", D(state_bytes), 32, 8},
    {"the states", D(state_bytes), 128, 8},
    {"the states", D(updates), 2, 4},
    {"the states", D(zero_bytes), 32, 8},
    {"the states", D(zero_bytes), UINT64_MAX - 63, 8},
    {"the states", D(zero_bytes), (uint64_t)1 << 62, 8},
    {"4294967295 parameters", D(parameter_count), UINT32_MAX, 4},
    {"parameters outside of the file, or misaligned", D(parameters), 1 << 20, 8},
    {"parameters outside of the file, or misaligned", D(parameters), 12, 8},
    {"parameter `b`: a part is missing", D(parameter_count), 2, 4},
    {"parameter `a`: a state outside of the states", D(state_bytes), 0, 8},
    {"a parameter's name outside of the file, or misaligned", P(0, name), 1 << 20, 8},
    {"parameter `a`: its element type", P(0, elem), 1, 4},
    {"parameter `a`: its element type", P(0, elem), 6, 4},
    {"parameter `a`: its shape", P(0, rank), 7, 4},
    {"parameter `a`: its shape", P(0, shape[1]), 0, 8},
    {"parameter `a`: its shape", P(0, shape[1]), (uint64_t)1 << 62, 8},
    {"parameter `a`: a part outside of its state", P(0, rows), 2, 8},
    {"parameter `a`: a part outside of its state", P(0, columns), 11, 8},
    {"parameter `a`: a part outside of its state", P(0, columns), 0, 8},
    {"parameter `a`: a part outside of its state", P(0, row), 1, 8},
    {"parameter `a`: a part outside of its state", P(0, row), UINT64_MAX, 8},
    {"parameter `a`: a part outside of its state", P(0, column), 5, 8},
    {"parameter `a`: a part outside of its state", P(0, column), INT64_MAX, 8},
    {"parameter `a`: a part outside of its state", P(0, state_columns), INT64_MAX, 8},
    {"parameter `a`: a state outside of the states", P(0, state_rows), 2, 8},
    {"parameter `a`: a state outside of the states", P(0, state_columns), 17, 8},
    {"parameter `a`: a state outside of the states", P(0, offset), 64, 8},
    {"parameter `a`: a state outside of the states", P(0, offset), UINT64_MAX - 63, 8},
    {"parameter `a`: a state outside of the states", P(0, packed), 2, 4},
    {"parameter `a`: a part outside of the tensor", P(0, columns), 7, 8},
    {"parameter `a`: a part outside of the tensor", P(0, first), 1, 8},
    {"parameter `a`: a part outside of the tensor", P(0, first), UINT64_MAX, 8},
    {"parameter `a`: a part outside of the tensor", P(0, transposed), 2, 4},
    {"parameter `a`: a part is missing", P(0, columns), 5, 8},
    {"parameter `b`: a part is missing", P(1, first), 1, 8},
    {"parameter `b`: a part is missing", P(1, columns), 2, 8},
    {"parameter `b`: a part is missing", P(2, first), 2, 8},
    {"parameter `b`: it has two shapes", P(2, elem), BERTC_BF16, 4},
    {"parameter `b`: it has two shapes", P(2, shape[3]), 1, 8},
    {"parameter `b`: it has two shapes", P(2, zeros), 1, 4},
    {"parameter `a`: what it begins as", P(0, zeros), 1, 4}, // it is f16
    {"parameter `b`: what it begins as", P(1, zeros), 2, 4},
};

START_TEST(one_field_broken) {
    const change *c = &changes[_i];
    char want[160];
    blob b = make_states();
    ck_assert_str_eq(load(b.data, b.size), "");
    char *at = c->part < 0 ? b.data + ELF_DATA : (char *)&table_of(&b)->parts[c->part];
    memcpy(at + c->at, &c->value, (size_t)c->bytes);
    snprintf(want, sizeof want, "broken descriptor: %s", c->message);
    ck_assert_str_eq(load(b.data, b.size), want);
    free(b.data);
}
END_TEST

#define VARIANT ((bertc_variant *)(void *)(b.data + ELF_DATA + descriptor_of(&b)->variants))
#define PHASE   ((bertc_phase *)(void *)(b.data + ELF_DATA + VARIANT->phases[0]))
#define ARGS    ((bertc_arg *)(void *)(b.data + ELF_DATA + PHASE->args))
#define INPUT   ((bertc_slot *)(void *)(b.data + ELF_DATA + VARIANT->inputs))
#define PORT    ((bertc_port *)(void *)(b.data + ELF_DATA + descriptor_of(&b)->inputs))

static void expect(blob *b, const char *message) {
    ck_assert_str_eq(load(b->data, b->size), message);
    free(b->data);
    *b = make_states();
}

// Arguments in the states and in the call; ports that are numbers.
START_TEST(arguments) {
    blob b = make_states();
    ARGS[0] = (bertc_arg){BERTC_ARG_STATE, 0};
    ARGS[1] = (bertc_arg){BERTC_ARG_CALL, offsetof(bertc_call, rate)};
    ARGS[5] = (bertc_arg){BERTC_ARG_STATE, 0};
    expect(&b, "");
    ARGS[0] = (bertc_arg){BERTC_ARG_STATE, 64};
    expect(&b, "broken descriptor: variant toy_s8: an argument outside of weights, states or arena");
    ARGS[1] = (bertc_arg){BERTC_ARG_CALL, 0};
    expect(&b, "broken descriptor: variant toy_s8: an argument that is no number of the call");
    ARGS[5] = (bertc_arg){BERTC_ARG_CALL, offsetof(bertc_call, step)};
    expect(&b, "broken descriptor: variant toy_s8: a phase that writes the numbers of the call");
    PORT[TOY_TYPE_IDS] = (bertc_port){.name = PORT[TOY_TYPE_IDS].name, .leading = BERTC_NUMBER};
    expect(&b, "input `types` is not known to this version");
    memcpy(b.data + ELF_DATA + PORT[TOY_TYPE_IDS].name, "rate", 5);
    expect(&b, "input `rate` is not known to this version");
    for (int i = 0; i < 2; i++) {
        memcpy(b.data + ELF_DATA + PORT[TOY_TYPE_IDS].name, "seed", 5);
        PORT[TOY_TYPE_IDS] = (bertc_port){.name = PORT[TOY_TYPE_IDS].name,
                                          .leading = BERTC_NUMBER,
                                          .elem = BERTC_I32,
                                          .rank = 1,
                                          .shape = {2}};
        for (int v = 0; v < 2; v++)
            ((bertc_slot *)(void *)(b.data + ELF_DATA + VARIANT[v].inputs))[TOY_TYPE_IDS].offset = -1;
        if (i) INPUT[TOY_TYPE_IDS].offset = 0;
        expect(&b, i ? "broken descriptor: variant toy_s8: a number of the call in the arena" : "");
    }
    free(b.data);
}
END_TEST

// Parts of the phases, targets, and outputs of the whole call.
START_TEST(training) {
    blob b = make_states();
    VARIANT->forward[2] = 1;
    VARIANT->backward[2] = VARIANT->phase_count[2];
    expect(&b, "");
    VARIANT->forward[2] = 2;
    VARIANT->backward[2] = 1;
    expect(&b, "broken descriptor: variant toy_s8: the parts of its phases");
    VARIANT->forward[0] = 1;
    VARIANT->backward[0] = VARIANT->phase_count[0] + 1;
    expect(&b, "broken descriptor: variant toy_s8: the parts of its phases");
    VARIANT->backward[1] = 1;
    expect(&b, "broken descriptor: variant toy_s8: the parts of its phases");
    table_of(&b)->parts[0].zeros = 1;
    table_of(&b)->parts[0].elem = BERTC_F32;
    expect(&b, "broken descriptor: parameter `b`: it stands behind the states of training");
    memcpy(b.data + ELF_DATA + PORT[TOY_TYPE_IDS].name, "label", 6);
    expect(&b, "input `label` is not known to this version");
    for (int i = 0; i < 4; i++) {
        memcpy(b.data + ELF_DATA + PORT[TOY_TYPE_IDS].name, "label", 6);
        PORT[TOY_TYPE_IDS].target = 1;
        PORT[TOY_TYPE_IDS].limit = 0;
        if (i == 1) PORT[TOY_TYPE_IDS].target = 2;
        if (i == 2) PORT[TOY_TYPE_IDS].rank = 1; // a row of 0 numbers
        if (i == 3) INPUT[TOY_TYPE_IDS].offset = (int64_t)1 << 40;
        expect(&b, i == 0   ? ""
                   : i == 3 ? "broken descriptor: variant toy_s8: a target outside of the arena"
                            : "broken descriptor: the target `label`");
    }
    free(b.data);
}
END_TEST

int main(void) {
    name_file();
    Suite *s = suite_create("loader_states");
    TCase *t = tcase_create("loader_states");
    tcase_add_test(t, reads_parts);
    tcase_add_loop_test(t, one_field_broken, 0, sizeof changes / sizeof *changes);
    tcase_add_test(t, arguments);
    tcase_add_test(t, training);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    unlink(path);
    return status;
}
