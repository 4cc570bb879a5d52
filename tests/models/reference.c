#include "reference.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int32_t *read_ints(const reference *r, const char *name, int64_t *batch, int64_t *length) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    int rank;
    if (!safetensors_entry(r->file, name, &dtype, &rank, &shape, &data, &bytes)) return NULL;
    ck_assert_str_eq(dtype, "I64");
    ck_assert_int_eq(rank, strcmp(name, "bbox") ? 2 : 3);
    *batch = shape[0];
    *length = shape[1];
    size_t n = bytes / 8;
    int32_t *out = malloc(n * sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        memcpy(&v, (const char *)data + 8 * i, 8);
        out[i] = (int32_t)v;
    }
    return out;
}

void reference_open(reference *r, const char *path) {
    diag d;
    diag_init(&d);
    *r = (reference){.file = safetensors_open(path, &d)};
    ck_assert_msg(r->file != NULL, "%s", d.count ? d.items[0].text : path);
    diag_free(&d);
    r->ids = read_ints(r, "input_ids", &r->batch, &r->length);
    r->mask = read_ints(r, "attention_mask", &r->batch, &r->length);
    r->types = read_ints(r, "token_type_ids", &r->batch, &r->length);
    r->positions = read_ints(r, "position_ids", &r->batch, &r->length);
    r->tasks = read_ints(r, "task_type_ids", &r->batch, &r->length);
    r->global = read_ints(r, "global_attention_mask", &r->batch, &r->length);
    r->boxes = read_ints(r, "bbox", &r->batch, &r->length);
    ck_assert_ptr_nonnull(r->ids);
    ck_assert_ptr_nonnull(r->mask);
}

bool reference_holds_all(const char *path) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    int rank;
    reference r;
    reference_open(&r, path);
    bool holds = safetensors_entry(r.file, "out.hidden_states.0", &dtype, &rank, &shape, &data, &bytes);
    reference_close(&r);
    return holds;
}

void reference_close(reference *r) {
    safetensors_close(r->file);
    free(r->ids);
    free(r->mask);
    free(r->types);
    free(r->positions);
    free(r->tasks);
    free(r->global);
    free(r->boxes);
}

bool reference_hides_first(const reference *r) {
    for (int64_t i = 0; i < r->batch; i++) {
        if (!r->mask[i * r->length]) return true;
    }
    return false;
}

// How many values from one token of the grid to the next; 0: the tensor has no token axis.
static int64_t token_values(const bertc_tensor *t, const reference *r, int64_t count) {
    if (t->rank >= 2 && t->shape[1] == r->length && !strstr(t->name, "attentions"))
        return count / (r->batch * r->length);
    return 0;
}

static bool shown(const reference *r, const bertc_tensor *t, int64_t i, int64_t count) {
    int64_t per_token = token_values(t, r, count);
    if (per_token) return r->mask[i / per_token];
    if (!strstr(t->name, "attentions")) return true;
    int64_t n = r->length, row = i / (t->shape[1] * n * n), query = i / n % n,
            key = i % n; // [batch, heads, length, length]
    return r->mask[row * n + query] && r->mask[row * n + key];
}

static int64_t index_of_largest(const float *v, int64_t n) {
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++) {
        if (v[i] > v[at]) at = i;
    }
    return at;
}

static void compare_choices(const reference *r, const bertc_tensor *t, const float *want, int64_t count,
                            const char *what) {
    int64_t n = t->shape[t->rank - 1];
    for (int64_t i = 0; i < count; i += n) {
        if (!shown(r, t, i, count)) continue;
        int64_t got = index_of_largest(t->data + i, n), wanted = index_of_largest(want + i, n);
        ck_assert_msg(got == wanted, "%s: %s chooses %lld, not %lld, in row %lld", what, t->name,
                      (long long)got, (long long)wanted, (long long)(i / n));
    }
}

static double compare(const reference *r, const bertc_tensor *t, const float *want, tolerance to,
                      const char *what) {
    int64_t count = 1;
    for (int i = 0; i < t->rank; i++) count *= t->shape[i];
    double largest = 0, worst = 0, squares = 0, wanted = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!shown(r, t, i, count)) {
            ck_assert_msg(strstr(t->name, "attentions") || t->data[i] == 0,
                          "%s: %s: a hidden row is not zero at %lld", what, t->name, (long long)i);
            continue;
        }
        largest = fmax(largest, fabs((double)want[i]));
        double error = fabs((double)t->data[i] - (double)want[i]);
        squares += error * error;
        wanted += (double)want[i] * (double)want[i];
        if (!(error <= worst)) worst = error, at = i;
    }
    if (to.largest) *to.largest = fmax(*to.largest, worst);
    if (to.mean > 0) {
        double mean = sqrt(squares / fmax(wanted, 1e-30));
        ck_assert_msg(mean <= to.mean, "%s: %s differs by %.3g in the mean", what, t->name, mean);
        return mean / to.mean;
    }
    double bound = fmax(to.absolute, to.relative * largest);
    ck_assert_msg(worst <= bound, "%s: %s differs by %.3g at %lld: %.6g, not %.6g", what, t->name, worst,
                  (long long)at, (double)t->data[at], (double)want[at]);
    if (to.same_choice && t->rank > 1) compare_choices(r, t, want, count, what);
    return worst / bound;
}

static const float *expected(const reference *r, const bertc_tensor *t) {
    char name[80];
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    int rank;
    snprintf(name, sizeof(name), "out.%s", t->name);
    if (!safetensors_entry(r->file, name, &dtype, &rank, &shape, &data, &bytes) &&
        !safetensors_entry(r->file, t->name, &dtype, &rank, &shape, &data, &bytes)) {
        return NULL;
    }
    ck_assert_str_eq(dtype, "F32");
    ck_assert_int_eq(rank, t->rank);
    for (int i = 0; i < rank; i++) ck_assert_int_eq(shape[i], t->shape[i]);
    return data;
}

double reference_check(const reference *r, bertc_model *model, int threads, tolerance t, const char *what) {
    bertc_error e = {""};
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    bertc_session *s = bertc_open(
        model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = threads}, &e);
    ck_assert_msg(s != NULL, "%s: %s", what, e.message);
    bool no_first = reference_hides_first(r);
    float *buffers[64] = {0};
    bertc_tensor tensors[64] = {BERTC_TENSOR_INIT};
    ck_assert_int_le(info.output_count, 64);
    for (int i = 0; i < info.output_count; i++) {
        if (no_first && bertc_output_reads_first(model, i)) continue;
        size_t bytes = bertc_output_bytes(model, i, r->batch, r->length);
        buffers[i] = malloc(bytes);
        memset(buffers[i], 0xff, bytes); // NaN: what is not written does not pass
    }
    bertc_batch b = {BERTC_SIZED(bertc_batch),
                     r->batch,
                     r->length,
                     r->ids,
                     r->mask,
                     r->types,
                     r->positions,
                     r->tasks,
                     r->global,
                     r->boxes};
    ck_assert_msg(bertc_run(s, &b, buffers, tensors, &e), "%s: %s", what, e.message);
    double worst = 0;
    int compared = 0;
    for (int i = 0; i < info.output_count; i++) {
        const float *want = buffers[i] ? expected(r, &tensors[i]) : NULL;
        if (want) worst = fmax(worst, compare(r, &tensors[i], want, t, what)), compared++;
        free(buffers[i]);
    }
    bertc_close(s);
    ck_assert_msg(no_first || compared > 0, "%s: no output to compare", what);
    return worst;
}

void must_diag(bool ok, const diag *d, const char *what) {
    ck_assert_msg(ok, "%s: %s", what, d->count ? d->items[0].text : "failed");
}
