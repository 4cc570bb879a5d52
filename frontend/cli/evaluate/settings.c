#include "frontend/cli/evaluate/evaluate.h"

#include <math.h>

void evaluate_defaults(evaluate_options *o) {
    *o = (evaluate_options){.threshold = 0.5,
                            .null_difference = NAN,
                            .read = {.stride = -1, .truncation = BERTC_TRUNCATE_LONGEST_FIRST}};
}

bertc_text_options evaluate_text_options(const evaluation *v) {
    const evaluate_options *o = v->options;
    bertc_text_options to = {BERTC_SIZED(bertc_text_options),
                             .max_answer_tokens = o->max_answer ? (int)o->max_answer : 30,
                             .answer_as_tokens = true, .no_answer = o->no_answer,
                             // "None" and the best span.
                             .top_k = v->kind == EVALUATE_ANSWER && o->no_answer ? 2 : 0};
    reading_apply(&o->read, v->windows, &to);
    return to;
}

int evaluate_threads(const evaluate_options *o) {
    return o->threads ? (int)o->threads : bertc_cpu_count();
}
