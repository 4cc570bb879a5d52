// What each precision costs in accuracy, and how fast it is: a table, and a picture.
#ifndef BERTC_TESTS_QUALITY_REPORT_H
#define BERTC_TESTS_QUALITY_REPORT_H
#include <stdbool.h>
#include <stdio.h>

typedef enum quality_measure {
    MEASURE_SST2,       // right answers, per cent
    MEASURE_ENTITIES,   // F1 of spans, per cent
    MEASURE_SQUAD,      // F1, per cent
    MEASURE_SIMILARITY, // Spearman's correlation
    MEASURE_RETRIEVAL,  // nDCG@10, per cent
    MEASURE_NEIGHBOURS, // of retrieval: the 10 nearest that float32 has too, per cent
    MEASURE_COSINE,     // of retrieval: to float32's embedding, of the worst text
    MEASURE_COUNT
} quality_measure;

typedef struct quality_form {
    const char *dtype, *level; // "int8", "avx2"; "native"
    const char *calibrate;     // a file; NULL: none
    bool has[MEASURE_COUNT];
    double value[MEASURE_COUNT];
    double per_second[MEASURE_COUNT]; // texts, or questions with their windows, a second of CPU time
} quality_form;

const char *quality_measure_name(quality_measure m);
// How far a value may be from float32's, in its own unit; of neighbours, nothing is asked: infinite.
double quality_bound(quality_measure m, const char *dtype, double reference);
// How far it is: of a cosine, from 1.
double quality_distance(quality_measure m, double value, double reference);
// forms[0] is float32. A table in Markdown.
void quality_print(FILE *out, const quality_form *forms, int n);
// A panel a task: accuracy over speed, a point a form, and the line below which a form would have lost too much.
void quality_draw(FILE *out, const quality_form *forms, int n);

#endif
