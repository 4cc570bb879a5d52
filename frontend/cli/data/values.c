#include "frontend/cli/data/values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

static bool text_number(const char *text, double *out) {
    char *end;
    if (!*text || strchr(" \t\n\r\v\f", *text)) return false;
    *out = strtod(text, &end);
    return !*end && isfinite(*out);
}

bool value_number(const cJSON *v, double *out) {
    if (cJSON_IsString(v)) return text_number(v->valuestring, out);
    if (!cJSON_IsNumber(v)) return false;
    *out = v->valuedouble;
    return isfinite(*out);
}

bool value_label(const cJSON *v, arena *a, data_label *out) {
    *out = (data_label){NULL, NAN};
    if (cJSON_IsBool(v)) return out->number = cJSON_IsTrue(v), true;
    if (cJSON_IsNumber(v)) return value_number(v, &out->number);
    if (!cJSON_IsString(v) || !*v->valuestring) return false;
    out->name = arena_strdup(a, v->valuestring);
    if (!text_number(out->name, &out->number)) out->number = NAN;
    return true;
}

const char *value_text(const cJSON *v, arena *a) {
    if (cJSON_IsString(v)) return *v->valuestring ? arena_strdup(a, v->valuestring) : NULL;
    if (cJSON_IsBool(v)) return cJSON_IsTrue(v) ? "true" : "false";
    if (cJSON_IsNumber(v)) return arena_printf(a, "%.12g", v->valuedouble);
    return NULL;
}

cJSON *value_split(const char *text, const char *separators) {
    size_t size = strlen(text);
    bool brackets = size > 1 && *text == '[' && text[size - 1] == ']';
    cJSON *list = brackets ? cJSON_Parse(text) : NULL;
    if (brackets) return list;
    list = memory_must(cJSON_CreateArray());
    for (const char *at = text + strspn(text, separators); *at; at += strspn(at, separators)) {
        size_t n = strcspn(at, separators);
        char *part = memory_must(memory_strndup(at, n));
        cJSON_AddItemToArray(list, memory_must(cJSON_CreateString(part)));
        free(part);
        at += n;
    }
    return list;
}
