#include "frontend/cli/evaluate/evaluate.h"

#include <math.h>

void evaluate_defaults(evaluate_options *o) {
    *o = (evaluate_options){
        .stride = -1, .threshold = 0.5, .null_difference = NAN, .truncation = BERTC_TRUNCATE_LONGEST_FIRST};
}

bertc_text_options evaluate_text_options(const evaluation *v) {
    const evaluate_options *o = v->options;
    return (bertc_text_options){
        BERTC_SIZED(bertc_text_options), .truncation = o->truncation, .truncation_side = o->side,
        .plain_text = o->plain_text, .max_answer_tokens = o->max_answer ? (int)o->max_answer : 30,
        .answer_as_tokens = true, .no_answer = o->no_answer,
        // "None" and the best span.
        .top_k = v->kind == EVALUATE_ANSWER && o->no_answer ? 2 : 0, .max_tokens = o->max_tokens,
        .prompt_name = o->prompt_name, .prompt = o->prompt, .windows = v->windows,
        .stride = o->stride > 0 ? (int)o->stride
                  : o->stride   ? 0
                                : -1};
}

int evaluate_threads(const evaluate_options *o) {
    return o->threads ? (int)o->threads : bertc_cpu_count();
}
