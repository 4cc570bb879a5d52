// links: hub passes backend runtime ir
// What a trainer keeps (bertc_train.h): the gradients' memory and its pieces, and tensors that are saved and loaded.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "main.h"
#include "trainer_case.h"

// Gradients that someone else adds up count, wherever they come from.
START_TEST(gradient_memory) {
    bertc_trainer *t = opened(1), *other = opened(1);
    bertc_train_batch b = without_padding();
    bertc_train_update u = update(1);
    int64_t count, n;
    float norm, twice;
    ck_assert(bertc_trainer_gradients(t, &b, true, NULL, &error) &&
              bertc_trainer_gradients(other, &b, true, NULL, &error));
    float *memory = bertc_trainer_gradient_memory(t, &count);
    ck_assert(memory && count >= 514);
    for (int64_t i = 0; i < count; i++) memory[i] += memory[i];
    ck_assert(bertc_trainer_update(t, &u, &twice, &error) && bertc_trainer_update(other, &u, &norm, &error));
    norm *= 2;
    near(&twice, &norm, 1, "norm");
    // What is written is what the next step begins with.
    float *bias = read_one(t, "classifier.bias", &n);
    bias[0] = 42;
    ck_assert(bertc_trainer_tensor_write(t, bertc_trainer_tensor_find(t, "classifier.bias"), bias, &error));
    ck_assert_float_eq(read_one(t, "classifier.bias", &n)[0], 42);
    bertc_trainer_close(t);
    bertc_trainer_close(other);
}
END_TEST

typedef struct seen_pieces {
    bertc_trainer *trainer;
    float *memory, *copy;
    int whole, calls;
} seen_pieces;

// What is whole is copied, and spoilt where it lies: nothing may read or write it again in the call.
static void take_pieces(void *user, int whole) {
    seen_pieces *seen = user;
    int64_t first, n;
    ck_assert_int_ge(whole, seen->whole);
    for (int i = seen->whole; i < whole; i++) {
        ck_assert(bertc_trainer_gradient_piece(seen->trainer, i, &first, &n));
        for (int64_t k = first; k < first + n; k++) {
            seen->copy[k] = seen->memory[k];
            seen->memory[k] = NAN;
        }
    }
    seen->whole = whole;
    seen->calls++;
}

// Pieces are all of the memory, once, and are whole when the hook says so; with `least` it is called less often.
START_TEST(gradient_pieces) {
    bertc_trainer *alone = opened(1);
    bertc_train_batch b = without_padding();
    int64_t count, first, n, sum = 0;
    ck_assert(bertc_trainer_gradients(alone, &b, true, NULL, &error));
    float *want = bertc_trainer_gradient_memory(alone, &count);
    int piece_count = 0;
    for (; bertc_trainer_gradient_piece(alone, piece_count, &first, &n); piece_count++) sum += n;
    ck_assert(piece_count >= 2 && sum == count);
    ck_assert(!bertc_trainer_gradient_piece(alone, -1, &first, &n));
    for (int threads = 1; threads <= 3; threads++) {
        for (int64_t least = 0; least <= count; least += count) {
            bertc_trainer *t = opened(threads);
            seen_pieces seen = {.trainer = t, .memory = bertc_trainer_gradient_memory(t, NULL)};
            seen.copy = calloc((size_t)count, sizeof *seen.copy);
            ck_assert(bertc_trainer_on_gradients(t, take_pieces, &seen, least, &error));
            ck_assert(bertc_trainer_gradients(t, &b, true, NULL, &error));
            ck_assert_int_eq(seen.whole, piece_count);
            ck_assert(!memcmp(seen.copy, want, (size_t)count * sizeof *want));
            ck_assert(least ? seen.calls == 1 : seen.calls > 1);
            for (int64_t k = 0; k < count; k++) ck_assert(isnan(seen.memory[k]));
            ck_assert(bertc_trainer_on_gradients(t, NULL, NULL, 0, &error));
            ck_assert(bertc_trainer_gradients(t, &b, true, NULL, &error));
            ck_assert(!memcmp(seen.memory, want, (size_t)count * sizeof *want));
            free(seen.copy);
            bertc_trainer_close(t);
        }
    }
    ck_assert(!bertc_trainer_on_gradients(alone, take_pieces, NULL, -1, &error));
    bertc_trainer_close(alone);
}
END_TEST

// What is saved is what is read, kind by kind; a file that can't be written leaves the one of before.
START_TEST(saves) {
    static const char *const names[] = {"classifier.bias", "gradient.classifier.weight",
                                        "exp_avg_sq.classifier.weight"};
    bertc_trainer *t = opened(1);
    bertc_train_batch b = without_padding();
    bertc_train_update u = update(1);
    char folder[] = "/tmp/bertc-trainer-XXXXXX", path[64];
    ck_assert(bertc_trainer_step(t, &b, &u, NULL, NULL, &error) && mkdtemp(folder));
    snprintf(path, sizeof path, "%s/saved.safetensors", folder);
    for (int kind = 0; kind < 3; kind++) {
        ck_assert_msg(bertc_trainer_save(t, path, (bertc_tensor_kind)kind, &error), "%s", error.message);
        safetensors *file = safetensors_open(path, &d);
        ck_assert_msg(file != NULL, "%s", d.count ? d.items[0].text : "");
        const char *dtype;
        const int64_t *shape;
        const void *data;
        size_t bytes;
        int rank;
        int64_t n;
        const float *want = read_one(t, names[kind], &n);
        ck_assert(safetensors_entry(file, names[kind], &dtype, &rank, &shape, &data, &bytes));
        ck_assert(!strcmp(dtype, "F32") && bytes == (size_t)n * 4 && !memcmp(data, want, bytes));
        ck_assert(!safetensors_entry(file, names[(kind + 1) % 3], &dtype, &rank, &shape, &data, &bytes));
        safetensors_close(file);
    }
    ck_assert(!bertc_trainer_save(t, "/nowhere/x", BERTC_TENSOR_PARAMETER, &error) &&
              strstr(error.message, "/nowhere/x"));
    ck_assert(!bertc_trainer_save(t, folder, BERTC_TENSOR_PARAMETER, &error) &&
              strstr(error.message, folder));
    ck_assert(!bertc_trainer_save(t, path, (bertc_tensor_kind)7, &error) &&
              strstr(error.message, "kind 7 is none"));
    ck_assert(!bertc_trainer_save(t, NULL, BERTC_TENSOR_PARAMETER, &error));
    // A full disk: a limit on the size of files.
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000});
        bool ok = bertc_trainer_save(t, path, BERTC_TENSOR_PARAMETER, &error);
        _exit(ok || !strstr(error.message, path));
    }
    int status = -1;
    ck_assert(waitpid(child, &status, 0) == child && status == 0);
    safetensors *file = safetensors_open(path, &d);
    ck_assert_msg(file != NULL, "the file of before is gone");
    safetensors_close(file);
    bertc_trainer_close(t);
    ck_assert(unlink(path) == 0 && rmdir(folder) == 0); // nothing else is there
}
END_TEST

// --- Loading

// All that training changes, one behind the other.
static float *everything(bertc_trainer *t, int64_t *size) {
    bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
    *size = 0;
    for (int i = 0; i < bertc_trainer_tensor_count(t); i++) {
        ck_assert(bertc_trainer_tensor_describe(t, i, &x, &error));
        *size += x.count;
    }
    float *all = ARENA_ARRAY(a, float, *size), *to = all;
    for (int i = 0; i < bertc_trainer_tensor_count(t); i++, to += x.count) {
        ck_assert(bertc_trainer_tensor_describe(t, i, &x, &error));
        ck_assert(bertc_trainer_tensor_read(t, i, to, &error));
    }
    return all;
}

static void step(bertc_trainer *t, int number) {
    bertc_train_batch b = without_padding();
    bertc_train_update u = update(number);
    ck_assert_msg(bertc_trainer_step(t, &b, &u, NULL, NULL, &error), "%s", error.message);
}

// Another trainer that loads parameters and states goes on bit for bit. A checkpoint of 16 bits gives what was compiled.
START_TEST(loads) {
    char folder[] = "/tmp/bertc-trainer-XXXXXX", path[3][64];
    bertc_trainer *t = opened(1), *other = opened(2);
    int64_t size, n;
    step(t, 1);
    step(t, 2);
    ck_assert(mkdtemp(folder) != NULL);
    for (int kind = 0; kind < 3; kind++) {
        snprintf(path[kind], sizeof path[kind], "%s/%d", folder, kind);
        ck_assert(bertc_trainer_save(t, path[kind], (bertc_tensor_kind)kind, &error));
    }
    for (int kind = 0; kind < 3; kind++)
        ck_assert_msg(bertc_trainer_load(other, path[kind], (bertc_tensor_kind)kind, &error), "%s",
                      error.message);
    float *want = everything(t, &size), *got = everything(other, &n);
    ck_assert(n == size && !memcmp(want, got, (size_t)n * sizeof *want));
    step(t, 3);
    step(other, 3);
    ck_assert(!memcmp(everything(t, &size), everything(other, &n), (size_t)n * sizeof *want));

    bertc_trainer *fresh = opened(1);
    want = read_one(fresh, "classifier.weight", &n);
    ck_assert_msg(bertc_trainer_load(t, MODEL "/model.safetensors", BERTC_TENSOR_PARAMETER, &error), "%s",
                  error.message);
    ck_assert(!memcmp(read_one(t, "classifier.weight", &n), want, (size_t)n * sizeof *want));
    bertc_trainer_close(t);
    bertc_trainer_close(other);
    bertc_trainer_close(fresh);
    for (int kind = 0; kind < 3; kind++) ck_assert_int_eq(unlink(path[kind]), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static char made_path[64];

// A file of this header, in quotes of ' instead of ", and so many zeros.
static const char *file_of(const char *header, size_t zeros) {
    static const char nothing[4096];
    strcpy(made_path, "/tmp/bertc-trainer-XXXXXX");
    int fd = mkstemp(made_path);
    uint64_t n = strlen(header);
    char *text = arena_strdup(a, header);
    for (char *c = text; *c; c++)
        if (*c == '\'') *c = '"';
    ck_assert(fd >= 0 && write(fd, &n, 8) == 8 && write(fd, text, n) == (ssize_t)n);
    ck_assert(write(fd, nothing, zeros) == (ssize_t)zeros);
    close(fd);
    return made_path;
}

#define BIAS   "'classifier.bias':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}"
#define WEIGHT "'classifier.weight':{'dtype':'F32','shape':[2,256],'data_offsets':[8,2056]}"

static float widened(bertc_trainer *t, const char *dtype, uint16_t bits) {
    const char *path = file_of(
        arena_printf(
            a,
            "{'\\u0063lassifier.bias':{'x':[{},-1.5e3,null],'data_offsets':[0,4],'dtype':'%s','shape':[2]},"
            "'classifier.weight':{'dtype':'BF16','shape':[2,256],'data_offsets':[4,1028]}} ",
            dtype),
        1028);
    FILE *f = fopen(path, "r+");
    uint64_t header;
    int64_t n;
    ck_assert(f && fread(&header, 8, 1, f) == 1 && !fseek(f, (long)(8 + header), SEEK_SET));
    ck_assert(fwrite(&bits, 2, 1, f) == 1 && !fclose(f));
    ck_assert_msg(bertc_trainer_load(t, path, BERTC_TENSOR_PARAMETER, &error), "%s", error.message);
    ck_assert_int_eq(unlink(path), 0);
    const float *got = read_one(t, "classifier.bias", &n);
    ck_assert(got[1] == 0);
    return got[0];
}

// Numbers of 16 bits, denormals among them; names with escapes, keys in any order, keys that are not known.
START_TEST(loads_16_bits) {
    bertc_trainer *t = opened(1);
    ck_assert(widened(t, "F16", 0x3c00) == 1 && widened(t, "F16", 0xc500) == -5);
    ck_assert(widened(t, "F16", 0x8001) == -0x1p-24f && widened(t, "F16", 0x03ff) == 1023 * 0x1p-24f);
    ck_assert(widened(t, "F16", 0x7bff) == 65504 && isinf(widened(t, "F16", 0x7c00)));
    ck_assert(isnan(widened(t, "F16", 0x7e00)));
    ck_assert(widened(t, "BF16", 0x3f80) == 1 && widened(t, "BF16", 0xc0a0) == -5);
    bertc_trainer_close(t);
}
END_TEST

static void refuses(bertc_trainer *t, const char *path, const char *says) {
    int64_t size;
    const float *before = everything(t, &size);
    ck_assert_msg(!bertc_trainer_load(t, path, BERTC_TENSOR_PARAMETER, &error), "%s was taken", says);
    ck_assert_msg(strstr(error.message, path) && strstr(error.message, says), "'%s' instead of '%s'",
                  error.message, says);
    ck_assert(!memcmp(before, everything(t, &size), (size_t)size * sizeof *before));
}

START_TEST(refused) {
    static const struct {
        const char *header, *says;
        size_t zeros;
    } cases[] = {
        {"{" BIAS "}", "no tensor 'classifier.weight'", 2056},
        {"{" BIAS "," WEIGHT "}",
         "tensor 'classifier.weight': data_offsets 8 to 2056, but the file holds 2055", 2055},
        {"{" BIAS "," WEIGHT "," BIAS "}", "'classifier.bias' stands there twice", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'I64','shape':[2],'data_offsets':[0,16]}}", "is I64", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[1,2],'data_offsets':[0,8]}}",
         "the shape [1,2], the trainer's [2]", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[2],'data_offsets':[0,9]}}", "9 bytes", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}}", "8 to 0", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[2],'data_offsets':[0,8,8]}}",
         "two data_offsets", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[2]}}", "are missing", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,8]}}",
         "too large", 2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[2.5],'data_offsets':[0,8]}}", "does not end",
         2056},
        {"{" WEIGHT ",'classifier.bias':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}}", "whole number",
         2056},
        {"{" WEIGHT ",'classifier.bias':[]}", "no object", 2056},
        {"{'\\ud800':{}}", "half a character", 0},
        {"{'\\u00g0':{}}", "hexadecimal", 0},
        {"{'\\q':{}}", "escape", 0},
        {"{'a\nb':{}}", "control character", 0},
        {"{} {}", "behind the object", 0},
        {"[]", "no JSON object", 0},
        {"{'a", "does not end", 0},
        {"{'__metadata__':[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "too deep", 0},
    };
    bertc_trainer *t = opened(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refuses(t, file_of(cases[i].header, cases[i].zeros), cases[i].says);
        ck_assert_int_eq(unlink(made_path), 0);
    }
    refuses(t, "/nowhere/x", "No such file");
    refuses(t, "/tmp", "is no file");
    refuses(t, MODEL "/config.json", "no safetensors file");
    ck_assert(!bertc_trainer_load(t, "/tmp/x", (bertc_tensor_kind)7, &error) &&
              strstr(error.message, "kind 7"));
    ck_assert(!bertc_trainer_load(t, NULL, BERTC_TENSOR_PARAMETER, &error));
    ck_assert(!bertc_trainer_load(NULL, "/tmp/x", BERTC_TENSOR_PARAMETER, &error));
    bertc_trainer_close(t);
}
END_TEST

// A file that is cut anywhere is refused.
START_TEST(cut_short) {
    const char header[] = "{" BIAS "," WEIGHT "}";
    bertc_trainer *t = opened(1);
    const char *path = file_of(header, 2056);
    ck_assert_msg(bertc_trainer_load(t, path, BERTC_TENSOR_PARAMETER, &error), "%s", error.message);
    for (long size = 8 + (long)sizeof header - 1 + 2055; size >= 0; size -= size > 300 ? 97 : 1) {
        ck_assert_int_eq(truncate(path, size), 0);
        ck_assert(!bertc_trainer_load(t, path, BERTC_TENSOR_PARAMETER, &error));
    }
    ck_assert_int_eq(unlink(path), 0);
    bertc_trainer_close(t);
}
END_TEST

int main(void) {
    Suite *s = suite_create("trainer tensors");
    TCase *t = tcase_create("trainer tensors");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, gradient_memory);
    tcase_add_test(t, gradient_pieces);
    tcase_add_test(t, saves);
    tcase_add_test(t, loads);
    tcase_add_test(t, loads_16_bits);
    tcase_add_test(t, refused);
    tcase_add_test(t, cut_short);
    suite_add_tcase(s, t);
    return suite_status(s);
}
