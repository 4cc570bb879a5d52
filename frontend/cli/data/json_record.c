#include <stdlib.h>
#include <string.h>

#include "frontend/cli/data/record.h"

static const char *beyond_value(const char *c, const char *end) {
    while (c < end && strchr(" \t\r", *c)) c++;
    return c;
}

// Where cJSON stopped, as a column from 1.
static long long stopped_at(const char *line, size_t n) {
    const char *at = cJSON_GetErrorPtr();
    return at >= line && at <= line + n ? (long long)(at - line) + 1 : 1;
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// A key that appears twice; NULL: none does. What it stands for first and last differs from reader to reader.
static const char *key_twice(const cJSON *object, arena *a) {
    int n = cJSON_GetArraySize(object), i = 0;
    const char **keys = ARENA_ARRAY(a, const char *, n + 1);
    for (const cJSON *v = object->child; v; v = v->next) keys[i++] = v->string;
    qsort(keys, (size_t)n, sizeof *keys, compare_keys);
    for (i = 1; i < n; i++)
        if (!strcmp(keys[i - 1], keys[i])) return keys[i];
    return NULL;
}

void json_record(record *r, const char *line, size_t n, arena *a) {
    const char *end = NULL, *why;
    const char *begin = beyond_value(line, line + n);
    if (begin < line + n && *begin == '[') {
        record_fail(r, a, "is a list: a line of JSON holds one object");
        return;
    }
    if (!nul_open(&r->nul, line, n, NULL, &why)) {
        record_fail(r, a, "%s", why);
        return;
    }
    if (r->nul.copy) line = r->nul.copy, n = r->nul.size;
    r->object = cJSON_ParseWithLengthOpts(line, n + 1, &end, false); // with the NUL behind it
    if (!r->object)
        record_fail(r, a, "is no JSON from column %lld on", stopped_at(line, n));
    else if (!cJSON_IsObject(r->object))
        record_fail(r, a, "is no JSON object");
    else if ((why = key_twice(r->object, a)))
        record_fail(r, a, "has the key \"%.80s\" twice", why);
    else if ((end = beyond_value(end, line + n)) < line + n)
        record_fail(r, a, "has more behind its JSON object, at column %lld", (long long)(end - line) + 1);
}
