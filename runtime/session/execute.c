// One call: a group of packed texts goes through the phases of a variant.
#include <string.h>
#include <time.h>

#include "runtime/error.h"
#include "runtime/session/order.h"
#include "runtime/session/session.h"

#define NO_LABEL (-100) // as PyTorch's ignore_index

void session_clear(bertc_session *s) {
    session_group *g = &s->group;
    g->tokens = g->sequences = g->rows = g->longest = 0;
    g->inputs[INPUT_BOUNDS][0] = g->inputs[INPUT_ROW_BOUNDS][0] = 0;
}

// The smallest variant that holds so much, or -1.
static int session_fit(const bertc_session *s, int64_t tokens, int64_t sequences, int64_t longest) {
    for (int i = 0; i < s->model->variant_count; i++) {
        const bertc_variant *v = s->variants[i].variant;
        if (tokens <= v->tokens && sequences <= v->sequences && longest <= v->length) return i;
    }
    return -1;
}

bool session_fits(const bertc_session *s, int64_t tokens, int64_t sequences, int64_t longest) {
    return session_fit(s, tokens, sequences, longest) >= 0;
}

bool session_room(const bertc_session *s, int64_t n) {
    const session_group *g = &s->group;
    return session_fit(s, g->tokens + n, g->sequences + 1, n > g->longest ? n : g->longest) >= 0;
}

int64_t session_position(const bertc_session *s, int32_t id, int64_t column, int64_t before) {
    const bertc_descriptor *d = s->model->descriptor;
    if (d->position_rule == BERTC_POSITION_COLUMN) return column + d->position_start;
    return id == d->pad_id ? d->pad_id : before + d->position_start;
}

bool session_check(const bertc_session *s, int32_t id, int32_t type, int64_t position, bertc_error *error) {
    const bertc_descriptor *d = s->model->descriptor;
    if (id < 0 || id >= d->vocab_size)
        return error_set(error, "id %d: the model has ids 0 to %lld", id, (long long)d->vocab_size - 1);
    if (s->input_slots[INPUT_TYPES] >= 0 && (type < 0 || type >= d->type_vocab_size))
        return error_set(error, "type %d: the model has types 0 to %lld", type,
                         (long long)d->type_vocab_size - 1);
    if (s->input_slots[INPUT_POSITIONS] >= 0 &&
        (position < 0 || position >= d->position_count + d->position_start))
        return error_set(error, "position %lld: the model has positions 0 to %lld", (long long)position,
                         (long long)d->position_count + d->position_start - 1);
    return true;
}

bool session_takes(const bertc_session *s, session_input i, int32_t v) {
    int k = s->input_slots[i];
    return k < 0 || (v >= 0 && (!s->model->inputs[k].limit || v < s->model->inputs[k].limit));
}

bool session_keeps_grid(const bertc_session *s) {
    return s->input_slots[INPUT_MASK] >= 0;
}

bool session_shows_hidden(const bertc_session *s) {
    return s->model->task && s->model->task->kind == BERTC_TASK_VECTORS;
}

void session_begin(bertc_session *s, int64_t place) {
    session_group *g = &s->group;
    g->places[g->sequences] = place;
    g->passed = false;
    g->sequences++;
    g->inputs[INPUT_BOUNDS][g->sequences] = (int32_t)g->tokens;
    g->inputs[INPUT_ROW_BOUNDS][g->sequences] = (int32_t)g->rows;
}

// What an input is where the caller does not say.
static int32_t by_rule(bertc_session *s, session_input i, int32_t id, int32_t column) {
    int k = s->input_slots[i];
    if (k < 0) return 0;
    const bertc_port *p = &s->model->inputs[k];
    switch ((bertc_rule)p->rule) {
    case BERTC_RULE_FIRST: return column == 0;
    case BERTC_RULE_BEFORE: s->group.passed |= id == p->rule_id; return !s->group.passed;
    case BERTC_RULE_ONE: return 1;
    case BERTC_RULE_ZERO:
    case BERTC_RULE_COUNT: break;
    }
    return 0;
}

void session_set(bertc_session *s, session_input i, int32_t v) {
    s->group.inputs[i][s->group.tokens - 1] = v;
}

void session_token(bertc_session *s, int32_t id, int32_t type, int32_t position, int32_t column, bool read) {
    session_group *g = &s->group;
    int64_t t = g->tokens++;
    g->inputs[INPUT_IDS][t] = id;
    g->inputs[INPUT_TYPES][t] = type;
    g->inputs[INPUT_POSITIONS][t] = position;
    g->inputs[INPUT_COLUMNS][t] = column;
    for (session_input i = INPUT_TASKS; i < INPUT_COUNT; i++) g->inputs[i][t] = by_rule(s, i, id, column);
    if (read) g->inputs[INPUT_ROWS][g->rows++] = (int32_t)t;
    g->inputs[INPUT_BOUNDS][g->sequences] = (int32_t)g->tokens;
    g->inputs[INPUT_ROW_BOUNDS][g->sequences] = (int32_t)g->rows;
    int64_t length = g->tokens - g->inputs[INPUT_BOUNDS][g->sequences - 1];
    if (length > g->longest) g->longest = length;
}

// Copies the group's inputs to their slots; rows up to the next row tile are 0, so that they are read without
// harm.
static void write_inputs(bertc_session *s, const session_variant *v) {
    const session_group *g = &s->group;
    const bertc_slot *slots = v->inputs;
    int64_t tile = v->variant->row_tile;
    for (int i = 0; i < INPUT_COUNT; i++) {
        int k = s->input_slots[i];
        if (k < 0 || slots[k].offset < 0) continue;
        int64_t n = i == INPUT_ROWS                              ? g->rows
                    : i == INPUT_BOUNDS || i == INPUT_ROW_BOUNDS ? g->sequences + 1
                                                                 : g->tokens;
        int64_t room = i == INPUT_BOUNDS || i == INPUT_ROW_BOUNDS ? n : (n + tile - 1) / tile * tile;
        int32_t *to = (int32_t *)(void *)(v->arena + slots[k].offset);
        memcpy(to, g->inputs[i], (size_t)n * sizeof *to);
        memset(to + n, 0, (size_t)(room - n) * sizeof *to);
    }
}

static int64_t rows_of(const session_group *g, uint32_t leading) {
    return leading == BERTC_S ? g->sequences : leading == BERTC_R ? g->rows : g->tokens;
}

// What a target's elements are where the caller gives none: no label's, or zeros.
static void write_default(const bertc_port *p, int32_t *row, int64_t n) {
    for (int64_t i = 0; i < n; i++) row[i] = p->elem == BERTC_I32 ? NO_LABEL : 0;
}

// Rows of the last axis lie slot.ld apart.
static void write_targets(bertc_session *s, const session_variant *v) {
    for (int i = 0; i < s->target_count; i++) {
        const session_target *t = &s->targets[i];
        const bertc_port *p = &s->model->inputs[t->port];
        const bertc_slot *slot = &v->inputs[t->port];
        if (slot->offset < 0) continue;
        int64_t last = p->rank ? p->shape[p->rank - 1] : 1, ld = p->rank ? slot->ld : 1;
        int64_t n = rows_of(&s->group, p->leading) * (t->width / last);
        int32_t *to = (int32_t *)(void *)(v->arena + slot->offset);
        for (int64_t r = 0; r < n; r++) {
            if (t->given)
                memcpy(to + r * ld, (const int32_t *)t->rows + r * last, (size_t)last * sizeof *to);
            else
                write_default(p, to + r * ld, last);
        }
    }
}

// --- Phases

static int64_t dim_size(const bertc_session *s, uint32_t dim) {
    switch (dim) {
    case BERTC_T: return s->call.tokens;
    case BERTC_S: return s->call.sequences;
    case BERTC_R: return s->call.rows;
    default: return 1;
    }
}

static int64_t blocks_of(const bertc_session *s, const bertc_phase *p) {
    int64_t size = dim_size(s, p->dim); // unit may be as large as an int64_t: all rows in one task
    return size ? (size - 1) / p->unit + 1 : 0;
}

static int64_t phase_count(void *context, int phase) {
    const bertc_session *s = context;
    const bertc_phase *p = &s->current->phases[phase];
    return blocks_of(s, p) * p->inner;
}

// The kernel's number of the task that a phase does in place `at`.
static int64_t task_at(const bertc_session *s, const bertc_phase *p, int64_t at) {
    bool ordered = s->threads > 1 && !s->parallel && p->stream_bytes > 0 && p->inner > 1;
    return ordered ? order_task(at, blocks_of(s, p), p->inner, p->unit) : at;
}

// What the thread streams first in the next phase that streams: *bytes at the address; 0: none. *run: how much more
// of it follows in the thread's run of tasks.
static const char *next_stream(const bertc_session *s, int phase, int thread, int64_t *bytes, int64_t *run) {
    const session_variant *v = s->current;
    while (++phase < v->phase_count && v->phases[phase].stream_bytes == 0) continue;
    *bytes = *run = 0;
    if (phase >= v->phase_count) return NULL;
    const bertc_phase *p = &v->phases[phase];
    int64_t count = blocks_of(s, p) * p->inner, task = pool_first(count, s->threads, thread);
    int64_t end = pool_first(count, s->threads, thread + 1);
    if (task == end) return NULL;
    int64_t from = task_at(s, p, task) % p->inner, to = task_at(s, p, end - 1) % p->inner;
    *bytes = p->stream_bytes;
    *run = to > from ? (to - from) * p->stream_step : 0;
    return (const char *)v->args[v->arg_at[phase] + (int)p->stream] + from * p->stream_step;
}

static void phase_task(void *context, int phase, int64_t at, int thread, pool_ahead *ahead) {
    const bertc_session *s = context;
    const session_variant *v = s->current;
    bertc_kernel kernel = (bertc_kernel)(uintptr_t)model_at(s->model, v->phases[phase].kernel);
    int64_t bytes = 0, run = 0;
    const char *next = ahead ? next_stream(s, phase, thread, &bytes, &run) : NULL;
    kernel(v->args + v->arg_at[phase], &s->call, task_at(s, &v->phases[phase], at),
           s->scratch + s->scratch_stride * (size_t)thread, next, bytes);
    if (!next) return;
    ahead->at = next;
    ahead->bytes = bytes + run < s->fetch_most ? bytes + run : s->fetch_most;
}

static bertc_thread_call thread_call(const bertc_session *s, bertc_off code) {
    return code ? (bertc_thread_call)(uintptr_t)model_at(s->model, code) : NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// Phase by phase, for a hook that must see each result.
static void run_observed(bertc_session *s, const pool_work *work, int first, int end) {
    const session_variant *v = s->current;
    double pairs = 0, tokens = (double)s->call.tokens;
    for (int64_t i = 0; i < s->call.sequences; i++) {
        double n = s->call.bounds[i + 1] - s->call.bounds[i];
        pairs += n * n;
    }
    for (int i = first; i < end; i++) {
        const bertc_phase *p = &v->phases[i];
        const void *const *results =
            (const void *const *)v->args + v->arg_at[i] + (int)(p->arg_count - p->result_count);
        double size = (double)dim_size(s, p->dim), start = now();
        pool_run(s->pool, work, i, i + 1);
        bertc_phase_event event = {.index = i,
                                   .name = model_at(s->model, p->name),
                                   .node = p->node,
                                   .result = results[0],
                                   .seconds = now() - start,
                                   .flops = p->flops_call + p->flops_row * size + p->flops_pair * pairs,
                                   .bytes = p->weight_bytes + (int64_t)(size * (double)p->row_bytes +
                                                                        tokens * (double)p->token_bytes +
                                                                        pairs * (double)p->pair_bytes),
                                   .weight_bytes = p->weight_bytes,
                                   .result_count = (int)p->result_count,
                                   .results = results};
        s->hook(s->hook_user, &event);
    }
}

void session_forget_targets(bertc_session *s) {
    for (int i = 0; i < s->target_count; i++) s->targets[i].given = false;
}

bool session_has_parts(const bertc_session *s) {
    return s->variants[0].variant->forward[0] != 0;
}

void session_prepare(bertc_session *s, session_part first) {
    const session_group *g = &s->group;
    s->current = &s->variants[session_fit(s, g->tokens, g->sequences, g->longest)];
    const session_variant *v = s->current;
    s->call = (bertc_call){.tokens = g->tokens,
                           .sequences = g->sequences,
                           .rows = g->rows,
                           .bounds = g->inputs[INPUT_BOUNDS],
                           .row_bounds = g->inputs[INPUT_ROW_BOUNDS],
                           .step = s->numbers.step,
                           .seed = {s->numbers.seed[0], s->numbers.seed[1]},
                           .rate = s->numbers.rate,
                           .keep = s->numbers.keep,
                           .scale = s->numbers.scale,
                           .clip = s->numbers.clip};
    if (first != SESSION_UPDATE) write_inputs(s, v);
    if (first != SESSION_UPDATE) write_targets(s, v);
}

void session_run_phases(bertc_session *s, int first, int end) {
    const session_variant *v = s->current;
    const pool_work work = {.context = s,
                            .count = phase_count,
                            .task = phase_task,
                            .enter = thread_call(s, v->variant->enter),
                            .leave = thread_call(s, v->variant->leave)};
    if (s->hook)
        run_observed(s, &work, first, end);
    else
        pool_run(s->pool, &work, first, end);
}

void session_execute_parts(bertc_session *s, session_part first, session_part end) {
    session_prepare(s, first);
    session_run_phases(s, s->current->parts[first], s->current->parts[end]);
}

void session_execute(bertc_session *s) {
    session_execute_parts(s, SESSION_FORWARD, session_has_parts(s) ? SESSION_BACKWARD : SESSION_PARTS);
}

// --- Outputs

const float *session_output(const bertc_session *s, int output, int64_t r) {
    const bertc_port *p = &s->model->outputs[output];
    const bertc_slot *slot = &s->current->outputs[output];
    int64_t rows = 1; // of all axes but the last, in a leading row
    for (uint32_t i = 0; i + 1 < p->rank; i++) rows *= p->shape[i];
    const float *base = (const float *)(const void *)(s->current->arena + slot->offset);
    return base + r * rows * (p->rank ? slot->ld : 1);
}

int session_output_index(const bertc_session *s, const char *name) {
    for (uint32_t i = 0; i < s->model->descriptor->output_count; i++)
        if (strcmp(model_at(s->model, s->model->outputs[i].name), name) == 0) return (int)i;
    return -1;
}
