// A module: the graphs of one model, one for each arithmetic class.
//
// CPUs of one arithmetic class compute a model alike, so they run the same graph, whatever their vectors. Classes
// differ in int8: activations have 7 bits if 8 could saturate on the CPU, else 8. Float32 is the same on all CPUs, so
// a model in float32 is one graph, of class "f32".
//
//   target.class = avx2 ---> graph class avx2 ---> variants avx2_s128, ...     }  shared weights:
//   target.class = vnni ---> graph class vnni ---> variants avx512vnni_s128    }  equal constants once
//
// All graphs have the same outputs, in the same order. An input has the same type in all graphs that have it.
#ifndef BERTC_IR_MODULE_H
#define BERTC_IR_MODULE_H

#include "ir/graph.h"

#define MODULE_MOST_GRAPHS 16

typedef struct module {
    arena *arena; // of the module; graphs may have their own
    int graph_count;
    graph *graphs[MODULE_MOST_GRAPHS]; // of different classes
} module;

module *module_new(arena *a);
// A module that holds only this graph.
module *module_alone(arena *a, graph *g);
void module_add(module *m, graph *g); // at most MODULE_MOST_GRAPHS (assert)
// Gives the module's only graph the first of `n` different classes, and adds a copy of it for each of the others.
void module_split(module *m, int n, const char *const *classes);

// The graph that a target of this class runs: the graph of the class, else the module's only graph; NULL if there is
// neither.
graph *module_find(const module *m, const char *class);
// The same; if there is none, an error at `where` that names the module's classes.
graph *module_pick(const module *m, const char *class, const char *where, diag *d);
// Bytes of the weights that the graphs share.
int64_t module_weight_bytes(const module *m);
int module_variant_count(const module *m); // over all graphs
// Variant number i, counted graph by graph; *g becomes its graph. g may be NULL.
const variant *module_variant(const module *m, int i, const graph **g);

// Does `g` agree with each graph of `m` before it, as graphs of a module must? `stage` as in graph_verify.
bool module_fits(const module *m, const graph *g, const char *stage, diag *d);
// Verifies each graph (graph_verify), and that the graphs agree. `stage` names the pass in messages.
bool module_verify(const module *m, const char *stage, diag *d);

#endif
