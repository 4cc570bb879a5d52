#include "frontend/cli/forms.h"

#include <math.h>
#include <string.h>

#include "frontend/cli/cli.h"
#include "runtime/json_text.h"

static const char *const names[] = {
    [FORMAT_TEXT] = "text", [FORMAT_JSONL] = "jsonl", [FORMAT_CSV] = "csv",
    [FORMAT_NPY] = "npy",   [FORMAT_NPZ] = "npz",
};
enum { FORMATS = sizeof names / sizeof *names };

const char *format_name(answer_format f) {
    return names[f];
}

bool format_find(const char *word, answer_format *out) {
    *out = FORMAT_UNSAID;
    for (int i = FORMAT_TEXT; word && i < FORMATS; i++)
        if (!strcmp(word, names[i])) return *out = (answer_format)i, true;
    return !word;
}

// --- Options

void form_options_add(option_table *t, form_choice *c, const char *json, bool table) {
    options_add(t, (option_row){"json", 0, OPTION_FLAG, NULL, json, &c->json});
    options_add(t, (option_row){"format", 0, OPTION_TEXT, "FORM",
                                table ? "text (default), jsonl (the same as --json) or csv"
                                      : "text (default) or jsonl (the same as --json)",
                                &c->word});
}

int form_options_check(const option_table *t, form_choice *c, bool table, const char *mode) {
    static const char *const with_table = "text, jsonl or csv", *const without = "text or jsonl";
    answer_format most = table && !mode ? FORMAT_CSV : FORMAT_JSONL;
    if (!format_find(c->word, &c->form))
        return usage_error(t, "--format: '%s' is not one of %s", c->word, table ? with_table : without);
    if (c->form > most && mode && table && c->form == FORMAT_CSV)
        return usage_error(t, "--format %s: %s gives %s", c->word, mode, without);
    if (c->form > most)
        return usage_error(t, "--format %s: this command gives %s", c->word, table ? with_table : without);
    if (c->json && c->form && c->form != FORMAT_JSONL)
        return usage_error(t, "takes --json or --format %s, not both", c->word);
    if (!c->form) c->form = c->json ? FORMAT_JSONL : FORMAT_TEXT;
    c->json = c->form == FORMAT_JSONL;
    return -1;
}

// --- CSV

void csv_field(FILE *out, const char *text, size_t size) {
    bool quoted = false;
    for (size_t i = 0; i < size && !quoted; i++) quoted = text[i] && strchr(",\"\r\n", text[i]);
    if (!quoted) {
        fwrite(text, 1, size, out);
        return;
    }
    putc('"', out);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"') putc('"', out);
        putc(text[i], out);
    }
    putc('"', out);
}

void csv_number(FILE *out, float x) {
    char text[JSON_NUMBER_ROOM];
    if (isfinite(x)) fwrite(text, 1, json_print_float(x, text), out);
}

static void print_value(const cJSON *v) {
    char text[JSON_NUMBER_ROOM];
    if (cJSON_IsString(v)) csv_field(stdout, v->valuestring, strlen(v->valuestring));
    if (cJSON_IsBool(v)) fputs(cJSON_IsTrue(v) ? "true" : "false", stdout);
    if (cJSON_IsNumber(v) && isfinite(v->valuedouble))
        fwrite(text, 1, json_print_double(v->valuedouble, text), stdout);
}

static void print_row(const cJSON *header, const cJSON *row) {
    const cJSON *column;
    cJSON_ArrayForEach(column, header) {
        if (column != header->child) putchar(',');
        if (row)
            print_value(cJSON_GetObjectItemCaseSensitive(row, column->string));
        else
            csv_field(stdout, column->string, strlen(column->string));
    }
    fputs("\r\n", stdout);
}

void form_row(form_choice *c, cJSON *row) {
    if (c->form != FORMAT_CSV) {
        print_json(row);
        return;
    }
    if (!c->first) print_row(row, NULL);
    print_row(c->first ? c->first : row, row);
    if (c->first)
        cJSON_Delete(row);
    else
        c->first = row;
}

void form_end(form_choice *c) {
    cJSON_Delete(c->first);
    c->first = NULL;
}
