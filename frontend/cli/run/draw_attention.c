// An attention map as SVG. Up to MOST_CELLS words a side each weight is a rectangle that says itself under the mouse; a larger map is an
// image within the SVG, which is a thousandth of the size.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/draw.h"
#include "frontend/cli/run/png.h"
#include "ir/memory.h"

enum { MOST_CELLS = 64, CELL = 18, IMAGE = 1024, LABELS = 120, TITLE = 62, SCALE = 240, TEXT = 12 };

// Where things lie: cells of `cell` pixels, a label for each `every` of them.
typedef struct map_grid {
    double cell;
    int64_t every;
} map_grid;

static map_grid grid_of(int64_t n) {
    double cell = n <= MOST_CELLS ? (double)CELL : fmax((double)IMAGE / (double)n, 2);
    return (map_grid){cell, (int64_t)ceil((double)(TEXT + 1) / cell)};
}

static void draw_label(FILE *f, const attention_map *m, const map_grid *l, int64_t i, bool top) {
    double along = (double)LABELS + ((double)i + 0.5) * l->cell + (double)TEXT / 3,
           y = (double)(TITLE + LABELS - 6);
    if (top)
        fprintf(f, "<text transform=\"translate(%.1f %.1f) rotate(-60)\">", along, y);
    else
        fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LABELS - 6, (double)TITLE + along);
    draw_text(f, m->tokens[i], strlen(m->tokens[i]));
    fputs("</text>\n", f);
}

static void draw_head(FILE *f, const attention_map *m, const map_grid *l) {
    int64_t side = LABELS + (int64_t)((double)m->n * l->cell) + 70;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRId64 "\" height=\"%" PRId64
            "\" font-family=\"sans-serif\" font-size=\"%d\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"8\" y=\"18\" font-weight=\"bold\">layer %" PRId64 ", head %" PRId64 "</text>\n",
            side < SCALE + 140 ? SCALE + 140 : side, side + TITLE, TEXT, m->layer, m->head);
    // The scale of the colours.
    fprintf(f,
            "<defs><linearGradient id=\"weights\"><stop offset=\"0\" stop-color=\"#fff\"/><stop offset=\"1\" "
            "stop-color=\"#10408f\"/></linearGradient></defs>\n"
            "<rect x=\"8\" y=\"28\" width=\"%d\" height=\"10\" fill=\"url(#weights)\" stroke=\"#ddd\"/>\n",
            SCALE);
    for (int k = 0; k <= 4; k++)
        fprintf(f, "<text x=\"%d\" y=\"52\" text-anchor=\"%s\">%.3g</text>\n", 8 + SCALE * k / 4,
                k == 0   ? "start"
                : k == 4 ? "end"
                         : "middle",
                m->largest * k / 4);
    fprintf(
        f,
        "<text x=\"%d\" y=\"38\">weight</text>\n"
        "<text x=\"%d\" y=\"%d\" font-style=\"italic\" text-anchor=\"end\">is looked at \xe2\x86\x92</text>\n"
        "<text x=\"%d\" y=\"%d\" font-style=\"italic\" text-anchor=\"end\">looks \xe2\x86\x93</text>\n",
        SCALE + 16, LABELS - 6, TITLE + LABELS - 26, LABELS - 6, TITLE + LABELS - 8);
}

static void draw_cells(FILE *f, const attention_map *m) {
    for (int64_t i = 0; i < m->n; i++)
        for (int64_t k = 0; k < m->n; k++) {
            double w = (double)m->weights[i * m->n + k];
            fprintf(f,
                    "<rect x=\"%" PRId64 "\" y=\"%" PRId64 "\" width=\"%d\" height=\"%d\" fill=\"#10408f\" "
                    "fill-opacity=\"%.3f\" stroke=\"#ddd\"><title>",
                    LABELS + k * CELL, TITLE + LABELS + i * CELL, CELL, CELL, w / m->largest);
            draw_text(f, m->tokens[i], strlen(m->tokens[i]));
            fputs(" \xe2\x86\x92 ", f);
            draw_text(f, m->tokens[k], strlen(m->tokens[k]));
            fprintf(f, ": %.4f</title></rect>\n", w);
        }
}

// --- A map that is too large for rectangles

static void put_base64(FILE *f, const uint8_t *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t v = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
        const char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                              left > 2 ? digits[v & 63] : '='};
        fwrite(four, 1, sizeof four, f);
    }
}

static uint8_t *image_of(const attention_map *m, size_t *size) {
    static const double full[3] = {0x10, 0x40, 0x8f};
    uint8_t palette[256][3], *pixels = memory_alloc((size_t)m->n, (size_t)m->n), *file;
    if (!pixels) return NULL;
    for (int i = 0; i < 256; i++)
        for (int c = 0; c < 3; c++) palette[i][c] = (uint8_t)lround(255 + (full[c] - 255) * i / 255);
    for (int64_t i = 0; i < m->n * m->n; i++)
        pixels[i] = (uint8_t)lround(255 * fmin(fmax((double)m->weights[i] / m->largest, 0), 1));
    file = png_encode(pixels, (uint32_t)m->n, (uint32_t)m->n, (const uint8_t(*)[3])palette, size);
    free(pixels);
    return file;
}

static bool draw_image(FILE *f, const attention_map *m, const map_grid *l) {
    size_t size = 0;
    uint8_t *image = image_of(m, &size);
    if (!image) return false;
    fprintf(f,
            "<image x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%.1f\" preserveAspectRatio=\"none\" "
            "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,",
            LABELS, TITLE + LABELS, (double)m->n * l->cell, (double)m->n * l->cell);
    put_base64(f, image, size);
    fprintf(f,
            "\"/>\n<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"#ddd\"/>\n",
            LABELS, TITLE + LABELS, (double)m->n * l->cell, (double)m->n * l->cell);
    free(image);
    return true;
}

bool draw_attention(FILE *f, const attention_map *m) {
    map_grid l = grid_of(m->n);
    bool ok = true;
    draw_head(f, m, &l);
    for (int64_t i = 0; i < m->n; i += l.every) {
        draw_label(f, m, &l, i, true);
        draw_label(f, m, &l, i, false);
    }
    if (m->n <= MOST_CELLS)
        draw_cells(f, m);
    else
        ok = draw_image(f, m, &l);
    fputs("</svg>\n", f);
    return ok;
}
