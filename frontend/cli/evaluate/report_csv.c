// The figures as a table of CSV, one per row: `of` says what they are of (labels, types, groups, ...; nothing: the whole data set), `name`
// which one, `figure` and `value` the rest. What is not defined is an empty field.
#include <string.h>

#include "frontend/cli/evaluate/evaluate.h"
#include "runtime/json_text.h"

static void print_field(const char *text) {
    csv_field(stdout, text, strlen(text));
    fputs(",", stdout);
}

// Of numbers and null; other values are no figures.
static void print_figure(const char *of, const char *name, const char *figure, const cJSON *v) {
    char text[JSON_NUMBER_ROOM] = "";
    if (!cJSON_IsNumber(v) && !cJSON_IsNull(v)) return;
    if (cJSON_IsNumber(v)) json_print_double(v->valuedouble, text);
    print_field(of);
    print_field(name);
    print_field(figure);
    printf("%s\r\n", strcmp(text, "null") ? text : "");
}

static void print_figures(const char *of, const char *name, const cJSON *object) {
    const cJSON *v;
    cJSON_ArrayForEach(v, object) print_figure(of, name, v->string, v);
}

// The string that an entry of a list is named by: its label, type or group.
static const char *name_of(const cJSON *entry) {
    const char *name = cJSON_GetStringValue(entry->child);
    return name ? name : "";
}

static void print_list(const cJSON *list) {
    const cJSON *entry;
    cJSON_ArrayForEach(entry, list) {
        print_figures(list->string, name_of(entry), entry);
        print_figures(list->string, name_of(entry), cJSON_GetObjectItemCaseSensitive(entry, "metrics"));
    }
}

// Rows are gold labels, columns found ones.
static void print_confusion(const cJSON *rows, const cJSON *labels) {
    const cJSON *row, *v, *gold = labels->child;
    cJSON_ArrayForEach(row, rows) {
        const cJSON *found = labels->child;
        cJSON_ArrayForEach(v, row) {
            print_figure("confusion", name_of(gold), name_of(found), v);
            found = found->next;
        }
        gold = gold->next;
    }
}

// Of each positive label, each group's.
static void print_rates(const cJSON *rates) {
    const cJSON *label, *group;
    cJSON_ArrayForEach(label, rates) {
        print_figures("rates", name_of(label), label);
        cJSON_ArrayForEach(group, cJSON_GetObjectItemCaseSensitive(label, "groups")) {
            char of[300];
            snprintf(of, sizeof of, "rates of %s", name_of(label));
            print_figures(of, name_of(group), group);
        }
    }
}

void evaluate_print_csv(const cJSON *figures) {
    const cJSON *v, *inner;
    fputs("of,name,figure,value\r\n", stdout);
    print_figures("", "", figures);
    print_figures("", "", cJSON_GetObjectItemCaseSensitive(figures, "metrics"));
    cJSON_ArrayForEach(v, figures) {
        if (!strcmp(v->string, "metrics")) continue;
        if (!strcmp(v->string, "confusion"))
            print_confusion(v, cJSON_GetObjectItemCaseSensitive(figures, "labels"));
        else if (!strcmp(v->string, "rates"))
            print_rates(v);
        else if (cJSON_IsArray(v))
            print_list(v);
        if (!cJSON_IsObject(v)) continue;
        print_figures(v->string, "", v);
        cJSON_ArrayForEach(inner, v) if (cJSON_IsObject(inner))
            print_figures(v->string, inner->string, inner);
    }
}
