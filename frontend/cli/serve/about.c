// What the server says of itself: models and limits, health, metrics, and the page that tries models.
#include <string.h>

#include "frontend/cli/serve/page.h"
#include "frontend/cli/serve/routes.h"

static const struct {
    const char *name;
    ability what;
} abilities[] = {{"embed", ABLE_EMBED},
                 {"embed_sparse", ABLE_SPARSE},
                 {"embed_all", ABLE_VECTORS},
                 {"predict", ABLE_LABELS},
                 {"rerank", ABLE_RANK},
                 {"entities", ABLE_ENTITIES},
                 {"answer", ABLE_ANSWER},
                 {"fill_mask", ABLE_FILL_MASK},
                 {"zero_shot", ABLE_ZERO_SHOT},
                 {"attention", ABLE_ATTENTION},
                 {"run", ABLE_TEXT}};

static void write_labels(out *o, const served *m) {
    out_text(o, "{\"id2label\": {");
    for (int i = 0; i < m->info.label_count; i++) {
        out_format(o, "%s\"%d\": ", i ? ", " : "", i);
        out_quoted(o, bertc_label(m->model, i));
    }
    out_text(o, "}, \"label2id\": {");
    for (int i = 0; i < m->info.label_count; i++) {
        out_text(o, i ? ", " : "");
        out_quoted(o, bertc_label(m->model, i) ? bertc_label(m->model, i) : "");
        out_format(o, ": %d", i);
    }
    out_text(o, "}}");
}

static void write_type(out *o, const served *m) {
    bool embeds = served_can(m, ABLE_EMBED) || served_can(m, ABLE_SPARSE) || m->info.vector_width;
    if (embeds) {
        out_format(o, "{\"embedding\": {\"pooling\": \"%s\"}}",
                   served_can(m, ABLE_EMBED) ? "graph" : "splade");
        return;
    }
    out_format(o, "{\"%s\": ",
               served_can(m, ABLE_RANK)        ? "reranker"
               : served_can(m, ABLE_ENTITIES)  ? "entities"
               : served_can(m, ABLE_ANSWER)    ? "question_answering"
               : served_can(m, ABLE_FILL_MASK) ? "masked_lm"
                                               : "classifier");
    write_labels(o, m);
    out_text(o, "}");
}

static void write_abilities(out *o, const served *m) {
    bool any = false;
    out_text(o, "[");
    for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++) {
        if (!served_can(m, abilities[i].what)) continue;
        out_format(o, "%s\"%s\"", any ? ", " : "", abilities[i].name);
        any = true;
    }
    out_text(o, "]");
}

static void write_model(out *o, const served *m) {
    out_text(o, "{\"name\": ");
    out_quoted(o, m->name);
    out_text(o, ", \"dtype\": ");
    out_quoted(o, m->dtype);
    out_format(o, ", \"max_input_length\": %lld, \"embedding_width\": %d, \"outputs\": [",
               (long long)m->info.max_length, m->info.embedding_width);
    for (int i = 0; i < m->info.output_count; i++) {
        out_text(o, i ? ", " : "");
        out_quoted(o, bertc_output_name(m->model, i));
    }
    out_text(o, "], \"answers\": ");
    write_abilities(o, m);
    out_text(o, "}");
}

bool about_info(call *c) {
    const server *s = c->server;
    const server_options *so = &s->options;
    const served *m = c->model;
    out *o = &c->reply;
    out_text(o, "{\"model_id\": ");
    out_quoted(o, m->name);
    out_text(o, ", \"model_sha\": null, \"model_dtype\": ");
    out_quoted(o, m->dtype);
    out_text(o, ", \"model_type\": ");
    write_type(o, m);
    out_format(o,
               ", \"max_concurrent_requests\": %lld, \"max_input_length\": %lld, \"max_batch_tokens\": %lld, "
               "\"max_batch_requests\": ",
               (long long)so->max_concurrent_requests, (long long)m->info.max_length,
               (long long)so->max_batch_tokens);
    if (so->max_batch_requests)
        out_format(o, "%lld", (long long)so->max_batch_requests);
    else
        out_text(o, "null");
    out_format(o,
               ", \"max_client_batch_size\": %lld, \"auto_truncate\": %s, \"tokenization_workers\": 1, "
               "\"version\": ",
               (long long)so->max_client_batch_size, so->auto_truncate ? "true" : "false");
    out_quoted(o, bertc_version());
    out_text(o, ", \"sha\": null, \"docker_label\": null, \"models\": [");
    for (int i = 0; i < s->model_count; i++) {
        if (i) out_text(o, ", ");
        write_model(o, &s->models[i]);
    }
    out_text(o, "]}");
    call_reply(c);
    return false;
}

bool about_health(call *c) {
    c->type = "text/plain";
    call_reply(c);
    return false;
}

bool about_metrics(call *c) {
    metrics_write(&c->server->counts, &c->reply);
    c->type = "text/plain; version=0.0.4; charset=utf-8";
    call_reply(c);
    return false;
}

bool about_models(call *c) {
    out *o = &c->reply;
    out_text(o, "{\"object\": \"list\", \"data\": [");
    for (int i = 0; i < c->server->model_count; i++) {
        out_text(o, i ? ", {\"id\": " : "{\"id\": ");
        out_quoted(o, c->server->models[i].name);
        out_text(o, ", \"object\": \"model\", \"created\": 0, \"owned_by\": \"bertc\"}");
    }
    out_text(o, "]}");
    call_reply(c);
    return false;
}

bool about_page(call *c) {
    bool script = !strcmp(c->route->path, "/page.js"), style = !strcmp(c->route->path, "/page.css");
    const page_file *f = script ? &page_script : style ? &page_style : &page_document;
    out_bytes(&c->reply, (const char *)f->bytes, f->size);
    c->type = script  ? "text/javascript; charset=utf-8"
              : style ? "text/css; charset=utf-8"
                      : "text/html; charset=utf-8";
    call_reply(c);
    return false;
}
