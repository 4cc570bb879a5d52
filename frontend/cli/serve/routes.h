// What each path answers. Private to frontend/cli/serve/.
#ifndef BERTC_CLI_ROUTES_H
#define BERTC_CLI_ROUTES_H

#include "frontend/cli/serve/call.h"

// The route of a path, behind a model's name ("/NAME/embed") or not; NULL: there is none. *name and *size: the name, or NULL.
const route *routes_find(const server *s, const char *path, const char **name, size_t *size);
// The route for what the model is made for.
const route *routes_of_task(const served *m);
// Is the word the first part of a route's path, so that no model can be named so?
bool routes_has(const char *word);

// --- embed.c
bool embed_begin(call *c);
void embed_finish(call *c);
bool openai_begin(call *c);
void openai_finish(call *c);
bool sparse_begin(call *c);
void sparse_finish(call *c);
bool all_begin(call *c);
void all_finish(call *c);
bool similarity_begin(call *c);
void similarity_finish(call *c);

// --- label.c
bool predict_begin(call *c);
void predict_finish(call *c);
bool rerank_begin(call *c);
bool documents_begin(call *c);
void rerank_finish(call *c);

// --- lines.c: as `bertc run --json`
bool run_begin(call *c);
bool mask_begin(call *c);
bool question_begin(call *c);
bool zero_shot_call_begin(call *c);
bool summary_begin(call *c);
void lines_finish(call *c);

// --- about.c
bool about_info(call *c);
bool about_health(call *c);
bool about_metrics(call *c);
bool about_models(call *c);
bool about_page(call *c);

// --- look.c: tokens and attention
bool tokenize_begin(call *c);
// The tokens that have a vector, as /tokenize writes them; false: there is an error instead.
bool look_write_vector_tokens(call *c, const job *j);
bool decode_begin(call *c);
bool attention_begin(call *c);
void attention_finish(call *c);

#endif
