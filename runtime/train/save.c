// What training changes as a safetensors file, written tensor by tensor beside the file that it replaces.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/session/parameters.h"
#include "runtime/train/train.h"

// --- The header: JSON, filled up with blanks to a multiple of 8

typedef struct text {
    char *data;
    size_t size, room;
    bool failed;
} text;

static void put(text *t, const char *bytes, size_t n) {
    if (t->failed || n == 0) return;
    if (t->size + n > t->room) {
        size_t room = 2 * t->room + n + 256;
        char *data = heap_grow(t->data, room, 1);
        if (!data) {
            t->failed = true;
            return;
        }
        t->data = data;
        t->room = room;
    }
    memcpy(t->data + t->size, bytes, n);
    t->size += n;
}

static void put_text(text *t, const char *s) {
    put(t, s, strlen(s));
}

static void put_string(text *t, const char *s) {
    char code[8];
    put_text(t, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') put_text(t, "\\");
        if ((unsigned char)*s >= ' ') {
            put(t, s, 1);
            continue;
        }
        snprintf(code, sizeof code, "\\u%04x", (unsigned)*s);
        put_text(t, code);
    }
    put_text(t, "\"");
}

static void put_tensor(text *t, const bertc_train_tensor *x, int64_t at) {
    char number[64];
    put_string(t, x->name);
    put_text(t, ":{\"dtype\":\"F32\",\"shape\":[");
    for (int i = 0; i < x->rank; i++) {
        snprintf(number, sizeof number, "%s%" PRId64, i ? "," : "", x->shape[i]);
        put_text(t, number);
    }
    snprintf(number, sizeof number, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", at,
             at + x->count * (int64_t)sizeof(float));
    put_text(t, number);
}

static bool make_header(const bertc_model *m, bertc_tensor_kind kind, text *t) {
    static const char blanks[8] = "        ";
    int64_t at = 0;
    put_text(t, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int i = 0; i < m->tensor_count; i++) {
        if (tensor_kind(m, i) != kind) continue;
        const bertc_train_tensor x = tensor_describe(m, i);
        put_text(t, ",");
        put_tensor(t, &x, at);
        at += x.count * (int64_t)sizeof(float);
    }
    put_text(t, "}");
    put(t, blanks, (8 - t->size % 8) % 8);
    return !t->failed;
}

// --- The file

static bool write_all(int fd, const void *data, size_t size) {
    for (const char *from = data; size;) {
        ssize_t n = write(fd, from, size < 1 << 30 ? size : 1 << 30);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        from += n;
        size -= (size_t)n;
    }
    return true;
}

static bool write_header(int fd, const text *t) {
    unsigned char size[8];
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)t->size >> 8 * i);
    return write_all(fd, size, sizeof size) && write_all(fd, t->data, t->size);
}

static int64_t largest_tensor(const bertc_model *m, bertc_tensor_kind kind) {
    int64_t most = 0;
    for (int i = 0; i < m->tensor_count; i++) {
        int64_t count = tensor_kind(m, i) == kind ? tensor_describe(m, i).count : 0;
        if (count > most) most = count;
    }
    return most;
}

// Little-endian, as every machine that bertc compiles for.
static bool write_tensors(bertc_session *s, int fd, bertc_tensor_kind kind, float *buffer) {
    const bertc_model *m = s->model;
    for (int i = 0; i < m->tensor_count; i++) {
        if (tensor_kind(m, i) != kind) continue;
        parameter_copy(s, i, buffer, NULL);
        if (!write_all(fd, buffer, (size_t)tensor_describe(m, i).count * sizeof *buffer)) return false;
    }
    return true;
}

static bool write_file(bertc_session *s, const char *part, const char *path, bertc_tensor_kind kind,
                       const text *header, float *buffer, bertc_error *error) {
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return error_set(error, "%s: %s", part, strerror(errno));
    bool ok = write_header(fd, header) && write_tensors(s, fd, kind, buffer) && fsync(fd) == 0;
    int cause = errno;
    if (close(fd) != 0 && ok) ok = false, cause = errno;
    if (ok && rename(part, path) != 0) ok = false, cause = errno;
    if (ok) return true;
    unlink(part);
    return error_set(error, "%s: %s", path, strerror(cause));
}

static bool save(bertc_session *s, const char *path, bertc_tensor_kind kind, bertc_error *error) {
    text header = {0};
    char *part = heap_alloc(strlen(path) + 32, 1);
    int64_t most = largest_tensor(s->model, kind);
    float *buffer = heap_alloc((size_t)most, sizeof *buffer);
    bool ok = part && buffer && make_header(s->model, kind, &header);
    if (ok) snprintf(part, strlen(path) + 32, "%s.%ld.part", path, (long)getpid());
    ok = ok ? write_file(s, part, path, kind, &header, buffer, error) : error_set(error, "out of memory");
    free(part);
    free(buffer);
    free(header.data);
    return ok;
}

bool bertc_trainer_save(bertc_trainer *t, const char *path, bertc_tensor_kind kind, bertc_error *error) {
    if (!t) return error_set(error, "trainer is NULL");
    if (!path) return error_set(error, "path is NULL");
    if ((int)kind < 0 || kind > BERTC_TENSOR_OPTIMIZER) return error_set(error, "kind %d is none", (int)kind);
    if (!largest_tensor(t->session->model, kind))
        return error_set(error, "the model has no tensors of kind %d", (int)kind);
    if (!session_enter(t->session, error)) return false;
    bool ok = save(t->session, path, kind, error);
    session_leave(t->session);
    return ok;
}
