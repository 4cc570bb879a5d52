#include "frontend/cli/run/format.h"

#include <string.h>
#include <sys/stat.h>

#include "frontend/hub/files/text.h"

#define ENDINGS ".jsonl (.ndjson, .json), .csv, .txt, .npy, .npz"

answer_format format_of_path(const char *path) {
    static const struct {
        const char *ending;
        answer_format format;
    } known[] = {{".jsonl", FORMAT_JSONL}, {".ndjson", FORMAT_JSONL}, {".json", FORMAT_JSONL},
                 {".csv", FORMAT_CSV},     {".txt", FORMAT_TEXT},     {".npy", FORMAT_NPY},
                 {".npz", FORMAT_NPZ}};
    for (size_t i = 0; path && i < sizeof known / sizeof *known; i++)
        if (hub_ends_with(path, known[i].ending)) return known[i].format;
    return FORMAT_UNSAID;
}

bool format_grows(answer_format f) {
    return f == FORMAT_JSONL || f == FORMAT_NPY;
}

bool format_is_text(answer_format f) {
    return f == FORMAT_TEXT || f == FORMAT_JSONL || f == FORMAT_CSV;
}

void format_options_add(option_table *t, run_options *o) {
    options_add(
        t, (option_row){"json", 0, OPTION_FLAG, NULL, "one JSON object per text: --format jsonl", &o->json});
    options_add(t, (option_row){"format", 0, OPTION_TEXT, "FORM",
                                "text, jsonl, csv, npy or npz (default: by the ending of -o; without -o "
                                "text, and jsonl for --input)",
                                &o->format_word});
}

// The option that says what is done, where its answers are no rows of a table; NULL: they are.
static const char *mode_without_rows(const run_options *o) {
    return o->attention.count ? "--attention"
           : o->explain       ? "--explain"
           : o->summarize     ? "--summarize"
                              : NULL;
}

// The same, where they are rows, but no arrays.
static const char *mode_without_arrays(const run_options *o) {
    return o->similar ? "--similar" : o->search ? "--search" : o->rank ? "--rank" : NULL;
}

int format_options_check(const option_table *t, run_options *o) {
    const char *mode = mode_without_rows(o);
    if (!format_find(o->format_word, &o->said))
        return usage_error(t, "--format: '%s' is not one of text, jsonl, csv, npy or npz", o->format_word);
    if (o->json && o->said && o->said != FORMAT_JSONL)
        return usage_error(t, "takes --json or --format %s, not both", o->format_word);
    bool rows = o->input || o->words;
    answer_format ending = rows ? format_of_path(o->output) : FORMAT_UNSAID;
    if (o->json && !o->said && ending && ending != FORMAT_JSONL)
        return usage_error(t, "--json and -o %s are two forms: --format says which", o->output);
    if (o->json) o->said = FORMAT_JSONL;
    if (o->tensors && o->said) return usage_error(t, "--tensors writes safetensors: no --format");
    if (o->output && mode && o->said)
        return usage_error(t, "-o of %s is %s: no --format", mode, o->explain ? "HTML" : "an SVG");
    if (mode && o->said > FORMAT_JSONL)
        return usage_error(t, "--format %s: %s gives text or jsonl", o->format_word, mode);
    bool array = o->said == FORMAT_NPY || o->said == FORMAT_NPZ;
    if (array && mode_without_arrays(o))
        return usage_error(t, "--format %s: %s gives text, jsonl or csv", o->format_word,
                           mode_without_arrays(o));
    if (array && (!rows || !o->output) && !o->merge)
        return usage_error(t, "--format %s goes with -o, and with TEXT or --input", o->format_word);
    o->json = o->said == FORMAT_JSONL;
    return -1;
}

bool format_choose(run_options *o, diag *d) {
    struct stat st;
    o->format = o->said;
    if (!o->input && !o->words) return true; // -o is of another kind then
    if (!o->format && o->output) o->format = format_of_path(o->output);
    if (!o->format && (!o->output || (stat(o->output, &st) == 0 && !S_ISREG(st.st_mode))))
        o->format = FORMAT_JSONL;
    return o->format ||
           diag_error(d, o->output,
                      "has an ending that says no form: " ENDINGS " do; --format FORM says it for any name");
}
