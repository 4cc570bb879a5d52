#include "frontend/cli/evaluate/queries.h"

#include <stdlib.h>
#include <string.h>

bool document_listed(const document_list *list, int document) {
    for (int i = 0; i < list->count; i++)
        if (list->v[i] == document) return true;
    return false;
}

static void add(document_list *list, int document, arena *a) {
    if (document_listed(list, document)) return;
    if (list->count == list->room) {
        int room = 2 * list->room + 4;
        int *grown = ARENA_ARRAY(a, int, room);
        if (list->count) memcpy(grown, list->v, (size_t)list->count * sizeof *grown);
        list->v = grown;
        list->room = room;
    }
    list->v[list->count++] = document;
}

static query *query_of(query_set *q, const data_example *e) {
    int at = text_set_add(&q->texts, e->text.text, e->text.size, e->line);
    if (at >= q->room) {
        int room = 2 * q->room + 256;
        query *grown = ARENA_ARRAY(q->v->arena, query, room);
        if (q->room) memcpy(grown, q->queries, (size_t)q->room * sizeof *grown);
        q->queries = grown;
        q->room = room;
    }
    return &q->queries[at];
}

static void add_example(query_set *q, const data_example *e) {
    query *own = query_of(q, e);
    arena *a = q->v->arena;
    if (!own->positives.count) own->group = e->group ? arena_strdup(a, e->group) : NULL;
    for (int i = 0; i < e->positive_count; i++)
        add(&own->positives, text_set_add(&q->documents, e->positives[i].text, e->positives[i].size, e->line),
            a);
    for (int i = 0; i < e->negative_count; i++)
        add(&own->negatives, text_set_add(&q->documents, e->negatives[i].text, e->negatives[i].size, e->line),
            a);
}

void queries_read(query_set *q, evaluation *v, const data_example *first, diag *d) {
    data_example e = *first;
    bool more = true;
    arena *a = arena_new();
    *q = (query_set){.v = v, .texts = {.arena = v->arena}, .documents = {.arena = v->arena}};
    for (int64_t n = 1; more; n++) {
        const char *why = e.error            ? e.error
                          : e.positive_count ? NULL
                                             : "has a score or a label, which the lines before it have not";
        if (why)
            data_report(v->source, &e, why, d);
        else
            add_example(q, &e);
        if (n % 1024 == 0) arena_free(a), a = arena_new();
        more = data_next(v->source, &e, a, d);
    }
    arena_free(a);
}

static int by_rank(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

bool queries_count(query_set *q, int at, int64_t *ranks, diag *d) {
    evaluation *v = q->v;
    const query *own = &q->queries[at];
    qsort(ranks, (size_t)own->positives.count, sizeof *ranks, by_rank);
    rank_metrics_add(&v->tallies.all.ranks, ranks, own->positives.count);
    v->tallies.all.count++;
    if (!v->options->group_by) return true;
    if (!own->group) return v->tallies.ungrouped++, true;
    tally *group = tallies_group(&v->tallies, own->group);
    if (!group)
        return diag_error(d, data_name(v->source), "has more than %d groups by %s", GROUPS_MAX,
                          v->options->group_by);
    rank_metrics_add(&group->ranks, ranks, own->positives.count);
    group->count++;
    return true;
}
