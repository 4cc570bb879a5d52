#include "frontend/cli/run/draw.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "frontend/hub/files/text.h"

// Length of the UTF-8 character at s, 0: it is none, or one that XML can't hold.
static size_t character(const unsigned char *s, size_t left) {
    if (s[0] < 0x20 && s[0] != '\t' && s[0] != '\n' && s[0] != '\r') return 0;
    return left >= 3 && s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe ? 0 : hub_utf8_length(s, left);
}

// A piece of text as XML and HTML want it.
static void draw_text(FILE *f, const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        size_t n = character((const unsigned char *)text + i, size - i);
        char c = text[i];
        if (!n)
            fputs("\xef\xbf\xbd", f);
        else if (c == '<')
            fputs("&lt;", f);
        else if (c == '>')
            fputs("&gt;", f);
        else if (c == '&')
            fputs("&amp;", f);
        else if (c == '"')
            fputs("&quot;", f);
        else
            fwrite(text + i, 1, n, f);
        i += n ? n : 1;
    }
}

// --- Attention

enum { CELL = 18, LABELS = 110, TITLE = 24 };

static void axis(FILE *f, const attention_map *m, int64_t i, bool top) {
    int64_t along = LABELS + i * CELL + 13, y = TITLE + (top ? LABELS - 4 : along);
    if (top)
        fprintf(f, "<text transform=\"translate(%" PRId64 " %" PRId64 ") rotate(-60)\">", along, y);
    else
        fprintf(f, "<text x=\"%d\" y=\"%" PRId64 "\" text-anchor=\"end\">", LABELS - 4, y);
    draw_text(f, m->tokens[i], strlen(m->tokens[i]));
    fputs("</text>\n", f);
}

void draw_attention(FILE *f, const attention_map *m) {
    int64_t side = LABELS + m->n * CELL + 60;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRId64 "\" height=\"%" PRId64
            "\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"8\" y=\"16\" font-weight=\"bold\">layer %" PRId64 ", head %" PRId64
            ": a row looks at its columns</text>\n",
            side, side + TITLE, m->layer, m->head);
    for (int64_t i = 0; i < m->n; i++) {
        axis(f, m, i, true);
        axis(f, m, i, false);
    }
    for (int64_t i = 0; i < m->n; i++)
        for (int64_t k = 0; k < m->n; k++) {
            double w = (double)m->weights[i * m->n + k];
            fprintf(f,
                    "<rect x=\"%" PRId64 "\" y=\"%" PRId64 "\" width=\"%d\" height=\"%d\" fill=\"#10408f\" "
                    "fill-opacity=\"%.3f\" stroke=\"#ddd\"><title>",
                    LABELS + k * CELL, TITLE + LABELS + i * CELL, CELL, CELL, w);
            draw_text(f, m->tokens[i], strlen(m->tokens[i]));
            fputs(" \xe2\x86\x92 ", f);
            draw_text(f, m->tokens[k], strlen(m->tokens[k]));
            fprintf(f, ": %.4f</title></rect>\n", w);
        }
    fputs("</svg>\n", f);
}

// --- Explanations

double explanation_largest(const explanation *x) {
    double most = 1e-9;
    for (size_t i = 0; i < x->count; i++) most = fmax(most, fabs(x->words[i].weight));
    return most;
}

void draw_explanation_start(FILE *f) {
    fputs(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>bertc run --explain</title>\n"
        "<style>body{font:18px/1.7 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}\n"
        "p{white-space:pre-wrap}span{border-radius:3px;padding:2px 0}small{color:#555}</style></head><body>\n"
        "<p><small>Each word was hidden in turn. Green: without it the label's score is lower. Red: higher."
        "</small></p>\n",
        f);
}

static void draw_part(FILE *f, const explanation *x, int text) {
    const char *bytes = text ? x->text.pair : x->text.text;
    size_t size = text ? x->text.pair_size : x->text.size, at = 0;
    double most = explanation_largest(x);
    fputs("<p>", f);
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        if (w->text != text) continue;
        draw_text(f, bytes + at, w->start - at);
        fprintf(f, "<span style=\"background:rgba(%s,%.3f)\" title=\"%+.4f\">",
                w->weight > 0 ? "0,150,60" : "220,40,40", 0.85 * fabs(w->weight) / most, w->weight);
        draw_text(f, bytes + w->start, w->end - w->start);
        fputs("</span>", f);
        at = w->end;
    }
    draw_text(f, bytes + at, size - at);
    fputs("</p>\n", f);
}

void draw_explanation(FILE *f, const explanation *x) {
    fputs("<h3>", f);
    draw_text(f, x->label, strlen(x->label));
    fprintf(f, " %.4f</h3>\n", x->score);
    draw_part(f, x, 0);
    if (x->text.pair) draw_part(f, x, 1);
}

void draw_explanation_end(FILE *f) {
    fputs("</body></html>\n", f);
}
