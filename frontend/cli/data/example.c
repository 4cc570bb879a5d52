// From a record's columns to an example of the form that is asked for.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/data/columns.h"
#include "frontend/cli/data/ready.h"
#include "frontend/cli/data/values.h"
#include "frontend/hub/files/text.h"

typedef struct reading {
    record *record;
    data_example *e;
    arena *arena;
    data_options options; // the source's, with the form that the record has
    bool rows;            // all values are text: the fields of a CSV
} reading;

static bool is_there(const void *of, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(of, name) != NULL;
}

// False, so that a reading function can end with it. `at`: as value_at makes it.
static bool bad(reading *x, const char *at, const char *why) {
    record_fail(x->record, x->arena, "%s %s", at, why);
    return false;
}

static const char *at_column(const reading *x, const char *column) {
    return arena_printf(x->arena, x->rows ? "column %s:" : "$.%s:", column);
}

static const char *at_item(const reading *x, const char *column, int index) {
    return arena_printf(x->arena, "$.%s[%d]:", column, index);
}

// The column of a role, which must be there.
static const cJSON *must(reading *x, data_role role, const char **column) {
    const data_options *o = &x->options;
    *column = column_find(o, role, is_there, x->record->object, x->arena);
    const cJSON *v = *column ? cJSON_GetObjectItemCaseSensitive(x->record->object, *column) : NULL;
    if (!v)
        record_fail(x->record, x->arena, "has no %s: looked for %s (--columns %s=NAME)",
                    column_role_name(role), column_names(o, role, x->arena), column_role_name(role));
    return v;
}

static const char no_json[] =
    "is a list in brackets, but not JSON: separate words and tags with spaces, labels with |";

// --- Texts

static bool read_text(reading *x, const cJSON *v, const char *at, data_text *out) {
    if (!cJSON_IsString(v)) return bad(x, at, "is not a text");
    out->size = strlen(v->valuestring);
    char *copy = arena_dup(x->arena, v->valuestring, out->size + 1);
    nul_restore(&x->record->nul, copy, out->size);
    out->text = copy;
    return true;
}

static bool read_texts(reading *x) {
    const char *column;
    data_text text;
    const cJSON *v = must(x, ROLE_TEXT, &column);
    if (!v || !read_text(x, v, at_column(x, column), &text)) return false;
    x->e->text = (bertc_text){.text = text.text, .size = text.size};
    const data_options *o = &x->options;
    bool needed = column_needs(o->form) & 1u << ROLE_PAIR;
    column = column_find(o, ROLE_PAIR, is_there, x->record->object, x->arena);
    if (!needed && !column) return true;
    v = must(x, ROLE_PAIR, &column);
    if (v && !needed && cJSON_IsNull(v)) return true;
    if (!v || !read_text(x, v, at_column(x, column), &text)) return false;
    x->e->text.pair = text.text;
    x->e->text.pair_size = text.size;
    return true;
}

// --- Labels and numbers

static bool read_label(reading *x, const cJSON *v, const char *at, data_label *out) {
    if (!value_label(v, x->arena, out)) return bad(x, at, "is not a label: give a name or a number");
    return true;
}

static bool read_one_label(reading *x) {
    const char *column;
    const cJSON *v = must(x, ROLE_LABEL, &column);
    data_label *label = ARENA_NEW(x->arena, data_label);
    if (!v) return false;
    if (cJSON_IsArray(v)) return bad(x, at_column(x, column), "is a list, but one label is needed");
    if (!read_label(x, v, at_column(x, column), label)) return false;
    x->e->labels = label;
    x->e->label_count = 1;
    return true;
}

// May they be a 0 or a 1 for each label, and no labels themselves?
static bool may_be_marks(const data_label *labels, int n) {
    for (int i = 0; i < n; i++)
        if (labels[i].name || (labels[i].number != 0 && labels[i].number != 1)) return false;
    return n > 0;
}

// A label alone, where there might be a list.
static bool read_one_of_several(reading *x, const cJSON *v, const char *column) {
    data_label *label = ARENA_NEW(x->arena, data_label);
    if (!read_label(x, v, at_column(x, column), label)) return false;
    x->e->labels = label;
    x->e->label_count = 1;
    x->e->marks = may_be_marks(label, 1);
    return true;
}

static bool read_label_list(reading *x, data_role role) {
    const char *column;
    const cJSON *v = must(x, role, &column), *item;
    if (!v) return false;
    cJSON *own = x->rows ? value_split(v->valuestring, role == ROLE_TAGS ? " " : "|") : NULL;
    if (x->rows && !own) return bad(x, at_column(x, column), no_json);
    if (own) v = own;
    bool one = role == ROLE_LABEL && !cJSON_IsArray(v) && !cJSON_IsObject(v) && !cJSON_IsNull(v);
    if (one) return read_one_of_several(x, v, column);
    bool ok = cJSON_IsArray(v) || bad(x, at_column(x, column), "is not a list of labels");
    data_label *labels = ARENA_ARRAY(x->arena, data_label, cJSON_GetArraySize(v) + 1);
    int n = 0;
    for (item = ok ? v->child : NULL; item && ok; item = item->next, n++)
        ok = read_label(x, item, at_item(x, column, n), &labels[n]);
    cJSON_Delete(own);
    x->e->labels = labels;
    x->e->label_count = n;
    x->e->marks = role == ROLE_LABEL && may_be_marks(labels, n);
    return ok;
}

static bool read_numbers(reading *x) {
    const char *column;
    const cJSON *v = must(x, ROLE_SCORE, &column);
    if (!v) return false;
    bool list = cJSON_IsArray(v), one = x->options.form == DATA_SCORED;
    int count = list ? cJSON_GetArraySize(v) : 1, n = 0;
    double *numbers = ARENA_ARRAY(x->arena, double, count + 1);
    if (list && (one || !count))
        return bad(x, at_column(x, column), one ? "is a list, but one number is needed" : "is empty");
    for (const cJSON *item = list ? v->child : v; n < count; item = item->next, n++)
        if (!value_number(item, &numbers[n]))
            return bad(x, list ? at_item(x, column, n) : at_column(x, column), "is not a number");
        else if (fabs(numbers[n]) > FLT_MAX)
            return bad(x, list ? at_item(x, column, n) : at_column(x, column), "is too large a number");
    x->e->numbers = numbers;
    x->e->number_count = count;
    return true;
}

// --- Words with tags: their text is the words with a space between

static bool join_words(reading *x, const cJSON *list, const char *column) {
    size_t size = 0;
    int n = 0, count = cJSON_GetArraySize(list);
    for (const cJSON *w = list->child; w; w = w->next, n++) {
        if (!cJSON_IsString(w)) return bad(x, at_item(x, column, n), "is not a word");
        size += strlen(w->valuestring) + 1;
    }
    char *text = arena_alloc(x->arena, size + 1);
    bertc_word *words = ARENA_ARRAY(x->arena, bertc_word, count + 1);
    size_t at = 0;
    n = 0;
    for (const cJSON *w = list->child; w; w = w->next, n++) {
        size_t bytes = strlen(w->valuestring);
        if (n) text[at++] = ' ';
        memcpy(text + at, w->valuestring, bytes);
        words[n] = (bertc_word){(uint32_t)at, (uint32_t)(at + bytes)};
        at += bytes;
    }
    nul_restore(&x->record->nul, text, at);
    x->e->text = (bertc_text){.text = text, .size = at, .words = words, .word_count = (size_t)count};
    return true;
}

static bool read_tags(reading *x) {
    const char *column;
    const cJSON *v = must(x, ROLE_WORDS, &column);
    if (!v) return false;
    cJSON *own = x->rows ? value_split(v->valuestring, " ") : NULL;
    if (x->rows && !own) return bad(x, at_column(x, column), no_json);
    if (own) v = own;
    bool ok =
        cJSON_IsArray(v) ? join_words(x, v, column) : bad(x, at_column(x, column), "is not a list of words");
    cJSON_Delete(own);
    if (!ok || !read_label_list(x, ROLE_TAGS)) return false;
    if ((size_t)x->e->label_count == x->e->text.word_count) return true;
    record_fail(x->record, x->arena, "has %zu word%s and %d tag%s: each word needs one tag",
                x->e->text.word_count, x->e->text.word_count == 1 ? "" : "s", x->e->label_count,
                x->e->label_count == 1 ? "" : "s");
    return false;
}

// --- Answers

// The byte at which character `n` begins; -1: the text has fewer.
static int64_t byte_of(const bertc_text *t, double n) {
    size_t at = 0;
    if (!(n >= 0) || n > (double)t->pair_size || n != floor(n)) return -1;
    for (int64_t i = (int64_t)n; i > 0; i--) {
        if (at >= t->pair_size) return -1;
        at += hub_utf8_length(t->pair + at, t->pair_size - at);
    }
    return (int64_t)at;
}

// `start`: NULL, or the character of the context where the answer begins.
static bool read_answer(reading *x, const cJSON *text, const cJSON *start, const char *at, data_answer *out) {
    const bertc_text *t = &x->e->text;
    data_text own;
    double n;
    if (!read_text(x, text, at, &own)) return false;
    *out = (data_answer){own.text, own.size, -1, -1};
    if (!start || (x->rows && !*start->valuestring)) return true;
    if (!value_number(start, &n)) return bad(x, at, "has a start that is not a number");
    if (n != floor(n) || n < 0 || n > (double)t->pair_size) {
        record_fail(x->record, x->arena,
                    "%s has the start %g: the context's characters are numbered from 0 to less than %zu", at,
                    n, t->pair_size);
        return false;
    }
    out->byte_start = byte_of(t, n);
    out->byte_end = out->byte_start + (int64_t)own.size;
    bool inside = out->byte_start >= 0 && out->byte_end <= (int64_t)t->pair_size;
    if (!inside || memcmp(t->pair + out->byte_start, own.text, own.size)) {
        record_fail(x->record, x->arena, "%s '%.80s' does not stand at character %.0f of the context%s", at,
                    own.text, n, inside ? "" : ", which ends before");
        return false;
    }
    return true;
}

// {text: [...], answer_start: [...]}, or one of each
static bool read_answer_object(reading *x, const cJSON *v, const char *column, data_answer *out, int *count) {
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(v, "text"),
                *start = cJSON_GetObjectItemCaseSensitive(v, "answer_start");
    if (!cJSON_IsArray(text)) return read_answer(x, text, start, at_column(x, column), &out[(*count)++]);
    if (start && cJSON_GetArraySize(start) != cJSON_GetArraySize(text))
        return bad(x, at_column(x, column), "has more or fewer starts than texts");
    const cJSON *from = start ? start->child : NULL;
    for (const cJSON *item = text->child; item; item = item->next, from = from ? from->next : NULL) {
        const char *at = arena_printf(x->arena, "$.%s.text[%d]:", column, *count);
        if (!read_answer(x, item, from, at, &out[(*count)++])) return false;
    }
    return true;
}

static bool read_answer_list(reading *x, const cJSON *v, const char *column, data_answer *out, int *count) {
    for (const cJSON *item = v->child; item; item = item->next) {
        bool object = cJSON_IsObject(item);
        const cJSON *text = object ? cJSON_GetObjectItemCaseSensitive(item, "text") : item,
                    *start = object ? cJSON_GetObjectItemCaseSensitive(item, "answer_start") : NULL;
        const char *at = at_item(x, column, *count);
        if (!read_answer(x, text, start, at, &out[(*count)++])) return false;
    }
    return true;
}

static bool read_answers(reading *x) {
    const char *column;
    const cJSON *object = x->record->object, *v = must(x, ROLE_ANSWERS, &column);
    if (!v) return false;
    const cJSON *impossible = cJSON_GetObjectItemCaseSensitive(object, "is_impossible"),
                *text = cJSON_GetObjectItemCaseSensitive(v, "text");
    int room = cJSON_IsArray(text) ? cJSON_GetArraySize(text) : cJSON_GetArraySize(v);
    data_answer *answers = ARENA_ARRAY(x->arena, data_answer, room + 1);
    int n = 0;
    bool ok = true;
    if (cJSON_IsTrue(impossible) || cJSON_IsNull(v) || (cJSON_IsString(v) && !*v->valuestring))
        n = 0;
    else if (cJSON_IsString(v))
        ok = read_answer(x, v, cJSON_GetObjectItemCaseSensitive(object, "answer_start"), at_column(x, column),
                         &answers[n++]);
    else if (cJSON_IsArray(v))
        ok = read_answer_list(x, v, column, answers, &n);
    else if (cJSON_IsObject(v))
        ok = read_answer_object(x, v, column, answers, &n);
    else
        ok = bad(x, at_column(x, column),
                 "are not answers: give texts, or {\"text\": [], \"answer_start\": []}");
    x->e->answers = answers;
    x->e->answer_count = n;
    return ok;
}

// --- What a query should find, and what not

static bool add_documents(reading *x, const cJSON *v, const char *column, data_text *out, int *count) {
    if (cJSON_IsString(v)) return read_text(x, v, at_column(x, column), &out[(*count)++]);
    if (!cJSON_IsArray(v)) return bad(x, at_column(x, column), "is neither a text nor a list of texts");
    int n = 0;
    for (const cJSON *item = v->child; item; item = item->next)
        if (!read_text(x, item, at_item(x, column, n++), &out[(*count)++])) return false;
    return true;
}

// Columns named "negative", and "negative_1" and so on.
static bool is_negative(const char *name, const char *column) {
    size_t n = strlen(column);
    return !strncmp(name, column, n) && (!name[n] || name[n] == '_');
}

static bool read_ranked(reading *x) {
    const char *column;
    const cJSON *object = x->record->object, *v = must(x, ROLE_POSITIVE, &column);
    if (!v) return false;
    data_text *positives = ARENA_ARRAY(x->arena, data_text, cJSON_GetArraySize(v) + 1);
    if (!add_documents(x, v, column, positives, &x->e->positive_count)) return false;
    if (!x->e->positive_count) return bad(x, at_column(x, column), "is empty");
    const char *others = column_find(&x->options, ROLE_NEGATIVE, is_there, object, x->arena);
    if (!others) others = "negative";
    int room = 0;
    for (v = object->child; v; v = v->next)
        if (is_negative(v->string, others)) room += cJSON_IsArray(v) ? cJSON_GetArraySize(v) : 1;
    data_text *negatives = ARENA_ARRAY(x->arena, data_text, room + 1);
    for (v = object->child; v; v = v->next)
        if (is_negative(v->string, others) && !cJSON_IsNull(v) &&
            !add_documents(x, v, v->string, negatives, &x->e->negative_count))
            return false;
    x->e->positives = positives;
    x->e->negatives = negatives;
    return true;
}

// --- For masked language models

static bool read_plain_text(reading *x) {
    const cJSON *object = x->record->object;
    if (ready_has_ids(object)) {
        const char *why = ready_read_ids(object, x->rows, x->e, x->arena);
        if (why) record_fail(x->record, x->arena, "%s", why);
        return !why;
    }
    if (!read_texts(x)) return false;
    const char *column = column_find(&x->options, ROLE_LABEL, is_there, object, x->arena);
    if (column) ready_read_words(cJSON_GetObjectItemCaseSensitive(object, column), x->rows, x->e, x->arena);
    return true;
}

// --- All

// Has the line, or the header, documents, and nothing that the form has beside texts?
static bool is_ranked(const data_options *o, column_is_there there, const void *of, arena *a) {
    data_options ranked = *o;
    data_role role = o->form == DATA_NUMBER ? ROLE_SCORE : ROLE_LABEL;
    ranked.form = DATA_RANKED;
    return !column_find(o, role, there, of, a) && column_find(&ranked, ROLE_POSITIVE, there, of, a);
}

// Which of its two forms DATA_EMBED is there, or one that may be ranked too.
static data_form settled(const data_options *o, column_is_there there, const void *of, arena *a) {
    data_options with_score = *o;
    if (o->or_ranked && is_ranked(o, there, of, a)) return DATA_RANKED;
    if (o->form != DATA_EMBED) return o->form;
    with_score.form = DATA_SCORED;
    return column_find(&with_score, ROLE_SCORE, there, of, a) ? DATA_SCORED : DATA_RANKED;
}

static bool read_form(reading *x) {
    switch (x->options.form) {
    case DATA_TEXT: return read_plain_text(x);
    case DATA_EMBED: break; // settled
    case DATA_LABEL: return read_texts(x) && read_one_label(x);
    case DATA_LABELS: return read_texts(x) && read_label_list(x, ROLE_LABEL);
    case DATA_NUMBER:
    case DATA_SCORED: return read_texts(x) && read_numbers(x);
    case DATA_TAGS: return read_tags(x);
    case DATA_ANSWER: return read_texts(x) && read_answers(x);
    case DATA_RANKED: return read_texts(x) && read_ranked(x);
    }
    return false;
}

// The next name of a list with commas, in `a`; NULL: the end.
static const char *next_name(const char **list, arena *a) {
    if (!*list || !**list) return NULL;
    size_t n = strcspn(*list, ",");
    const char *name = arena_strndup(a, *list, n);
    *list += n + ((*list)[n] == ',');
    return name;
}

// "f" or, of several columns, "f, old"; NULL where one of them has no value.
static const char *group_of(const cJSON *object, const char *columns, arena *a) {
    const char *all = NULL, *name;
    while ((name = next_name(&columns, a))) {
        const char *one = value_text(cJSON_GetObjectItemCaseSensitive(object, name), a);
        if (!one) return NULL;
        all = all ? arena_printf(a, "%s, %s", all, one) : one;
    }
    return all;
}

void example_read(const data_source *s, record *r, data_example *e, arena *a) {
    reading x = {r, e, a, s->options, s->format == DATA_CSV || s->format == DATA_TSV};
    x.options.form = settled(&s->options, is_there, r->object, a);
    int64_t line = e->line, offset = e->offset;
    if (!read_form(&x)) {
        *e = (data_example){.line = line, .offset = offset, .error = r->error};
    } else if (s->options.group_by) {
        e->group = group_of(r->object, s->options.group_by, a);
    }
}

// --- The header of a CSV

static bool in_header(const void *of, const char *name) {
    const csv_table *t = of;
    for (int i = 0; i < t->column_count; i++)
        if (!strcmp(t->columns[i], name)) return true;
    return false;
}

static const char *header_text(const csv_table *t, arena *a) {
    const char *all = NULL;
    for (int i = 0; i < t->column_count && i < 20; i++)
        all = all ? arena_printf(a, "%s, %s", all, t->columns[i]) : t->columns[i];
    return t->column_count > 20 ? arena_printf(a, "%s, ...", all) : all;
}

bool example_columns(const data_source *s, diag *d) {
    const csv_table *t = &s->csv;
    data_options own = s->options, *o = &own;
    own.form = settled(&s->options, in_header, t, t->names);
    for (int i = 0; i < ROLE_COUNT; i++) {
        data_role role = (data_role)i;
        const char *name = column_find(o, role, in_header, t, t->names);
        bool ready = o->form == DATA_TEXT && in_header(t, "input_ids") && in_header(t, "labels");
        if (ready || !(column_needs(o->form) & 1u << i) || (name && in_header(t, name))) continue;
        return diag_error(d, s->reader.name,
                          "has no %s: looked for %s, and its columns are %s (--columns %s=NAME)",
                          column_role_name(role), column_names(o, role, t->names), header_text(t, t->names),
                          column_role_name(role));
    }
    const char *list = o->group_by, *column;
    while ((column = next_name(&list, t->names)))
        if (!in_header(t, column))
            return diag_error(d, s->reader.name, "has no column %s (--group-by); its columns are %s", column,
                              header_text(t, t->names));
    return true;
}
