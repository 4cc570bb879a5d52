// links: cli hub runtime ir
// `bertc train` against PyTorch: two runs of 50 steps with dropout off (../shared/training). Each step's loss and gradient norm within
// 1e-4 relative (of at least 0.1), and the last weights within 1e-4 absolute. key.bias is left out: its gradient is 0, so what moves it is
// rounding alone.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/cli.h"
#include "main.h"

static char folder[64];

static void setup(void) {
    strcpy(folder, "/tmp/bertc-training-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static char *text_of(const char *path) {
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    char *text = calloc(1, 1 << 20);
    ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, f), (1 << 20) - 1);
    fclose(f);
    return text;
}

static double number(const cJSON *o, const char *key) {
    const cJSON *v = cJSON_GetObjectItem(o, key);
    ck_assert_msg(cJSON_IsNumber(v), "%s", key);
    return v->valuedouble;
}

static double apart(double a, double b) {
    return fabs(a - b) / fmax(0.1, fabs(b));
}

// Lines of the log against the steps of the curve.
static void check_curve(const char *log, const cJSON *steps) {
    char *text = text_of(log), *at = text;
    double most[3] = {0};
    int count = 0;
    for (const cJSON *want = steps->child; want; want = want->next, count++) {
        char *end = strchr(at, '\n');
        ck_assert_msg(end != NULL, "%s ends at step %d", log, count);
        cJSON *line = cJSON_ParseWithLength(at, (size_t)(end - at));
        static const char *const keys[] = {"loss", "grad_norm", "learning_rate"};
        ck_assert_double_eq(number(line, "step"), number(want, "step"));
        for (int k = 0; k < 3; k++) {
            double off = apart(number(line, keys[k]), number(want, keys[k]));
            ck_assert_msg(off <= 1e-4, "step %d: %s is %.9g, not %.9g", count + 1, keys[k],
                          number(line, keys[k]), number(want, keys[k]));
            most[k] = fmax(most[k], off);
        }
        cJSON_Delete(line);
        at = end + 1;
    }
    ck_assert_int_eq(count, 50);
    printf("loss within %.2g, gradient norm within %.2g\n", most[0], most[1]);
    free(text);
}

static void check_weights(const char *found_path, const char *want_path) {
    diag d;
    diag_init(&d);
    safetensors *want = safetensors_open(want_path, &d), *found = safetensors_open(found_path, &d);
    ck_assert_msg(want && found, "%s", d.count ? d.items[0].text : "");
    int checked = 0;
    double most = 0;
    for (int i = 0; i < safetensors_count(want); i++) {
        const char *name = safetensors_name(want, i), *dtype;
        const int64_t *shape;
        const void *data[2];
        size_t bytes[2];
        int rank;
        if (strstr(name, "key.bias")) continue;
        ck_assert(safetensors_entry(want, name, &dtype, &rank, &shape, &data[0], &bytes[0]));
        ck_assert_str_eq(dtype, "F32");
        ck_assert_msg(safetensors_entry(found, name, &dtype, &rank, &shape, &data[1], &bytes[1]), "no %s",
                      name);
        ck_assert_str_eq(dtype, "F32");
        ck_assert_uint_eq(bytes[0], bytes[1]);
        for (size_t k = 0; k < bytes[0]; k += sizeof(float)) {
            float a, b;
            memcpy(&a, (const char *)data[0] + k, sizeof a);
            memcpy(&b, (const char *)data[1] + k, sizeof b);
            double off = fabs((double)a - (double)b);
            ck_assert_msg(off <= 1e-4, "%s[%zu] is %.9g, not %.9g", name, k / sizeof(float), (double)b,
                          (double)a);
            most = fmax(most, off);
        }
        checked++;
    }
    ck_assert_int_gt(checked, 0);
    printf("%d tensors within %.2g\n", checked, most);
    safetensors_close(want);
    safetensors_close(found);
    diag_free(&d);
}

// Option values: no pointers into what is freed.
static void run_like_pytorch(const char *name, const char *model, const char *task, bool head) {
    char base[512], train[600], init[600], path[600], curve_path[600], from[600], out[96], rate[32],
        batch[32], decay[32], norm[32];
    snprintf(base, sizeof base, "%s/training/%s", BERTC_SHARED, name);
    snprintf(train, sizeof train, "%s/train.jsonl", base);
    snprintf(init, sizeof init, "%s/head.safetensors", base);
    snprintf(curve_path, sizeof curve_path, "%s/curve.json", base);
    snprintf(from, sizeof from, "%s/models/%s", BERTC_SHARED, model);
    snprintf(out, sizeof out, "%s/out", folder);
    if (access(train, R_OK)) SKIP("shared", "%s", train);
    char *text = text_of(curve_path);
    cJSON *curve = cJSON_Parse(text);
    snprintf(rate, sizeof rate, "%.17g", number(curve, "learning_rate"));
    snprintf(batch, sizeof batch, "%.0f", number(curve, "batch"));
    snprintf(decay, sizeof decay, "%.17g", number(curve, "weight_decay"));
    snprintf(norm, sizeof norm, "%.17g", number(curve, "max_grad_norm"));
    char *argv[] = {"train",
                    from,
                    "--task",
                    (char *)task,
                    "--train",
                    train,
                    "-o",
                    out,
                    "--no-shuffle",
                    "--dropout",
                    "0",
                    "--learning-rate",
                    rate,
                    "--weight-decay",
                    decay,
                    "--max-grad-norm",
                    norm,
                    "--num-train-epochs",
                    "1",
                    "--per-device-train-batch-size",
                    batch,
                    "--threads",
                    "2",
                    head ? "--init" : NULL,
                    init,
                    NULL};
    int argc = 0;
    while (argv[argc]) argc++;
    if (head) argc = (int)(sizeof argv / sizeof *argv) - 1;
    ck_assert_int_eq(command_train(argc, argv), 0);
    snprintf(path, sizeof path, "%s/log.jsonl", out);
    check_curve(path, cJSON_GetObjectItem(curve, "steps"));
    snprintf(path, sizeof path, "%s/after.safetensors", base);
    snprintf(from, sizeof from, "%s/model.safetensors", out);
    check_weights(from, path);
    cJSON_Delete(curve);
    free(text);
}

START_TEST(classify) {
    run_like_pytorch("train-mini-pretrained", "mini-pretrained", "classify", true);
}
END_TEST

START_TEST(tag) {
    run_like_pytorch("train-small-ner", "small-ner", "tag", false);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("training");
    TCase *c = tcase_create("training");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 600);
    tcase_add_test(c, classify);
    tcase_add_test(c, tag);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
