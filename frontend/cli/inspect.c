#include <stdio.h>
#include <string.h>

#include "frontend/cli/calibrate.h"
#include "frontend/cli/forms.h"

static const char *text_of(const cJSON *o, const char *name) {
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(s) ? s->valuestring : "-";
}
static double number_of(const cJSON *o, const char *name) {
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(s) ? s->valuedouble : 0;
}
static const cJSON *item_of(const cJSON *o, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(o, name);
}

static void print_prompts(const bertc_model *model, int usual) {
    const char *name, *text;
    for (int i = 0; (name = bertc_prompt(model, i, &text)); i++)
        printf("%-10s %s \"%s\"%s\n", i ? "" : "prompts", name, text, i == usual ? " (default)" : "");
}

// The first that runs here is used.
static void print_levels(const bertc_model *model) {
    const char *name, *lack;
    bool used = false;
    for (int i = 0, rank; (name = bertc_level(model, i, &rank, &lack)); i++) {
        printf("%-10s %-10s rank %-4d %s%s\n", i ? "" : "levels", name, rank, lack ? "not run here: " : "",
               lack   ? lack
               : used ? "runs here"
                      : "runs here, used");
        used |= !lack;
    }
}

static void add_levels(cJSON *root, const bertc_model *model) {
    const char *name, *lack;
    cJSON *levels = cJSON_AddArrayToObject(root, "levels");
    for (int i = 0, rank; (name = bertc_level(model, i, &rank, &lack)); i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", name);
        cJSON_AddNumberToObject(o, "rank", rank);
        cJSON_AddBoolToObject(o, "runs_here", !lack);
        if (lack) cJSON_AddStringToObject(o, "lacks", lack);
        cJSON_AddItemToArray(levels, o);
    }
}

// What stands in a list or an object, in one line: "a, b" or "seq 64, batch 1".
static void print_items(const char *title, const cJSON *items) {
    const cJSON *o, *inner;
    if (!items || !items->child) return;
    printf("%-10s", title);
    cJSON_ArrayForEach(o, items) {
        printf("%s%s", o == items->child ? " " : ", ", o->string ? o->string : "");
        if (cJSON_IsString(o)) printf("%s%s", o->string ? " " : "", o->valuestring);
        if (cJSON_IsNumber(o)) printf(" %.17g", o->valuedouble);
        cJSON_ArrayForEach(inner, o) printf(" %.17g", inner->valuedouble);
    }
    printf("\n");
}

static void print_making(const cJSON *root) {
    printf("made by    bertc %s", text_of(root, "bertc"));
    if (item_of(root, "llvm")) printf(", LLVM %s", text_of(root, "llvm"));
    if (item_of(root, "checkpoint")) printf(", of weights with the hash %s", text_of(root, "checkpoint"));
    printf("\n");
    print_items("options", item_of(root, "options"));
    if (cJSON_IsArray(item_of(root, "passes"))) print_items("passes", item_of(root, "passes"));
}

static void print_model(const cJSON *root, const bertc_model *model) {
    const cJSON *m = item_of(root, "model");
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    char size[32];
    bertc_model_describe(model, &info, NULL);
    printf("model      %s, %s: %.0f layers x %.0f, %.0f heads, feed-forward %.0f, vocabulary %.0f, %.0f "
           "positions\n",
           text_of(m, "family"), text_of(m, "head"), number_of(m, "layers"), number_of(m, "hidden_size"),
           number_of(m, "heads"), number_of(m, "intermediate_size"), number_of(m, "vocab_size"),
           number_of(m, "positions"));
    printf("weights    %s, %s, %.1f million parameters\n", size_text(info.weight_bytes, size, sizeof(size)),
           text_of(root, "dtype"), number_of(m, "parameters") / 1e6);
    if (cJSON_HasObjectItem(root, "keep")) printf("kept       %s\n", text_of(root, "keep"));
    printf("tokenizer  %s\n", info.has_tokenizer ? "inside" : "none");
    if (info.label_count) printf("labels    ");
    for (int i = 0; i < info.label_count && i < 16; i++) printf(" %s", bertc_label(model, i));
    if (info.label_count) printf(info.label_count > 16 ? " ... (%d)\n" : "\n", info.label_count);
    if (info.embedding_size) {
        printf("embedding  %d numbers", info.embedding_size);
        if (info.embedding_size < info.embedding_width) printf(", the first of %d", info.embedding_width);
        printf(", compared by %s\n", hub_similarity_name(info.similarity));
    }
    bool both = info.vector_width && info.embedding_size;
    if (info.vector_width)
        printf("vectors    %d numbers per token, compared by %s\n", (int)info.vector_width,
               hub_similarity_name(both ? BERTC_SIMILARITY_MAXSIM : info.similarity));
    print_prompts(model, info.default_prompt);
    print_levels(model);
    print_making(root);
}

// Parameters that a session has values of its own of, into the description.
static void add_parameters(cJSON *root, const bertc_model *model) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    int n = bertc_parameter_count(model);
    bertc_model_describe(model, &info, NULL);
    if (info.state_bytes) cJSON_AddNumberToObject(root, "state_bytes", (double)info.state_bytes);
    cJSON *list = n ? cJSON_AddArrayToObject(root, "parameters") : NULL;
    for (int i = 0; i < n; i++) {
        bertc_parameter p = BERTC_PARAMETER_INIT;
        dim axes[IR_MAX_RANK];
        char text[96];
        bertc_parameter_describe(model, i, &p, NULL);
        for (int k = 0; k < p.rank; k++) axes[k] = dim_num(p.shape[k]);
        type t = type_make(ELEM_F32, p.rank, axes);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", p.name);
        cJSON_AddStringToObject(o, "type", type_print(&t, text, sizeof(text)));
        cJSON_AddItemToArray(list, o);
    }
}

static void print_parameters(const cJSON *root) {
    const cJSON *o, *list = item_of(root, "parameters");
    char size[32];
    if (!list) return;
    printf("parameters, %s of states in each session\n",
           size_text((int64_t)number_of(root, "state_bytes"), size, sizeof(size)));
    cJSON_ArrayForEach(o, list) printf("  %-48s %s\n", text_of(o, "name"), text_of(o, "type"));
}

// The levels whose variants run the graph of a class: "avx512vnni, avxvnni".
static void list_levels(const cJSON *root, const char *class, char *out, size_t size) {
    const cJSON *o;
    const char *last = "";
    size_t at = 0;
    *out = 0;
    cJSON_ArrayForEach(o, item_of(root, "variants")) {
        const char *isa = text_of(o, "isa");
        if (strcmp(text_of(o, "class"), class) || !strcmp(isa, last) || at >= size) continue;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", isa);
        last = isa;
    }
}

static bool has_classes(const cJSON *root) {
    const cJSON *o, *kernels = item_of(root, "kernels");
    cJSON_ArrayForEach(
        o, kernels) if (strcmp(text_of(o, "class"), text_of(kernels->child, "class"))) return true;
    return false;
}

static void print_kernel(const cJSON *o) {
    const char *ops = text_of(o, "ops"), *between = " [";
    const cJSON *more;
    printf("  %-32s %-16s %s", text_of(o, "name"), text_of(o, "type"), *ops == '-' ? text_of(o, "op") : ops);
    cJSON_ArrayForEach(more, item_of(o, "results"))
        printf("; %s", cJSON_IsString(more) ? more->valuestring : "-");
    cJSON_ArrayForEach(more, item_of(o, "products")) {
        printf("%s%s", between, cJSON_IsString(more) ? more->valuestring : "-");
        between = ", ";
    }
    printf(*between == ',' ? "]\n" : "\n");
}

// The graph of each class, with the levels that run it.
static void print_kernels(const cJSON *root) {
    const cJSON *o;
    const char *class = "";
    char levels[128];
    bool several = has_classes(root);
    if (!several) printf("kernels\n");
    cJSON_ArrayForEach(o, item_of(root, "kernels")) {
        if (several && strcmp(text_of(o, "class"), class)) {
            class = text_of(o, "class");
            list_levels(root, class, levels, sizeof(levels));
            printf("kernels of class %s, for %s\n", class, levels);
        }
        print_kernel(o);
    }
}

static void print_lists(const cJSON *root) {
    const cJSON *o;
    char size[32];
    printf("outputs\n");
    cJSON_ArrayForEach(o, item_of(root, "outputs"))
        printf("  %-24s %s\n", text_of(o, "name"), text_of(o, "type"));
    printf("variants\n");
    cJSON_ArrayForEach(o, item_of(root, "variants")) {
        printf("  %-16s class %s, texts up to %.0f tokens, %.0f a call, arena %s, for %s\n",
               text_of(o, "name"), text_of(o, "class"), number_of(o, "length"), number_of(o, "tokens"),
               size_text((int64_t)number_of(o, "arena_bytes"), size, sizeof(size)), text_of(o, "cpu"));
    }
    print_kernels(root);
}

static int graphviz_escape(const char *s) {
    int n = 0;
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') putchar('\\');
        putchar(*s);
        n++;
    }
    return n;
}

static void print_dot_ops(const graph *body) {
    for (value k = 0; body && k < body->count; k++) {
        const node *n = graph_node(body, k);
        if (n->op == OP_fuse)
            print_dot_ops(n->body);
        else if (n->op != OP_param && n->op != OP_constant && n->op != OP_result)
            printf("%s\\n", op_name(n->op));
    }
}

// Graphviz: each kernel is a box that shows its fused ops, each operand an arrow.
static void print_dot(const graph *g) {
    printf("digraph encoder {\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        char text[96];
        if (n->op == OP_constant || n->op == OP_result) continue;
        printf("  n%d [label=\"", v);
        if (n->name && graphviz_escape(n->name)) printf("\\n");
        if (!n->body && n->op != OP_input) printf("%s\\n", op_name(n->op));
        print_dot_ops(n->body);
        printf("%s\"%s];\n", type_print(&n->type, text, sizeof(text)),
               n->op == OP_input ? ", style=rounded" : "");
        for (int i = 0; i < n->input_count; i++) {
            const node *from = graph_node(g, n->inputs[i]);
            if (from->op != OP_constant)
                printf("  n%d -> n%d;\n", from->op == OP_result ? from->inputs[0] : n->inputs[i], v);
        }
    }
    printf("}\n");
}

// Reads the whole artefact, weights too, and holds it against its checksums.
static bool check_artefact(const char *path, diag *d) {
    bertc_error e;
    const bertc_load_options whole = {.size = sizeof(whole), .check_weights = true};
    bertc_model *model = bertc_load_with(path, &whole, &e);
    if (!model) return runtime_failed(d, &e);
    bertc_unload(model);
    return true;
}

int command_inspect(int argc, char **argv) {
    build_options b;
    form_choice form = {0};
    bool dot = false, check = false;
    option_table t = {.usage = "bertc inspect model.so|MODEL [OPTION]...",
                      .summary =
                          "Says what is inside an artefact, or what a checkpoint would be compiled to.",
                      .example = "bertc inspect sentiment.so"};
    form_options_add(&t, &form, "print the whole description as JSON", false);
    options_add(&t, (option_row){"dot", 0, OPTION_FLAG, NULL,
                                 "for a checkpoint: print the fused graph for Graphviz", &dot});
    options_add(&t, (option_row){"check", 0, OPTION_FLAG, NULL,
                                 "for an artefact: read all of it, and say whether it is undamaged", &check});
    build_options_add(&t, &b, "native");
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one artefact or checkpoint");
    status = form_options_check(&t, &form, false, NULL);
    if (status < 0) status = build_options_check(&t, &b, rest.v[0], false);
    if (status >= 0) return status;
    if (dot && !is_checkpoint(rest.v[0]))
        return usage_error(&t, "--dot needs a checkpoint: an artefact holds no graph");
    if (check && is_checkpoint(rest.v[0]))
        return usage_error(&t, "--check needs an artefact: a checkpoint has no checksums");
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    opened o;
    o = (opened){0};
    arena *a = arena_new();
    if (calibrate_options(&b, rest.v[0], a, &d) && opened_open(&o, rest.v[0], &b, &d) &&
        (!check || check_artefact(rest.v[0], &d))) {
        cJSON *root = dot ? NULL : cJSON_Parse(bertc_model_json(o.model));
        for (int i = 0; dot && i < o.build.module->graph_count; i++) print_dot(o.build.module->graphs[i]);
        if (root) add_parameters(root, o.model);
        if (root && form.json) {
            add_levels(root, o.model);
            print_json(root);
        } else if (root) {
            print_model(root, o.model);
            print_lists(root);
            print_parameters(root);
            if (check) printf("checked    metadata, tables, code and weights are as they were compiled\n");
            cJSON_Delete(root);
        } else if (!dot) {
            diag_error(&d, rest.v[0], "its description is no JSON");
        }
        flush_stdout(&d);
    }
    opened_close(&o);
    arena_free(a);
    return finish(&d);
}
