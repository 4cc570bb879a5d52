// Explanations as a page of HTML: each word in the colour of its weight, its number below it, and a scale.
#include <math.h>
#include <string.h>

#include "frontend/cli/run/draw.h"

double explanation_largest(const explanation *x) {
    double most = 1e-9;
    for (size_t i = 0; i < x->count; i++) most = fmax(most, fabs(x->words[i].weight));
    return most;
}

const char *explanation_text(const explanation *x, int text) {
    return text ? x->text.pair : x->text.text;
}

void draw_explanation_start(FILE *f) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>bertc run "
          "--explain</title>\n"
          "<style>\n:root{color-scheme:light dark;--for:0,150,60;--against:220,40,40}\n"
          "body{font:18px/1.4 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}\n"
          "p{white-space:pre-wrap;line-height:2.6}\n"
          "ruby{border-radius:3px;padding:2px 0;margin:0 3px;ruby-position:under}\n"
          "rt{font-size:11px;opacity:.75;font-variant-numeric:tabular-nums}\n"
          "u{text-decoration:none;outline:2px solid currentColor;outline-offset:3px;border-radius:3px}\n"
          ".scale{height:12px;width:288px;border-radius:3px;background:linear-gradient(to "
          "right,rgba(var(--against),.85),"
          "rgba(var(--against),0) 50%,rgba(var(--for),0) 50%,rgba(var(--for),.85))}\n"
          ".ends{display:flex;justify-content:space-between;width:288px;font-size:13px}\n"
          "</style></head><body>\n"
          "<p style=\"line-height:1.4;font-size:15px\">Each word was hidden in turn. Its number is the score "
          "less the score without "
          "the word. Green: the word is for the answer. Red: against it. A frame: the answer.</p>\n",
          f);
}

static void draw_scale(FILE *f, double most) {
    fprintf(f,
            "<div class=\"scale\"></div><div "
            "class=\"ends\"><span>%+.4f</span><span>0</span><span>%+.4f</span></div>\n",
            -most, most);
}

static bool in_span(const explanation *x, const word_weight *w) {
    return x->spanned && w->text == x->span_text && w->start >= x->span_start && w->end <= x->span_end;
}

// A word with its number below it.
static void draw_word(FILE *f, const explanation *x, const word_weight *w, double most) {
    fprintf(f, "<ruby style=\"background:rgba(var(--%s),%.3f)\">", w->weight > 0 ? "for" : "against",
            0.85 * fabs(w->weight) / most);
    draw_text(f, explanation_text(x, w->text) + w->start, w->end - w->start);
    fprintf(f, fabs(w->weight) < 0.0005 ? "<rt>0</rt></ruby>" : "<rt>%+.3f</rt></ruby>", w->weight);
}

static void draw_part(FILE *f, const explanation *x, int text) {
    const char *bytes = explanation_text(x, text);
    size_t size = text ? x->text.pair_size : x->text.size, at = 0;
    double most = explanation_largest(x);
    bool framed = false;
    fputs("<p>", f);
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        if (w->text != text) continue;
        bool in = in_span(x, w);
        if (framed && !in) fputs("</u>", f);
        draw_text(f, bytes + at, w->start - at);
        if (in && !framed) fputs("<u>", f);
        framed = in;
        draw_word(f, x, w, most);
        at = w->end;
    }
    if (framed) fputs("</u>", f);
    draw_text(f, bytes + at, size - at);
    fputs("</p>\n", f);
}

void draw_explanation(FILE *f, const explanation *x) {
    fputs("<h3>", f);
    if (x->spanned)
        draw_text(f, explanation_text(x, x->span_text) + x->span_start, x->span_end - x->span_start);
    if (x->spanned && *x->label) fputs(": ", f);
    draw_text(f, x->label, strlen(x->label));
    fprintf(f, " %.4f</h3>\n", x->score);
    draw_scale(f, explanation_largest(x));
    draw_part(f, x, 0);
    if (x->text.pair) draw_part(f, x, 1);
}

void draw_explanation_end(FILE *f) {
    fputs("</body></html>\n", f);
}
