// links: hub ir
// LoRA adapters: what they add to the weights, against the same weights with the sums worked out; tasks within a
// checkpoint; and adapters that are refused, by what is wrong with them.
#include <math.h>

#include "published.h"

#define QUERY  "bert.encoder.layer.0.attention.self.query"
#define BEFORE "base_model.model."
#define PLAIN  "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 6, \"target_modules\": [\"query\"]}"

typedef struct item {
    const char *name, *dtype; // dtype NULL: F32
    int rank;
    int64_t shape[3];
} item;

// --- Adapters' folders

static safetensors_item filled(arena *a, const item *x) {
    const char *dtype = x->dtype ? x->dtype : "F32";
    safetensors_item t = {.name = x->name, .dtype = dtype, .rank = x->rank};
    size_t count = 1, size = strcmp(dtype, "I64") ? 4 : 8;
    for (int i = 0; i < x->rank; i++) {
        t.shape[i] = x->shape[i];
        count *= (size_t)x->shape[i];
    }
    t.bytes = count * size;
    float *data = arena_alloc(a, t.bytes);
    memset(data, 0, t.bytes);
    for (size_t i = 0; size == 4 && i < count; i++) data[i] = drawn();
    t.data = data;
    return t;
}

static void write_adapter(const char *name, const char *config, const item *items, int n) {
    char path[48];
    arena *a = arena_new();
    safetensors_item *all = ARENA_ARRAY(a, safetensors_item, n + 1);
    diag d;
    diag_init(&d);
    if (access(in_folder(name), F_OK)) make_folder(name);
    snprintf(path, sizeof path, "%s/adapter_config.json", name);
    write_text(path, config);
    for (int i = 0; i < n; i++) all[i] = filled(a, &items[i]);
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", name);
    ck_assert(safetensors_write(in_folder(path), n, all, &d));
    diag_free(&d);
    arena_free(a);
}

static const item pair[] = {{BEFORE QUERY ".lora_A.weight", NULL, 2, {2, 48}},
                            {BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 2}}};

static void base(void) {
    link_case("bert-seqcls/config.json", "config.json");
    link_case("bert-seqcls/model.safetensors", "model.safetensors");
}

static opened with_adapter(const char *list, const char *combine) {
    const char *lists[] = {list};
    return open_model((hub_options){.adapters = lists, .adapter_count = list != NULL, .combine = combine});
}

// --- What is added, worked out

static const float *tensor_of(safetensors *s, const char *name, int64_t *columns) {
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    ck_assert_msg(safetensors_entry(s, name, &dtype, &rank, &shape, &data, &bytes), "%s", name);
    *columns = shape[rank - 1];
    return data;
}

static struct {
    safetensors *file[2];
    double scale[2];
    int count;
    bool linear;
} sums;

static double element(const float *left, const float *right, int64_t rank, int64_t columns, int64_t row,
                      int64_t column) {
    double sum = 0;
    for (int64_t k = 0; k < rank; k++)
        sum += (double)left[row * rank + k] * (double)right[k * columns + column];
    return sum;
}

static bool merged(safetensors_item *t, arena *a) {
    if (strcmp(t->name, QUERY ".weight") != 0) return true;
    float *w = arena_dup(a, t->data, t->bytes);
    for (int i = 0; i < sums.count; i++)
        for (int j = 0; j < sums.count; j++) {
            int64_t rank, columns;
            if (i != j && !sums.linear) continue;
            const float *left = tensor_of(sums.file[i], pair[1].name, &rank);
            const float *right = tensor_of(sums.file[j], pair[0].name, &columns);
            double sign = sums.scale[j] < 0 ? -1 : 1,
                   scale = sign * sqrt(fabs(sums.scale[i] * sums.scale[j]));
            for (int64_t k = 0; k < t->shape[0] * columns; k++)
                w[k] += (float)(scale * element(left, right, rank, columns, k / columns, k % columns));
        }
    t->data = w;
    return true;
}

static void expect_near(opened *x, opened *y, double most) {
    if (!x->ok) diag_print(&x->d, stderr);
    if (!y->ok) diag_print(&y->d, stderr);
    ck_assert(x->ok && y->ok);
    tensor want = evaluated(x), got = evaluated(y);
    double worst = 0;
    ck_assert_int_eq(tensor_count(&want), tensor_count(&got));
    for (int64_t i = 0; i < tensor_count(&want); i++)
        worst = fmax(worst, fabs((double)((float *)want.data)[i] - (double)((float *)got.data)[i]));
    ck_assert_double_le(worst, most);
    close_model(x);
    close_model(y);
}

// One adapter, with a weight, and two of them by both ways.
START_TEST(sum_of_products) {
    static const struct {
        const char *list, *combine;
        double scale[2];
        int count;
    } all[] = {{"%s/one", NULL, {3}, 1},
               {"%s/one=0.5", "linear", {1.5}, 1},
               {"%s/one=0.5,%s/two=-2", NULL, {1.5, -3}, 2},
               {"%s/one=0.5,%s/two=-2", "sum", {1.5, -3}, 2},
               {"%s/one=0.5,%s/two=-2", "linear", {1.5, -3}, 2}};
    char list[300], path[300];
    diag d;
    diag_init(&d);
    base();
    state = 7;
    write_adapter("one", PLAIN, pair, 2);
    write_adapter("two", "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 3}", pair, 2);
    snprintf(list, sizeof list, all[_i].list, folder, folder);
    opened x = with_adapter(list, all[_i].combine);
    sums.count = all[_i].count;
    sums.linear = all[_i].combine && !strcmp(all[_i].combine, "linear");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/adapter_model.safetensors", folder, i ? "two" : "one");
        sums.file[i] = safetensors_open(path, &d);
        sums.scale[i] = all[_i].scale[i];
    }
    unlink(in_folder("model.safetensors"));
    copy_weights("bert-seqcls", merged);
    opened y = open_model((hub_options){0});
    expect_near(&x, &y, 1e-5);
    for (int i = 0; i < 2; i++) safetensors_close(sums.file[i]);
    diag_free(&d);
}
END_TEST

// A classifier of the adapter's own has as many labels as it has rows.
START_TEST(trained_classifier) {
    static const item items[] = {{BEFORE QUERY ".lora_A.weight", NULL, 2, {2, 48}},
                                 {BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 2}},
                                 {BEFORE "classifier.modules_to_save.weight", NULL, 2, {3, 48}},
                                 {BEFORE "classifier.bias", NULL, 1, {3}}};
    char list[200];
    base();
    write_adapter("one", PLAIN, items, 4);
    snprintf(list, sizeof list, "%s/one", folder);
    opened x = with_adapter(list, NULL);
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok && says(&x, "the adapter's classifier has 3 labels"));
    ck_assert_int_eq(evaluated(&x).shape[1], 3);
    close_model(&x);
    write_adapter("two", PLAIN, items, 4);
    snprintf(list, sizeof list, "%s/one,%s/two", folder, folder);
    opened y = with_adapter(list, NULL);
    ck_assert(!y.ok && says(&y, "takes the place of a tensor that another adapter has replaced"));
    close_model(&y);
}
END_TEST

// --- Refused

static void refuse(const char *list, const char *combine, const char *cause) {
    opened x = with_adapter(list, combine);
    if (!says(&x, cause)) diag_print(&x.d, stderr);
    ck_assert_msg(!x.ok && says(&x, cause), "nothing says \"%s\"", cause);
    close_model(&x);
}

START_TEST(refused_configs) {
    static const char *const configs[][2] = {
        {"", "adapter_config.json"},
        {"[]", "adapter_config.json"},
        {"{}", "peft_type: is missing"},
        {"{\"peft_type\": \"IA3\"}", "peft_type: \"IA3\" is not supported"},
        {"{\"peft_type\": 3}", "peft_type"},
        {"{\"peft_type\": \"LORA\", \"use_dora\": true}", "use_dora: DoRA"},
        {"{\"peft_type\": \"LORA\", \"use_dora\": 1}", "use_dora"},
        {"{\"peft_type\": \"LORA\", \"init_lora_weights\": \"pissa\"}", "init_lora_weights: \"pissa\""},
        {"{\"peft_type\": \"LORA\", \"layer_replication\": [[0, 1]]}", "layer_replication"},
        {"{\"peft_type\": \"LORA\", \"alora_invocation_tokens\": [1]}", "activated LoRA"},
        {"{\"peft_type\": \"LORA\", \"target_parameters\": [\"x\"]}", "target_parameters"},
        {"{\"peft_type\": \"LORA\", \"bias\": \"some\"}", "bias: \"some\""},
        {"{\"peft_type\": \"LORA\", \"r\": 0}", "r: "},
        {"{\"peft_type\": \"LORA\", \"lora_alpha\": \"2\"}", "lora_alpha"},
        {"{\"peft_type\": \"LORA\", \"alpha_pattern\": [1]}", "alpha_pattern: is no object"},
        {"{\"peft_type\": \"LORA\", \"alpha_pattern\": {\"(\": 1}}", "is no pattern"},
        {"{\"peft_type\": \"LORA\", \"alpha_pattern\": {\"(.|..)*(.|..)*[!?]\": 1}}", "is no pattern"},
        {"{\"peft_type\": \"LORA\", \"alpha_pattern\": {\"query\": true}}", "is no number"},
        {"{\"peft_type\": \"LORA\", \"r\": 4}",
         "r (or rank_pattern) is 4 for " QUERY ", and its tensors have rank 2"},
        {"{\"peft_type\": \"LORA\"}", "is 8 for"},
        {"{\"peft_type\": \"LORA\", \"r\": 2, \"rank_pattern\": {\"query\": 3}}", "is 3 for"},
        {"{\"peft_type\": \"LORA\", \"rank_pattern\": 2}", "rank_pattern: is no object"}};
    char list[200];
    base();
    snprintf(list, sizeof list, "%s/one", folder);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        write_adapter("one", configs[i][0], pair, 2);
        refuse(list, NULL, configs[i][1]);
    }
    write_adapter("one", PLAIN, pair, 2);
    refuse(NULL, "linear", "--combine: says how adapters add up, and there is none");
}
END_TEST

START_TEST(refused_tensors) {
    static const struct {
        item items[3];
        int count;
        const char *cause;
    } all[] = {
        {{{"x", NULL, 1, {1}}}, 0, "holds no tensor"},
        {{{BEFORE QUERY ".lora_A.weight", NULL, 2, {2, 48}}}, 1, "lora_B.weight\": is missing"},
        {{{BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 2}}}, 1, "has no pair"},
        {{{BEFORE QUERY ".lora_A.weight", "I64", 2, {2, 48}},
          {BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 2}}},
         2,
         "I64 is not supported"},
        {{{BEFORE QUERY ".lora_A.weight", NULL, 2, {2, 47}},
          {BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 2}}},
         2,
         "give [48,47], and the base model's"},
        {{{BEFORE QUERY ".lora_A.weight", NULL, 2, {2, 48}},
          {BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 3}}},
         2,
         "has rank 2, and its pair 3"},
        {{{BEFORE QUERY ".lora_A.weight", NULL, 3, {2, 48, 1}},
          {BEFORE QUERY ".lora_B.weight", NULL, 3, {48, 2, 1}}},
         2,
         "LoRA of a convolution"},
        {{{BEFORE "bert.encoder.layer.7.attention.self.query.lora_A.weight", NULL, 2, {2, 48}},
          {BEFORE "bert.encoder.layer.7.attention.self.query.lora_B.weight", NULL, 2, {48, 2}}},
         2,
         "which the base model has not"},
        {{{BEFORE "roberta.encoder.layer.0.attention.output.dense.nothing.lora_A.weight", NULL, 2, {2, 48}},
          {BEFORE "roberta.encoder.layer.0.attention.output.dense.nothing.lora_B.weight", NULL, 2, {48, 2}}},
         2,
         "which the base model has not"},
        {{{BEFORE QUERY ".lora_magnitude_vector", NULL, 1, {48}}}, 1, "is of DoRA"},
        {{{BEFORE QUERY ".lora_E", NULL, 2, {2, 1}}}, 1, "is none of a plain LoRA's"},
        {{{BEFORE QUERY ".lora_A.weight", NULL, 2, {2, 48}},
          {BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 2}},
          {BEFORE QUERY ".lora_B.bias", NULL, 1, {47}}},
         3,
         "has 47 numbers, and the bias 48"},
        {{{BEFORE "bert.pooler.dense.weight", NULL, 2, {3, 3}}}, 1, "has the shape [3,3]"}};
    char list[200];
    base();
    snprintf(list, sizeof list, "%s/one", folder);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        write_adapter("one", PLAIN, all[i].items, all[i].count);
        refuse(list, NULL, all[i].cause);
    }
}
END_TEST

START_TEST(refused_folders) {
    static const item wide[] = {{BEFORE QUERY ".lora_A.weight", NULL, 2, {3, 48}},
                                {BEFORE QUERY ".lora_B.weight", NULL, 2, {48, 3}}};
    char list[1000];
    base();
    make_folder("empty");
    write_adapter("one", PLAIN, pair, 2);
    write_adapter("two", "{\"peft_type\": \"LORA\", \"r\": 3, \"target_modules\": [\"query\"]}", wide, 2);
    refuse("/nowhere", NULL, "/nowhere: is no folder with an adapter");
    snprintf(list, sizeof list, "%s/empty", folder);
    refuse(list, NULL, "holds no adapter_config.json");
    snprintf(list, sizeof list, "%s/one=", folder);
    refuse(list, NULL, "is no weight");
    snprintf(list, sizeof list, "%s/one=inf", folder);
    refuse(list, NULL, "is no weight");
    snprintf(list, sizeof list, "%s/one,", folder);
    refuse(list, NULL, "a folder's name is missing");
    snprintf(list, sizeof list, "%s/one,%s/two", folder, folder);
    refuse(list, "linear", "the adapters' ranks are 2 and 3");
    refuse(list, "svd", "--combine: \"svd\" is none of sum, linear");
    unlink(in_folder("one/adapter_model.safetensors"));
    snprintf(list, sizeof list, "%s/one", folder);
    refuse(list, NULL, "holds neither adapter_model.safetensors nor adapter_model.bin");
    write_text("one/adapter_model.bin", "x");
    refuse(list, NULL, "one/adapter_model.bin");
    write_text("one/adapter_model.safetensors", "no safetensors");
    refuse(list, NULL, "one/adapter_model.safetensors");
    expect_failure((hub_options){.model = in_folder("one")}, "is an adapter, which is added to a model", 1);
}
END_TEST

// --- Tasks within the checkpoint: Jina's layout, whose parametrized weights hold the factors of two tasks

static bool parametrized(safetensors_item *t, arena *a) {
    size_t n = strlen(t->name);
    bool dense = strstr(t->name, ".dense.weight") && strstr(t->name, "encoder");
    if (dense) t->name = arena_printf(a, "%.*s.parametrizations.weight.original", (int)(n - 7), t->name);
    return true;
}

// The last weight's factors, behind all others.
static void add_factors(void) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(in_folder("model.safetensors"), &d);
    int count = safetensors_count(s), n = 0;
    safetensors_item *all = ARENA_ARRAY(a, safetensors_item, 3 * count);
    for (int i = 0; i < count; i++) {
        const int64_t *shape;
        safetensors_item *t = &all[n++];
        t->name = safetensors_name(s, i);
        ck_assert(safetensors_entry(s, t->name, &t->dtype, &t->rank, &shape, &t->data, &t->bytes));
        for (int k = 0; k < t->rank; k++) t->shape[k] = shape[k];
        const char *at = strstr(t->name, ".original");
        if (!at) continue;
        const item left = {arena_printf(a, "%.*s.0.lora_B", (int)(at - t->name), t->name),
                           NULL,
                           3,
                           {2, t->shape[0], 3}},
                   right = {arena_printf(a, "%.*s.0.lora_A", (int)(at - t->name), t->name),
                            NULL,
                            3,
                            {2, 3, t->shape[1]}};
        all[n] = filled(a, &left);
        memset((void *)(uintptr_t)all[n].data, 0, all[n].bytes / 2); // the first task adds nothing
        n++;
        all[n++] = filled(a, &right);
    }
    ck_assert(safetensors_write(in_folder("model.safetensors"), n, all, &d));
    safetensors_close(s);
    diag_free(&d);
    arena_free(a);
}

static const char *const tasks[][2] = {
    {"\"use_cache\"",
     "\"lora_adaptations\": [\"retrieval.query\", \"separation\"], \"lora_alpha\": 2, \"lora_rank\": 3, "
     "\"use_cache\""},
    {NULL, NULL}};

// W + 2/3 B A of the second task.
static bool second_task(safetensors_item *t, arena *a) {
    const char *at = strstr(t->name, ".parametrizations.weight.");
    if (!at) return true;
    if (!strstr(at, ".original")) return false;
    diag d;
    diag_init(&d);
    int64_t rank, columns;
    safetensors *s = safetensors_open(in_folder("factors.safetensors"), &d);
    const float *left =
        tensor_of(s, arena_printf(a, "%.*s.0.lora_B", (int)(at + 24 - t->name), t->name), &rank);
    const float *right =
        tensor_of(s, arena_printf(a, "%.*s.0.lora_A", (int)(at + 24 - t->name), t->name), &columns);
    float *w = arena_dup(a, t->data, t->bytes);
    left += t->shape[0] * rank;
    right += rank * columns;
    for (int64_t k = 0; k < t->shape[0] * columns; k++)
        w[k] += (float)(2.0 / 3 * element(left, right, rank, columns, k / columns, k % columns));
    t->data = w;
    t->name = arena_printf(a, "%.*s.weight", (int)(at - t->name), t->name);
    safetensors_close(s);
    diag_free(&d);
    return true;
}

START_TEST(tasks_within) {
    config_of("bert-seqcls", tasks);
    copy_weights("bert-seqcls", parametrized);
    state = 11;
    add_factors();
    ck_assert_int_eq(rename(in_folder("model.safetensors"), in_folder("factors.safetensors")), 0);
    ck_assert_int_eq(link(in_folder("factors.safetensors"), in_folder("model.safetensors")), 0);
    opened none = open_model((hub_options){0});
    if (!none.ok) diag_print(&none.d, stderr);
    ck_assert(none.ok && says(&none, "--task takes one of retrieval.query, separation"));
    ck_assert(!says(&none, "not read"));
    char path[200];
    snprintf(path, sizeof path, "%sbert-seqcls", CASES);
    opened plain = open_model((hub_options){.model = path});
    expect_near(&none, &plain, 0);
    opened first = open_model((hub_options){.task = "retrieval.query"}),
           again = open_model((hub_options){.model = path});
    expect_near(&first, &again, 0);
    opened second = open_model((hub_options){.task = "separation"});
    opened other = open_model((hub_options){.task = "retrieval"});
    ck_assert(!other.ok && says(&other, "no task \"retrieval\"; it has retrieval.query, separation"));
    close_model(&other);
    char from[200];
    snprintf(from, sizeof from, "%s", in_folder("factors.safetensors"));
    unlink(in_folder("model.safetensors"));
    change_weights(from, second_task);
    opened want = open_model((hub_options){0});
    expect_near(&second, &want, 1e-5);
    expect_failure((hub_options){.task = "separation"}, "holds no LoRA for the task", 1);
}
END_TEST

// Their own class of module is the plain Transformer; in any other folder it may be anything.
START_TEST(jina_module) {
    const char *const flash[][2] = {{"\"use_cache\"",
                                     "\"use_flash_attn\": false, \"lora_adaptations\": [\"x\"], "
                                     "\"use_cache\""},
                                    {NULL, NULL}};
    write_text("modules.json", "[{\"type\": \"custom_st.Transformer\", \"path\": \"\"}, {\"type\": "
                               "\"sentence_transformers.models.Pooling\", \"path\": \"1_Pooling\"}]");
    make_folder("1_Pooling");
    write_text("1_Pooling/config.json",
               "{\"word_embedding_dimension\": 48, \"pooling_mode_mean_tokens\": true}");
    link_case("bert-seqcls/model.safetensors", "model.safetensors");
    config_of("bert-seqcls", NULL);
    expect_failure((hub_options){0}, "custom_st.Transformer is none of sentence-transformers' own classes",
                   1);
    config_of("bert-seqcls", flash);
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok);
    ck_assert_str_eq(x.m.head, "embedding");
    close_model(&x);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, sum_of_products, 0, 5);
    tcase_add_test(c, trained_classifier);
    tcase_add_test(c, refused_configs);
    tcase_add_test(c, refused_tensors);
    tcase_add_test(c, refused_folders);
    tcase_add_test(c, tasks_within);
    tcase_add_test(c, jina_module);
}

int main(void) {
    return run_suite("adapters", add);
}
