#include "frontend/cli/run/lines.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/data/nul.h"
#include "frontend/hub/files/text.h"

#include "ir/memory.h"

static const char no_memory[] = "out of memory"; // not even for a copy of why

void row_free(row *r) {
    free(r->bytes);
    free(r->words);
    if (r->error != no_memory) free((void *)(uintptr_t)r->error);
    free(r->kept);
    free(r->json);
    free(r->embedding);
    free(r->sparse);
    *r = (row){0};
}

bool row_fail(row *r, const char *why) {
    if (r->error) return false;
    r->error = memory_strdup(why);
    if (!r->error) r->error = no_memory;
    return false;
}

// --- One line

static row *row_text(row *r, const char *text, size_t size, const char *pair, size_t pair_size) {
    r->bytes = memory_alloc(size + pair_size + 1, 1);
    if (!r->bytes) return row_fail(r, "out of memory"), r;
    memcpy(r->bytes, text, size);
    if (pair) memcpy(r->bytes + size, pair, pair_size);
    r->text = (bertc_text){
        .text = r->bytes, .size = size, .pair = pair ? r->bytes + size : NULL, .pair_size = pair_size};
    return r;
}

static bool parse_text(const line_source *s, const char *line, size_t n, row *r) {
    bool splits = !s->pair && !s->single && s->format != LINES_WHOLE;
    const char *tab = splits ? memchr(line, '\t', n) : NULL, *end = line + n;
    if (tab)
        row_text(r, line, (size_t)(tab - line), tab + 1, (size_t)(end - tab - 1));
    else
        row_text(r, line, n, s->pair, s->pair ? strlen(s->pair) : 0);
    return !r->error;
}

// The words with a space between.
static bool join_words(const cJSON *words, row *r) {
    size_t size = 0, count = 0, at = 0;
    const cJSON *word;
    cJSON_ArrayForEach(word, words) {
        if (!cJSON_IsString(word)) return row_fail(r, "\"words\" must be a list of strings");
        size += strlen(word->valuestring) + 1;
        count++;
    }
    r->bytes = memory_alloc(size + 1, 1);
    r->words = memory_alloc(count, sizeof *r->words);
    if (!r->bytes || !r->words) return row_fail(r, "out of memory");
    count = 0;
    cJSON_ArrayForEach(word, words) {
        size_t n = strlen(word->valuestring);
        if (count) r->bytes[at++] = ' ';
        memcpy(r->bytes + at, word->valuestring, n);
        r->words[count++] = (bertc_word){(uint32_t)at, (uint32_t)(at + n)};
        at += n;
    }
    r->text = (bertc_text){.text = r->bytes, .size = at, .words = r->words, .word_count = count};
    return true;
}

static bool add_pair(row *r, const char *pair) {
    size_t n = strlen(pair);
    char *both = memory_grow(r->bytes, r->text.size + n + 1, 1);
    if (!both) return row_fail(r, "out of memory");
    memcpy(both + r->text.size, pair, n);
    r->bytes = both;
    r->text.text = both;
    r->text.pair = both + r->text.size;
    r->text.pair_size = n;
    return true;
}

static bool parse_object(const line_source *s, const cJSON *o, row *r) {
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(o, "text"),
                *words = cJSON_GetObjectItemCaseSensitive(o, "words"),
                *pair = cJSON_GetObjectItemCaseSensitive(o, "pair");
    if (text && words) return row_fail(r, "has both \"text\" and \"words\"");
    if (!text && !words) return row_fail(r, "has neither \"text\" nor \"words\"");
    if (text && !cJSON_IsString(text)) return row_fail(r, "\"text\" must be a string");
    if (words && !cJSON_IsArray(words)) return row_fail(r, "\"words\" must be a list of strings");
    if (pair && !cJSON_IsString(pair) && !cJSON_IsNull(pair)) return row_fail(r, "\"pair\" must be a string");
    if (s->single && cJSON_IsString(pair)) return row_fail(r, "has a \"pair\", and is one text here");
    if (words && !join_words(words, r)) return false;
    if (text && row_text(r, text->valuestring, strlen(text->valuestring), NULL, 0)->error) return false;
    const char *second = cJSON_IsString(pair) ? pair->valuestring : s->pair;
    return !second || add_pair(r, second);
}

// --- Other keys

// Those that a line is read by, and those that an answer has itself.
static bool is_own_key(const char *name) {
    static const char *const own[] = {"text",          "pair",      "words",   "label",       "score",
                                      "scores",        "entities",  "labels",  "answer",      "answers",
                                      "start",         "end",       "sparse",  "logit_score", "masks",
                                      "next_sentence", "embedding", "vectors", "error",       "sentences"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcmp(name, own[i])) return true;
    return false;
}

static const char *behind_string(const char *c) { // of its first quote
    for (c++; *c != '"'; c++) c += *c == '\\';
    return c + 1;
}

static const char *behind_value(const char *c) {
    for (int depth = 0; depth || !strchr(",}", *c);) {
        if (*c == '"') {
            c = behind_string(c);
            continue;
        }
        depth += *c == '{' || *c == '[';
        depth -= *c == '}' || *c == ']';
        c++;
    }
    return c;
}

// Keeps the other members of a line that is a JSON object, letter for letter: a number may have more digits than a double.
static bool keep_others(const char *line, row *r) {
    char *to = r->kept = memory_alloc(strlen(line) + 2, 1);
    if (!r->kept) return row_fail(r, "out of memory");
    *to = 0;
    for (const char *c = strchr(line, '{') + 1; (c = strpbrk(c, "\"}")) && *c == '"';) {
        const char *behind = behind_string(c), *end = behind_value(behind);
        char *name = memory_strndup(c + 1, (size_t)(behind - c - 2));
        if (!name) {
            to = r->kept;
            row_fail(r, "out of memory");
            break;
        }
        const char *last = end;
        while (strchr(" \t\r", last[-1])) last--;
        if (!is_own_key(name)) to += sprintf(to, "%.*s, ", (int)(last - c), c);
        free(name);
        c = end + (*end == ',');
    }
    if (to > r->kept) return true;
    free(r->kept);
    r->kept = NULL;
    return !r->error;
}

static bool parse_value(const line_source *s, const cJSON *o, row *r) {
    if (cJSON_IsString(o))
        row_text(r, o->valuestring, strlen(o->valuestring), s->pair, s->pair ? strlen(s->pair) : 0);
    else if (cJSON_IsObject(o))
        parse_object(s, o, r);
    else
        row_fail(r, "is neither a string nor an object with \"text\" or \"words\"");
    return !r->error;
}

static bool parse_json(const line_source *s, const char *line, size_t n, row *r) {
    const char *end = NULL, *why;
    nul_line nul;
    if (!nul_open(&nul, line, n, s->pair, &why)) {
        nul_close(&nul);
        return row_fail(r, why);
    }
    const char *given = line;
    if (nul.copy) line = nul.copy, n = nul.size;
    cJSON *o = cJSON_ParseWithLengthOpts(line, n + 1, &end, false); // with the NUL behind it
    bool ok = o && end == line + n;
    for (const char *c = end; o && !ok && c < line + n; c++) {
        if (!strchr(" \t\r", *c)) break;
        ok = c + 1 == line + n;
    }
    if (!ok)
        row_fail(r, "is no JSON");
    else if (parse_value(s, o, r))
        nul_restore(&nul, r->bytes, r->text.size + r->text.pair_size);
    if (ok && cJSON_IsObject(o)) keep_others(given, r);
    cJSON_Delete(o);
    nul_close(&nul);
    return !r->error;
}

// --- The file

bool lines_open(line_source *s, const char *path, const char *pair, diag *d) {
    *s = (line_source){.pair = pair};
    if (!line_reader_open(&s->reader, path, d)) return false;
    s->format = hub_ends_with(path, ".txt") ? LINES_TEXT : LINES_EITHER;
    if (hub_ends_with(path, ".jsonl") || hub_ends_with(path, ".ndjson") || hub_ends_with(path, ".json"))
        s->format = LINES_JSON;
    return true;
}

void lines_of_words(line_source *s, const arguments *words, const char *pair) {
    *s = (line_source){.reader = {.fd = -1, .name = "TEXT", .size = -1}, .pair = pair, .words = words};
}

void lines_close(line_source *s) {
    line_reader_close(&s->reader);
}

bool lines_ready(line_source *s) {
    return s->words || line_reader_ready(&s->reader);
}

// All lines that are to be read are read.
static bool at_last(const line_source *s) {
    return s->limited && s->reader.number >= s->last;
}

static bool next_word(line_source *s, row *r) {
    if (s->reader.number >= s->words->count) return false;
    const char *word = s->words->v[s->reader.number++];
    *r = (row){.line = s->reader.number};
    row_text(r, word, strlen(word), s->pair, s->pair ? strlen(s->pair) : 0);
    return true;
}

bool lines_next(line_source *s, row *r, diag *d) {
    if (s->words) return next_word(s, r);
    if (at_last(s)) return false;
    int64_t n = line_reader_next(&s->reader, d);
    *r = (row){.line = s->reader.number};
    if (n == LINE_END) return false;
    if (n == LINE_OVER) {
        row_fail(r, "is longer than 64 MiB");
        return true;
    }
    const char *line = s->reader.buffer;
    if (n && line[n - 1] == '\r') s->reader.buffer[--n] = 0;
    bool mark = s->reader.number == 1 && n >= 3 && !memcmp(line, "\xef\xbb\xbf", 3);
    line += mark ? 3 : 0;
    size_t size = (size_t)n - (mark ? 3 : 0);
    bool json = s->format == LINES_JSON || (s->format == LINES_EITHER && size && line[0] == '{');
    if (json)
        parse_json(s, line, size, r);
    else
        parse_text(s, line, size, r);
    return true;
}

bool lines_skip(line_source *s, int64_t n, diag *d) {
    for (int64_t i = 0; i < n; i++)
        if (at_last(s) || line_reader_next(&s->reader, d) == LINE_END) return false;
    return true;
}

void lines_report(const line_source *s, const row *r, int64_t count, diag *d) {
    char spot[512];
    snprintf(spot, sizeof spot, "%s:%lld", s->reader.name, (long long)r->line);
    if (count <= 50) diag_error(d, spot, "%s", r->error);
}
