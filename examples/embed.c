// The texts that are most alike:  embed MODEL.so TEXT TEXT...
// Embeds all texts with one call, [n, width], and prints the cosine of each pair, the largest first.
// cc embed.c $(pkg-config --cflags --libs bertc) -lm -o embed
#include <bertc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct twin {
    int a, b;
    double cosine;
} twin;

static int better(const void *a, const void *b) {
    const twin *x = a, *y = b;
    return (x->cosine < y->cosine) - (x->cosine > y->cosine);
}

static double cosine_of(const float *x, const float *y, int64_t width) {
    double xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < width; i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static void say_twins(const float *rows, int64_t width, char **texts, int n) {
    twin *twins = malloc((size_t)n * (size_t)n * sizeof *twins);
    size_t count = 0;
    for (int a = 0; twins && a < n; a++)
        for (int b = a + 1; b < n; b++)
            twins[count++] = (twin){a, b, cosine_of(rows + a * width, rows + b * width, width)};
    if (count) qsort(twins, count, sizeof *twins, better);
    for (size_t i = 0; i < count; i++)
        printf("%.4f\t%s\t%s\n", twins[i].cosine, texts[twins[i].a], texts[twins[i].b]);
    free(twins);
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: %s MODEL.so TEXT TEXT...\n", argv[0]), 2;
    int n = argc - 2;
    bertc_error error = {"out of memory"};
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model *model = bertc_load(argv[1], &error);
    bertc_session *session = model ? bertc_open(model, NULL, &error) : NULL;
    bool ok = session && bertc_model_describe(model, &info, &error);
    int64_t width = info.embedding_size; // 0: the model gives none, and the call says so
    bertc_text *texts = calloc((size_t)n, sizeof *texts);
    float *rows = calloc((size_t)n * (size_t)width + 1, sizeof *rows);
    for (int i = 0; texts && i < n; i++)
        texts[i] = (bertc_text){.text = argv[i + 2], .size = strlen(argv[i + 2])};
    ok = ok && texts && rows && bertc_embed_texts(session, texts, (size_t)n, NULL, rows, width, &error);
    if (ok)
        say_twins(rows, width, argv + 2, n);
    else
        fprintf(stderr, "%s\n", error.message);
    free(rows);
    free(texts);
    bertc_close(session);
    bertc_unload(model);
    return ok ? 0 : 1;
}
