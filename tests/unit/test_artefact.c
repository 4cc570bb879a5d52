// links: backend passes runtime ir
// A small graph as an artefact: on disk by every linker found, held against what an artefact must be by an
// ELF reader of the test's own, and run; by JIT; the other forms; and outputs that can't be written, which
// leave nothing behind. BERTC_TEST_LARGE=FOLDER writes one with 2.5 GiB of weights there.
#include "main.h"
#include "unit/artefact_case.h"

// --- Tests

static const char *const linkers[] = {NULL, "ld.lld", "ld", "cc", "gcc", "clang-19", "mold"};
#define LINKER_COUNT (int)(sizeof(linkers) / sizeof(linkers[0]))

static bool in_path(const char *name) {
    char command[96];
    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", name);
    return system(command) == 0;
}

START_TEST(linked) {
    const char *linker = linkers[_i];
    if (linker && !in_path(linker)) SKIP("linker", "%s", linker);
    model m;
    model_open(&m);
    const char *path = in_folder(&m, "model.so");
    backend_times times;
    bool ok = write_as(&m, EMIT_SO, path, linker, &times);
    diag_print(&m.diag, stderr);
    ck_assert(ok);
    ck_assert_int_eq(files_in(m.folder), 1);
    check_shared_object(&m, path);
    check_loaded(&m, path);
    struct stat s;
    stat(path, &s);
    ck_assert_int_eq(times.artefact_bytes, s.st_size);
    ck_assert_int_gt(times.linker_peak_kb, 0);
    // A second time, over the first, and the same bytes.
    size_t first_size, second_size;
    const char *first = read_file(&m, path, &first_size);
    ck_assert(write_as(&m, EMIT_SO, path, linker, &times));
    const char *second = read_file(&m, path, &second_size);
    ck_assert_uint_eq(first_size, second_size);
    ck_assert_mem_eq(first, second, first_size);
    unlink(path);
    model_close(&m);
}
END_TEST

// The runtime checks every table of it, so this one has a tokenizer no more.
START_TEST(runtime_takes_it) {
    const char *linker = linkers[_i];
    if (linker && !in_path(linker)) SKIP("linker", "%s", linker);
    model m;
    model_open(&m);
    m.a.tokenizer = NULL;
    const char *path = in_folder(&m, "model.so");
    ck_assert(write_as(&m, EMIT_SO, path, linker, NULL));
    bertc_error error = {""};
    const bertc_load_options whole = {.size = sizeof(whole), .check_weights = true};
    bertc_model *loaded = bertc_load_with(path, &whole, &error);
    ck_assert_msg(loaded != NULL, "%s", error.message);
    bertc_unload(loaded);
    size_t size; // a linker whose files were left without a checksum would load just so
    const char *file = read_file(&m, path, &size), *magic = memmem(file, size, BERTC_MAGIC, 8);
    ck_assert_uint_ne(((const bertc_descriptor *)(const void *)magic)->checksum, 0);
    unlink(path);
    jit *j = backend_jit(&m.a, 0, NULL, &m.diag);
    ck_assert_ptr_nonnull(j);
    loaded = bertc_load_memory(jit_descriptor(j), jit_weights(j), &error);
    ck_assert_msg(loaded != NULL, "%s", error.message);
    bertc_unload(loaded);
    jit_free(j);
    model_close(&m);
}
END_TEST

START_TEST(through_a_link) {
    model m;
    model_open(&m);
    const char *path = in_folder(&m, "model.so"), *real = in_folder(&m, "real.so");
    ck_assert_int_eq(symlink("real.so", path), 0);
    fclose(fopen(real, "w"));
    ck_assert(write_as(&m, EMIT_SO, path, NULL, NULL));
    check_shared_object(&m, real);
    struct stat s;
    ck_assert(lstat(path, &s) == 0 && S_ISLNK(s.st_mode));
    unlink(path);
    unlink(real);
    model_close(&m);
}
END_TEST

START_TEST(every_target) {
    static const char *const targets[][2] = {
        {"x86_64-linux-gnu", "generic"},        {"x86_64-linux-gnu", "x86-64-v2"},
        {"x86_64-linux-gnu", "x86-64-v3"},      {"x86_64-linux-gnu", "x86-64-v4"},
        {"x86_64-linux-gnu", "sapphirerapids"}, {"aarch64-linux-gnu", "generic"}};
    if (!in_path("ld.lld")) SKIP("linker", "ld.lld");
    model m;
    model_open_for(&m, VOCAB, targets[_i][0], targets[_i][1]);
    const char *path = in_folder(&m, "model.so");
    bool ok = write_as(&m, EMIT_SO, path, "ld.lld", NULL);
    diag_print(&m.diag, stderr);
    ck_assert(ok);
    check_shared_object(&m, path);
    unlink(path);
    model_close(&m);
}
END_TEST

START_TEST(object) {
    if (linkers[_i] && !in_path(linkers[_i])) SKIP("linker", "%s", linkers[_i]);
    model m;
    model_open(&m);
    const char *path = in_folder(&m, "model.o"), *library = in_folder(&m, "linked.so");
    ck_assert(write_as(&m, EMIT_OBJ, path, linkers[_i], NULL));
    size_t size;
    const char *file = read_file(&m, path, &size);
    ck_assert_uint_eq(((const Elf64_Ehdr *)(const void *)file)->e_type, ET_REL);
    check_symbols(file, SHT_SYMTAB, false);
    if (in_path("cc")) {
        ck_assert_int_eq(system(arena_printf(m.arena, "cc -shared -o %s %s", library, path)), 0);
        check_loaded(&m, library);
        unlink(library);
    } else {
        skip_part("linker", "cc");
    }
    unlink(path);
    model_close(&m);
}
END_TEST

START_TEST(texts) {
    static const struct {
        emit_kind kind;
        const char *name, *holds;
    } forms[] = {{EMIT_ASM, "model.s", "bertc_artefact"},
                 {EMIT_LLVM, "model.ll", "@bertc_artefact = protected constant"},
                 {EMIT_HEADER, "my-model.h", "#define MY_MODEL_OUTPUT_LAST_HIDDEN_STATE_WIDTH 40\n"}};
    model m;
    model_open(&m);
    const char *path = in_folder(&m, forms[_i].name);
    ck_assert(write_as(&m, forms[_i].kind, path, NULL, NULL));
    size_t size;
    const char *text = read_file(&m, path, &size);
    ck_assert_ptr_nonnull(strstr(text, forms[_i].holds));
    if (forms[_i].kind == EMIT_HEADER && in_path("cc"))
        ck_assert_int_eq(system(arena_printf(m.arena, "cc -Wall -Werror -fsyntax-only -xc %s", path)), 0);
    unlink(path);
    model_close(&m);
}
END_TEST

START_TEST(jit_runs) {
    model m;
    model_open(&m);
    backend_times times;
    jit *j = backend_jit(&m.a, 2, &times, &m.diag);
    diag_print(&m.diag, stderr);
    ck_assert_ptr_nonnull(j);
    const bertc_descriptor *d = jit_descriptor(j);
    check_descriptor(&m, d);
    ck_assert_int_eq(d->weights, 0);
    check_answer(&m, d, jit_weights(j));
    jit_free(j);
    model_close(&m);
}
END_TEST

static void *jit_thread(void *unused) {
    (void)unused;
    model m;
    model_open(&m);
    for (int i = 0; i < 3; i++) {
        jit *j = backend_jit(&m.a, 1, NULL, &m.diag);
        ck_assert_ptr_nonnull(j);
        check_answer(&m, jit_descriptor(j), jit_weights(j));
        jit_free(j);
    }
    const char *path = in_folder(&m, "model.so");
    ck_assert(write_as(&m, EMIT_SO, path, NULL, NULL));
    check_loaded(&m, path);
    unlink(path);
    model_close(&m);
    return NULL;
}

START_TEST(two_threads) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, jit_thread, NULL), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(cannot_write) {
    static const struct {
        emit_kind kind;
        const char *path, *linker, *says;
    } cases[] = {{EMIT_SO, "/nowhere/model.so", NULL, "/nowhere/model.so: can't be written: No such file"},
                 {EMIT_SO, "/tmp", NULL, "/tmp: can't be written: is a folder"},
                 {EMIT_SO, "/dev/full", NULL, "/dev/full: can't be written: No space left"},
                 {EMIT_ASM, "/dev/full", NULL, "/dev/full: can't be written: No space left"},
                 {EMIT_HEADER, "/dev/full", NULL, "/dev/full: can't be written: No space left"},
                 {EMIT_SO, NULL, "no-such-linker", "the linker no-such-linker is not there"},
                 {EMIT_SO, NULL, "/bin/false", "/bin/false failed"},
                 {EMIT_SO, "/proc/model.so", NULL, "/proc/model.so: can't"}};
    model m;
    model_open(&m);
    setenv("TMPDIR", m.folder, 1); // what is written to a device stands here on its way
    const char *path = cases[_i].path ? cases[_i].path : in_folder(&m, "model.so");
    ck_assert(!write_as(&m, cases[_i].kind, path, cases[_i].linker, NULL));
    ck_assert_int_eq(m.diag.errors, 1);
    ck_assert_ptr_nonnull(strstr(m.diag.items[0].text, path));
    ck_assert_msg(strstr(m.diag.items[0].text, cases[_i].says), "%s", m.diag.items[0].text);
    ck_assert_int_eq(files_in(m.folder), 0);
    model_close(&m);
}
END_TEST

// A disk that is full while weights are written, and while the linker writes.
START_TEST(disk_full) {
    static const rlim_t limits[] = {1000, 6000, 12000, 14000};
    model m;
    model_open(&m);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {limits[_i], limits[_i]};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(!write_as(&m, EMIT_SO, in_folder(&m, "model.so"), linkers[_i], NULL));
    ck_assert_int_eq(m.diag.errors, 1);
    ck_assert_int_eq(files_in(m.folder), 0);
    model_close(&m);
}
END_TEST

START_TEST(missing_tensor) {
    model m;
    model_open(&m);
    m.missing = "bias";
    ck_assert(!write_as(&m, EMIT_SO, in_folder(&m, "model.so"), NULL, NULL));
    ck_assert_ptr_null(backend_jit(&m.a, 2, NULL, &m.diag));
    ck_assert_int_eq(m.diag.errors, 2);
    ck_assert_ptr_nonnull(strstr(m.diag.items[0].text, "bias"));
    model_close(&m);
}
END_TEST

START_TEST(output_of_another_type) {
    model m;
    model_open(&m);
    m.a.module->graphs[0]->outputs[0].value = 0; // ids
    ck_assert(!write_as(&m, EMIT_SO, in_folder(&m, "model.so"), NULL, NULL));
    ck_assert_ptr_null(backend_jit(&m.a, 2, NULL, &m.diag));
    ck_assert_int_eq(m.diag.errors, 2);
    const char *says = "last_hidden_state: is i32[T]: inputs are i32 and outputs f32, so cast it";
    ck_assert_msg(strstr(m.diag.items[0].text, says), "%s", m.diag.items[0].text);
    model_close(&m);
}
END_TEST

START_TEST(no_linker) {
    model m;
    model_open(&m);
    setenv("PATH", m.folder, 1);
    ck_assert(!write_as(&m, EMIT_SO, in_folder(&m, "model.so"), NULL, NULL));
    ck_assert_ptr_nonnull(strstr(m.diag.items[0].text, "ld.lld, ld or cc"));
    model_close(&m);
}
END_TEST

START_TEST(large) {
    const char *folder = getenv("BERTC_TEST_LARGE");
    if (!folder) SKIP("large", "BERTC_TEST_LARGE names no folder");
    if (linkers[_i] && !in_path(linkers[_i])) SKIP("linker", "%s", linkers[_i]);
    model m;
    model_open_for(&m, ((int64_t)5 << 29) / (WIDTH * 4), NULL, "native");
    const char *path = arena_printf(m.arena, "%s/large.so", folder);
    backend_times times;
    bool ok = write_as(&m, EMIT_SO, path, linkers[_i], &times);
    diag_print(&m.diag, stderr);
    ck_assert(ok);
    ck_assert_int_gt(times.artefact_bytes, (int64_t)5 << 29);
    check_loaded(&m, path);
    fprintf(stderr, "%s: %.1f s weights, %.1f s link, linker's peak %ld KB\n",
            linkers[_i] ? linkers[_i] : "default", times.weights, times.link, times.linker_peak_kb);
    unlink(path);
    model_close(&m);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("artefact");
    TCase *t = tcase_create("artefact");
    tcase_add_loop_test(t, linked, 0, LINKER_COUNT);
    tcase_add_loop_test(t, runtime_takes_it, 0, LINKER_COUNT);
    tcase_add_test(t, through_a_link);
    tcase_add_loop_test(t, every_target, 0, 6);
    tcase_add_loop_test(t, object, 0, 4);
    tcase_add_loop_test(t, texts, 0, 3);
    tcase_add_test(t, jit_runs);
    tcase_add_test(t, two_threads);
    tcase_add_loop_test(t, cannot_write, 0, 8);
    tcase_add_loop_test(t, disk_full, 0, 4);
    tcase_add_test(t, missing_tensor);
    tcase_add_test(t, output_of_another_type);
    tcase_add_test(t, no_linker);
    suite_add_tcase(suite, t);
    TCase *manual = tcase_create("large");
    tcase_set_timeout(manual, 600);
    tcase_add_loop_test(manual, large, 0, getenv("BERTC_TEST_LARGE") ? LINKER_COUNT : 1);
    suite_add_tcase(suite, manual);
    return suite_status(suite);
}
