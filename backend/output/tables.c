// The bytes of a descriptor's tables: they grow at the end, and hold distances to symbols.
#include <string.h>

#include "backend/output/descriptor.h"
#include "ir/memory.h"

static void *grown(void *p, size_t *capacity, size_t need, size_t item) {
    if (need <= *capacity) return p;
    while (*capacity < need) *capacity = *capacity ? *capacity * 2 : 256;
    return memory_must(memory_grow(p, *capacity, item));
}

bertc_off put_bytes(descriptor_writer *t, const void *data, size_t size, size_t align) {
    size_t at = (size_t)round_up((int64_t)t->size, (int64_t)align);
    t->bytes = grown(t->bytes, &t->capacity, at + size, 1);
    memset(t->bytes + t->size, 0, at - t->size);
    if (data)
        memcpy(t->bytes + at, data, size);
    else
        memset(t->bytes + at, 0, size);
    t->size = at + size;
    return (bertc_off)at;
}

bertc_off put_string(descriptor_writer *t, const char *s) {
    return put_bytes(t, s, strlen(s) + 1, 1);
}

void put_distance(descriptor_writer *t, size_t at, LLVMValueRef symbol) {
    t->distances = grown(t->distances, &t->distance_capacity, t->distance_count + 1, sizeof(*t->distances));
    t->distances[t->distance_count++] = (distance){at, symbol};
}
