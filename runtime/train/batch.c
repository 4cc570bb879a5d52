// A batch of a step: checked, and packed into the session's group as bertc_run packs a grid, with its targets.
#include <string.h>

#include "runtime/error.h"
#include "runtime/sized.h"
#include "runtime/train/train.h"

// --- Cells

static int64_t first_cell(const bertc_train_batch *b, int64_t text) {
    return b->bounds ? b->bounds[text] : text * b->length;
}

static int64_t width_of(const bertc_train_batch *b, int64_t text) {
    return b->bounds ? b->bounds[text + 1] - b->bounds[text] : b->length;
}

static bool shown(const bertc_train_batch *b, int64_t cell) {
    return !b->attention_mask || b->attention_mask[cell];
}

// Is the cell a token of its text?
static bool present(const bertc_session *s, const bertc_train_batch *b, int64_t cell) {
    return session_keeps_grid(s) || shown(b, cell);
}

static bool read(const bertc_train_batch *b, int64_t cell) {
    return shown(b, cell) && (!b->rows || b->rows[cell]);
}

static int64_t position_of(const bertc_session *s, const bertc_train_batch *b, int64_t text, int64_t column,
                           int64_t before) {
    int64_t cell = first_cell(b, text) + column;
    return b->position_ids ? b->position_ids[cell] : session_position(s, b->input_ids[cell], column, before);
}

// --- Checks

static bool check_grid(const bertc_train_batch *b, bertc_error *error) {
    int64_t cells;
    if (b->batch < 1) return error_set(error, "a batch of %lld texts", (long long)b->batch);
    if (!b->input_ids) return error_set(error, "input_ids is missing");
    if (!b->bounds &&
        (b->length < 1 || b->length > INT32_MAX || __builtin_mul_overflow(b->batch, b->length, &cells)))
        return error_set(error, "a grid of %lld x %lld", (long long)b->batch, (long long)b->length);
    if (b->bounds && b->bounds[0]) return error_set(error, "bounds begin with %d, not 0", b->bounds[0]);
    for (int64_t i = 0; b->bounds && i < b->batch; i++)
        if (b->bounds[i + 1] <= b->bounds[i])
            return error_set(error, "text %lld: its bounds are %d to %d, and hold no token", (long long)i,
                             b->bounds[i], b->bounds[i + 1]);
    return true;
}

// A text's tokens to *tokens, and how many of them the head reads to *rows.
static bool check_text(const bertc_session *s, const bertc_train_batch *b, int64_t text, bool first_column,
                       int64_t *tokens, bertc_error *error) {
    int64_t n = 0, before = 0, seen = 0;
    for (int64_t c = 0; c < width_of(b, text); c++) {
        int64_t cell = first_cell(b, text) + c;
        int32_t id = b->input_ids[cell], type = b->token_type_ids ? b->token_type_ids[cell] : 0;
        seen += shown(b, cell);
        if (present(s, b, cell)) {
            if (!session_check(s, id, type, position_of(s, b, text, c, before), error))
                return error_prefix(error, "text %lld, column %lld", (long long)text, (long long)c);
            if (!session_takes(s, INPUT_COLUMNS, (int32_t)c))
                return error_set(error, "text %lld, column %lld: the model has fewer columns",
                                 (long long)text, (long long)c);
            n++;
        }
        before += id != s->model->descriptor->pad_id;
    }
    *tokens = n;
    if (!seen) return error_set(error, "text %lld: the mask shows nothing", (long long)text);
    if (first_column && !shown(b, first_cell(b, text)))
        return error_set(error, "text %lld: the mask hides column 0, which the model's head reads",
                         (long long)text);
    return true;
}

// Does an output that is computed read each text's first column? The loss does where a model's head does.
static bool reads_first(const bertc_model *m) {
    for (uint32_t i = 0; i < m->descriptor->output_count; i++)
        if (m->outputs[i].reads_first) return true;
    return false;
}

static bool check_texts(const bertc_session *s, const bertc_train_batch *b, bertc_error *error) {
    int64_t tokens = 0, longest = 0, n = 0;
    bool first = reads_first(s->model);
    for (int64_t i = 0; i < b->batch; i++) {
        if (!check_text(s, b, i, first, &n, error)) return false;
        tokens += n;
        if (n > longest) longest = n;
    }
    if (session_fits(s, tokens, b->batch, longest)) return true;
    return error_set(error,
                     "%lld texts of %lld tokens, the longest of %lld, are more than one call takes: at most "
                     "%lld tokens, a text at most %lld",
                     (long long)b->batch, (long long)tokens, (long long)longest, (long long)s->max_tokens,
                     (long long)s->model->max_length);
}

// --- Targets

static session_target *find_target(const bertc_session *s, const char *name) {
    for (int i = 0; i < s->target_count; i++)
        if (!strcmp(model_at(s->model, s->model->inputs[s->targets[i].port].name), name))
            return &s->targets[i];
    return NULL;
}

static const bertc_target *target_at(const bertc_train_batch *b, int i, bertc_target *own) {
    const char *from = (const char *)b->targets + (size_t)i * b->targets->size;
    sized_take(SIZED_bertc_target, from, own, NULL);
    return own;
}

// A label beyond the model's would be looked up in no row; a negative one but -100 likewise.
static bool check_limit(const bertc_session *s, const session_target *t, const bertc_target *x, int64_t rows,
                        bertc_error *error) {
    const bertc_port *p = &s->model->inputs[t->port];
    for (int64_t i = 0; p->limit && x->integers && i < rows * t->width; i++)
        if (x->integers[i] != -100 && (x->integers[i] < 0 || x->integers[i] >= p->limit))
            return error_set(error, "target `%s`: number %lld is %d: the model has 0 to %lld, and -100",
                             x->name, (long long)i, x->integers[i], (long long)p->limit - 1);
    return true;
}

static bool check_target(const bertc_session *s, const bertc_train_batch *b, int i, bertc_error *error) {
    bertc_target x;
    const char *from = (const char *)b->targets + (size_t)i * b->targets->size;
    size_t size;
    memcpy(&size, from, sizeof size);
    if (size != b->targets->size)
        return error_set(error, "targets[%d].size is %zu, that of targets[0] %zu", i, size, b->targets->size);
    if (!sized_take(SIZED_bertc_target, from, &x, error)) return false;
    if (!x.name) return error_set(error, "targets[%d].name is NULL", i);
    const session_target *t = find_target(s, x.name);
    if (!t) return error_set(error, "the model has no target `%s`", x.name);
    bool integers = s->model->inputs[t->port].elem == BERTC_I32;
    if (integers ? !x.integers || x.numbers : !x.numbers || x.integers)
        return error_set(error, "target `%s` takes %s", x.name, integers ? "integers" : "numbers");
    int64_t rows = s->model->inputs[t->port].leading == BERTC_S ? b->batch : first_cell(b, b->batch);
    return check_limit(s, t, &x, rows, error);
}

static bool check_targets(const bertc_session *s, const bertc_train_batch *b, bertc_error *error) {
    if (b->target_count < 0) return error_set(error, "%d targets", b->target_count);
    if (b->target_count && !b->targets) return error_set(error, "targets is NULL");
    for (int i = 0; i < b->target_count; i++) {
        if (i == 0 && !sized_check(SIZED_bertc_target, b->targets, error)) return false;
        if (!check_target(s, b, i, error)) return false;
    }
    return true;
}

// Outputs that are asked for: a ragged one has no place without a grid.
static bool check_wanted(const bertc_model *m, const bertc_train_batch *b, float *const *wanted,
                         bertc_error *error) {
    for (uint32_t i = 0; wanted && b->bounds && i < m->descriptor->output_count; i++)
        if (wanted[i] && m->outputs[i].ragged)
            return error_set(error, "buffers[%u]: `%s` is given on a grid alone, not with bounds", i,
                             bertc_output_name(m, (int)i));
    return true;
}

bool batch_take(const bertc_trainer *t, const bertc_train_batch *batch, float *const *wanted,
                bertc_train_batch *out, bertc_error *error) {
    const bertc_session *s = t->session;
    if (!batch) return error_set(error, "batch is NULL");
    return sized_take(SIZED_bertc_train_batch, batch, out, error) && check_grid(out, error) &&
           check_wanted(s->model, out, wanted, error) && check_texts(s, out, error) &&
           check_targets(s, out, error);
}

// --- Packing

static void pack_text(bertc_session *s, const bertc_train_batch *b, int64_t text) {
    int64_t before = 0;
    session_begin(s, text);
    for (int64_t c = 0; c < width_of(b, text); c++) {
        int64_t cell = first_cell(b, text) + c, left = before;
        int32_t id = b->input_ids[cell], type = b->token_type_ids ? b->token_type_ids[cell] : 0;
        before += id != s->model->descriptor->pad_id;
        if (!present(s, b, cell)) continue;
        session_token(s, id, type, (int32_t)position_of(s, b, text, c, left), (int32_t)c, read(b, cell));
        session_set(s, INPUT_MASK, shown(b, cell));
    }
}

static void pack_row(session_target *t, const bertc_target *x, int64_t to, int64_t from) {
    const void *rows = x->integers ? (const void *)x->integers : x->numbers;
    memcpy((int32_t *)t->rows + to * t->width, (const int32_t *)rows + from * t->width,
           (size_t)t->width * sizeof(int32_t));
}

// In the order in which the texts' cells were packed.
static void pack_target(bertc_session *s, const bertc_train_batch *b, const bertc_target *x) {
    session_target *t = find_target(s, x->name);
    uint32_t leading = s->model->inputs[t->port].leading;
    int64_t n = 0;
    t->given = true;
    for (int64_t i = 0; leading == BERTC_S && i < b->batch; i++) pack_row(t, x, i, i);
    if (leading == BERTC_S) return;
    for (int64_t cell = 0; cell < first_cell(b, b->batch); cell++)
        if (leading == BERTC_T ? present(s, b, cell) : read(b, cell)) pack_row(t, x, n++, cell);
}

void batch_pack(bertc_session *s, const bertc_train_batch *b) {
    bertc_target own;
    session_clear(s);
    session_forget_targets(s);
    for (int64_t i = 0; i < b->batch; i++) pack_text(s, b, i);
    for (int i = 0; i < b->target_count; i++) pack_target(s, b, target_at(b, i, &own));
    s->numbers = (bertc_numbers){.scale = b->scale, .seed = {b->seed[0], b->seed[1]}};
}

// --- What a model's targets are

const char *bertc_target_describe(const bertc_model *m, int index, char *symbol, int64_t *width,
                                  bool *integers) {
    for (uint32_t i = 0; m && index >= 0 && i < m->descriptor->input_count; i++) {
        const bertc_port *p = &m->inputs[i];
        if (!p->target || index--) continue;
        if (symbol) *symbol = p->leading == BERTC_S ? 'S' : p->leading == BERTC_R ? 'R' : 'T';
        if (width) {
            *width = 1;
            for (uint32_t k = 0; k < p->rank; k++) *width *= p->shape[k];
        }
        if (integers) *integers = p->elem == BERTC_I32;
        return model_at(m, p->name);
    }
    return NULL;
}
