// The descriptor itself: sizes, limits, weights, ports, the task table, the JSON text.
#include "runtime/load/check.h"

#include <string.h>

#include "runtime/error.h"

int64_t port_width(const bertc_port *p, int64_t ragged) {
    int64_t n = 1;
    for (uint32_t i = 0; i < p->rank; i++) n *= p->ragged && i + 1 == p->rank ? ragged : p->shape[i];
    return n;
}

// --- Ports

// A number of the call: none of a port's other fields means anything.
static bool check_number(const bertc_port *p, uint32_t elem, int64_t count) {
    return p->leading == BERTC_NUMBER && p->elem == elem && p->rank == (count > 1) &&
           (count == 1 || p->shape[0] == count) && p->limit == 0 && p->rule == 0;
}

// The sizes of a row beyond the leading axis; false: there are none such.
static bool row_fits(const bertc_port *p) {
    int64_t n = 1;
    for (uint32_t i = 0; i < p->rank; i++) {
        if (p->ragged && i + 1 == p->rank) continue;
        if (p->shape[i] < 1 || p->shape[i] > BERTC_ELEMENTS_MAX / n) return false;
        n *= p->shape[i];
    }
    return true;
}

static bool check_target(const check_source *c, const char *name, const bertc_port *p) {
    bool good = p->target == 1 && p->leading >= BERTC_T && p->leading <= BERTC_R && p->rank <= 4 &&
                !p->ragged && (p->elem == BERTC_I32 || p->elem == BERTC_F32) && p->limit >= 0 && p->rule == 0;
    return (good && row_fits(p)) || error_set(c->error, "broken descriptor: the target `%s`", name);
}

static bool check_input(const check_source *c, const bertc_port *p) {
    static const char *const known[] = {
#define X(id, name) name,
        BERTC_INPUT_LIST(X)
#undef X
    };
    const char *name = check_string(c, p->name, "an input's name");
    if (!name) return false;
#define X(text, field, elem, count)                                                                          \
    if (strcmp(name, text) == 0 && check_number(p, elem, count)) return true;
    BERTC_CALL_LIST(X)
#undef X
    if (p->target) return check_target(c, name, p);
    bool bounds = strcmp(name, "bounds") == 0 || strcmp(name, "row_bounds") == 0;
    uint32_t leading = bounds ? BERTC_S : strcmp(name, "rows") == 0 ? BERTC_R : BERTC_T;
    bool good = p->leading == leading && p->elem == BERTC_I32 && p->rank == 0 && p->limit >= 0 &&
                p->rule < BERTC_RULE_COUNT;
    for (size_t i = 0; good && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return true;
    return error_set(c->error, "input `%s` is not known to this version", name);
}

static bool check_shape(const check_source *c, const bertc_port *p) {
    const char *name = check_string(c, p->name, "an output's name");
    if (!name) return false;
    if (p->elem != BERTC_F32)
        return error_set(c->error, "output `%s` is not float32, which is all that this version gives", name);
    bool good = p->leading <= BERTC_R && p->rank <= 4 && p->ragged <= 1 &&
                (!p->ragged || (p->rank >= 1 && p->leading == BERTC_T)) && (p->leading || p->rank >= 1);
    return (good && row_fits(p)) || error_set(c->error, "broken descriptor: the shape of output `%s`", name);
}

static bool check_ports(const check_source *c) {
    const bertc_descriptor *d = &c->descriptor;
    if (d->input_count > BERTC_INPUTS_MAX || d->output_count == 0 || d->output_count > BERTC_OUTPUTS_MAX)
        return error_set(c->error, "broken descriptor: %u inputs, %u outputs", d->input_count,
                         d->output_count);
    const void *in = check_array(c, d->inputs, d->input_count, BERTC_ROW_PORT, "inputs");
    const void *out = in ? check_array(c, d->outputs, d->output_count, BERTC_ROW_PORT, "outputs") : NULL;
    if (!out) return false;
    bertc_port p;
    for (uint32_t i = 0; i < d->input_count; i++) {
        check_entry(c, BERTC_ROW_PORT, in, i, &p);
        if (!check_input(c, &p)) return false;
    }
    for (uint32_t i = 0; i < d->output_count; i++) {
        check_entry(c, BERTC_ROW_PORT, out, i, &p);
        if (!check_shape(c, &p)) return false;
    }
    return true;
}

// The output of that name to *out; false: there is none.
static bool check_output(const check_source *c, const char *name, bertc_port *out) {
    const bertc_descriptor *d = &c->descriptor;
    const void *rows = check_array(c, d->outputs, d->output_count, BERTC_ROW_PORT, "outputs");
    for (uint32_t i = 0; rows && i < d->output_count; i++) {
        check_entry(c, BERTC_ROW_PORT, rows, i, out);
        const char *own = check_string(c, out->name, "an output's name");
        if (own && strcmp(own, name) == 0) return true;
    }
    return false;
}

// --- The task table

// What each task reads. width 0: any; -1: the number of labels; -2: the vocabulary.
typedef struct task_need {
    bertc_task_kind kind;
    const char *output;
    bertc_symbol leading;
    int width;
} task_need;
static const task_need needs[] = {
    {BERTC_TASK_EMBEDDING, "embedding", BERTC_S, 0},
    {BERTC_TASK_CLASSIFY, "logits", BERTC_S, -1},
    {BERTC_TASK_MULTI_LABEL, "logits", BERTC_S, -1},
    {BERTC_TASK_REGRESSION, "logits", BERTC_S, -1},
    {BERTC_TASK_ENTITIES, "logits", BERTC_T, -1},
    {BERTC_TASK_ANSWER, "start_logits", BERTC_T, 1},
    {BERTC_TASK_ANSWER, "end_logits", BERTC_T, 1},
    {BERTC_TASK_FILL_MASK, "logits", BERTC_R, -2},
    {BERTC_TASK_NEXT_SENTENCE, "logits", BERTC_S, 2},
    {BERTC_TASK_PRETRAINING, "prediction_logits", BERTC_R, -2},
    {BERTC_TASK_PRETRAINING, TASK_ORDER, BERTC_S, 2},
    {BERTC_TASK_SPARSE, "sparse", BERTC_S, -2},
    {BERTC_TASK_VECTORS, "vectors", BERTC_T, 0},
};

static bool check_need(const check_source *c, const bertc_task *t, const task_need *n) {
    bertc_port p;
    bool found = check_output(c, n->output, &p);
    if (!found && !strcmp(n->output, TASK_ORDER)) found = check_output(c, TASK_ORDER_OTHER, &p);
    if (!found) return error_set(c->error, "broken descriptor: its task needs the output `%s`", n->output);
    int64_t want = n->width == -1 ? t->label_count : n->width == -2 ? c->descriptor.vocab_size : n->width;
    bool short_of = n->kind == BERTC_TASK_EMBEDDING && t->dimensions > port_width(&p, 0);
    if (p.leading != n->leading || p.ragged || p.rank > 1 || (want && port_width(&p, 0) != want) || short_of)
        return error_set(c->error, "broken descriptor: output `%s` does not fit its task", n->output);
    return true;
}

// A list of `count` offsets at `list`, each of a string that ends within the table.
static bool check_strings(const check_source *c, const void *table, uint64_t bytes, uint64_t list,
                          uint32_t count, const char *what) {
    if (count && (list % 8 || list > bytes || count * sizeof(uint64_t) > bytes - list))
        return error_set(c->error, "broken descriptor: the %ss of the task table", what);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at;
        memcpy(&at, (const char *)table + list + i * sizeof at, sizeof at);
        if (at >= bytes || !memchr((const char *)table + at, 0, bytes - at))
            return error_set(c->error, "broken descriptor: %s %u of the task table", what, i);
    }
    return true;
}

static bool check_vectors(const check_source *c, const bertc_task *t, uint64_t bytes) {
    const uint64_t lists[][2] = {{t->skipped, t->skipped_count}, {t->kept, t->kept_count}};
    bool good = t->vectors <= TASK_VECTORS_ALL && t->query_length <= INT32_MAX &&
                t->document_length <= INT32_MAX && t->expansion <= INT32_MAX && t->expansion_id >= -1 &&
                t->expansion_id < c->descriptor.vocab_size && (!t->expansion || t->expansion_id >= 0);
    for (int i = 0; i < 2; i++)
        good &= lists[i][0] % sizeof(int32_t) == 0 && lists[i][0] <= bytes &&
                lists[i][1] * sizeof(int32_t) <= bytes - lists[i][0];
    return good || error_set(c->error, "broken descriptor: the vectors of the task table");
}

// At least one of the answers is there, and each of those has the shape that it needs.
static bool check_several(const check_source *c, const bertc_task *t) {
    static const task_need any[] = {{BERTC_TASK_SEVERAL, "embedding", BERTC_S, 0},
                                    {BERTC_TASK_SEVERAL, "token_weights", BERTC_T, 1},
                                    {BERTC_TASK_SEVERAL, "vectors", BERTC_T, 0}};
    bertc_port p;
    int found = 0;
    if (t->kind != BERTC_TASK_SEVERAL) return true;
    for (size_t i = 0; i < sizeof any / sizeof *any; i++) {
        if (!check_output(c, any[i].output, &p)) continue;
        if (!check_need(c, t, &any[i])) return false;
        found++;
    }
    return found > 0 || error_set(c->error, "broken descriptor: its task has none of its outputs");
}

static bool check_task(const check_source *c) {
    const bertc_descriptor *d = &c->descriptor;
    if (d->task == 0) return true;
    uint64_t bytes = (uint64_t)d->task_bytes;
    if (bytes < BERTC_TASK_LEAST) return error_set(c->error, "broken descriptor: the task table");
    const void *table = check_at(c, d->task, bytes, 1, 8, 0, "the task table");
    if (!table) return false;
    bertc_task own, *t = &own;
    struct_read(table, BERTC_TASK_LEAST, t, sizeof own);
    if (t->size < BERTC_TASK_LEAST || t->size > bytes)
        return error_set(c->error, "broken descriptor: the task table of %u bytes", t->size);
    struct_read(table, t->size, t, sizeof own);
    if (t->kind > BERTC_TASK_SEVERAL)
        return error_set(c->error, "task %u is not known to this version", t->kind);
    if (t->label_count > BERTC_LABELS_MAX || t->entailment > t->label_count || t->mask_id < -1 ||
        t->mask_id >= d->vocab_size)
        return error_set(c->error, "broken descriptor: the labels of the task table");
    if (!check_strings(c, table, bytes, t->labels, t->label_count, "label")) return false;
    if (t->prompt_count > BERTC_PROMPTS_MAX || t->default_prompt > t->prompt_count)
        return error_set(c->error, "broken descriptor: the prompts of the task table");
    if (!check_strings(c, table, bytes, t->prompts, 2 * t->prompt_count, "prompt")) return false;
    if (t->own_prompts > t->prompt_count || t->similarity > BERTC_SIMILARITY_MEAN_MAXSIM || t->normalize > 1)
        return error_set(c->error, "broken descriptor: the embedding of the task table");
    if (!check_vectors(c, t, bytes) || !check_several(c, t)) return false;
    if (t->weight_count > d->vocab_size || t->weights % sizeof(float) || t->weights > bytes ||
        t->weight_count * sizeof(float) > bytes - t->weights || t->query_by_default > 1)
        return error_set(c->error, "broken descriptor: the weights of the task table");
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if ((uint32_t)needs[i].kind == t->kind && !check_need(c, t, &needs[i])) return false;
    return true;
}

// --- The whole

// A bit of `required` that this version does not know, by the name that the file has for it.
static bool refuse_requirement(const check_source *c, uint64_t unknown) {
    const bertc_descriptor *d = &c->descriptor;
    int bit = __builtin_ctzll(unknown),
        before = __builtin_popcountll(d->required & ((UINT64_C(1) << bit) - 1));
    const char *name = d->required_names ? check_string(c, d->required_names, "what it requires") : "";
    if (!name) return false;
    while (before-- > 0) name += strcspn(name, ","), name += *name == ',';
    int length = (int)strcspn(name, ",");
    return error_set(c->error,
                     "it requires `%.*s` (bit %d), which this library does not know: use a later one",
                     length ? length : 1, length ? name : "?", bit);
}

static bool check_strides(const check_source *c) {
    for (int i = 0; i < BERTC_ROW_COUNT; i++) {
        uint32_t bytes = c->descriptor.row_bytes[i];
        if (bytes < row_least((bertc_row)i) || bytes > BERTC_ROW_BYTES_MAX || bytes % 8)
            return error_set(c->error, "broken descriptor: rows of %u bytes in array %d", bytes, i);
    }
    return true;
}

bool check_head(check_source *c) {
    bertc_descriptor *d = &c->descriptor;
    struct_read(c->bytes, BERTC_DESCRIPTOR_LEAST, d, sizeof *d);
    if (memcmp(d->magic, BERTC_MAGIC, sizeof d->magic) != 0)
        return error_set(c->error,
                         "not a bertc artefact: `" BERTC_SYMBOL "` does not begin with " BERTC_MAGIC);
    if (d->abi_version != BERTC_ABI_VERSION)
        return error_set(
            c->error,
            "made for version %u of the artefact format, this library reads version %u: compile it again",
            d->abi_version, BERTC_ABI_VERSION);
    if (d->size < BERTC_DESCRIPTOR_LEAST || d->size % 8 ||
        (c->im && !image_at(c->im, c->im->descriptor, d->size, 0)))
        return error_set(c->error, "broken descriptor: %u bytes", d->size);
    struct_read(c->bytes, d->size, d, sizeof *d);
    uint64_t known = 0;
#define X(name, bit, text) known |= UINT64_C(1) << (bit);
    BERTC_REQUIRES_LIST(X)
#undef X
    if (d->required & ~known) return refuse_requirement(c, d->required & ~known);
    return check_strides(c);
}

static bool check_limits(const check_source *c) {
    const bertc_descriptor *d = &c->descriptor;
    if (d->vocab_size < 1 || d->vocab_size > INT32_MAX || d->type_vocab_size < 0 ||
        d->type_vocab_size > INT32_MAX || d->position_count < 0 || d->position_count > INT32_MAX ||
        d->position_rule > BERTC_POSITION_COUNT || d->position_start < 0 || d->position_start > 1 << 20)
        return error_set(c->error, "broken descriptor: vocabulary, types or positions");
    if (d->weights_bytes < 0 || d->tokenizer_bytes < 0 || d->task_bytes < 0 || d->json_bytes < 0)
        return error_set(c->error, "broken descriptor: a negative size");
    if (c->weights_given || d->weights_bytes == 0) return true;
    return check_at(c, d->weights, (uint64_t)d->weights_bytes, 1, 64, PF_R, "the weights") != NULL;
}

static bool check_texts(const check_source *c) {
    const bertc_descriptor *d = &c->descriptor;
    if (d->json) {
        const char *json = check_at(c, d->json, (uint64_t)d->json_bytes, 1, 1, 0, "the JSON text");
        if (!json) return false;
        if (d->json_bytes < 1 || json[d->json_bytes - 1] != 0)
            return error_set(c->error, "broken descriptor: the JSON text does not end");
    }
    if (!d->tokenizer) return true;
    return check_at(c, d->tokenizer, (uint64_t)d->tokenizer_bytes, 1, 8, 0, "the tokenizer") != NULL;
}

bool check_descriptor(const check_source *c) {
    const bertc_descriptor *d = &c->descriptor;
    if (!check_limits(c) || !check_ports(c) || !check_texts(c) || !check_task(c) || !check_states(c))
        return false;
    if (d->variant_count == 0 || d->variant_count > BERTC_VARIANTS_MAX)
        return error_set(c->error, "broken descriptor: %u variants", d->variant_count);
    const void *rows = check_array(c, d->variants, d->variant_count, BERTC_ROW_VARIANT, "variants");
    bertc_variant v, before;
    for (uint32_t i = 0; rows && i < d->variant_count; before = v, i++) {
        check_entry(c, BERTC_ROW_VARIANT, rows, i, &v);
        if (!check_variant(c, &v) || (i && !check_order(c, &before, &v))) return false;
    }
    return rows != NULL;
}
