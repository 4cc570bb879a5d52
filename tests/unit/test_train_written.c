// links: cli hub ir
// What `bertc train` writes beside the model: the log and its drawing, the state of a run, checkpoints.
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/train/checkpoint.h"
#include "frontend/cli/train/log.h"
#include "frontend/cli/train/state.h"
#include "main.h"

static char folder[64];

static void setup(void) {
    strcpy(folder, "/tmp/bertc-train-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static char *in_folder(const char *name) {
    static char path[2][160];
    static int turn;
    char *p = path[turn ^= 1];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void put_file(const char *name, const char *text) {
    FILE *f = fopen(in_folder(name), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static char *get_file(const char *name) {
    static char text[1 << 16];
    FILE *f = fopen(in_folder(name), "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

// --- The log

static void write_steps(train_log *l, int from, int to, diag *d) {
    for (int i = from; i <= to; i++) {
        ck_assert(train_log_step(l, i, (double)(1.0f / (float)i), 0.5, 1e-4, d));
        if (i % 5) continue;
        log_metric metrics[] = {{"loss", 0.75}, {"accuracy", 0.625}};
        ck_assert(train_log_epoch(l, i / 5, i, metrics, 2, d));
    }
}

START_TEST(log_lines) {
    train_log l;
    diag d;
    diag_init(&d);
    ck_assert(train_log_open(&l, folder, &d) && train_log_keep(&l, 0, &d));
    train_log other;
    diag busy;
    diag_init(&busy);
    ck_assert(!train_log_open(&other, folder, &busy));
    ck_assert_ptr_nonnull(strstr(busy.items[0].text, "log.jsonl: is being written by another run"));
    train_log_close(&other);
    diag_free(&busy);
    write_steps(&l, 1, 10, &d);
    ck_assert(train_log_sync(&l, &d));
    int64_t kept = l.bytes;
    write_steps(&l, 11, 13, &d);
    train_log_close(&l);
    char *text = get_file("log.jsonl");
    ck_assert_msg(!strncmp(text,
                           "{\"step\": 1, \"loss\": 1, \"grad_norm\": 0.5, \"learning_rate\": 0.0001}\n"
                           "{\"step\": 2, \"loss\": 0.5, ",
                           85),
                  "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "{\"step\": 3, \"loss\": 0.33333334, "));
    ck_assert_ptr_nonnull(
        strstr(text, "\n{\"epoch\": 2, \"step\": 10, \"eval_loss\": 0.75, \"eval_accuracy\": 0.625}\n"));
    char *whole = strdup(text), *svg = strdup(get_file("loss.svg"));
    ck_assert(!strncmp(svg, "<svg ", 5) && strstr(svg, "polyline") && strstr(svg, "dev loss") &&
              strstr(svg, "</svg>\n"));
    // What a run writes that was stopped behind step 10, in the middle of a line.
    put_file("log.jsonl", whole);
    FILE *f = fopen(in_folder("log.jsonl"), "a");
    fputs("{\"step\": 14, \"lo", f);
    fclose(f);
    ck_assert(train_log_open(&l, folder, &d) && train_log_keep(&l, kept, &d));
    ck_assert(train_log_sync(&l, &d));
    ck_assert_str_eq(get_file("loss.svg"), svg);
    write_steps(&l, 11, 13, &d);
    train_log_close(&l);
    ck_assert_str_eq(get_file("log.jsonl"), whole);
    ck_assert(train_log_open(&l, folder, &d) &&
              !train_log_keep(&l, 1 << 20, &d)); // shorter than the checkpoint says
    ck_assert_ptr_nonnull(strstr(d.items[0].text, "log.jsonl: has "));
    train_log_close(&l);
    free(whole);
    free(svg);
    diag_free(&d);
}
END_TEST

START_TEST(long_plots) {
    plot *p = calloc(1, sizeof *p);
    for (int64_t i = 1; i <= 100000; i++) plot_step(p, i, i % 2 ? 1 : 3);
    plot_step(p, 100001, NAN);
    ck_assert_int_le(p->count, PLOT_POINTS);
    ck_assert_int_ge(p->count, PLOT_POINTS / 2);
    for (int i = 1; i < p->count; i++) {
        ck_assert_double_eq_tol(p->points[i].loss, 2, 0.05);
        ck_assert_double_gt(p->points[i].step, p->points[i - 1].step);
    }
    ck_assert_double_le(p->points[p->count - 1].step, 100000);
    for (int i = 1; i <= 3 * PLOT_EPOCHS; i++) plot_epoch(p, i, 1);
    ck_assert_int_le(p->epochs, PLOT_EPOCHS);
    ck_assert_double_eq(p->dev[p->epochs - 1].step, 3 * PLOT_EPOCHS);
    free(p);
}
END_TEST

// --- State and checkpoints

static train_state some_state(void) {
    train_state s = {.step = 120,
                     .steps = 300,
                     .epoch = 1,
                     .batches = 20,
                     .log_bytes = 9000,
                     .best = 0.5,
                     .best_step = 100,
                     .worse = 1,
                     .data = 0xfedcba9876543210u,
                     .options = cJSON_CreateObject()};
    cJSON_AddStringToObject(s.options, "--seed", "42");
    cJSON_AddStringToObject(s.options, "--task", "tag");
    return s;
}

static void differs(const train_state *s, const cJSON *options, uint64_t data, const char *why) {
    diag d;
    diag_init(&d);
    ck_assert_int_eq(state_matches(s, "state.json", options, data, &d), !why);
    if (why) ck_assert_msg(strstr(d.items[0].text, why), "%s", d.items[0].text);
    diag_free(&d);
}

START_TEST(states) {
    diag d;
    diag_init(&d);
    train_state s = some_state(), r;
    ck_assert(state_write(in_folder("state.json"), &s, &d));
    ck_assert(state_read(in_folder("state.json"), &r, &d));
    ck_assert(r.step == 120 && r.steps == 300 && r.epoch == 1 && r.batches == 20 && r.log_bytes == 9000);
    ck_assert(r.best == 0.5 && r.best_step == 100 && r.worse == 1 && r.data == s.data && !r.finished);
    // a number that is still one: the file's own hash tells
    char *text = get_file("state.json"), *digit = strstr(text, "\"log_bytes\": 9000");
    digit[13] = '8';
    put_file("state.json", text);
    train_state changed;
    diag e;
    diag_init(&e);
    ck_assert(!state_read(in_folder("state.json"), &changed, &e));
    ck_assert_ptr_nonnull(strstr(e.items[0].text, "was changed since it was written"));
    diag_free(&e);
    state_free(&changed);
    differs(&r, s.options, s.data, NULL);
    differs(&r, s.options, s.data + 1, "the training data are others");
    cJSON_ReplaceItemInObject(s.options, "--seed", cJSON_CreateString("43"));
    differs(&r, s.options, s.data, "with --seed 42, not 43");
    cJSON_ReplaceItemInObject(s.options, "--seed", cJSON_CreateString("42"));
    cJSON_AddStringToObject(s.options, "--dropout", "0");
    differs(&r, s.options, s.data, "with --dropout (none), not 0");
    cJSON_DeleteItemFromObject(s.options, "--dropout");
    cJSON_DeleteItemFromObject(s.options, "--task");
    differs(&r, s.options, s.data, "with --task tag, not (none)");
    state_free(&s);
    state_free(&r);
    static const char *const bad[][2] = {{"{}", "version"},
                                         {"{\"version\": 3}", "version"},
                                         {"{\"version\": 2}", "xxh64"},
                                         {"[1]", "state.json"},
                                         {"{\"version\": 1, \"finished\": 3}", "finished"},
                                         {"", "state.json"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        diag said;
        diag_init(&said);
        put_file("state.json", bad[i][0]);
        ck_assert(!state_read(in_folder("state.json"), &r, &said));
        ck_assert_msg(strstr(said.items[0].text, bad[i][1]), "%s", said.items[0].text);
        state_free(&r);
        diag_free(&said);
    }
    diag_free(&d);
}
END_TEST

static bool fill(void *user, const char *into, diag *d) {
    checkpoint_path p = checkpoint_file(into, CHECKPOINT_STATE);
    FILE *f = fopen(p.text, "w");
    fputs("{}", f);
    fclose(f);
    ck_assert_int_eq(mkdir(checkpoint_file(into, "1_Pooling").text, 0777), 0);
    return !user || diag_error(d, into, "can't be written: %s", "No space left on device");
}

START_TEST(checkpoints) {
    diag d;
    diag_init(&d);
    ck_assert_int_eq(checkpoint_last(folder), -1);
    ck_assert_int_eq(checkpoint_last(in_folder("none")), -1);
    for (int64_t step = 80; step <= 120; step += 10)
        ck_assert(checkpoint_write(folder, step, fill, NULL, &d));
    ck_assert_int_eq(checkpoint_last(folder), 120);
    ck_assert(!checkpoint_write(folder, 130, fill, folder, &d));
    ck_assert_int_eq(d.count, 2);
    ck_assert_ptr_nonnull(strstr(d.items[0].text, "No space left"));
    ck_assert_ptr_nonnull(strstr(d.items[1].text, "checkpoint-120: is the last good checkpoint"));
    ck_assert_int_ne(access(in_folder("checkpoint-130.partial"), F_OK), 0);
    // Killed on the way: neither is a checkpoint.
    ck_assert_int_eq(mkdir(in_folder("checkpoint-140"), 0777), 0);
    ck_assert_int_eq(mkdir(in_folder("checkpoint-150.partial"), 0777), 0);
    put_file("checkpoint-150.partial/state.json", "{}");
    ck_assert_int_eq(checkpoint_last(folder), 120);
    // One that someone took the state from stands in the way, and stays.
    put_file("checkpoint-140/notes", "");
    ck_assert(!checkpoint_write(folder, 140, fill, NULL, &d));
    ck_assert_ptr_nonnull(strstr(d.items[2].text, "checkpoint-140: can't be made: it is there already"));
    ck_assert_int_eq(access(in_folder("checkpoint-140/notes"), F_OK), 0);
    ck_assert_int_eq(checkpoint_before(folder, 120), 110);
    ck_assert_int_eq(checkpoint_before(folder, 80), -1);
    checkpoint_clean(folder);
    ck_assert_int_ne(access(in_folder("checkpoint-150.partial"), F_OK), 0);
    checkpoint_prune(folder, 2, 80);
    for (int64_t step = 80; step <= 120; step += 10)
        ck_assert_int_eq(access(checkpoint_folder(folder, step).text, F_OK),
                         step == 80 || step == 120 ? 0 : -1);
    diag_free(&d);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train_written");
    TCase *c = tcase_create("train_written");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, log_lines);
    tcase_add_test(c, long_plots);
    tcase_add_test(c, states);
    tcase_add_test(c, checkpoints);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
