// Names in texts:  ner MODEL.so <lines
// Prints a line for each entity: where it stands in its line (bytes), its type, its score and its words.
// cc ner.c $(pkg-config --cflags --libs bertc) -o ner
#include <bertc.h>
#include <stdio.h>
#include <string.h>

static bool say_entities(bertc_session *session, const char *line, bertc_error *error) {
    const bertc_text text = {.text = line, .size = strlen(line)};
    // Texts that are longer than the model takes are read in windows.
    const bertc_text_options options = {BERTC_SIZED(bertc_text_options), .windows = true};
    bertc_result r = BERTC_RESULT_INIT;
    if (!bertc_answer_texts(session, &text, 1, &options, &r, error)) return false;
    for (int i = 0; i < r.entity_count; i++) {
        const bertc_entity *e = &r.entities[i];
        printf("%u-%u\t%s\t%.4f\t%.*s\n", e->byte_start, e->byte_end, e->type, (double)e->score,
               (int)(e->byte_end - e->byte_start), line + e->byte_start);
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: %s MODEL.so <lines\n", argv[0]), 2;
    bertc_error error = {""};
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model *model = bertc_load(argv[1], &error);
    bertc_session *session = model ? bertc_open(model, NULL, &error) : NULL;
    bool ok = session && bertc_model_describe(model, &info, &error);
    if (ok && info.task != BERTC_TASK_ENTITIES) {
        snprintf(error.message, sizeof error.message, "%s: the model finds no entities", argv[1]);
        ok = false;
    }
    char line[8192];
    while (ok && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        ok = say_entities(session, line, &error);
    }
    if (!ok) fprintf(stderr, "%s\n", error.message);
    bertc_close(session);
    bertc_unload(model);
    return ok ? 0 : 1;
}
