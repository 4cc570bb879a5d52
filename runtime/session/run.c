// bertc_run: checks the caller's grid, packs it by its mask, runs it in one call or several, and scatters
// the outputs back to the grid (outputs.c).
#include <string.h>

#include "runtime/error.h"
#include "runtime/session/outputs.h"
#include "runtime/session/session.h"
#include "runtime/sized.h"

static bool shown(const bertc_batch *in, int64_t b, int64_t c) {
    return !in->attention_mask || in->attention_mask[b * in->length + c] != 0;
}

static int64_t count_shown(const bertc_batch *in, int64_t b) {
    int64_t n = 0;
    for (int64_t c = 0; c < in->length; c++) n += shown(in, b, c);
    return n;
}

// Whether the cell is a token of its text.
static bool present(const bertc_session *s, const bertc_batch *in, int64_t b, int64_t c) {
    return session_keeps_grid(s) || shown(in, b, c);
}

static int64_t count_present(const bertc_session *s, const bertc_batch *in, int64_t b) {
    return session_keeps_grid(s) ? in->length : count_shown(in, b);
}

// --- Inputs that a caller may give

// The inputs that the caller gives on its grid.
static const struct {
    session_input input;
    const char *name;
} given[] = {{INPUT_POSITIONS, "position_ids"},
             {INPUT_TASKS, "task_type_ids"},
             {INPUT_GLOBAL, "global_attention_mask"},
             {INPUT_BOX_LEFT, "bbox"},
             {INPUT_BOX_TOP, "bbox"},
             {INPUT_BOX_RIGHT, "bbox"},
             {INPUT_BOX_BOTTOM, "bbox"},
             {INPUT_BOX_HEIGHT, "bbox"},
             {INPUT_BOX_WIDTH, "bbox"}};
enum { GIVEN = sizeof given / sizeof *given };

// The value of a cell; false where the caller gives none.
static bool give(const bertc_batch *in, session_input i, int64_t cell, int32_t *v) {
    const int32_t *from = i == INPUT_POSITIONS ? in->position_ids
                          : i == INPUT_TASKS   ? in->task_type_ids
                          : i == INPUT_GLOBAL  ? in->global_attention_mask
                                               : in->bbox;
    if (!from) return false;
    const int32_t *box = from + 4 * cell;
    if (i == INPUT_BOX_HEIGHT)
        *v = (int32_t)((uint32_t)box[3] - (uint32_t)box[1]);
    else if (i == INPUT_BOX_WIDTH)
        *v = (int32_t)((uint32_t)box[2] - (uint32_t)box[0]);
    else
        *v = i >= INPUT_BOX_LEFT ? box[i - INPUT_BOX_LEFT] : from[cell];
    return true;
}

static bool check_given(const bertc_session *s, const bertc_batch *in, bertc_error *error) {
    int32_t v;
    for (int i = 0; i < GIVEN; i++)
        if (in->batch && in->length && give(in, given[i].input, 0, &v) && s->input_slots[given[i].input] < 0)
            return error_set(error, "the model takes no %s", given[i].name);
    return true;
}

static bool check_cell(const bertc_session *s, const bertc_batch *in, int64_t cell, bertc_error *error) {
    int32_t v;
    if (!session_takes(s, INPUT_COLUMNS, (int32_t)(cell % in->length)))
        return error_set(error, "the model has fewer columns");
    for (int i = 1; i < GIVEN; i++)
        if (give(in, given[i].input, cell, &v) && !session_takes(s, given[i].input, v))
            return error_set(error, "%s: %s%d is outside of what the model has", given[i].name,
                             given[i].input == INPUT_BOX_HEIGHT  ? "a height of "
                             : given[i].input == INPUT_BOX_WIDTH ? "a width of "
                                                                 : "",
                             v);
    return true;
}

// The position of a cell: given, or by the model's rule.
static int64_t position_of(const bertc_session *s, const bertc_batch *in, int64_t b, int64_t c,
                           int64_t before) {
    int64_t cell = b * in->length + c;
    return in->position_ids ? in->position_ids[cell] : session_position(s, in->input_ids[cell], c, before);
}

// --- Rows

// Whether every cell of a row that is a token can be run.
static bool check_row(const bertc_session *s, const bertc_batch *in, int64_t b, bool first,
                      bertc_error *error) {
    int64_t n = count_present(s, in, b), before = 0;
    for (int64_t c = 0; c < in->length; c++) {
        int32_t id = in->input_ids[b * in->length + c];
        int32_t type = in->token_type_ids ? in->token_type_ids[b * in->length + c] : 0;
        if (present(s, in, b, c) && (!session_check(s, id, type, position_of(s, in, b, c, before), error) ||
                                     !check_cell(s, in, b * in->length + c, error)))
            return error_prefix(error, "row %lld, column %lld", (long long)b, (long long)c);
        before += id != s->model->descriptor->pad_id;
    }
    if (!count_shown(in, b)) return error_set(error, "row %lld: the mask shows nothing", (long long)b);
    if (first && !shown(in, b, 0))
        return error_set(error, "row %lld: the mask hides column 0, which the model's head reads",
                         (long long)b);
    if (n > s->model->max_length)
        return error_set(error, "row %lld: %lld tokens, %lld more than the longest text that fits (%lld)",
                         (long long)b, (long long)n, (long long)(n - s->model->max_length),
                         (long long)s->model->max_length);
    return true;
}

static void pack_row(bertc_session *s, const bertc_batch *in, int64_t b, bool rows) {
    int64_t before = 0;
    int32_t v;
    session_begin(s, b);
    for (int64_t c = 0; c < in->length; c++) {
        int32_t id = in->input_ids[b * in->length + c];
        int32_t type = in->token_type_ids ? in->token_type_ids[b * in->length + c] : 0;
        before += id != s->model->descriptor->pad_id;
        if (!present(s, in, b, c)) continue;
        bool visible = shown(in, b, c);
        int64_t left = before - (id != s->model->descriptor->pad_id);
        session_token(s, id, type, (int32_t)position_of(s, in, b, c, left), (int32_t)c, rows && visible);
        session_set(s, INPUT_MASK, visible);
        for (int i = 1; i < GIVEN; i++)
            if (give(in, given[i].input, b * in->length + c, &v)) session_set(s, given[i].input, v);
    }
}

// --- The call

static void execute(bertc_session *s, const bertc_batch *in, float *const *buffers) {
    session_execute(s);
    for (uint32_t i = 0; buffers && i < s->model->descriptor->output_count; i++)
        if (buffers[i]) output_scatter(s, (int)i, &(output_grid){in->batch, in->length, NULL}, buffers[i]);
    session_clear(s);
}

// Whether the arguments can be taken at all, before anything of the grid is read.
static bool check_arguments(const bertc_session *s, const bertc_batch *in, float *const *buffers,
                            bertc_error *error) {
    int64_t cells;
    if (!s) return error_set(error, "session is NULL");
    if (in->batch < 0 || in->length < 0 || in->length > INT32_MAX ||
        __builtin_mul_overflow(in->batch, in->length, &cells))
        return error_set(error, "a grid of %lld x %lld", (long long)in->batch, (long long)in->length);
    if (cells && !in->input_ids) return error_set(error, "input_ids is missing");
    for (int i = 0; buffers && i < (int)s->model->descriptor->output_count; i++)
        if (buffers[i] && bertc_output_bytes(s->model, i, in->batch, in->length) == SIZE_MAX)
            return error_set(error, "buffers[%d]: no memory holds `%s` of a grid of %lld x %lld", i,
                             bertc_output_name(s->model, i), (long long)in->batch, (long long)in->length);
    return check_given(s, in, error);
}

static bool check_rows(const bertc_session *s, const bertc_batch *in, bool first, bertc_error *error) {
    for (int64_t b = 0; b < in->batch; b++)
        if (!check_row(s, in, b, first, error)) return false;
    return true;
}

// A call that changes the parameters is one step: it can't be cut in several. Neither can an output of the whole batch.
static bool check_one_call(bertc_session *s, const bertc_batch *in, bool whole, bertc_error *error) {
    bool updates = s->model->descriptor->updates && !session_has_parts(s);
    if (!updates && !whole) return true;
    int64_t tokens = 0, longest = 0;
    for (int64_t b = 0; b < in->batch; b++) {
        int64_t n = count_present(s, in, b);
        tokens += n;
        if (n > longest) longest = n;
    }
    if (session_fits(s, tokens, in->batch, longest)) return true;
    return error_set(error,
                     "%lld texts of %lld tokens don't fit in one call, which %s needs: at most %lld tokens",
                     (long long)in->batch, (long long)tokens,
                     updates ? "a model that changes its parameters" : "an output of the whole batch",
                     (long long)s->max_tokens);
}

static bool run(bertc_session *s, const bertc_batch *in, float *const *buffers, bertc_tensor *tensors,
                bertc_error *error) {
    const bertc_model *m = s->model;
    bool first = false, rows = false, whole = false; // what the wanted outputs read
    for (uint32_t i = 0; i < m->descriptor->output_count; i++) {
        if (!buffers || !buffers[i]) continue;
        first |= m->outputs[i].reads_first != 0;
        rows |= m->outputs[i].leading == BERTC_R;
        whole |= m->outputs[i].leading == BERTC_NUMBER;
    }
    if (!check_rows(s, in, first, error) || !check_one_call(s, in, whole, error)) return false;
    for (uint32_t i = 0; i < m->descriptor->output_count; i++) {
        float *to = buffers ? buffers[i] : NULL;
        if (to) memset(to, 0, bertc_output_bytes(m, (int)i, in->batch, in->length));
        if (!tensors) continue;
        const output_grid grid = {in->batch, in->length, NULL};
        const bertc_tensor described = output_describe(m, (int)i, &grid, to);
        sized_give(SIZED_bertc_tensor, &described, tensors, i);
    }
    session_clear(s);
    s->numbers = (bertc_numbers){.step = in->step, .seed = {in->seed[0], in->seed[1]}, .rate = in->rate};
    session_forget_targets(s);
    for (int64_t b = 0; b < in->batch; b++) {
        if (!session_room(s, count_present(s, in, b))) execute(s, in, buffers);
        pack_row(s, in, b, rows);
    }
    if (s->group.sequences) execute(s, in, buffers);
    s->numbers = (bertc_numbers){0}; // a call with texts gives none
    return true;
}

bool bertc_run(bertc_session *s, const bertc_batch *batch, float *const *buffers, bertc_tensor *tensors,
               bertc_error *error) {
    bertc_batch own, *in = &own;
    if (!batch) return error_set(error, "the batch is NULL");
    if (!sized_take(SIZED_bertc_batch, batch, in, error) ||
        (tensors && !sized_check(SIZED_bertc_tensor, tensors, error)))
        return false;
    if (!check_arguments(s, in, buffers, error) || !session_enter(s, error)) return false;
    bool ok = run(s, in, buffers, tensors, error);
    session_leave(s);
    return ok;
}
