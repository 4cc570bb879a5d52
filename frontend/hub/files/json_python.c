// What Python's json reads beyond JSON, as the reference implementations read their files with it: NaN and
// Infinity are numbers, and of a key that an object has several times the last one counts.
#include "frontend/hub/files/json_python.h"

#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

// cJSON has no word for them: a number that is too large to be finite, which no reader of a field takes. The
// spaces keep it apart from what stands beside it.
static const struct {
    const char *word, *number;
} beyond[] = {{"NaN", " 1e999 "}, {"Infinity", " 1e999 "}, {"-Infinity", " -1e999 "}};
enum { BEYOND = sizeof(beyond) / sizeof(beyond[0]) };

// Which of them begins at p; -1: none.
static int beyond_at(const char *p, size_t left) {
    for (int i = 0; i < BEYOND; i++) {
        size_t n = strlen(beyond[i].word);
        if (n <= left && !memcmp(p, beyond[i].word, n)) return i;
    }
    return -1;
}

char *json_python_text(const char *data, size_t size, size_t *length) {
    size_t most = size + size / 3 * 4 + 1; // "NaN" grows the most, from 3 bytes to 7
    char *text = memory_alloc(most, 1), *to = text;
    if (!text) return NULL;
    bool in_string = false;
    for (size_t i = 0; i < size;) {
        int word = in_string ? -1 : beyond_at(data + i, size - i);
        if (word >= 0) {
            size_t n = strlen(beyond[word].number);
            memcpy(to, beyond[word].number, n);
            to += n;
            i += strlen(beyond[word].word);
            continue;
        }
        if (data[i] == '"') in_string = !in_string;
        if (in_string && data[i] == '\\' && i + 1 < size) *to++ = data[i++];
        *to++ = data[i++];
    }
    *to = 0;
    *length = (size_t)(to - text);
    return text;
}

typedef struct member {
    cJSON *item;
    size_t at;
} member;

// By key, then by place.
static int compare_members(const void *a, const void *b) {
    const member *x = a, *y = b;
    int order = strcmp(x->item->string, y->item->string);
    return order ? order : x->at < y->at ? -1 : 1;
}

static bool last_of_object(cJSON *object) {
    size_t n = 0;
    cJSON *v;
    cJSON_ArrayForEach(v, object) n++;
    if (n < 2) return true;
    member *members = memory_alloc(n, sizeof(*members));
    if (!members) return false;
    n = 0;
    cJSON_ArrayForEach(v, object) {
        members[n] = (member){v, n};
        n++;
    }
    qsort(members, n, sizeof(*members), compare_members);
    for (size_t i = 0; i + 1 < n; i++) {
        if (!strcmp(members[i].item->string, members[i + 1].item->string))
            cJSON_Delete(cJSON_DetachItemViaPointer(object, members[i].item));
    }
    free(members);
    return true;
}

bool json_python_last(cJSON *root) {
    if (cJSON_IsObject(root) && !last_of_object(root)) return false;
    cJSON *v;
    cJSON_ArrayForEach(v, root) {
        if ((cJSON_IsObject(v) || cJSON_IsArray(v)) && !json_python_last(v)) return false;
    }
    return true;
}
