// The pickles that torch.save writes of dictionaries of tensors, from untrusted bytes. A pickle is a program for a
// stack machine that may call any function of Python. This reader is no such machine: it knows the instructions that
// dictionaries of tensors need, and calls nothing. A name of Python's stands for a value of a kind that it knows (a
// dictionary, a tensor, a type of numbers), or is an error that says the name and the place.
#ifndef BERTC_HUB_PICKLE_H
#define BERTC_HUB_PICKLE_H

#include "ir/ir.h"

typedef enum pickle_kind {
    PICKLE_OTHER, // None, a list, a number with a fraction: of no use here
    PICKLE_INT,   // True and False too
    PICKLE_TEXT,
    PICKLE_TUPLE,
    PICKLE_DICT,
    PICKLE_GLOBAL,  // one of the names below, not yet used
    PICKLE_STORAGE, // a file of numbers
    PICKLE_TENSOR   // a view of one
} pickle_kind;

// What a name stands for.
typedef enum pickle_global {
    GLOBAL_DICT,      // collections.OrderedDict
    GLOBAL_TENSOR,    // torch._utils._rebuild_tensor_v2
    GLOBAL_PARAMETER, // torch._utils._rebuild_parameter
    GLOBAL_NUMBERS    // torch.FloatStorage, ...
} pickle_global;

typedef struct pickle_value pickle_value;
struct pickle_value {
    pickle_kind kind;
    bool seen; // for whoever walks through dictionaries
    size_t at; // the instruction that made it: its place in the pickle
    int64_t number;
    const char *text; // of a text; of numbers and a storage their type as safetensors calls it
    pickle_global global;
    int count, room;      // of a tuple its items; of a dictionary keys and values, in turn
    pickle_value **items; // a storage: its key; a tensor: storage, sizes, strides
};
// A storage's `number` is how many numbers it has, a tensor's where it begins in its storage, in numbers.

// Runs the pickle; `name` is for messages. Memory from `a`, within some 100 times `size`. NULL: it is damaged, or asks
// for what is not known here. (Its sizes, strides and offsets are checked by nobody yet, beyond being whole numbers.)
pickle_value *pickle_read(const unsigned char *data, size_t size, const char *name, arena *a, diag *d);

#endif
