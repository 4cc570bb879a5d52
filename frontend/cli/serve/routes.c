#include "frontend/cli/serve/routes.h"

#include <string.h>

enum { TASK_NONE = -1, TASK_EMBED, TASK_SPARSE, TASK_ALL, TASK_PREDICT, TASK_RERANK };

static const route routes[] = {
    {"/", .get = true, .open = true, .by_task = true, .task = TASK_NONE, .begin = about_page},
    {"/invocations", .by_task = true, .task = TASK_NONE},
    {"/page.css", .get = true, .open = true, .task = TASK_NONE, .begin = about_page},
    {"/page.js", .get = true, .open = true, .task = TASK_NONE, .begin = about_page},
    {"/health", .get = true, .open = true, .task = TASK_NONE, .begin = about_health},
    {"/ping", .get = true, .open = true, .task = TASK_NONE, .begin = about_health},
    {"/metrics", .get = true, .open = true, .task = TASK_NONE, .begin = about_metrics},
    {"/info", .get = true, .task = TASK_NONE, .begin = about_info},
    {"/v1/models", .get = true, .openai = true, .task = TASK_NONE, .begin = about_models},
    {"/v1/embeddings", .post = true, .openai = true, .needs = ABLE_EMBED, .task = TASK_EMBED,
     .begin = openai_begin, .finish = openai_finish},
    {"/embeddings", .post = true, .openai = true, .needs = ABLE_EMBED, .task = TASK_EMBED,
     .begin = openai_begin, .finish = openai_finish},
    {"/embed", .post = true, .needs = ABLE_EMBED, .task = TASK_EMBED, .begin = embed_begin,
     .finish = embed_finish},
    {"/embed_sparse", .post = true, .needs = ABLE_SPARSE, .task = TASK_SPARSE, .begin = sparse_begin,
     .finish = sparse_finish},
    {"/embed_all", .post = true, .needs = ABLE_VECTORS, .task = TASK_ALL, .begin = all_begin,
     .finish = all_finish},
    {"/similarity", .post = true, .needs = ABLE_EMBED, .task = TASK_EMBED, .begin = similarity_begin,
     .finish = similarity_finish},
    {"/predict", .post = true, .needs = ABLE_LABELS, .task = TASK_PREDICT, .begin = predict_begin,
     .finish = predict_finish},
    {"/rerank", .post = true, .needs = ABLE_RANK, .task = TASK_RERANK, .begin = rerank_begin,
     .finish = rerank_finish},
    {"/v1/rerank", .post = true, .openai = true, .needs = ABLE_RANK, .task = TASK_RERANK,
     .begin = documents_begin, .finish = rerank_finish},
    {"/v2/rerank", .post = true, .openai = true, .needs = ABLE_RANK, .task = TASK_RERANK,
     .begin = documents_begin, .finish = rerank_finish},
    {"/run", .post = true, .needs = ABLE_TEXT, .task = TASK_NONE, .begin = run_begin, .finish = lines_finish},
    {"/entities", .post = true, .needs = ABLE_ENTITIES, .task = TASK_NONE, .begin = run_begin,
     .finish = lines_finish},
    {"/answer", .post = true, .needs = ABLE_ANSWER, .task = TASK_NONE, .begin = question_begin,
     .finish = lines_finish},
    {"/fill_mask", .post = true, .needs = ABLE_FILL_MASK, .task = TASK_NONE, .begin = mask_begin,
     .finish = lines_finish},
    {"/zero_shot", .post = true, .needs = ABLE_ZERO_SHOT, .task = TASK_NONE, .begin = zero_shot_call_begin,
     .finish = lines_finish},
    {"/summarize", .post = true, .needs = ABLE_EMBED, .task = TASK_NONE, .begin = summary_begin,
     .finish = lines_finish},
    {"/tokenize", .post = true, .task = TASK_NONE, .begin = tokenize_begin},
    {"/decode", .post = true, .task = TASK_NONE, .begin = decode_begin},
    {"/attention", .post = true, .needs = ABLE_ATTENTION, .task = TASK_NONE, .begin = attention_begin,
     .finish = attention_finish},
};
enum { ROUTES = sizeof routes / sizeof *routes };

static const route *find(const char *path) {
    for (int i = 0; i < ROUTES; i++)
        if (!strcmp(routes[i].path, path)) return &routes[i];
    return NULL;
}

const route *routes_find(const server *s, const char *path, const char **name, size_t *size) {
    const route *r = find(path);
    const char *second = *path == '/' ? strchr(path + 1, '/') : NULL;
    *name = NULL;
    if (r || !second) return r;
    *size = (size_t)(second - path) - 1;
    for (int i = 0; i < s->model_count; i++)
        if (strlen(s->models[i].name) == *size && !memcmp(s->models[i].name, path + 1, *size))
            *name = path + 1;
    return *name ? find(second) : NULL;
}

const route *routes_of_task(const served *m) {
    return find(served_can(m, ABLE_RANK)     ? "/rerank"
                : served_can(m, ABLE_LABELS) ? "/predict"
                : served_can(m, ABLE_EMBED)  ? "/embed"
                : served_can(m, ABLE_SPARSE) ? "/embed_sparse"
                                             : "/run");
}

bool routes_has(const char *word) {
    size_t n = strlen(word);
    for (int i = 0; i < ROUTES; i++)
        if (!strncmp(routes[i].path + 1, word, n) && (!routes[i].path[n + 1] || routes[i].path[n + 1] == '/'))
            return true;
    return false;
}
