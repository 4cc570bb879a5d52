// links: hub ir
// A sparse encoder's folder whose router, weights of queries and settings are any bytes: router_config.json, idf.json and
// config_sentence_transformers.json, with a byte 0 between them.
#include "tests/fuzz/model.h"

#define QUERY    "query_0_SparseStaticEmbedding"
#define DOCUMENT "document_0_Transformer"

static void link_base(const char *name) {
    char from[160], to[160];
    snprintf(from, sizeof from, "../base/%s", name);
    snprintf(to, sizeof to, DOCUMENT "/%s", name);
    if (symlink(from, fuzz_inside(to))) abort();
}

static void make_folder(void) {
    static const char *const folders[] = {QUERY, DOCUMENT, "document_1_SpladePooling"};
    fuzz_base("BertForMaskedLM", "masked-lm");
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (mkdir(fuzz_inside(folders[i]), 0700)) abort();
    link_base("config.json");
    link_base("model.safetensors");
    fuzz_write_text("modules.json", "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                                    "\"sentence_transformers.base.modules.router.Router\"}]");
    fuzz_write_text("document_1_SpladePooling/config.json", "{\"pooling_strategy\": \"max\"}");
    fuzz_write_text(DOCUMENT "/vocab.txt",
                    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nsea\nriver\n##s\nold\n");
    fuzz_write_text(DOCUMENT "/sentence_bert_config.json", "{\"transformer_task\": \"fill-mask\"}");
    fuzz_write_text(QUERY "/config.json", "{\"frozen\": false}");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (fuzz_make()) make_folder();
    fuzz_part router = fuzz_next(&bytes, &size), weights = fuzz_next(&bytes, &size),
              settings = fuzz_next(&bytes, &size);
    fuzz_write("router_config.json", router.bytes, router.size);
    fuzz_write(QUERY "/idf.json", weights.bytes, weights.size);
    fuzz_write("config_sentence_transformers.json", settings.bytes, settings.size);
    char folder[64];
    snprintf(folder, sizeof folder, "%s", fuzz_folder);
    fuzz_open(&(hub_options){.model = folder});
    return 0;
}
