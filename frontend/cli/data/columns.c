#include "frontend/cli/data/columns.h"

#include <string.h>

typedef struct pair_names {
    const char *first, *second;
} pair_names;

// The first of these that is there whole; a text alone has no second name.
static const pair_names
    texts[] = {{"sentence1", "sentence2"},
               {"premise", "hypothesis"},
               {"question1", "question2"},
               {"question", "sentence"},
               {"question", "passage"},
               {"text1", "text2"},
               {"text_a", "text_b"},
               {"text", "text_pair"},
               {"text", "pair"},
               {"a", "b"},
               {"text", NULL},
               {"sentence", NULL},
               {"content", NULL},
               {"review", NULL},
               {NULL, NULL}},
    plain[] = {{"text", NULL}, {"sentence", NULL}, {"content", NULL}, {"document", NULL}, {NULL, NULL}},
    scored[] = {{"sentence1", "sentence2"},
                {"a", "b"},
                {"text1", "text2"},
                {"text_a", "text_b"},
                {"text", "pair"},
                {"premise", "hypothesis"},
                {"anchor", "positive"},
                {"query", "document"},
                {NULL, NULL}},
    asked[] = {{"question", "context"}, {NULL, NULL}},
    ranked[] = {{"query", NULL}, {"anchor", NULL}, {"question", NULL}, {"sentence1", NULL}, {NULL, NULL}};

static const char *const
    labels[] = {"label", "labels", "target", NULL},
    *const several[] = {"labels", "label", NULL},
    *const numbers[] = {"score", "label", "labels", "target", NULL},
    *const scores[] = {"score", "similarity_score", "label", "labels", NULL},
    *const words[] = {"tokens", "words", NULL}, *const tags[] = {"ner_tags",   "tags",   "pos_tags",
                                                                 "chunk_tags", "labels", NULL},
    *const answers[] = {"answers", "answer", NULL}, *const positives[] = {"positive", "positives", "pos",
                                                                          "answer",   "sentence2", NULL},
    *const negatives[] = {"negative", "negatives", "neg", NULL};

static const pair_names *text_names(data_form form) {
    switch (form) {
    case DATA_TEXT: return plain;
    case DATA_LABEL:
    case DATA_LABELS:
    case DATA_NUMBER: return texts;
    case DATA_SCORED: return scored;
    case DATA_ANSWER: return asked;
    case DATA_RANKED: return ranked;
    case DATA_TAGS:
    case DATA_EMBED: break;
    }
    return NULL;
}

static const char *const *names_of(data_form form, data_role role) {
    switch (role) {
    case ROLE_LABEL: return form == DATA_LABELS ? several : labels;
    case ROLE_SCORE: return form == DATA_SCORED ? scores : numbers;
    case ROLE_WORDS: return words;
    case ROLE_TAGS: return tags;
    case ROLE_ANSWERS: return answers;
    case ROLE_POSITIVE: return positives;
    case ROLE_NEGATIVE: return negatives;
    case ROLE_TEXT:
    case ROLE_PAIR:
    case ROLE_COUNT: break;
    }
    return NULL;
}

unsigned column_needs(data_form form) {
    const unsigned text = 1u << ROLE_TEXT, pair = 1u << ROLE_PAIR;
    switch (form) {
    case DATA_TEXT: return text;
    case DATA_LABEL:
    case DATA_LABELS: return text | 1u << ROLE_LABEL;
    case DATA_NUMBER: return text | 1u << ROLE_SCORE;
    case DATA_SCORED: return text | pair | 1u << ROLE_SCORE;
    case DATA_TAGS: return 1u << ROLE_WORDS | 1u << ROLE_TAGS;
    case DATA_ANSWER: return text | pair | 1u << ROLE_ANSWERS;
    case DATA_RANKED: return text | 1u << ROLE_POSITIVE;
    case DATA_EMBED: break; // one of the two before
    }
    return 0;
}

const char *column_role_name(data_role role) {
    static const char *const names[ROLE_COUNT] = {"text", "pair",    "label",    "score",   "words",
                                                  "tags", "answers", "positive", "negative"};
    return names[role];
}

// "text=review,label=stars"
static const char *users_name(const char *columns, data_role role, arena *a) {
    const char *name = column_role_name(role);
    size_t n = strlen(name);
    for (const char *at = columns; at && *at;) {
        size_t size = strcspn(at, ",");
        if (size > n && at[n] == '=' && !strncmp(at, name, n))
            return arena_strndup(a, at + n + 1, size - n - 1);
        at += size + (at[size] == ',');
    }
    return NULL;
}

static bool is_role(const char *word, size_t size) {
    for (int i = 0; i < ROLE_COUNT; i++) {
        const char *name = column_role_name((data_role)i);
        if (strlen(name) == size && !strncmp(word, name, size)) return true;
    }
    return false;
}

bool column_check(const data_options *o, diag *d) {
    for (const char *at = o->columns; at && *at;) {
        size_t size = strcspn(at, ","), equals = strcspn(at, "=");
        if (equals >= size || equals + 1 == size || !is_role(at, equals))
            return diag_error(
                d, "--columns",
                "'%.*s' is no ROLE=NAME; roles are text, pair, label, score, words, tags, answers, "
                "positive, negative",
                (int)size, at);
        at += size + (at[size] == ',');
    }
    return true;
}

static const char *find_text(const data_options *o, data_role role, column_is_there is_there,
                             const void *of) {
    const pair_names *all = text_names(o->form);
    for (const pair_names *p = all; p && p->first; p++)
        if (is_there(of, p->first) && (!p->second || is_there(of, p->second)))
            return role == ROLE_TEXT ? p->first : p->second;
    for (const pair_names *p = all; p && p->first && role == ROLE_TEXT; p++)
        if (is_there(of, p->first)) return p->first; // and what is missing is the pair
    return NULL;
}

const char *column_find(const data_options *o, data_role role, column_is_there is_there, const void *of,
                        arena *a) {
    const char *said = users_name(o->columns, role, a);
    if (said) return said;
    if (role == ROLE_PAIR && users_name(o->columns, ROLE_TEXT, a) &&
        !(column_needs(o->form) & 1u << ROLE_PAIR))
        return NULL; // the user named the text alone
    if (role == ROLE_TEXT || role == ROLE_PAIR) return find_text(o, role, is_there, of);
    for (const char *const *name = names_of(o->form, role); name && *name; name++)
        if (is_there(of, *name)) return *name;
    return NULL;
}

static bool named_before(const pair_names *all, const pair_names *p) {
    for (; all < p; all++)
        if (!strcmp(all->first, p->first)) return true;
    return false;
}

const char *column_names(const data_options *o, data_role role, arena *a) {
    const char *said = users_name(o->columns, role, a), *all = NULL;
    if (said) return said;
    const pair_names *texts_of_form = role <= ROLE_PAIR ? text_names(o->form) : NULL;
    for (const pair_names *p = texts_of_form; p && p->first; p++) {
        const char *name = role == ROLE_PAIR ? p->second : named_before(texts_of_form, p) ? NULL : p->first;
        if (name) all = all ? arena_printf(a, "%s, %s", all, name) : name;
    }
    for (const char *const *name = names_of(o->form, role); name && *name; name++)
        all = all ? arena_printf(a, "%s, %s", all, *name) : *name;
    return all ? all : "";
}
