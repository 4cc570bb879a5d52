#include "runtime/load/levels.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/memory.h"

#if defined(__x86_64__)
#define X86 1
#else
#define X86 0
#endif

// "avx512, avx2" to `out`: all, or those that run here.
static void list_names(const bertc_model *m, bool all, const char *between, char *out, size_t size) {
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < m->level_count && at < size; i++)
        if (all || !m->levels[i].lack[0])
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? between : "", m->levels[i].name);
}

static bool none_runs(const bertc_model *m, const char *asked, bertc_error *error) {
    const model_level *found = &m->levels[m->level_count - 1];
    char names[256];
    if (!asked)
        return error_set(error, "it needs the CPU feature %s%s", found->lack,
                         X86 && found->rank > 0 && !strstr(found->lack, "does not know")
                             ? " (bertc compile --mcpu generic makes float32 code for any x86-64 CPU)"
                             : "");
    for (int i = 0; i < m->level_count; i++)
        if (!strcmp(m->levels[i].name, asked))
            return error_set(error, "BERTC_ISA=%.64s: it needs the CPU feature %s", asked, m->levels[i].lack);
    list_names(m, true, ", ", names, sizeof names);
    return error_set(error, "BERTC_ISA=%.64s: it has code for %s", asked, names);
}

// The variants of one level stand together; `first` is the first of them.
static void add_level(bertc_model *m, const bertc_variant *first, const bertc_cpu *cpu, const char *asked) {
    model_level *l = &m->levels[m->level_count++];
    *l = (model_level){.name = model_at(m, first->isa), .rank = (int)first->rank};
    if (bertc_cpu_lack(cpu, first->features, l->lack, sizeof l->lack)) return;
    if (asked && strcmp(asked, l->name))
        snprintf(l->lack, sizeof l->lack, "BERTC_ISA asks for %.64s", asked);
    else if (!m->variants)
        m->variants = first;
}

static bool choose(bertc_model *m, const bertc_cpu *cpu, const char *asked, bertc_error *error) {
    const bertc_variant *all = m->all_variants, *end = all + m->descriptor->variant_count;
    for (const bertc_variant *v = all; v < end; v++)
        if (v == all || v->rank != v[-1].rank) add_level(m, v, cpu, asked);
    if (!m->variants) return none_runs(m, asked, error);
    for (const bertc_variant *v = m->variants; v < end && v->rank == m->variants->rank; v++) {
        m->variant_count++;
        if (v->length > m->max_length) m->max_length = v->length;
        if (v->tokens > m->max_tokens) m->max_tokens = v->tokens;
    }
    list_names(m, false, ",", m->isa_names, sizeof m->isa_names);
    return true;
}

bool levels_choose_on(bertc_model *m, const bertc_cpu *cpu, const char *asked, bertc_error *error) {
    free(m->levels);
    m->variants = NULL;
    m->level_count = m->variant_count = 0;
    m->max_length = m->max_tokens = 0;
    m->levels = heap_zero(m->descriptor->variant_count, sizeof *m->levels);
    return m->levels ? choose(m, cpu, asked, error) : error_set(error, "out of memory");
}

bool levels_choose(bertc_model *m, bertc_error *error) {
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < m->descriptor->variant_count; i++) wanted |= m->all_variants[i].features;
    const bertc_cpu cpu = bertc_cpu_read(wanted);
    const char *asked = secure_getenv("BERTC_ISA");
    return levels_choose_on(m, &cpu, asked && *asked ? asked : NULL, error);
}
