#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend/cli/data/data.h"
#include "ir/memory.h"

#define LABELS_MAX 65536

struct data_labels {
    arena *arena;
    int count, room;
    const char **names;
    int *sorted;            // label numbers, their names ascending by bytes
    bool names_seen, whole; // learning: names that are no whole numbers; whole numbers
    bool over;              // more than LABELS_MAX
    const char *remark;     // or NULL
    int marks;              // in each example so far, all of which may be marks; -1: there was another one
};

data_labels *data_labels_new(arena *a) {
    data_labels *l = ARENA_NEW(a, data_labels);
    l->arena = a;
    return l;
}

// Where `name` stands, or should, among the sorted.
static int place_of(const data_labels *l, const char *name, bool *found) {
    int from = 0, to = l->count;
    *found = false;
    while (from < to) {
        int middle = from + (to - from) / 2, order = strcmp(l->names[l->sorted[middle]], name);
        if (!order) return *found = true, middle;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void make_room(data_labels *l) {
    if (l->count < l->room) return;
    int room = 2 * l->room + 16;
    const char **names = ARENA_ARRAY(l->arena, const char *, room);
    int *sorted = ARENA_ARRAY(l->arena, int, room);
    if (l->count) {
        memcpy(names, l->names, (size_t)l->count * sizeof *names);
        memcpy(sorted, l->sorted, (size_t)l->count * sizeof *sorted);
    }
    l->names = names;
    l->sorted = sorted;
    l->room = room;
}

// Of equal names the first is found.
void data_labels_add(data_labels *l, const char *name) {
    bool found;
    int at = place_of(l, name, &found);
    make_room(l);
    at += found;
    memmove(&l->sorted[at + 1], &l->sorted[at], (size_t)(l->count - at) * sizeof *l->sorted);
    l->sorted[at] = l->count;
    l->names[l->count++] = arena_strdup(l->arena, name);
}

int data_labels_count(const data_labels *l) {
    return l->count;
}

const char *data_labels_name(const data_labels *l, int id) {
    return id >= 0 && id < l->count ? l->names[id] : NULL;
}

static int find_name(const data_labels *l, const char *name) {
    bool found;
    int at = place_of(l, name, &found);
    if (found) return l->sorted[at];
    for (int i = 0; i < l->count; i++)
        if (!strcasecmp(l->names[i], name)) return i;
    return -1;
}

static bool is_whole(double x) {
    return x == floor(x) && fabs(x) < 1e15;
}

// Of "LABEL_7", as Transformers calls labels without names; NaN: it is no such name.
static double placeholder(const char *name) {
    static const char before[] = "LABEL_";
    size_t n = sizeof before - 1;
    if (!name || strncmp(name, before, n) != 0) return NAN;
    size_t digits = strspn(name + n, "0123456789");
    return digits && !name[n + digits] ? strtod(name + n, NULL) : NAN;
}

int data_labels_find(const data_labels *l, const data_label *label) {
    char text[32];
    int id = label->name ? find_name(l, label->name) : -1;
    double number = placeholder(label->name);
    if (id < 0 && number < l->count) return (int)number;
    if (id >= 0 || !is_whole(label->number)) return id;
    snprintf(text, sizeof text, "%.0f", label->number);
    id = find_name(l, text);
    if (id >= 0) return id;
    return label->number >= 0 && label->number < l->count ? (int)label->number : -1;
}

// --- Learning

void data_labels_note(data_labels *l, const data_label *label) {
    char text[32];
    const char *name = label->name;
    bool whole = is_whole(label->number), found;
    l->names_seen |= !whole;
    l->whole |= whole;
    if (whole || !name) {
        snprintf(text, sizeof text, whole ? "%.0f" : "%.9g", label->number);
        name = text;
    }
    place_of(l, name, &found);
    if (found) return;
    if (l->count < LABELS_MAX)
        data_labels_add(l, name);
    else
        l->over = true;
}

void data_labels_note_all(data_labels *l, const data_example *e) {
    bool same = e->marks && (!l->marks || l->marks == e->label_count);
    l->marks = same ? e->label_count : -1;
    for (int i = 0; i < e->label_count; i++) data_labels_note(l, &e->labels[i]);
}

static int by_number(const void *a, const void *b) {
    double x = strtod(*(const char *const *)a, NULL), y = strtod(*(const char *const *)b, NULL);
    return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// One of each kind says which lines to look for.
static const char *mixed_labels(data_labels *l) {
    const char *number = NULL, *name = NULL;
    for (int i = 0; i < l->count; i++) {
        char *end;
        bool whole = is_whole(strtod(l->names[i], &end)) && !*end;
        if (whole && !number) number = l->names[i];
        if (!whole && !name) name = l->names[i];
    }
    return number && name
               ? arena_printf(l->arena,
                              "some labels are whole numbers, as %s, and some are names, as '%.100s'", number,
                              data_printable(name, l->arena))
               : "some labels are whole numbers, and some are names";
}

// Of whole numbers, ascending: those that lie between and do not occur; or that they are names.
static const char *remark_of(data_labels *l, const char **names, int count, bool ids) {
    const char *list = "";
    int gaps = 0;
    double next = 0;
    for (int i = 0; i < count && ids; i++) {
        for (double at = strtod(names[i], NULL); next < at; next++)
            if (gaps++ < 10) list = arena_printf(l->arena, "%s%s%.0f", list, *list ? ", " : "", next);
        next++;
    }
    if (gaps)
        return arena_printf(
            l->arena,
            "the label%s %s%s, below the largest number, do%s not occur: the model gets %s all the same",
            gaps == 1 ? "" : "s", list, gaps > 10 ? ", ..." : "", gaps == 1 ? "es" : "",
            gaps == 1 ? "it" : "them");
    if (ids || strtod(names[0], NULL) >= 0) return NULL;
    for (int i = 0; i < count && i < 10; i++)
        list = arena_printf(l->arena, "%s%s%s", list, i ? ", " : "", names[i]);
    return arena_printf(l->arena, "the labels are called %s%s: numbers below 0 are names", list,
                        count > 10 ? ", ..." : "");
}

const char *data_labels_remark(const data_labels *l) {
    return l->remark;
}

bool data_labels_settle(data_labels *l, const char **why) {
    int count = l->count;
    *why = !count                      ? "there are no labels"
           : l->over                   ? "there are more than 65536 labels"
           : l->names_seen && l->whole ? mixed_labels(l)
                                       : NULL;
    if (*why) return false;
    const char **names = l->names;
    qsort(names, (size_t)count, sizeof *names, l->whole ? by_number : by_bytes);
    bool ids = l->marks > 1 || (l->whole && strtod(names[0], NULL) == 0);
    double most = l->marks > 1 ? l->marks - 1 : l->whole ? strtod(names[count - 1], NULL) : 0;
    if (ids && most >= LABELS_MAX) return *why = "a label's number is above 65535", false;
    if (l->whole && l->marks <= 1) l->remark = remark_of(l, names, count, ids);
    l->names = NULL;
    l->sorted = NULL;
    l->count = l->room = 0;
    for (int i = 0; i < (ids ? (int)most + 1 : count); i++)
        data_labels_add(l, ids ? arena_printf(l->arena, "LABEL_%d", i) : names[i]);
    return true;
}

// --- Several labels

const char *data_labels_mark(const data_labels *l, const data_example *e, float *marks, arena *a) {
    for (int i = 0; i < l->count; i++) marks[i] = 0;
    bool each = e->marks && e->label_count == l->count;
    for (int i = 0; i < e->label_count; i++) {
        int id = each ? i : data_labels_find(l, &e->labels[i]);
        if (id < 0) return data_labels_unknown(l, &e->labels[i], a);
        marks[id] = each ? (float)e->labels[i].number : 1;
    }
    return NULL;
}

const char *data_labels_unknown(const data_labels *l, const data_label *label, arena *a) {
    const char *all = l->count ? l->names[0] : "(none)";
    for (int i = 1; i < l->count && i < 20; i++) all = arena_printf(a, "%s, %s", all, l->names[i]);
    if (l->count > 20) all = arena_printf(a, "%s, ... (%d)", all, l->count);
    const char *name = label->name ? data_printable(label->name, a) : arena_printf(a, "%.9g", label->number);
    return arena_printf(a, "'%.100s" DATA_LABEL_UNKNOWN "%s", name, all);
}
