// links: hub ir
// How long texts may be. max_position_embeddings ends them only where there is a table of positions: a model with rotary
// positions, or with distances alone, takes longer ones where they are asked for, with the same numbers.
#include "folder.h"

static const struct {
    const char *model;
    bool ends;
} models[] = {
    {"nomic-bert-model", false},       {"modernbert-model", false}, {"modernbert-yarn", false},
    {"eurobert-model", false},         {"deberta-v2-model", false}, {"bert-base-model", true},
    {"bert-relative-key-query", true}, {"roformer-model", true},
};

static void open_case(const char *model, const char *old, const char *with) {
    char path[300];
    snprintf(path, sizeof(path), "%s/config.json", model);
    char *text = case_text(path), *changed = old ? replaced(text, old, with) : strdup(text);
    write_text("config.json", changed);
    free(changed);
    free(text);
    snprintf(path, sizeof(path), "%s/model.safetensors", model);
    unlink(in_folder("model.safetensors"));
    link_case(path, "model.safetensors");
}

START_TEST(longer) {
    SKIP_WITHOUT(models[_i].model);
    open_case(models[_i].model, NULL, NULL);
    opened own = open_model((hub_options){0}), x = open_model((hub_options){.longest = 2000});
    ck_assert(own.ok && x.ok);
    ck_assert_int_lt(own.m.position_count, 200);
    ck_assert_int_eq(x.m.position_count, models[_i].ends ? own.m.position_count : 2000);
    ck_assert_int_eq(says(&x, "texts of up to 2000 tokens go beyond what it is made for"), !models[_i].ends);
    const tensor *a = all_evaluated(&own), *b = all_evaluated(&x);
    ck_assert(!memcmp(a[0].data, b[0].data, 4 * (size_t)(a[0].shape[0] * a[0].shape[1])));
    close_model(&x);
    x = open_model((hub_options){.longest = 7}); // fewer than there are
    ck_assert(x.ok && x.m.position_count == own.m.position_count);
    close_model(&x);
    close_model(&own);
}
END_TEST

// Positions beyond the config's number are what they are under a config with more.
START_TEST(beyond) {
    open_case("modernbert-model", NULL, NULL);
    opened own = open_model((hub_options){0});
    const tensor *a = all_evaluated(&own);
    open_case("modernbert-model", "\"max_position_embeddings\": 128", "\"max_position_embeddings\": 2");
    opened x = open_model((hub_options){.longest = 9});
    ck_assert(own.ok && x.ok);
    const tensor *b = all_evaluated(&x);
    ck_assert(!memcmp(a[0].data, b[0].data, 4 * (size_t)(a[0].shape[0] * a[0].shape[1])));
    close_model(&own);
    close_model(&x);
}
END_TEST

// A scaling that depends on the text's length holds up to the config's number.
START_TEST(dynamic) {
    SKIP_WITHOUT("nomic-bert-model");
    open_case("nomic-bert-model", "{", "{\"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2},");
    opened x = open_model((hub_options){.longest = 2000});
    ck_assert(x.ok && x.m.position_count == 128);
    close_model(&x);
}
END_TEST

START_TEST(not_said) {
    open_case("modernbert-model", "\"max_position_embeddings\": 128", "\"other\": 1");
    opened x = open_model((hub_options){0});
    ck_assert(x.ok &&
              says(&x, "max_position_embeddings: is missing, and read as Transformers' default, 8192"));
    ck_assert_int_eq(x.m.position_count, 8192);
    close_model(&x);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, longer, 0, sizeof(models) / sizeof(models[0]));
    tcase_add_test(c, beyond);
    tcase_add_test(c, dynamic);
    tcase_add_test(c, not_said);
}

int main(void) {
    return run_suite("long texts", add);
}
