// links: hub ir
// An adapter of any bytes, adapter_config.json and adapter_model.safetensors with a byte 0 between them, over a small BERT:
// refused with a diagnostic, or a graph that verifies and whose constants can be made.
#include "tests/fuzz/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    size_t all = size;
    if (fuzz_make()) fuzz_base("BertForSequenceClassification", "sequence-classification");
    fuzz_part config = fuzz_next(&bytes, &size);
    fuzz_write("adapter_config.json", config.bytes, config.size);
    fuzz_write("adapter_model.safetensors", bytes, size);
    char base[160], list[400];
    snprintf(base, sizeof base, "%s", fuzz_inside("base"));
    snprintf(list, sizeof list, all % 3 ? "%s" : "%s=0.5,%s=-2", fuzz_folder, fuzz_folder);
    const char *adapters[] = {list};
    fuzz_open(&(hub_options){
        .model = base, .adapters = adapters, .adapter_count = 1, .combine = all % 2 ? "linear" : NULL});
    return 0;
}
