// Loading: a file is mapped read-only and checked whole, and only then mapped to run. The weights are not
// read.
#include "runtime/load/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/load/check.h"
#include "runtime/load/checksum.h"
#include "runtime/load/levels.h"
#include "runtime/load/map.h"
#include "runtime/memory.h"
#include "runtime/sized.h"

// The tokenizer's table at `table`, which stays there.
static bool view_tokenizer(tokenizer *t, const bertc_descriptor *d, const void *table, bertc_error *error) {
    if (!d->tokenizer || tokenizer_view(t, table, (size_t)d->tokenizer_bytes, error)) return true;
    return error_prefix(error, "its tokenizer");
}

// The parts of one tensor stand side by side.
static bool read_parameters(bertc_model *m) {
    int n = (int)m->descriptor->parameter_count;
    m->parts = model_rows(m, m->descriptor->parameters, (size_t)n, BERTC_ROW_PARAMETER);
    m->parameter_at = heap_zero((size_t)n + 1, sizeof *m->parameter_at);
    if (!m->parts || !m->parameter_at) return false;
    for (int i = 0; i < n; i++)
        if (!m->parts[i].first) {
            m->parameter_count += !m->parts[i].zeros;
            m->parameter_at[m->tensor_count++] = i;
        }
    m->parameter_at[m->tensor_count] = n;
    return true;
}

static void read_task(bertc_model *m) {
    uint32_t size;
    m->task_table = model_at(m, m->descriptor->task);
    memcpy(&size, m->task_table + offsetof(bertc_task, size), sizeof size);
    struct_read(m->task_table, size, &m->own_task, sizeof m->own_task);
    m->task = &m->own_task;
}

// `d`: as this version has the checked descriptor whose bytes are at `bytes`.
static bool init(bertc_model *m, const bertc_descriptor *d, const void *bytes, const void *weights,
                 bertc_error *error) {
    m->own = *d;
    m->descriptor = d = &m->own;
    m->bytes = bytes;
    m->weights = weights ? weights : d->weights ? model_at(m, d->weights) : NULL;
    m->inputs = model_rows(m, d->inputs, d->input_count, BERTC_ROW_PORT);
    m->outputs = model_rows(m, d->outputs, d->output_count, BERTC_ROW_PORT);
    m->all_variants = model_rows(m, d->variants, d->variant_count, BERTC_ROW_VARIANT);
    if (!m->inputs || !m->outputs || !m->all_variants || !read_parameters(m))
        return error_set(error, "out of memory");
    if (d->task) read_task(m);
    return view_tokenizer(&m->tokenizer, d, model_at(m, d->tokenizer), error) && levels_choose(m, error);
}

static bool load_image(bertc_model *m, const void *bytes, size_t size, int fd, const bertc_load_options *o,
                       bertc_error *error) {
    image im;
    if (!image_read(&im, bytes, size, error)) return false;
    check_source source = {
        .im = &im, .bytes = image_at(&im, im.descriptor, BERTC_DESCRIPTOR_LEAST, 0), .error = error};
    const bertc_descriptor *d = &source.descriptor;
    if (!check_head(&source) || !checksum_file(&im, d, error) || !check_descriptor(&source)) return false;
    if (o->check_weights && !checksum_weights(&im, d, error)) return false;
    tokenizer view;
    mapping map;
    const void *table =
        image_at(&im, im.descriptor + (uint64_t)d->tokenizer, (uint64_t)d->tokenizer_bytes, 0);
    if (!view_tokenizer(&view, d, table, error)) return false;
    if (!map_image(&map, &im, fd, error)) return false;
    m->mapping = map.address;
    m->mapping_bytes = map.bytes;
    return init(m, d, (const void *)(map.bias + im.descriptor), NULL, error);
}

static bool load_file(bertc_model *m, const char *path, const bertc_load_options *o, bertc_error *error) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not hold us up
    if (fd < 0) return error_set(error, "%s", strerror(errno));
    bool ok = false;
    if (fstat(fd, &st) != 0)
        error_set(error, "%s", strerror(errno));
    else if (!S_ISREG(st.st_mode))
        error_set(error, "not a bertc artefact: %s", S_ISDIR(st.st_mode) ? "a folder" : "no file");
    else if (st.st_size == 0)
        error_set(error, "not a bertc artefact: empty");
    else {
        size_t size = (size_t)st.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            error_set(error, "%s", strerror(errno));
        else {
            ok = load_image(m, bytes, size, fd, o, error);
            munmap(bytes, size);
        }
    }
    close(fd);
    return ok;
}

bertc_model *bertc_load(const char *path, bertc_error *error) {
    return bertc_load_with(path, NULL, error);
}

bertc_model *bertc_load_with(const char *path, const bertc_load_options *options, bertc_error *error) {
    bertc_load_options o;
    if (!path) {
        error_set(error, "path is NULL");
        return NULL;
    }
    if (!sized_take(SIZED_bertc_load_options, options, &o, error)) return NULL;
    bertc_model *m = heap_zero(1, sizeof *m);
    if (!m)
        error_set(error, "out of memory");
    else if (load_file(m, path, &o, error))
        return m;
    error_prefix(error, "%s", path);
    bertc_unload(m);
    return NULL;
}

bertc_model *bertc_load_memory(const void *descriptor, const void *weights, bertc_error *error) {
    check_source source = {.bytes = descriptor, .weights_given = weights != NULL, .error = error};
    if (!descriptor || (uintptr_t)descriptor % 8) {
        error_set(error, descriptor ? "descriptor does not start at a multiple of 8" : "descriptor is NULL");
        return NULL;
    }
    bertc_model *m = heap_zero(1, sizeof *m);
    if (!m)
        error_set(error, "out of memory");
    else if ((uintptr_t)weights % 64)
        error_set(error, "the weights do not start at a multiple of 64");
    else if (check_head(&source) && check_descriptor(&source) &&
             init(m, &source.descriptor, descriptor, weights, error))
        return m;
    bertc_unload(m);
    return NULL;
}

void bertc_unload(bertc_model *m) {
    if (!m) return;
    map_free(m->mapping, m->mapping_bytes);
    free(m->inputs);
    free(m->outputs);
    free(m->all_variants);
    free(m->levels);
    free(m->parts);
    free(m->parameter_at);
    free(m);
}

// --- What is in it

const char *bertc_version(void) {
    return BERTC_VERSION;
}

const char *bertc_model_json(const bertc_model *m) {
    if (!m) return NULL;
    return m->descriptor->json ? model_at(m, m->descriptor->json) : "{}";
}

// The width of a task's output; 0: the model's task is another.
static int output_width(const bertc_model *m, bertc_task_kind kind, const char *name) {
    if (!m->task || (m->task->kind != kind && m->task->kind != BERTC_TASK_SEVERAL)) return 0;
    for (uint32_t i = 0; i < m->descriptor->output_count; i++)
        if (!strcmp(model_at(m, m->outputs[i].name), name)) return (int)port_width(&m->outputs[i], 0);
    return 0;
}

static int64_t sparse_width(const bertc_model *m) {
    if (m->task && m->task->kind == BERTC_TASK_SPARSE) return output_width(m, BERTC_TASK_SPARSE, "sparse");
    return output_width(m, BERTC_TASK_SEVERAL, "token_weights") ? m->descriptor->vocab_size : 0;
}

static bertc_model_info info_of(const bertc_model *m) {
    const bertc_descriptor *d = m->descriptor;
    int width = output_width(m, BERTC_TASK_EMBEDDING, "embedding"),
        dimensions = m->task ? (int)m->task->dimensions : 0;
    return (bertc_model_info){.task = m->task ? (int)m->task->kind : BERTC_TASK_TENSORS,
                              .has_tokenizer = d->tokenizer != 0,
                              .label_count = m->task ? (int)m->task->label_count : 0,
                              .output_count = (int)d->output_count,
                              .variant_count = m->variant_count,
                              .prompt_count = m->task ? (int)m->task->prompt_count : 0,
                              .default_prompt = m->task ? (int)m->task->default_prompt - 1 : -1,
                              .max_length = m->max_length,
                              .max_batch = m->max_tokens / m->max_length,
                              .weight_bytes = d->weights_bytes,
                              .isa_names = m->isa_names,
                              .embedding_size = width && dimensions ? dimensions : width,
                              .embedding_width = width,
                              .similarity = m->task ? (int)m->task->similarity : BERTC_SIMILARITY_COSINE,
                              .own_prompt_count = m->task ? (int)m->task->own_prompts : 0,
                              .state_bytes = states_bytes(d),
                              .vector_width = output_width(m, BERTC_TASK_VECTORS, "vectors"),
                              .sparse_width = sparse_width(m)};
}

bool bertc_model_describe(const bertc_model *m, bertc_model_info *info, bertc_error *error) {
    if (!info) return error_set(error, "info is NULL");
    if (!sized_check(SIZED_bertc_model_info, info, error)) return false;
    const bertc_model_info own = m ? info_of(m) : (bertc_model_info){.default_prompt = -1};
    sized_give(SIZED_bertc_model_info, &own, info, 0);
    return m || error_set(error, "model is NULL");
}

const char *bertc_level(const bertc_model *m, int index, int *rank, const char **lack) {
    bool there = m && index >= 0 && index < m->level_count;
    const model_level none = {0}, *l = there ? &m->levels[index] : &none;
    if (rank) *rank = l->rank;
    if (lack) *lack = there && l->lack[0] ? l->lack : NULL;
    return l->name;
}

const char *bertc_label(const bertc_model *m, int index) {
    if (!m || !m->task || index < 0 || (uint32_t)index >= m->task->label_count) return NULL;
    uint64_t at;
    memcpy(&at, m->task_table + m->task->labels + (size_t)index * sizeof at, sizeof at);
    return m->task_table + at;
}

const char *bertc_output_name(const bertc_model *m, int index) {
    return !m || index < 0 || (uint32_t)index >= m->descriptor->output_count
               ? NULL
               : model_at(m, m->outputs[index].name);
}

bool bertc_output_reads_first(const bertc_model *m, int index) {
    return m && index >= 0 && (uint32_t)index < m->descriptor->output_count && m->outputs[index].reads_first;
}

const char *bertc_token_text(const bertc_model *m, int32_t id) {
    return m && m->descriptor->tokenizer ? tokenizer_text(&m->tokenizer, id) : NULL;
}
