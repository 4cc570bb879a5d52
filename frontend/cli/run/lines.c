#include "frontend/cli/run/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/hub/files/text.h"

#include "ir/memory.h"

static const char no_memory[] = "out of memory"; // not even for a copy of why

void row_free(row *r) {
    free(r->bytes);
    free(r->words);
    if (r->error != no_memory) free((void *)(uintptr_t)r->error);
    free(r->json);
    free(r->embedding);
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
    const char *tab = s->pair ? NULL : memchr(line, '\t', n), *end = line + n;
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
    if (words && !join_words(words, r)) return false;
    if (text && row_text(r, text->valuestring, strlen(text->valuestring), NULL, 0)->error) return false;
    const char *second = cJSON_IsString(pair) ? pair->valuestring : s->pair;
    return !second || add_pair(r, second);
}

// A NUL, as it is or as \u0000: cJSON's strings end there, and the answer would be to a part of the text.
static bool holds_nul(const char *line, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!line[i]) return true;
        if (line[i] != '\\') continue;
        if (n - i >= 6 && !memcmp(line + i, "\\u0000", 6)) return true;
        i++;
    }
    return false;
}

static bool parse_json(const line_source *s, const char *line, size_t n, row *r) {
    const char *end = NULL;
    cJSON *o = cJSON_ParseWithLengthOpts(line, n + 1, &end, false); // with the NUL behind it
    bool ok = o && end == line + n;
    for (const char *c = end; o && !ok && c < line + n; c++) {
        if (!strchr(" \t\r", *c)) break;
        ok = c + 1 == line + n;
    }
    if (!ok)
        row_fail(r, "is no JSON");
    else if (holds_nul(line, n))
        row_fail(r, "holds a NUL character");
    else if (cJSON_IsString(o))
        row_text(r, o->valuestring, strlen(o->valuestring), s->pair, s->pair ? strlen(s->pair) : 0);
    else if (cJSON_IsObject(o))
        parse_object(s, o, r);
    else
        row_fail(r, "is neither a string nor an object with \"text\" or \"words\"");
    cJSON_Delete(o);
    return !r->error;
}

// --- The file

bool lines_open(line_source *s, const char *path, const char *pair, diag *d) {
    struct stat st;
    bool standard = !strcmp(path, "-");
    *s = (line_source){.name = standard ? "standard input" : path, .pair = pair, .size = -1};
    s->file = standard ? stdin : fopen(path, "rb");
    if (!s->file) return diag_error(d, path, "can't be read: %s", strerror(errno));
    if (fstat(fileno(s->file), &st) == 0) {
        if (S_ISDIR(st.st_mode)) return diag_error(d, path, "is a folder");
        if (S_ISREG(st.st_mode)) s->size = st.st_size;
    }
    s->format = hub_ends_with(path, ".txt") ? LINES_TEXT : LINES_EITHER;
    if (hub_ends_with(path, ".jsonl") || hub_ends_with(path, ".ndjson") || hub_ends_with(path, ".json"))
        s->format = LINES_JSON;
    return true;
}

void lines_close(line_source *s) {
    if (s->file && s->file != stdin) fclose(s->file);
    free(s->buffer);
    *s = (line_source){0};
}

// The next line's bytes are in the buffer, NUL-ended. -1: the end; -2: no memory; -3: too long, and skipped.
static int64_t read_line(line_source *s) {
    size_t n = 0;
    int c;
    bool over = false;
    while ((c = getc_unlocked(s->file)) != EOF && c != '\n') {
        s->bytes++;
        if (over) continue;
        if (n + 2 > s->capacity) {
            size_t more = s->capacity ? 2 * s->capacity : 4096;
            char *grown = memory_grow(s->buffer, more, 1);
            if (!grown) return -2;
            s->buffer = grown;
            s->capacity = more;
        }
        s->buffer[n++] = (char)c;
        over = n > LINE_BYTES_MAX;
    }
    if (c == EOF && !n) return -1;
    s->bytes += c == '\n';
    s->number++;
    if (over) return -3;
    if (!s->capacity) {
        s->buffer = memory_alloc(s->capacity = 4096, 1);
        if (!s->buffer) return -2;
    }
    if (n && s->buffer[n - 1] == '\r') n--;
    s->buffer[n] = 0;
    return (int64_t)n;
}

static bool at_end(line_source *s, int64_t got, diag *d) {
    s->failed = got == -2 || (got == -1 && ferror(s->file));
    if (got == -2) diag_error(d, s->name, "out of memory for line %lld", (long long)s->number + 1);
    if (got == -1 && ferror(s->file)) diag_error(d, s->name, "can't be read: %s", strerror(errno));
    return got == -1 || got == -2;
}

bool lines_next(line_source *s, row *r, diag *d) {
    int64_t n = read_line(s);
    *r = (row){.line = s->number};
    if (at_end(s, n, d)) return false;
    if (n == -3) {
        row_fail(r, "is longer than 64 MiB");
        return true;
    }
    bool mark = s->number == 1 && n >= 3 && !memcmp(s->buffer, "\xef\xbb\xbf", 3);
    const char *line = s->buffer + (mark ? 3 : 0);
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
        if (at_end(s, read_line(s), d)) return false;
    return true;
}

void lines_report(const line_source *s, const row *r, int64_t count, diag *d) {
    char spot[512];
    snprintf(spot, sizeof spot, "%s:%lld", s->name, (long long)r->line);
    if (count <= 50) diag_error(d, spot, "%s", r->error);
}
