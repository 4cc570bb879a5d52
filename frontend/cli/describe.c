// The JSON text of an artefact, for people and for `bertc inspect`: what the file holds and what it was
// made from. The runtime never parses it.
#include <string.h>

#include "frontend/cli/cli.h"

static void add_number(cJSON *o, const char *name, int64_t v) {
    cJSON_AddNumberToObject(o, name, (double)v);
}

static void add_prompts(cJSON *o, const bertc_task *task) {
    const char *table = (const char *)task;
    if (!task->prompt_count) return;
    cJSON *prompts = cJSON_AddObjectToObject(o, "prompts");
    for (uint32_t i = 0; i < task->prompt_count; i++) {
        uint64_t at[2];
        memcpy(at, table + task->prompts + i * sizeof at, sizeof at);
        cJSON_AddStringToObject(prompts, table + at[0], table + at[1]);
        if (i + 1 == task->default_prompt) cJSON_AddStringToObject(o, "default_prompt_name", table + at[0]);
    }
}

static void add_embedding(cJSON *o, const bertc_task *task) {
    if (task->kind != BERTC_TASK_EMBEDDING && task->kind != BERTC_TASK_VECTORS &&
        task->kind != BERTC_TASK_SEVERAL)
        return;
    cJSON_AddStringToObject(o, "similarity_fn_name", hub_similarity_name((int)task->similarity));
    if (task->dimensions) add_number(o, "truncate_dim", task->dimensions);
    if (task->normalize) cJSON_AddBoolToObject(o, "normalize_embeddings", true);
    if (task->query_length) add_number(o, "query_length", task->query_length);
    if (task->document_length) add_number(o, "document_length", task->document_length);
    if (task->expansion) add_number(o, "query_expansion_length", task->expansion);
}

static cJSON *describe_model(const build *b) {
    const hub_model *m = &b->model;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "family", m->family);
    cJSON_AddStringToObject(o, "head", m->head);
    add_number(o, "layers", m->layers);
    add_number(o, "hidden_size", m->hidden_size);
    add_number(o, "heads", m->heads);
    add_number(o, "intermediate_size", m->intermediate_size);
    add_number(o, "vocab_size", m->vocab_size);
    add_number(o, "positions", m->position_count);
    add_number(o, "parameters", m->parameters);
    cJSON_AddBoolToObject(o, "tokenizer", m->tokenizer != NULL);
    add_prompts(o, m->task);
    add_embedding(o, m->task);
    return o;
}

static void add_outputs(cJSON *root, const graph *g) {
    cJSON *outputs = cJSON_AddArrayToObject(root, "outputs");
    for (int i = 0; i < g->output_count; i++) {
        char text[96];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", g->outputs[i].name);
        cJSON_AddStringToObject(o, "type",
                                type_print(graph_type(g, g->outputs[i].value), text, sizeof(text)));
        cJSON_AddItemToArray(outputs, o);
    }
}

static const target *find_target(const build *b, const char *isa) {
    for (int i = 0; i < b->target_count; i++) {
        if (!strcmp(b->targets[i].isa, isa)) return &b->targets[i];
    }
    return NULL;
}

static void add_variants(cJSON *root, const build *b) {
    cJSON *variants = cJSON_AddArrayToObject(root, "variants");
    for (int i = 0; i < module_variant_count(b->module); i++) {
        const graph *g;
        const variant *v = module_variant(b->module, i, &g);
        const target *t = find_target(b, v->isa);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", v->name);
        cJSON_AddStringToObject(o, "isa", v->isa);
        cJSON_AddStringToObject(o, "class", graph_class(g));
        if (t) cJSON_AddStringToObject(o, "cpu", t->cpu);
        if (t) cJSON_AddStringToObject(o, "triple", t->triple);
        add_number(o, "length", v->length);
        add_number(o, "tokens", v->tokens);
        add_number(o, "arena_bytes", v->arena_bytes);
        cJSON_AddItemToArray(variants, o);
    }
}

// The ops of a kernel; a box that is all of a body stands for its own.
static void list_ops(const graph *body, char *ops, size_t size) {
    for (value k = 0; body && k < body->count; k++) {
        const node *n = graph_node(body, k);
        if (n->op == OP_fuse) list_ops(n->body, ops, size);
        if (n->op == OP_param || n->op == OP_constant || n->op == OP_result || n->op == OP_fuse ||
            strlen(ops) + strlen(op_name(n->op)) + 2 > size)
            continue;
        if (*ops) strcat(ops, " ");
        strcat(ops, op_name(n->op));
    }
}

// The element type in which an operand of a product lies in memory: a cast is done on the way from there.
static elem elem_read(const graph *g, value v) {
    const node *n = graph_node(g, v);
    bool moves = n->op == OP_cast || n->op == OP_reshape || n->op == OP_transpose || n->op == OP_slice;
    return moves ? elem_read(g, n->inputs[0]) : n->type.e;
}

// The element types of a kernel's products, "u8 x i8 to i32", each once.
static void add_products(cJSON *list, const graph *body) {
    for (value v = 0; body && v < body->count; v++) {
        const node *n = graph_node(body, v);
        char text[64];
        add_products(list, n->body);
        if (n->op != OP_matmul) continue;
        snprintf(text, sizeof(text), "%s x %s to %s", elem_name(elem_read(body, n->inputs[0])),
                 elem_name(elem_read(body, n->inputs[1])), elem_name(n->type.e));
        const cJSON *have;
        bool there = false;
        cJSON_ArrayForEach(have, list) there |= !strcmp(have->valuestring, text);
        if (!there) cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }
}

// The types of a kernel's results after the first, where there are some.
static void add_results(cJSON *o, const graph *g, value v) {
    cJSON *list = NULL;
    char text[96];
    for (int i = 1; i < node_yield_count(graph_node(g, v)); i++) {
        value r = graph_result_find(g, v, i);
        if (r == VALUE_NONE) continue;
        if (!list) list = cJSON_AddArrayToObject(o, "results");
        cJSON_AddItemToArray(list, cJSON_CreateString(type_print(graph_type(g, r), text, sizeof(text))));
    }
}

// Each top-level node is one kernel: its name and its ops.
static void add_kernels(cJSON *kernels, const graph *g) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op == OP_input || n->op == OP_constant || n->op == OP_result) continue;
        char text[96], ops[256] = "";
        list_ops(n->body, ops, sizeof(ops));
        cJSON *o = cJSON_CreateObject();
        if (n->name) cJSON_AddStringToObject(o, "name", n->name);
        cJSON_AddStringToObject(o, "op", op_name(n->op));
        cJSON_AddStringToObject(o, "class", graph_class(g));
        if (*ops) cJSON_AddStringToObject(o, "ops", ops);
        cJSON_AddStringToObject(o, "type", type_print(&n->type, text, sizeof(text)));
        add_results(o, g, v);
        cJSON *products = cJSON_CreateArray();
        add_products(products, n->body);
        if (cJSON_GetArraySize(products))
            cJSON_AddItemToObject(o, "products", products);
        else
            cJSON_Delete(products);
        cJSON_AddItemToArray(kernels, o);
    }
}

char *build_describe(const build *b, const build_options *o) {
    cJSON *root = cJSON_CreateObject();
    describe_making(root, b, o);
    cJSON_AddItemToObject(root, "model", describe_model(b));
    cJSON_AddStringToObject(root, "dtype", o->dtype ? o->dtype : "f32");
    const char *kept = build_keep(o, b->arena);
    if (kept) cJSON_AddStringToObject(root, "keep", arena_printf(b->arena, "f32:%s", kept));
    if (o->graph) cJSON_AddStringToObject(root, "graph", o->graph);
    add_number(root, "weight_bytes", module_weight_bytes(b->module));
    add_outputs(root, b->module->graphs[0]); // all have the same
    add_variants(root, b);
    cJSON *kernels = cJSON_AddArrayToObject(root, "kernels");
    for (int i = 0; i < b->module->graph_count; i++) add_kernels(kernels, b->module->graphs[i]);
    char *text = json_line(root);
    cJSON_Delete(root);
    return text;
}
