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
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>bertc run "
        "--explain</title>\n"
        "<style>\n:root{color-scheme:light dark;--for:0,150,60;--against:220,40,40}\n"
        "body{font:18px/1.4 sans-serif;max-width:48em;margin:2em auto;padding:0 1em}\n"
        "p{white-space:pre-wrap}\n"
        ".word,u{display:inline-flex;margin:2px}\n"
        ".word{flex-direction:column;align-items:center}\n"
        ".word b{font-weight:inherit;border-radius:3px;padding:1px 2px}\n"
        ".word small{font-size:11px;opacity:.75;font-variant-numeric:tabular-nums}\n"
        "u{text-decoration:none;flex-wrap:wrap;border:2px solid currentColor;border-radius:5px}\n"
        ".scale{height:12px;width:288px;border-radius:3px;background:linear-gradient(to "
        "right,rgba(var(--against),.85),"
        "rgba(var(--against),0) 50%,rgba(var(--for),0) 50%,rgba(var(--for),.85))}\n"
        ".ends{display:flex;justify-content:space-between;width:288px;font-size:13px}\n"
        "</style></head><body>\n"
        "<p style=\"font-size:15px\">Each word was hidden in turn. Its number says how much the score falls "
        "without it. Green words raise the score, red words lower it. A frame marks the answer.</p>\n",
        f);
}

// Digits behind the point: three, or as many as give the largest weight two.
static int decimals(double most) {
    int n = 1 - (int)floor(log10(most));
    return n < 3 ? 3 : n > 9 ? 9 : n;
}

static void draw_scale(FILE *f, double most) {
    int n = decimals(most) + 1;
    fprintf(f,
            "<div class=\"scale\"></div><div "
            "class=\"ends\"><span>%+.*f</span><span>0</span><span>%+.*f</span></div>\n",
            n, -most, n, most);
}

static bool in_span(const explanation *x, const word_weight *w) {
    return x->spanned && w->text == x->span_text && w->start >= x->span_start && w->end <= x->span_end;
}

// A word with its number below it.
static void draw_word(FILE *f, const explanation *x, const word_weight *w, double most) {
    int n = decimals(most);
    fprintf(f, "<span class=\"word\"><b style=\"background:rgba(var(--%s),%.3f)\">",
            w->weight > 0 ? "for" : "against", 0.85 * fabs(w->weight) / most);
    draw_text(f, explanation_text(x, w->text) + w->start, w->end - w->start);
    if (fabs(w->weight) < 0.5 * pow(10, -n))
        fputs("</b><small>0</small></span>", f);
    else
        fprintf(f, "</b><small>%+.*f</small></span>", n, w->weight);
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
