// Explanations on a terminal, as lines, and as JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/run/explain.h"
#include "ir/memory.h"

static void print_coloured(const explanation *x, int text) {
    const char *of = explanation_text(x, text);
    size_t size = text ? x->text.pair_size : x->text.size, at = 0;
    double most = explanation_largest(x);
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        double part = w->weight / most;
        if (w->text != text) continue;
        int other = 255 - (int)(155 * (part < 0 ? -part : part));
        fwrite(of + at, 1, w->start - at, stdout);
        printf("\033[30;48;2;%d;%d;%dm", part < 0 ? 255 : other, part < 0 ? other : 255, other);
        fwrite(of + w->start, 1, w->end - w->start, stdout);
        printf("\033[0m");
        at = w->end;
    }
    fwrite(of + at, 1, size - at, stdout);
    putchar('\n');
}

static void print_words(const explanation *x) {
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        printf("%+8.4f  %.*s\n", w->weight, (int)(w->end - w->start),
               explanation_text(x, w->text) + w->start);
    }
}

void explanation_print(const explanation *x) {
    if (x->spanned)
        printf("%.*s%s", (int)(x->span_end - x->span_start),
               explanation_text(x, x->span_text) + x->span_start, *x->label ? ": " : "");
    printf("%s %.4f\n", x->label, x->score);
    if (!shows_colours(1)) {
        print_words(x);
        return;
    }
    print_coloured(x, 0);
    if (x->text.pair) print_coloured(x, 1);
    printf("full colour: %.4f\n", explanation_largest(x));
}

static void add_piece(cJSON *o, const char *name, const char *from, size_t size) {
    char *piece = memory_must(memory_strndup(from, size));
    cJSON_AddStringToObject(o, name, piece);
    free(piece);
}

cJSON *explanation_json(const explanation *x) {
    cJSON *o = cJSON_CreateObject();
    if (*x->label) cJSON_AddStringToObject(o, x->spanned ? "entity_group" : "label", x->label);
    if (x->spanned)
        add_piece(o, *x->label ? "word" : "answer", explanation_text(x, x->span_text) + x->span_start,
                  x->span_end - x->span_start);
    if (x->spanned) cJSON_AddNumberToObject(o, "start", x->char_start);
    if (x->spanned) cJSON_AddNumberToObject(o, "end", x->char_end);
    json_figure(o, "score", x->score);
    cJSON *list = cJSON_AddArrayToObject(o, "words");
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        cJSON *one = cJSON_CreateObject();
        add_piece(one, "word", explanation_text(x, w->text) + w->start, w->end - w->start);
        json_figure(one, "weight", w->weight);
        if (w->text) cJSON_AddNumberToObject(one, "text", 1);
        cJSON_AddItemToArray(list, one);
    }
    return o;
}
