// links: cli hub ir
// The parts of `bertc train` that need no model and write no file: learning rates, the order of examples, what a run comes to, rates by
// tensor.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/tensor_rates.h"
#include "frontend/cli/train/chance.h"
#include "frontend/cli/train/order.h"
#include "frontend/cli/train/plan.h"
#include "frontend/cli/train/rates.h"
#include "frontend/cli/train/report.h"
#include "main.h"

// --- Rates: what torch.optim.lr_scheduler.LambdaLR gives with the lambdas of Transformers' optimization.py

START_TEST(rates) {
    rate_rule s = {RATE_LINEAR, 1e-4, 0, 50};
    ck_assert_double_eq(rate_at(&s, 1), 1e-4);
    ck_assert_double_eq_tol(rate_at(&s, 2), 9.8e-5, 1e-18);
    ck_assert_double_eq_tol(rate_at(&s, 50), 2e-6, 1e-18);
    ck_assert_double_eq(rate_at(&s, 51), 0);
    s = (rate_rule){RATE_LINEAR, 1.0, 4, 10};
    const double linear[] = {0, 0.25, 0.5, 0.75, 1, 5.0 / 6, 4.0 / 6, 3.0 / 6, 2.0 / 6, 1.0 / 6};
    for (int i = 0; i < 10; i++) ck_assert_double_eq_tol(rate_at(&s, i + 1), linear[i], 1e-15);
    s.kind = RATE_COSINE;
    const double cosine[] = {0, 0.25, 0.5, 0.75, 1, 0.9330127018922194, 0.75, 0.5, 0.25, 0.0669872981077806};
    for (int i = 0; i < 10; i++) ck_assert_double_eq_tol(rate_at(&s, i + 1), cosine[i], 1e-15);
    s.kind = RATE_CONSTANT;
    ck_assert_double_eq(rate_at(&s, 2), 0.25);
    ck_assert_double_eq(rate_at(&s, 9), 1);
    s = (rate_rule){RATE_LINEAR, 1.0, 10, 10}; // nothing is left behind the warm-up
    ck_assert_double_eq_tol(rate_at(&s, 10), 0.9, 1e-15);
    ck_assert_int_eq(rate_warmup(0, 0.1, 11), 2);
    ck_assert_int_eq(rate_warmup(7, 0.1, 11), 7);
    rate_kind kind;
    ck_assert(rate_find("cosine", &kind) && kind == RATE_COSINE);
    ck_assert(!rate_find("Linear", &kind));
}
END_TEST

// --- Order

static int32_t *some_lengths(int64_t n) {
    int32_t *v = calloc((size_t)n, sizeof *v);
    for (int64_t i = 0; i < n; i++)
        v[i] = 3 + (int32_t)chance_below(chance_bits(9, CHANCE_CUT, 0, (uint64_t)i), 60);
    return v;
}

// Tokens of batch b.
static int64_t tokens_of(const order *o, const int32_t *lengths, int64_t b) {
    int64_t sum = 0;
    for (int64_t i = o->bounds[b]; i < o->bounds[b + 1]; i++) sum += lengths[o->examples[i]];
    return sum;
}

// Every example once, in batches that the rule allows.
static void check_order(const order *o, const order_rule *rule, const int32_t *lengths, int64_t n) {
    char *seen = calloc((size_t)n, 1);
    int64_t short_ones = 0;
    ck_assert_int_eq(o->bounds[0], 0);
    ck_assert_int_eq(o->bounds[o->batches], n);
    for (int64_t b = 0; b < o->batches; b++) {
        int64_t size = o->bounds[b + 1] - o->bounds[b];
        ck_assert_int_ge(size, 1);
        if (rule->tokens)
            ck_assert(size == 1 || tokens_of(o, lengths, b) <= rule->tokens);
        else
            ck_assert_int_le(size, rule->examples);
        short_ones += !rule->tokens && size < rule->examples;
        for (int64_t i = o->bounds[b]; i < o->bounds[b + 1]; i++) ck_assert(!seen[o->examples[i]]++);
    }
    ck_assert_int_le(short_ones, 1);
    free(seen);
}

// How far the lengths of a batch lie apart, in the mean.
static double spread(const order *o, const int32_t *lengths) {
    double sum = 0;
    for (int64_t b = 0; b < o->batches; b++) {
        int32_t least = INT32_MAX, most = 0;
        for (int64_t i = o->bounds[b]; i < o->bounds[b + 1]; i++) {
            int32_t v = lengths[o->examples[i]];
            least = v < least ? v : least;
            most = v > most ? v : most;
        }
        sum += most - least;
    }
    return sum / (double)o->batches;
}

START_TEST(orders) {
    static const order_rule rules[] = {{true, 42, 8, 0},  {true, 42, 1, 0},   {true, 7, 32, 300},
                                       {false, 42, 8, 0}, {false, 1, 8, 200}, {true, 3, 8, 1}};
    static const int64_t counts[] = {1, 7, 8, 399, 400, 401, 2203};
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            order o, again, other;
            int64_t n = counts[c];
            int32_t *lengths = some_lengths(n);
            order_make(&o, &rules[r], lengths, n, 3);
            order_make(&again, &rules[r], lengths, n, 3);
            order_make(&other, &rules[r], lengths, n, 4);
            check_order(&o, &rules[r], lengths, n);
            size_t bytes = (size_t)n * sizeof *o.examples;
            ck_assert_int_eq(o.batches, again.batches);
            ck_assert_mem_eq(o.examples, again.examples, bytes);
            if (n > 10) ck_assert_int_eq(memcmp(o.examples, other.examples, bytes) != 0, rules[r].shuffle);
            if (!rules[r].shuffle)
                for (int64_t i = 0; i < n; i++) ck_assert_int_eq((int64_t)o.examples[i], i);
            order_free(&o);
            order_free(&again);
            order_free(&other);
            free(lengths);
        }
}
END_TEST

START_TEST(like_lengths) {
    int64_t n = 4000;
    int32_t *lengths = some_lengths(n);
    order sorted, plain;
    order_make(&sorted, &(order_rule){true, 42, 8, 0}, lengths, n, 0);
    order_make(&plain, &(order_rule){false, 42, 8, 0}, lengths, n, 0);
    ck_assert_double_lt(spread(&sorted, lengths), 0.1 * spread(&plain, lengths));
    // Long and short batches come mixed: the first window does not fall in length from its start to its end.
    int falls = 0;
    for (int64_t b = 0; b + 1 < ORDER_WINDOW; b++)
        falls += tokens_of(&sorted, lengths, b) >= tokens_of(&sorted, lengths, b + 1);
    ck_assert_int_lt(falls, 40);
    order_free(&sorted);
    order_free(&plain);
    free(lengths);
}
END_TEST

START_TEST(chances) {
    int counts[10] = {0};
    double sum = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        counts[chance_below(chance_bits(1, CHANCE_MASK, 5, i), 10)]++;
        sum += chance_share(chance_bits(1, CHANCE_CHANGE, 5, i));
    }
    for (int i = 0; i < 10; i++) ck_assert_int_lt(abs(counts[i] - 10000), 500);
    ck_assert_double_eq_tol(sum / 100000, 0.5, 0.01);
    ck_assert_uint_ne(chance_bits(1, CHANCE_MASK, 0, 1), chance_bits(1, CHANCE_MASK, 1, 0));
}
END_TEST

// --- What a run comes to

static int64_t steps_taken(const order_rule *rule, const int32_t *lengths, int64_t n, int64_t accumulation,
                           int64_t epochs, int64_t *largest) {
    int64_t steps = 0;
    *largest = 0;
    for (int64_t e = 0; e < epochs; e++) {
        order o;
        order_make(&o, rule, lengths, n, e);
        steps += (o.batches + accumulation - 1) / accumulation;
        for (int64_t b = 0; b < o.batches; b++) {
            int64_t tokens = tokens_of(&o, lengths, b);
            *largest = tokens > *largest ? tokens : *largest;
        }
        order_free(&o);
    }
    return steps;
}

START_TEST(plans) {
    static const order_rule rules[] = {
        {true, 42, 8, 0}, {true, 7, 8, 300}, {false, 42, 5, 0}, {true, 1, 8, 1}};
    int64_t n = 1003, largest;
    int32_t *lengths = some_lengths(n);
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        for (int64_t accumulation = 1; accumulation <= 3; accumulation++) {
            train_plan p = plan_of(&rules[r], lengths, n, accumulation, 3, 0, 1);
            ck_assert_int_eq(p.steps, steps_taken(&rules[r], lengths, n, accumulation, 3, &largest));
            ck_assert_int_ge(p.tokens, largest);
            ck_assert_int_eq(plan_of(&rules[r], lengths, n, accumulation, 3, 17, 1).steps, 17);
        }
    // As transformers' Trainer: ceil(epochs x steps of an epoch).
    ck_assert_int_eq(plan_of(&rules[0], lengths, n, 1, 0.5, 0, 1).steps, 63);
    ck_assert_int_eq(plan_of(&rules[0], lengths, n, 1, 1.01, 0, 1).steps, 128);
    ck_assert_int_eq(plan_of(&rules[0], lengths, n, 1, 1e-6, 0, 1).steps, 1);
    free(lengths);
}
END_TEST

// The shares of all processes are the batch, in its order, and none is larger than the plan says.
START_TEST(shares) {
    static const order_rule rules[] = {
        {true, 42, 8, 0}, {true, 7, 8, 300}, {false, 42, 3, 0}, {true, 1, 8, 1}};
    int64_t n = 1003;
    int32_t *lengths = some_lengths(n);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (int processes = 1; processes <= 5; processes++) {
            order_rule rule = rules[i];
            rule.examples *= processes;
            rule.tokens *= processes;
            int64_t most = plan_of(&rule, lengths, n, 1, 1, 0, processes).tokens;
            order o;
            order_make(&o, &rule, lengths, n, 0);
            for (int64_t b = 0; b < o.batches; b++) {
                const uint32_t *at = order_batch(&o, b).examples;
                for (int r = 0; r < processes; r++) {
                    order_part part = order_share(&o, &rule, lengths, b, r, processes);
                    int64_t tokens = 0;
                    ck_assert(part.examples == at && part.count >= 0);
                    for (int64_t k = 0; k < part.count; k++) tokens += lengths[part.examples[k]];
                    ck_assert_int_le(tokens, most);
                    if (!rule.tokens) ck_assert_int_le(part.count, rules[i].examples);
                    at += part.count;
                }
                ck_assert(at == order_batch(&o, b).examples + order_batch(&o, b).count);
            }
            order_free(&o);
        }
    free(lengths);
}
END_TEST

START_TEST(times) {
    char buf[24];
    ck_assert_str_eq(time_text(0, buf), "0:00");
    ck_assert_str_eq(time_text(65.9, buf), "1:05");
    ck_assert_str_eq(time_text(3723, buf), "1:02:03");
    ck_assert_str_eq(time_text(-1, buf), "0:00");
}
END_TEST

// --- Rates by tensor

static bool freezes(const char *list, const char *name) {
    return tensor_rate(&(tensor_rates){.frozen = list, .decay = 1}, name) == 0;
}

START_TEST(frozen) {
    static const char *const layer3 = "bert.encoder.layer.3.attention.self.query.weight";
    ck_assert(freezes("layer.3", layer3) && freezes("a,layer.0-3", layer3) &&
              freezes("layer.3.attention", layer3));
    ck_assert(freezes("encoder", layer3) && freezes("bert", layer3) && freezes("query.weight", layer3));
    ck_assert(!freezes("layer.0-2", layer3) && !freezes("layer.4", layer3) && !freezes("lay", layer3));
    ck_assert(!freezes("layer.3.output", layer3) && !freezes(NULL, layer3) && !freezes("", layer3));
    ck_assert(!freezes("weight.x", layer3) && freezes("layer.0-1", "model.layers.1.mlp.Wi.weight"));
    ck_assert(!freezes("layer.1", "bert.encoder.layer.11.output.dense.bias"));
    tensor_rates r = {"embeddings", 0.5, 4};
    ck_assert_double_eq(tensor_rate(&r, layer3), 0.25);
    ck_assert_double_eq(tensor_rate(&r, "bert.encoder.layer.0.output.dense.bias"), 1.0 / 32);
    ck_assert_double_eq(tensor_rate(&r, "classifier.weight"), 1);
    ck_assert_double_eq(tensor_rate(&r, "bert.embeddings.LayerNorm.weight"), 0);
    r.frozen = NULL;
    ck_assert_double_eq(tensor_rate(&r, "bert.embeddings.LayerNorm.weight"), 1.0 / 64);
    r.decay = 1;
    ck_assert_double_eq(tensor_rate(&r, layer3), 1);
    // A word that names nothing is told.
    diag d;
    diag_init(&d);
    r = (tensor_rates){.frozen = "layer.3,layer.7", .decay = 1};
    tensor_rate(&r, layer3);
    ck_assert(!tensor_rates_check(&r, &d) && strstr(d.items[0].text, "'layer.7' names no parameter"));
    r = (tensor_rates){.frozen = "", .decay = 1};
    ck_assert(!tensor_rates_check(&r, &d));
    diag_free(&d);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train_parts");
    TCase *c = tcase_create("train_parts");
    tcase_add_test(c, rates);
    tcase_add_test(c, orders);
    tcase_add_test(c, like_lengths);
    tcase_add_test(c, chances);
    tcase_add_test(c, plans);
    tcase_add_test(c, shares);
    tcase_add_test(c, times);
    tcase_add_test(c, frozen);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
