// A file that is one JSON document instead of one object per line: a list of objects, or SQuAD's own form (data, paragraphs, qas). Its
// examples are written to a file without a name, a line each, and read from there.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/data/columns.h"
#include "frontend/cli/data/nameless.h"
#include "frontend/cli/data/record.h"
#include "frontend/hub/files/out.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

#define DOCUMENT_BYTES_MAX (INT64_C(1) << 30) // as it stands in the file; its values take some ten times that

static const cJSON *list_in(const cJSON *object, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsArray(v) ? v : NULL;
}

// A list of objects itself, or one under "data", as pandas and SQuAD write them. NULL: it is something else.
static const cJSON *examples_in(const cJSON *document) {
    const cJSON *list = cJSON_IsArray(document) ? document : list_in(document, "data"), *v;
    cJSON_ArrayForEach(v, list) if (!cJSON_IsObject(v)) return NULL;
    return list;
}

static bool put_line(int fd, const cJSON *example) {
    out line = {0};
    out_json(&line, example);
    out_bytes(&line, "\n", 1);
    if (line.bad) memory_exhausted();
    bool ok = nameless_write(fd, line.text, line.size);
    out_free(&line);
    return ok;
}

// A question with its paragraph's context; other keys are kept.
static bool put_question(int fd, const cJSON *question, const cJSON *context) {
    cJSON *example = cJSON_Duplicate(question, true);
    if (context && !cJSON_HasObjectItem(example, "context"))
        cJSON_AddItemToObject(example, "context", cJSON_Duplicate(context, true));
    bool ok = put_line(fd, example);
    cJSON_Delete(example);
    return ok;
}

static bool put_article(int fd, const cJSON *article) {
    const cJSON *paragraph, *question;
    cJSON_ArrayForEach(paragraph, list_in(article, "paragraphs")) {
        const cJSON *context = cJSON_GetObjectItemCaseSensitive(paragraph, "context");
        cJSON_ArrayForEach(question, list_in(paragraph, "qas")) {
            if (cJSON_IsObject(question) && !put_question(fd, question, context)) return false;
        }
    }
    return true;
}

static bool put_examples(int fd, const cJSON *list) {
    const cJSON *v;
    cJSON_ArrayForEach(v, list) {
        bool nested = list_in(v, "paragraphs") != NULL;
        if (nested ? !put_article(fd, v) : !put_line(fd, v)) return false;
    }
    return true;
}

// The reader goes on in the examples.
static bool read_from(data_source *s, const cJSON *list, diag *d) {
    line_reader *in = &s->reader;
    int fd = nameless_open();
    bool ok = fd >= 0 && put_examples(fd, list);
    off_t size = ok ? lseek(fd, 0, SEEK_CUR) : -1;
    if (size < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        diag_error(d, in->name, "can't be copied to TMPDIR: %s", strerror(errno));
        if (fd >= 0) close(fd);
        return false;
    }
    if (in->fd > STDIN_FILENO) close(in->fd);
    in->fd = fd;
    in->size = size;
    s->held = false;
    s->document = true;
    return line_reader_seek(in, 0, 1, d);
}

// All of the file, ended by NUL; NULL: it can't be read, or is too large for a document.
static char *read_whole(int fd, int64_t size) {
    char *text = size >= 0 && size <= DOCUMENT_BYTES_MAX ? memory_alloc((size_t)size + 1, 1) : NULL;
    int64_t at = 0;
    for (ssize_t n; text && at < size; at += n) {
        n = pread(fd, text + at, (size_t)(size - at), at);
        if (n <= 0) break;
    }
    if (text) text[at] = 0;
    if (!text || at == size) return text;
    free(text);
    return NULL;
}

// Is the first line one object, and none that holds the examples? Then the file has one per line.
static bool is_line(const data_source *s) {
    if (s->size == LINE_OVER) return false;
    const char *line = s->reader.buffer;
    if (!strncmp(line, "\xef\xbb\xbf", 3)) line += 3;
    line += strspn(line, " \t\r");
    if (*line != '{' && *line != '[') return true; // what is wrong with it is said later
    cJSON *v = cJSON_Parse(line);
    bool document = cJSON_IsArray(v) || (cJSON_IsObject(v) && list_in(v, "data"));
    bool object = cJSON_IsObject(v);
    cJSON_Delete(v);
    return object && !document;
}

bool document_open(data_source *s, diag *d) {
    struct line_reader *in = &s->reader;
    if (!s->held) {
        s->size = line_reader_next(in, d);
        s->held = s->size != LINE_END;
    }
    if (in->failed) return false;
    off_t size = s->held && !is_line(s) ? lseek(in->fd, 0, SEEK_END) : -1;
    if (size < 0) return true;
    char *text = read_whole(in->fd, size);
    const char *from = text && !strncmp(text, "\xef\xbb\xbf", 3) ? text + 3 : text;
    cJSON *document = from ? cJSON_ParseWithLengthOpts(from, strlen(from) + 1, NULL, true) : NULL;
    free(text);
    const cJSON *list = examples_in(document);
    bool ok = document
                  ? list || diag_error(d, in->name,
                                       "is one JSON document: a line per example is wanted (JSON lines), "
                                       "or a list of objects, or SQuAD's form")
                  : true; // lines, of which the first is bad
    if (ok && list)
        ok = read_from(s, list, d);
    else if (ok)
        ok = line_reader_seek(in, 0, 1, d), s->held = false;
    cJSON_Delete(document);
    return ok;
}
