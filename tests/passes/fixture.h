// A checked fixture: a checkpoint of random weights, and what passes complain of.
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "bert.h"

static arena *memory;
static checkpoint weights;
static diag errors;

static void setup(void) {
    memory = arena_new();
    weights = (checkpoint){.a = memory};
    diag_init(&errors);
}

static void teardown(void) {
    arena_free(memory);
    diag_free(&errors);
}

#endif
