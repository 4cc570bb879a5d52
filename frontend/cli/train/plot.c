#include "frontend/cli/train/plot.h"

#include <math.h>
#include <stdbool.h>

enum { WIDTH = 720, HEIGHT = 360, LEFT = 64, RIGHT = 16, TOP = 40, BOTTOM = 44 };

// Two points each become one; the last one alone stays.
static void halve(plot *p) {
    for (int i = 0; i < p->count / 2; i++) {
        plot_point a = p->points[2 * i], b = p->points[2 * i + 1];
        p->points[i] = (plot_point){(a.step + b.step) / 2, (a.loss + b.loss) / 2};
    }
    p->count /= 2;
    p->piece *= 2;
}

void plot_step(plot *p, int64_t step, double loss) {
    if (!isfinite(loss)) return;
    if (!p->piece) p->piece = 1;
    if (p->steps % p->piece == 0) {
        if (p->count == PLOT_POINTS) halve(p);
        p->points[p->count++] = (plot_point){(double)step, loss};
        p->last = 1;
    } else {
        plot_point *at = &p->points[p->count - 1];
        double n = (double)++p->last;
        at->step += ((double)step - at->step) / n;
        at->loss += (loss - at->loss) / n;
    }
    p->steps++;
}

void plot_epoch(plot *p, int64_t step, double loss) {
    if (!isfinite(loss)) return;
    if (p->epochs == PLOT_EPOCHS) {
        for (int i = 0; i < PLOT_EPOCHS / 2; i++) p->dev[i] = p->dev[2 * i + 1];
        p->epochs = PLOT_EPOCHS / 2;
    }
    p->dev[p->epochs++] = (plot_point){(double)step, loss};
}

// --- Axes

typedef struct axis {
    double from, to, tick;
} axis;

static double axis_at(const axis *a, double v) {
    return (v - a->from) / (a->to - a->from);
}

// 1, 2 or 5 times a power of ten, so that some five of them span the range.
static double tick_of(double span) {
    double power = pow(10, floor(log10(span / 5))), parts = span / 5 / power;
    return power * (parts <= 1 ? 1 : parts <= 2 ? 2 : parts <= 5 ? 5 : 10);
}

static axis axis_of(double from, double to) {
    if (!(to > from)) to = from + 1;
    axis a = {.tick = tick_of(to - from)};
    a.from = floor(from / a.tick) * a.tick;
    a.to = ceil(to / a.tick) * a.tick;
    return a;
}

// Losses from 0, so that half as much looks like half as much; steps from 0.
static void axes_of(const plot *p, axis *x, axis *y) {
    double steps = 1, losses = 0;
    for (int i = 0; i < p->count; i++) {
        steps = fmax(steps, p->points[i].step);
        losses = fmax(losses, p->points[i].loss);
    }
    for (int i = 0; i < p->epochs; i++) {
        steps = fmax(steps, p->dev[i].step);
        losses = fmax(losses, p->dev[i].loss);
    }
    *x = axis_of(0, steps);
    *y = axis_of(0, losses > 0 ? losses : 1);
}

static double place_x(const axis *x, double v) {
    return (double)LEFT + axis_at(x, v) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const axis *y, double v) {
    return HEIGHT - BOTTOM - axis_at(y, v) * (HEIGHT - TOP - BOTTOM);
}

static void draw_grid(FILE *f, const axis *x, const axis *y) {
    for (int i = 0; y->from + i * y->tick <= y->to * 1.0001; i++) {
        double v = y->from + i * y->tick, at = place_y(y, v);
        fprintf(f,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
                LEFT, WIDTH - RIGHT, at, at, LEFT - 6, at + 4, v);
    }
    for (int i = 0; x->from + i * x->tick <= x->to * 1.0001; i++) {
        double v = x->from + i * x->tick;
        fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.10g</text>\n", place_x(x, v),
                HEIGHT - BOTTOM + 18, v);
    }
    fprintf(f,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n"
            "<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"#555\"/>\n",
            (WIDTH + LEFT - RIGHT) / 2, HEIGHT - 8, LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, HEIGHT - BOTTOM);
}

// A line through the points; smoothed: each is the mean of those so far, the newer the more (a fortieth of them counts).
static void draw_line(FILE *f, const plot *p, const axis *x, const axis *y, bool smooth) {
    double mean = 0, weight = 0, keep = p->count > 80 ? 1 - 40.0 / p->count : 0.5;
    fprintf(f,
            "<polyline fill=\"none\" stroke=\"#10408f\" stroke-opacity=\"%s\" stroke-width=\"%s\" points=\"",
            smooth ? "1" : "0.3", smooth ? "2" : "1");
    for (int i = 0; i < p->count; i++) {
        weight = smooth ? keep * weight + 1 : 1;
        mean += (p->points[i].loss - mean) / weight;
        fprintf(f, "%s%.1f,%.1f", i ? " " : "", place_x(x, p->points[i].step), place_y(y, mean));
    }
    fputs("\"/>\n", f);
}

static void draw_dev(FILE *f, const plot *p, const axis *x, const axis *y) {
    fputs("<polyline fill=\"none\" stroke=\"#c33\" stroke-width=\"2\" points=\"", f);
    for (int i = 0; i < p->epochs; i++)
        fprintf(f, "%s%.1f,%.1f", i ? " " : "", place_x(x, p->dev[i].step), place_y(y, p->dev[i].loss));
    fputs("\"/>\n", f);
    for (int i = 0; i < p->epochs; i++)
        fprintf(
            f,
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#c33\"><title>step %.0f: %.6g</title></circle>\n",
            place_x(x, p->dev[i].step), place_y(y, p->dev[i].loss), p->dev[i].step, p->dev[i].loss);
}

void plot_draw(const plot *p, FILE *f) {
    axis x, y;
    axes_of(p, &x, &y);
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"%d\" y=\"20\" fill=\"#10408f\">training loss</text>\n",
            WIDTH, HEIGHT, LEFT);
    if (p->epochs) fprintf(f, "<text x=\"%d\" y=\"20\" fill=\"#c33\">dev loss</text>\n", LEFT + 110);
    draw_grid(f, &x, &y);
    if (p->count) {
        draw_line(f, p, &x, &y, false);
        draw_line(f, p, &x, &y, true);
    }
    if (p->epochs) draw_dev(f, p, &x, &y);
    fputs("</svg>\n", f);
}
