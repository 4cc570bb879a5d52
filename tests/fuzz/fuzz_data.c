// links: cli hub ir
// A data set of any bytes, in each form: its examples are read, or named as bad, and the same ones come again by their offsets.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/cli/data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define EXAMPLES 64

static unsigned sum_of(const data_example *e) {
    unsigned sum = 0;
    for (size_t i = 0; i < e->text.size; i++) sum += (unsigned char)e->text.text[i];
    for (size_t i = 0; i < e->text.pair_size; i++) sum += (unsigned char)e->text.pair[i];
    for (size_t i = 0; i < e->text.word_count; i++)
        sum += (unsigned char)e->text.text[e->text.words[i].start];
    for (int i = 0; i < e->answer_count; i++) {
        const data_answer *a = &e->answers[i];
        if (a->byte_start >= 0 && memcmp(a->text, e->text.pair + a->byte_start, a->size)) abort();
        sum += (unsigned)a->size;
    }
    for (int i = 0; i < e->positive_count; i++) sum += (unsigned)strlen(e->positives[i].text);
    for (int i = 0; i < e->negative_count; i++) sum += (unsigned)strlen(e->negatives[i].text);
    for (int i = 0; i < e->number_count; i++) sum += e->numbers[i] > 0;
    return sum + (e->group ? (unsigned)strlen(e->group) : 0);
}

static void use_labels(const data_example *all, int n, bool several, arena *a) {
    data_labels *l = data_labels_new(a);
    const char *why;
    for (int i = 0; i < n; i++)
        if (several) data_labels_note_all(l, &all[i]);
    for (int i = 0; i < n && !several; i++)
        for (int k = 0; k < all[i].label_count; k++) data_labels_note(l, &all[i].labels[k]);
    if (!data_labels_settle(l, &why)) return;
    float *marks = ARENA_ARRAY(a, float, data_labels_count(l));
    for (int i = 0; i < n; i++) {
        if (several) data_labels_mark(l, &all[i], marks, a);
        for (int k = 0; k < all[i].label_count; k++)
            if (!several && data_labels_find(l, &all[i].labels[k]) < 0) abort();
    }
}

static unsigned read_all(data_source *s, data_form form, arena *a, diag *d) {
    static data_example all[EXAMPLES];
    unsigned sum = 0, again = 0;
    int n = 0;
    while (n < EXAMPLES && data_next(s, &all[n], a, d)) sum += sum_of(&all[n++]);
    for (int i = n; i-- > 0;) {
        data_example e;
        if (!data_at(s, all[i].offset, all[i].line, &e, a, d) || e.line != all[i].line) abort();
        if (!e.error != !all[i].error) abort();
        again += sum_of(&e);
    }
    if (sum != again) abort();
    use_labels(all, n, form == DATA_LABELS, a);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static volatile unsigned read_sum; // so that the reads happen
    if (!size) return 0;
    data_form form = (data_form)((uint8_t)(bytes[0] - '0') % (DATA_EMBED + 1)); // '0' is the first
    int fd = memfd_create("data", MFD_CLOEXEC);
    char path[64];
    if (fd < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes + 1, size - 1) != (ssize_t)size - 1) abort();
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    data_source *s = data_open(path, &(data_options){.form = form, .group_by = "group"}, &d);
    if (s) read_sum = read_all(s, form, a, &d);
    (void)read_sum;
    data_close(s);
    diag_free(&d);
    arena_free(a);
    close(fd);
    return 0;
}
