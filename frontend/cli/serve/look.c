// Tokens of texts, and whom each token looks at.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/serve/inputs.h"
#include "frontend/cli/serve/routes.h"

// Behind a token's text, its place in characters.
static void write_token(out *o, const call *c, const bertc_text *text, const bertc_token *t) {
    const char *of = t->text == 1 ? text->pair : text->text;
    bool special = t->text < 0;
    out_format(o, "{\"id\": %d, \"text\": ", t->id);
    if (special)
        out_quoted(o, bertc_token_text(c->model->model, t->id));
    else
        out_string(o, of + t->byte_start, t->byte_end - t->byte_start);
    if (special)
        out_text(o, ", \"special\": true, \"start\": null, \"stop\": null}");
    else
        out_format(o, ", \"special\": false, \"start\": %u, \"stop\": %u}", t->char_start, t->char_end);
}

static bool write_tokens(call *c, const bertc_text *text, const bertc_text_options *how, bool special) {
    const bertc_token *tokens;
    bertc_error e;
    size_t n;
    bool any = false;
    if (!bertc_tokenize_with(c->model->reader, text, how, &tokens, &n, &e))
        return call_fail(c, 422, FAILURE_TOKENIZATION, "Tokenizer", "Tokenizer error: %s", e.message);
    if (!c->work.left && !c->work.done) c->tokens += (int64_t)n; // else the engine's are counted
    out_text(&c->reply, "[");
    for (size_t i = 0; i < n; i++) {
        if (!special && tokens[i].text < 0) continue;
        if (any) out_text(&c->reply, ", ");
        write_token(&c->reply, c, text, &tokens[i]);
        any = true;
    }
    out_text(&c->reply, "]");
    return true;
}

bool tokenize_begin(call *c) {
    cJSON *inputs = cJSON_GetObjectItemCaseSensitive(c->json, "inputs");
    bool special = true, plain = true, ok = true;
    if (!inputs_read_lines(c, inputs, "inputs") ||
        !settings_flag(c, c->json, "add_special_tokens", &special) ||
        !settings_flag(c, c->json, "plain_text", &plain))
        return false;
    bertc_text_options how = {BERTC_SIZED(bertc_text_options), .plain_text = plain};
    pthread_mutex_lock(&c->model->reading);
    out_text(&c->reply, "[");
    for (int i = 0; ok && i < c->work.count; i++) {
        if (i) out_text(&c->reply, ", ");
        ok = write_tokens(c, &c->work.jobs[i].text, &how, special);
    }
    pthread_mutex_unlock(&c->model->reading);
    if (!ok) return false;
    out_text(&c->reply, "]");
    call_reply(c);
    return false;
}

// --- Attention

bool attention_begin(call *c) {
    char name[48];
    c->work.options.plain_text = true;
    if (!inputs_read_lines(c, cJSON_GetObjectItemCaseSensitive(c->json, "inputs"), "inputs") ||
        !settings_read(c, c->json, "inputs layer head", true) ||
        !settings_int(c, c->json, "layer", 0, INT32_MAX, &c->layer) ||
        !settings_int(c, c->json, "head", 0, INT32_MAX, &c->head))
        return false;
    if (!c->single) return call_wrong(c, "`inputs` must be one text");
    snprintf(name, sizeof name, "attentions.%lld", (long long)c->layer);
    c->work.output = served_output(c->model, name);
    if (c->work.output < 0)
        return call_wrong(c, "`layer` is %lld, and the model does not give that layer's attention",
                          (long long)c->layer);
    return inputs_count(c, true);
}

void attention_finish(call *c) {
    const job *j = &c->work.jobs[0];
    int64_t n = j->tokens, heads = j->width ? j->rows / n : 0;
    bertc_text_options how = c->work.options;
    if (c->head >= heads) {
        call_wrong(c, "`head` is %lld: there are heads 0 to %lld", (long long)c->head, (long long)heads - 1);
        return;
    }
    how.max_tokens = c->model->info.max_length;
    out_format(&c->reply,
               "{\"layer\": %lld, \"head\": %lld, \"heads\": %lld, \"tokens\": ", (long long)c->layer,
               (long long)c->head, (long long)heads);
    pthread_mutex_lock(&c->model->reading);
    bool ok = write_tokens(c, &j->text, &how, true);
    pthread_mutex_unlock(&c->model->reading);
    if (!ok) return;
    out_text(&c->reply, ", \"attention\": [");
    for (int64_t i = 0; i < n; i++) {
        if (i) out_text(&c->reply, ", ");
        out_floats(&c->reply, j->numbers + (c->head * n + i) * n, (size_t)n);
    }
    out_text(&c->reply, "]}");
}
