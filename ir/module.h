// A module: the graphs of one model, one for each arithmetic class.
//
// An arithmetic class says how a model computes where CPUs differ in it: int8 activations have 7 bits where 8
// could saturate, and 8 bits elsewhere. CPUs of one class run the same graph, whatever their vectors. Float32
// is the same on all of them, so a model in float32 is one graph, of class "f32".
//
//   target.class = avx2 ---> graph class avx2 ---> variants avx2_s128, ...     }  one run of weights,
//   target.class = vnni ---> graph class vnni ---> variants avx512vnni_s128    }  what is equal stands once
//
// The graphs have the same outputs, in one order. An input is of the same type in all that have it.
#ifndef BERTC_IR_MODULE_H
#define BERTC_IR_MODULE_H

#include "ir/graph.h"

#define MODULE_MOST_GRAPHS 16

typedef struct module {
    arena *arena; // of the array; graphs may lie in others
    int graph_count;
    graph *graphs[MODULE_MOST_GRAPHS]; // of different classes
} module;

module *module_new(arena *a);
// A module of that one graph.
module *module_alone(arena *a, graph *g);
void module_add(module *m, graph *g); // at most MODULE_MOST_GRAPHS (assert)
// Gives the module's only graph the first of `n` different classes, and adds a copy of it for each other one.
void module_split(module *m, int n, const char *const *classes);

// The graph that a target of this class runs: that of the class, else the module's only graph. NULL: neither.
graph *module_find(const module *m, const char *class);
// The same; where there is none, an error at `where` that names the classes that are there.
graph *module_pick(const module *m, const char *class, const char *where, diag *d);
// Bytes of the weights that the graphs share.
int64_t module_weight_bytes(const module *m);
int module_variant_count(const module *m); // over all graphs
// Variant number i of these, graph by graph; *g: its graph. g may be NULL.
const variant *module_variant(const module *m, int i, const graph **g);

// Has `g` in common with each graph of `m` before it what graphs of a module must? `stage` as of graph_verify.
bool module_fits(const module *m, const graph *g, const char *stage, diag *d);
// Each graph (graph_verify), and what they must have in common. `stage` names the pass in messages.
bool module_verify(const module *m, const char *stage, diag *d);

#endif
