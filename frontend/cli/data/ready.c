#include "frontend/cli/data/ready.h"

#include <math.h>
#include <string.h>

#include "frontend/cli/data/values.h"

bool ready_has_ids(const cJSON *object) {
    return cJSON_GetObjectItemCaseSensitive(object, "input_ids") &&
           cJSON_GetObjectItemCaseSensitive(object, "labels");
}

// --- Token ids

// The numbers of a column, whole ones from `least` on. NULL in *out: the column is not there.
static const char *read_ints(const cJSON *object, bool rows, const char *column, double least, int32_t **out,
                             int *count, arena *a) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, column);
    cJSON *own = v && rows ? value_split(v->valuestring, " ") : NULL;
    const char *why = NULL;
    *out = NULL;
    *count = 0;
    if (!v || (!rows && cJSON_IsNull(v))) return NULL;
    if (own) v = own;
    if (!cJSON_IsArray(v))
        why = arena_printf(a, "$.%s: is no list of numbers", column);
    else
        *out = ARENA_ARRAY(a, int32_t, cJSON_GetArraySize(v) + 1);
    for (const cJSON *item = *out ? v->child : NULL; item && !why; item = item->next, ++*count) {
        double x;
        bool whole = value_number(item, &x) && x >= least && x <= INT32_MAX && x == floor(x);
        if (!whole)
            why = arena_printf(a, "$.%s[%d]: is no whole number from %g on", column, *count, least);
        else
            (*out)[*count] = (int32_t)x;
    }
    cJSON_Delete(own);
    return why;
}

// Tokens up to the padding.
static const char *shown(const int32_t *mask, int n, int *count, arena *a) {
    int shown = 0;
    while (shown < n && mask[shown]) shown++;
    for (int i = shown; i < n; i++)
        if (mask[i])
            return arena_printf(
                a, "$.attention_mask[%d]: shows a token behind hidden ones: padding stands at the end", i);
    *count = shown;
    return NULL;
}

static const char *read_all(const cJSON *object, bool rows, data_example *e, arena *a) {
    static const char *const columns[] = {"input_ids", "labels", "token_type_ids", "attention_mask"};
    int32_t *read[4];
    int count[4];
    for (int i = 0; i < 4; i++) {
        const char *why = read_ints(object, rows, columns[i], i == 1 ? -100 : 0, &read[i], &count[i], a);
        if (why) return why;
        if (read[i] && count[i] != count[0])
            return arena_printf(a, "has %d input_ids, and %d %s", count[0], count[i], columns[i]);
    }
    if (!read[0] || !read[1]) return "has input_ids or labels that are null";
    for (int i = 0; i < count[1]; i++)
        if (read[1][i] < 0 && read[1][i] != -100)
            return arena_printf(a, "$.labels[%d]: is %d: a token, or -100 where none is guessed", i,
                                read[1][i]);
    const char *why = read[3] ? shown(read[3], count[0], &count[0], a) : NULL;
    if (why) return why;
    if (!count[0]) return "has no token";
    e->ids = read[0];
    e->id_labels = read[1];
    e->id_types = read[2];
    e->id_count = count[0];
    return NULL;
}

const char *ready_read_ids(const cJSON *object, bool rows, data_example *e, arena *a) {
    const char *why = read_all(object, rows, e, a);
    return why && rows && !strncmp(why, "$.", 2) ? arena_printf(a, "column %s", why + 2) : why;
}

// --- Words

void ready_read_words(const cJSON *labels, bool rows, data_example *e, arena *a) {
    cJSON *own = labels && rows ? value_split(labels->valuestring, "|") : NULL;
    const cJSON *list = own ? own : labels;
    int n = 0, count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : cJSON_IsString(list);
    data_label *words = ARENA_ARRAY(a, data_label, count + 1);
    for (const cJSON *v = cJSON_IsArray(list) ? list->child : list; v && n < count; v = v->next)
        if (!cJSON_IsString(v) || !value_label(v, a, &words[n++])) count = 0;
    cJSON_Delete(own);
    e->labels = words;
    e->label_count = count;
}
