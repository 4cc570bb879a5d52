// Zip files of stored entries, as torch.save writes them, with lies in them where a test wants some.
#ifndef BERTC_TESTS_TORCH_ZIP_H
#define BERTC_TESTS_TORCH_ZIP_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct torch_part {
    const char *name;
    const void *data;
    size_t size;
    uint32_t crc;       // 0: none is said
    uint32_t said;      // bytes that the directory says it has; 0: `size`
    uint32_t at;        // where its header is said to be; 0: where it is
    uint16_t method;    // 0: stored
    uint16_t encrypted; // 1: it is said to be
} torch_part;

static inline size_t torch_put(uint8_t *to, size_t at, int bytes, uint64_t x) {
    for (int i = 0; i < bytes; i++) to[at + (size_t)i] = (uint8_t)(x >> (8 * i));
    return at + (size_t)bytes;
}

static inline size_t torch_header(uint8_t *to, size_t at, const torch_part *p, size_t begin, bool central) {
    size_t said = p->said ? p->said : p->size, name = strlen(p->name);
    at = torch_put(to, at, 4, central ? 0x02014b50 : 0x04034b50);
    if (central) at = torch_put(to, at, 2, 20);
    at = torch_put(to, at, 2, 20);
    at = torch_put(to, at, 2, p->encrypted);
    at = torch_put(to, at, 2, p->method);
    at = torch_put(to, at, 4, 0);
    at = torch_put(to, at, 4, p->crc);
    at = torch_put(to, at, 4, said);
    at = torch_put(to, at, 4, said);
    at = torch_put(to, at, 2, name);
    at = torch_put(to, at, 2, 0);
    if (central) {
        at = torch_put(to, at, 2 + 2 + 2, 0);
        at = torch_put(to, at, 4, 0);
        at = torch_put(to, at, 4, p->at ? p->at : begin);
    }
    memcpy(to + at, p->name, name);
    return at + name;
}

// Bytes that torch_zip writes at most.
static inline size_t torch_zip_room(int n, const torch_part *parts) {
    size_t room = 22;
    for (int i = 0; i < n; i++) room += parts[i].size + 2 * strlen(parts[i].name) + 30 + 46;
    return room;
}

// Up to 64 parts. Returns how many bytes there are.
static inline size_t torch_zip(uint8_t *to, int n, const torch_part *parts) {
    size_t at = 0, begins[64];
    for (int i = 0; i < n; i++) {
        begins[i] = at;
        at = torch_header(to, at, &parts[i], at, false);
        if (parts[i].size) memcpy(to + at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    size_t begin = at;
    for (int i = 0; i < n; i++) at = torch_header(to, at, &parts[i], begins[i], true);
    size_t size = at - begin;
    at = torch_put(to, at, 4, 0x06054b50);
    at = torch_put(to, at, 4, 0);
    at = torch_put(to, at, 2, (uint64_t)n);
    at = torch_put(to, at, 2, (uint64_t)n);
    at = torch_put(to, at, 4, size);
    at = torch_put(to, at, 4, begin);
    return torch_put(to, at, 2, 0);
}

#endif
