// The losses of a run as an SVG file that needs no other file: each step's loss, a smoothed line through them, and the dev set's
// loss at each epoch.
#ifndef BERTC_CLI_PLOT_H
#define BERTC_CLI_PLOT_H

#include <stdint.h>
#include <stdio.h>

// A longer run is drawn by the means of so many pieces at most, at least half as many.
#define PLOT_POINTS 800
#define PLOT_EPOCHS 512

typedef struct plot_point {
    double step, loss;
} plot_point;

typedef struct plot {
    int64_t steps;     // seen so far
    int64_t piece;     // steps of a point; 0 is read as 1
    int64_t last;      // steps of the last point so far
    int count, epochs; // points, dev points
    plot_point points[PLOT_POINTS], dev[PLOT_EPOCHS];
} plot;

// Adds a step, in ascending order. A loss that is not finite is left out.
void plot_step(plot *p, int64_t step, double loss);
// Beyond PLOT_EPOCHS, every second one is forgotten.
void plot_epoch(plot *p, int64_t step, double loss);
void plot_draw(const plot *p, FILE *f);

#endif
