// The C header of an artefact (`--emit header`): sizes and names, for programs that know their model when
// they are compiled.
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "backend/output/output.h"

#define PREFIX_BYTES 64

// "out/my-model.h" -> "MY_MODEL"
static void prefix_of(const char *path, char *out) {
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    size_t n = 0;
    if (isdigit((unsigned char)*name)) out[n++] = '_';
    for (; *name && *name != '.' && n < PREFIX_BYTES - 1; name++) {
        out[n++] = isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name) : '_';
    }
    if (n == 0) out[n++] = '_';
    out[n] = 0;
}

static void print_word(const char *s, FILE *out) {
    for (; *s; s++) fputc(isalnum((unsigned char)*s) ? toupper((unsigned char)*s) : '_', out);
}

static void print_string(const char *s, FILE *out) {
    fputc('"', out);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\' || c == '?' || c < ' ' || c >= 127)
            fprintf(out, "\\%03o", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void print_limits(const artefact *a, const char *prefix, FILE *out) {
    int64_t length = 0, tokens = 0, bytes = 0;
    for (int i = 0; i < module_variant_count(a->module); i++) {
        const variant *v = module_variant(a->module, i, NULL);
        if (v->length > length) length = v->length;
        if (v->tokens > tokens) tokens = v->tokens;
        if (v->arena_bytes > bytes) bytes = v->arena_bytes;
    }
    fprintf(out, "#define %s_ABI_VERSION %u\n", prefix, BERTC_ABI_VERSION);
    fprintf(out, "#define %s_MAX_LENGTH %" PRId64 " // tokens of the longest text\n", prefix, length);
    fprintf(out, "#define %s_MAX_TOKENS %" PRId64 " // tokens of one call of the largest variant\n", prefix,
            tokens);
    fprintf(out, "#define %s_ARENA_BYTES INT64_C(%" PRId64 ") // of a session, at most\n", prefix, bytes);
    fprintf(out, "#define %s_WEIGHT_BYTES INT64_C(%" PRId64 ")\n", prefix, module_weight_bytes(a->module));
    fprintf(out, "#define %s_VOCAB_SIZE %" PRId64 "\n", prefix, a->vocab_size);
    fprintf(out, "#define %s_TYPE_VOCAB_SIZE %" PRId64 "\n", prefix, a->type_vocab_size);
    fprintf(out, "#define %s_PAD_ID %" PRId32 "\n", prefix, a->pad_id);
}

// Numbers and names of the outputs, as bertc_output_name counts them, and the elements of a row.
static void print_outputs(const artefact *a, const char *prefix, FILE *out) {
    const graph *g = a->module->graphs[0]; // all have the same outputs
    fprintf(out, "\n#define %s_OUTPUT_COUNT %d\n", prefix, g->output_count);
    for (int i = 0; i < g->output_count; i++) {
        const type *t = graph_type(g, g->outputs[i].value);
        int64_t width = 1;
        for (int k = 1; k < t->rank; k++) width *= t->d[k].s == SYM_NONE ? t->d[k].n : 1;
        fprintf(out, "#define %s_OUTPUT_", prefix);
        print_word(g->outputs[i].name, out);
        fprintf(out, " %d\n#define %s_OUTPUT_", i, prefix);
        print_word(g->outputs[i].name, out);
        fputs("_NAME ", out);
        print_string(g->outputs[i].name, out);
        fprintf(out, "\n#define %s_OUTPUT_", prefix);
        print_word(g->outputs[i].name, out);
        fprintf(out, "_WIDTH %" PRId64 "\n", width);
    }
}

static void print_labels(const artefact *a, const char *prefix, FILE *out) {
    const bertc_task *task = a->task;
    if (!task) return;
    fprintf(out, "\n#define %s_TASK %" PRIu32 " // bertc_task_kind\n", prefix, task->kind);
    fprintf(out, "#define %s_LABEL_COUNT %" PRIu32 "\n", prefix, task->label_count);
    if (task->label_count == 0) return;
    const uint64_t *labels = (const uint64_t *)(const void *)((const char *)task + task->labels);
    fprintf(out, "#define %s_LABELS {", prefix);
    for (uint32_t i = 0; i < task->label_count; i++) {
        if (i) fputs(", ", out);
        print_string((const char *)task + labels[i], out);
    }
    fputs("}\n", out);
}

void header_print(const artefact *a, const char *path, FILE *out) {
    char prefix[PREFIX_BYTES + 1];
    prefix_of(path, prefix);
    fprintf(
        out,
        "// Sizes and names of an artefact of bertc. Generated.\n#ifndef %s_BERTC_H\n#define %s_BERTC_H\n\n",
        prefix, prefix);
    fputs("#include <stdint.h>\n\n", out);
    print_limits(a, prefix, out);
    print_outputs(a, prefix, out);
    print_labels(a, prefix, out);
    fputs("\n// Where the artefact is linked in as an object file: for bertc_load_memory(bertc_artefact, "
          "NULL, ...).\n"
          "extern const unsigned char " BERTC_SYMBOL "[];\n\n#endif\n",
          out);
}
