#include "frontend/cli/run/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/run/nul.h"
#include "frontend/hub/files/text.h"

#include "ir/memory.h"

#define BLOCK_BYTES (64 << 10)

static const char no_memory[] = "out of memory"; // not even for a copy of why

void row_free(row *r) {
    free(r->bytes);
    free(r->words);
    if (r->error != no_memory) free((void *)(uintptr_t)r->error);
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
    cJSON_Delete(o);
    nul_close(&nul);
    return !r->error;
}

// --- The file

bool lines_open(line_source *s, const char *path, const char *pair, diag *d) {
    struct stat st;
    bool standard = !strcmp(path, "-");
    *s = (line_source){.name = standard ? "standard input" : path, .pair = pair, .size = -1};
    s->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) return diag_error(d, path, "can't be read: %s", strerror(errno));
    if (fstat(s->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return diag_error(d, path, "is a folder");
        if (S_ISREG(st.st_mode)) s->size = st.st_size;
    }
    s->format = hub_ends_with(path, ".txt") ? LINES_TEXT : LINES_EITHER;
    if (hub_ends_with(path, ".jsonl") || hub_ends_with(path, ".ndjson") || hub_ends_with(path, ".json"))
        s->format = LINES_JSON;
    s->block = memory_alloc(BLOCK_BYTES, 1);
    return s->block || diag_error(d, path, "out of memory");
}

void lines_close(line_source *s) {
    if (s->name && s->fd > STDIN_FILENO) close(s->fd);
    free(s->block);
    free(s->buffer);
    *s = (line_source){.fd = -1};
}

// Reads on where the block is used up; false at the end, on an error, or where `wait` is false and nothing has
// come yet.
static bool fill(line_source *s, bool wait) {
    if (s->at < s->end) return true;
    if (s->ended) return false;
    struct pollfd input = {.fd = s->fd, .events = POLLIN};
    if (!wait && poll(&input, 1, 0) <= 0) return false;
    ssize_t got;
    do got = read(s->fd, s->block, BLOCK_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0) s->error = errno;
    s->ended = got <= 0;
    s->at = 0;
    s->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

// Room for `n` bytes of a line and a NUL.
static bool reserve(line_source *s, size_t n) {
    if (n < s->capacity) return true;
    size_t more = s->capacity ? s->capacity : 4096;
    while (more <= n) more *= 2;
    char *grown = memory_grow(s->buffer, more, 1);
    if (!grown) return false;
    s->buffer = grown;
    s->capacity = more;
    return true;
}

// Brings the line forward to its end, or to the end of what there is. False where memory ran out.
static bool read_on(line_source *s, bool wait) {
    while (!s->whole && fill(s, wait)) {
        const char *from = s->block + s->at, *end = memchr(from, '\n', s->end - s->at);
        size_t part = end ? (size_t)(end - from) : s->end - s->at;
        s->over |= s->held + part > LINE_BYTES_MAX;
        if (!s->over && !reserve(s, s->held + part)) return false;
        if (!s->over) memcpy(s->buffer + s->held, from, part);
        if (!s->over) s->held += part;
        s->begun = true;
        s->whole = end != NULL;
        s->at += part + s->whole;
        s->bytes += (int64_t)(part + s->whole);
    }
    return true;
}

bool lines_ready(line_source *s) {
    if (s->size >= 0) return true;
    return !read_on(s, false) || s->whole || s->ended;
}

// The next line's bytes are in the buffer, NUL-ended. -1: the end; -2: no memory; -3: too long, and skipped.
static int64_t read_line(line_source *s) {
    if (!read_on(s, true)) return -2;
    if (!s->begun || s->error) return -1;
    bool over = s->over;
    size_t n = s->held;
    s->held = 0;
    s->begun = s->whole = s->over = false;
    s->number++;
    if (over) return -3;
    if (!reserve(s, n)) return -2;
    if (n && s->buffer[n - 1] == '\r') n--;
    s->buffer[n] = 0;
    return (int64_t)n;
}

static bool at_end(line_source *s, int64_t got, diag *d) {
    s->failed = got == -2 || (got == -1 && s->error);
    if (got == -2) diag_error(d, s->name, "out of memory for line %lld", (long long)s->number + 1);
    if (got == -1 && s->error) diag_error(d, s->name, "can't be read: %s", strerror(s->error));
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
