// Fields of config.json under the names that the family gives them.
#include <inttypes.h>
#include <string.h>

#include "frontend/hub/config/activation.h"
#include "frontend/hub/config/config.h"

const char *hub_config_key(const hub_fields *f, const hub_config *c, hub_key key) {
    const char *name = hub_family_key(c->family, key), *old = c->family->old_keys[key];
    const char *alias = c->family->aliases[key];
    if (alias && hub_field(f, alias)) return alias;
    return name && old && !hub_field(f, name) && hub_field(f, old) ? old : name;
}

bool hub_config_number(const hub_fields *f, const hub_config *c, hub_key key, int64_t most,
                       int64_t by_default, int64_t *out) {
    static const bool sized[KEY_COUNT] = {[KEY_VOCAB] = true, [KEY_POSITIONS] = true, [KEY_HIDDEN] = true,
                                          [KEY_INNER] = true, [KEY_LAYERS] = true,    [KEY_HEADS] = true};
    const char *name = hub_config_key(f, c, key);
    int64_t own = c->family->defaults.values[key];
    *out = own ? own : by_default;
    if (sized[key] && own && name && !hub_field(f, name))
        diag_note(f->d, f->file, "%s: is missing, and read as Transformers' default, %" PRId64, name, own);
    return !name || hub_field_int(f, name, !*out, 1, most, out);
}

bool hub_config_activation(const hub_fields *f, const char *key, arena *a, const char **out) {
    if (!key) return true;
    if (!hub_field_text(f, key, false, out)) return false;
    if (!hub_activation_known(*out)) {
        return hub_field_wrong(f, key, "\"%.100s\" is not known; known are %s", *out,
                               hub_activation_names(a));
    }
    *out = arena_strdup(a, *out);
    return true;
}

bool hub_number_read(const char *text, int64_t most, int64_t *out) {
    text += strspn(text, " \t\n\r\f\v");
    bool minus = *text == '-';
    text += *text == '-' || *text == '+';
    int64_t n = 0;
    const char *first = text;
    for (; *text >= '0' && *text <= '9'; text += text[1] == '_' && text[2] >= '0' && text[2] <= '9' ? 2 : 1)
        n = n > most ? n : 10 * n + (*text - '0');
    if (text == first) return false;
    *out = minus ? -n : n;
    return !text[strspn(text, " \t\n\r\f\v")];
}
