// Says what a compiled classifier makes of a text:  classify sentiment.so "This movie was amazing!"
// cc classify.c $(pkg-config --cflags --libs bertc) -o classify
#include <bertc.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: %s MODEL.so TEXT\n", argv[0]), 2;
    bertc_error error = {""};
    bertc_model *model = bertc_load(argv[1], &error);
    bertc_session *session = model ? bertc_open(model, NULL, &error) : NULL;
    bertc_text text = {.text = argv[2], .size = strlen(argv[2])};
    bertc_result result = BERTC_RESULT_INIT;
    bool ok = session && bertc_answer_texts(session, &text, 1, NULL, &result, &error);
    if (ok && result.score_count)
        printf("%s %.4f\n", result.scores[0].label, (double)result.scores[0].score);
    else
        fprintf(stderr, "%s\n", ok ? "not a classifier" : error.message);
    bertc_close(session);
    bertc_unload(model);
    return ok ? 0 : 1;
}
