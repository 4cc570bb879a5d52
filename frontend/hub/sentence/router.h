// A sentence-transformers Router that has a way for queries and one for documents: router_config.json (config.json in old
// folders), and a folder for each module.
#ifndef BERTC_HUB_ROUTER_H
#define BERTC_HUB_ROUTER_H

#include "frontend/hub/sentence/sentence.h"

enum { HUB_ROUTE_MOST = 8 };

typedef struct hub_router {
    int count; // modules of documents, in order
    struct {
        const char *type, *name; // class, and folder within the router's
    } modules[HUB_ROUTE_MOST];
    const char *query; // folder of the SparseStaticEmbedding of queries
    bool query_by_default;
} hub_router;

// Reads the router in folder `path`. False, with a diagnostic, for other ways than `query` and `document`, and where that of
// queries is anything but a SparseStaticEmbedding.
bool hub_router_read(const char *path, arena *a, hub_router *out, diag *d);

// Reads a SparseStaticEmbedding's folder: weights by id from model.safetensors, or weights by token from a JSON file. `path`: the folder; `root`: where
// else such a file may stand.
bool hub_query_weights_open(const char *path, const char *root, arena *a, hub_query_weights *out, diag *d);

#endif
