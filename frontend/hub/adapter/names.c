// The names of tensors, as the model, the checkpoint and an adapter have them. An adapter's may have a prefix that the
// checkpoint's lack ("bert."), or lack one.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/files/text.h"

struct adapter_names {
    hub_checkpoint *c;
    arena *a;
    const char **base; // the checkpoint's own names, sorted
    int base_count;
    bool settled;            // the prefix is known
    const char *more, *less; // what the checkpoint's names have more, and less
    hub_renamed *put;        // names that show another tensor
    int put_count, put_room;
    const char **hidden;
    int hidden_count, hidden_room;
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const hub_renamed *)a)->name, ((const hub_renamed *)b)->name);
}

adapter_names *adapter_names_new(hub_checkpoint *c) {
    adapter_names *n = ARENA_NEW(c->arena, adapter_names);
    int count = hub_checkpoint_count(c);
    *n = (adapter_names){.c = c, .a = c->arena, .base = ARENA_ARRAY(c->arena, const char *, count + 1)};
    for (int i = 0; i < count; i++) n->base[n->base_count++] = hub_checkpoint_name(c, i);
    qsort(n->base, (size_t)count, sizeof *n->base, by_text);
    adapter_names_forget_prefix(n);
    return n;
}

void adapter_names_forget_prefix(adapter_names *n) {
    n->settled = false;
    n->more = n->less = "";
}

// The checkpoint's name, or one that has been put.
static const char *there(const adapter_names *n, const char *of) {
    for (int i = 0; i < n->put_count; i++)
        if (!strcmp(n->put[i].name, of)) return n->put[i].name;
    const char **found = bsearch(&of, n->base, (size_t)n->base_count, sizeof *n->base, by_text);
    return found ? *found : NULL;
}

static int dots(const char *name) {
    int count = 0;
    for (; *name; name++) count += *name == '.';
    return count;
}

// The shortest name that ends in `tensor` behind a dot; names of few parts may mean another module.
static const char *longer_name(const adapter_names *n, const char *of) {
    const char *best = NULL;
    size_t size = strlen(of);
    for (int i = 0; i < n->base_count && dots(of) >= 3; i++) {
        size_t length = strlen(n->base[i]);
        if (length <= size || n->base[i][length - size - 1] != '.' || !hub_ends_with(n->base[i], of))
            continue;
        if (!best || length < strlen(best)) best = n->base[i];
    }
    return best;
}

// The checkpoint's name that is the end of `tensor` behind a dot.
static const char *shorter_name(const adapter_names *n, const char *of) {
    for (const char *at = of; (at = strchr(at, '.')) && dots(at) >= 4;)
        if (there(n, ++at)) return there(n, at);
    return NULL;
}

const char *adapter_names_own(const adapter_names *n, const char *of) {
    size_t less = strlen(n->less);
    if (less && !strncmp(of, n->less, less)) return arena_strdup(n->a, of + less);
    return arena_printf(n->a, "%s%s", n->more, of);
}

const char *adapter_names_find(adapter_names *n, const char *of) {
    const char *found = there(n, of);
    if (found || n->settled) {
        if (found && dots(of) >= 3) n->settled = true;
        return found ? found : there(n, adapter_names_own(n, of));
    }
    if ((found = longer_name(n, of)))
        n->more = arena_strndup(n->a, found, strlen(found) - strlen(of));
    else if ((found = shorter_name(n, of)))
        n->less = arena_strndup(n->a, of, strlen(of) - strlen(found));
    n->settled = found != NULL;
    return found;
}

bool adapter_names_put(adapter_names *n, const char *shown, const char *of) {
    for (int i = 0; i < n->put_count; i++)
        if (!strcmp(n->put[i].name, shown)) return false;
    if (n->put_count == n->put_room) {
        int room = n->put_room ? 2 * n->put_room : 16;
        hub_renamed *grown = ARENA_ARRAY(n->a, hub_renamed, room);
        if (n->put_count) memcpy(grown, n->put, sizeof *grown * (size_t)n->put_count);
        n->put = grown;
        n->put_room = room;
    }
    n->put[n->put_count++] = (hub_renamed){arena_strdup(n->a, shown), arena_strdup(n->a, of)};
    return true;
}

void adapter_names_hide(adapter_names *n, const char *of) {
    if (n->hidden_count == n->hidden_room) {
        int room = n->hidden_room ? 2 * n->hidden_room : 16;
        const char **grown = ARENA_ARRAY(n->a, const char *, room);
        if (n->hidden_count) memcpy(grown, n->hidden, sizeof *grown * (size_t)n->hidden_count);
        n->hidden = grown;
        n->hidden_room = room;
    }
    n->hidden[n->hidden_count++] = of;
}

void adapter_names_settle(adapter_names *n) {
    const char **shown = ARENA_ARRAY(n->a, const char *, n->base_count + n->put_count + 1);
    int count = 0;
    if (!n->put_count && !n->hidden_count) return;
    if (n->put_count) qsort(n->put, (size_t)n->put_count, sizeof *n->put, by_name);
    if (n->hidden_count) qsort(n->hidden, (size_t)n->hidden_count, sizeof *n->hidden, by_text);
    for (int i = 0; i < n->base_count; i++) {
        const hub_renamed key = {.name = n->base[i]};
        bool gone = n->hidden_count &&
                    bsearch(&n->base[i], n->hidden, (size_t)n->hidden_count, sizeof *n->hidden, by_text);
        bool again = n->put_count && bsearch(&key, n->put, (size_t)n->put_count, sizeof *n->put, by_name);
        if (!gone && !again) shown[count++] = n->base[i];
    }
    for (int i = 0; i < n->put_count; i++) shown[count++] = n->put[i].name;
    hub_checkpoint_rename(n->c, shown, count, n->put, n->put_count);
}
