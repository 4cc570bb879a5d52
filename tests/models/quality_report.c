#include "quality_report.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    int digits;
    double int8, bf16; // how far from float32
    bool relative;     // a share of float32's value
} measures[MEASURE_COUNT] = {
    [MEASURE_SST2] = {"SST-2", 2, 0.5, 0.2, false},
    [MEASURE_ENTITIES] = {"NER F1", 2, 0.5, 0.2, false},
    [MEASURE_SQUAD] = {"SQuAD F1", 2, 0.5, 0.3, false},
    [MEASURE_SIMILARITY] = {"STS-B", 4, 0.003, 0.001, false},
    [MEASURE_RETRIEVAL] = {"nDCG@10", 2, 0.01, 0.002, true},
    [MEASURE_NEIGHBOURS] = {"same top 10", 1, INFINITY, INFINITY, false},
    [MEASURE_COSINE] = {"worst cosine", 5, 0.005, 0.0005, false},
};

const char *quality_measure_name(quality_measure m) {
    return measures[m].name;
}

double quality_bound(quality_measure m, const char *dtype, double reference) {
    double bound = strcmp(dtype, "bf16") ? measures[m].int8 : measures[m].bf16;
    return measures[m].relative ? bound * reference : bound;
}

double quality_distance(quality_measure m, double value, double reference) {
    return fabs((m == MEASURE_COSINE ? 1 : reference) - value);
}

// --- The table

static void print_value(FILE *out, const quality_form *f, const quality_form *reference, int m) {
    if (!f->has[m]) {
        fputs("  |", out);
        return;
    }
    fprintf(out, " %.*f", measures[m].digits, f->value[m]);
    bool compared = f != reference && m != MEASURE_NEIGHBOURS && m != MEASURE_COSINE;
    if (compared) fprintf(out, " (%+.*f)", measures[m].digits, f->value[m] - reference->value[m]);
    if (f != reference && f->per_second[m] > 0 && reference->per_second[m] > 0)
        fprintf(out, ", %.2f x", f->per_second[m] / reference->per_second[m]);
    fputs(" |", out);
}

void quality_print(FILE *out, const quality_form *forms, int n) {
    fputs("| dtype | level |", out);
    for (int m = 0; m < MEASURE_COUNT; m++) fprintf(out, " %s |", measures[m].name);
    fputs("\n| --- | --- |", out);
    for (int m = 0; m < MEASURE_COUNT; m++) fputs(" --- |", out);
    for (int i = 0; i < n; i++) {
        fprintf(out, "\n| %s%s | %s |", forms[i].dtype, forms[i].calibrate ? ", static" : "", forms[i].level);
        for (int m = 0; m < MEASURE_COUNT; m++) print_value(out, &forms[i], &forms[0], m);
    }
    fputc('\n', out);
    fflush(out);
}

// --- The picture

#define PANEL_WIDTH  230
#define PANEL_HEIGHT 200
#define LEFT         52
#define TOP          34
#define PLOT_WIDTH   160
#define PLOT_HEIGHT  120

static const char *color_of(const char *dtype) {
    if (!strcmp(dtype, "f32")) return "#333333";
    if (!strcmp(dtype, "bf16")) return "#1f6fb4";
    return strcmp(dtype, "int8") ? "#2a8f4d" : "#c0392b";
}

typedef struct axes {
    double x0, low, high,
        fastest; // of the plot, in picture units; values at its foot and top; speed at its right
} axes;

// Room for float32, the line and every form.
static axes axes_of(const quality_form *forms, int n, int m, double x0) {
    double reference = forms[0].value[m], bound = quality_bound((quality_measure)m, "int8", reference);
    axes a = {x0, reference - 1.4 * bound, reference + 0.6 * bound, 1};
    for (int i = 0; i < n; i++) {
        if (!forms[i].has[m]) continue;
        a.low = fmin(a.low, forms[i].value[m] - 0.2 * bound);
        a.high = fmax(a.high, forms[i].value[m] + 0.2 * bound);
        a.fastest = fmax(a.fastest, forms[i].per_second[m]);
    }
    a.fastest *= 1.1;
    return a;
}

static double x_of(const axes *a, double speed) {
    return a->x0 + LEFT + PLOT_WIDTH * speed / a->fastest;
}

static double y_of(const axes *a, double value) {
    return TOP + PLOT_HEIGHT * (a->high - value) / (a->high - a->low);
}

static void draw_line(FILE *out, const axes *a, double value, const char *color, const char *dashes,
                      int digits) {
    double y = y_of(a, value);
    fprintf(out,
            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-dasharray=\"%s\"/>\n"
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" fill=\"%s\">%.*f</text>\n",
            a->x0 + LEFT, a->x0 + LEFT + PLOT_WIDTH, y, y, color, dashes, a->x0 + LEFT - 4, y + 4, color,
            digits, value);
}

static void draw_panel(FILE *out, const quality_form *forms, int n, int m, double x0) {
    axes a = axes_of(forms, n, m, x0);
    double reference = forms[0].value[m];
    fprintf(out, "<text x=\"%.1f\" y=\"20\" font-weight=\"bold\">%s</text>\n", x0 + LEFT, measures[m].name);
    fprintf(out,
            "<rect x=\"%.1f\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#999999\"/>\n"
            "<text x=\"%.1f\" y=\"%d\">0</text><text x=\"%.1f\" y=\"%d\" text-anchor=\"end\">%.4g a "
            "second</text>\n",
            x0 + LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT, x0 + LEFT, TOP + PLOT_HEIGHT + 15,
            x0 + LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT + 15, a.fastest);
    draw_line(out, &a, reference, "#333333", "none", measures[m].digits);
    for (int k = 0; k < 2; k++) {
        const char *dtype = k ? "bf16" : "int8";
        double bound = quality_bound((quality_measure)m, dtype, reference);
        draw_line(out, &a, reference - bound, color_of(dtype), "4 3", measures[m].digits);
    }
    for (int i = 0; i < n; i++) {
        if (!forms[i].has[m]) continue;
        double x = x_of(&a, forms[i].per_second[m]), y = y_of(&a, forms[i].value[m]);
        fprintf(out,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>"
                "<text x=\"%.1f\" y=\"%.1f\" font-size=\"9\">%d</text>\n",
                x, y, color_of(forms[i].dtype), x + 5, y - 3, i + 1);
    }
}

static void draw_legend(FILE *out, const quality_form *forms, int n) {
    double x = LEFT;
    for (int i = 0; i < n; i++) {
        char label[64];
        snprintf(label, sizeof label, "%d: %s%s, %s", i + 1, forms[i].dtype,
                 forms[i].calibrate ? ", static" : "", forms[i].level);
        fprintf(out,
                "<circle cx=\"%.1f\" cy=\"%d\" r=\"4\" fill=\"%s\"/><text x=\"%.1f\" y=\"%d\">%s</text>\n", x,
                PANEL_HEIGHT - 12, color_of(forms[i].dtype), x + 8, PANEL_HEIGHT - 8, label);
        x += 30 + 6.5 * (double)strlen(label);
    }
}

void quality_draw(FILE *out, const quality_form *forms, int n) {
    static const int panels[] = {MEASURE_SST2, MEASURE_ENTITIES, MEASURE_SQUAD, MEASURE_SIMILARITY,
                                 MEASURE_RETRIEVAL};
    enum { PANELS = sizeof panels / sizeof *panels };
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
            "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            PANELS * PANEL_WIDTH, PANEL_HEIGHT);
    for (int k = 0; k < PANELS; k++)
        if (forms[0].has[panels[k]]) draw_panel(out, forms, n, panels[k], k * PANEL_WIDTH);
    draw_legend(out, forms, n);
    fputs("</svg>\n", out);
}
