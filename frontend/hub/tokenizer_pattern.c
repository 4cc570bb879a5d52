// Regular expressions of tokenizer.json. They are Oniguruma's (Ruby's syntax); the runtime's are PCRE2's.
// What the two read differently is rewritten, or refused where it can't be.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <string.h>

#include "tokenizer_spec.h"

#define MOST_PATTERN 4096 // bytes
#define SPACES       "\\t-\\r\\x{85}\\p{Z}"
#define WORDS        "\\p{L}\\p{M}\\p{N}\\p{Pc}"

// What an escape outside a class becomes, or within one; NULL: it stays.
static const char *escape(char c, bool in_class) {
    switch (c) {
    case 's': return in_class ? SPACES : "[" SPACES "]";
    case 'w': return in_class ? WORDS : "[" WORDS "]";
    case 'S': return in_class ? NULL : "[^" SPACES "]";
    case 'W': return in_class ? NULL : "[^" WORDS "]";
    default: return NULL;
    }
}

static bool is_hex(const char *p, int digits) {
    for (int i = 0; i < digits; i++)
        if (!isxdigit((unsigned char)p[i])) return false;
    return true;
}

// What PCRE2 would read differently at p, NULL: nothing.
static const char *differs(const char *p, bool in_class) {
    if (*p == '\\' && (p[1] == 'h' || p[1] == 'H')) return "`\\h`";
    if (in_class && *p == '[' && p[1] != ':') return "a class within a class";
    if (in_class && !strncmp(p, "&&", 2)) return "`&&`";
    if (!in_class && *p == '{' && p[1 + strspn(p + 1, "0123456789,")] == '}' &&
        p[2 + strspn(p + 1, "0123456789,")] == '+')
        return "`{n}+`"; // there a repeat of a repeat, here a possessive one
    if (!in_class && !strncmp(p, "(?", 2)) {
        for (const char *q = p + 2; isalpha((unsigned char)*q) || *q == '-'; q++)
            if (*q == 'm' || *q == 's') return "the option `m` or `s`";
    }
    if (!in_class && !strncmp(p, "(*", 2)) return "`(*`";
    return NULL;
}

static bool check(tokenizer_spec *s, const char *pattern, const char *path) {
    int code = 0;
    size_t at = 0;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), BERTC_PATTERN_OPTIONS, &code, &at, NULL);
    if (compiled) return pcre2_code_free(compiled), true;
    PCRE2_UCHAR cause[128];
    pcre2_get_error_message(code, cause, sizeof cause);
    return tokenizer_wrong(s, path, "regular expression `%s`: %s (at byte %zu as PCRE2 reads it)", pattern,
                           (const char *)cause, at);
}

const char *tokenizer_pattern(tokenizer_spec *s, const char *text, const char *path) {
    size_t size = strlen(text), n = 0;
    if (!size || size > MOST_PATTERN)
        return tokenizer_wrong(s, path, "a regular expression of %zu bytes", size), NULL;
    char *out = arena_alloc(s->a, 32 * size + 1);
    bool in_class = false;
    for (const char *p = text; *p;) {
        const char *wrong = differs(p, in_class);
        if (wrong)
            return tokenizer_wrong(s, path, "regular expression `%s`: %s is not supported", text, wrong),
                   NULL;
        const char *becomes = *p == '\\' ? escape(p[1], in_class) : NULL;
        size_t taken = *p == '\\' && p[1] ? 2 : 1;
        if (becomes) {
            n += (size_t)sprintf(out + n, "%s", becomes);
        } else if (!strncmp(p, "\\u", 2) && is_hex(p + 2, 4)) {
            taken = 6;
            n += (size_t)sprintf(out + n, "\\x{%.4s}", p + 2);
        } else if (in_class && !strncmp(p, "[:", 2)) {
            const char *end = strstr(p, ":]");
            taken = end ? (size_t)(end - p) + 2 : 2;
            memcpy(out + n, p, taken);
            n += taken;
        } else {
            if (*p == '[' && !in_class) {
                in_class = true; // a bracket that opens a class is itself
                if (p[1] == '^') taken++;
                if (p[taken] == ']') taken++;
            } else if (*p == ']') {
                in_class = false;
            }
            memcpy(out + n, p, taken);
            n += taken;
        }
        p += taken;
    }
    out[n] = 0;
    return check(s, out, path) ? out : NULL;
}

// {"pattern": {"String": "x"}} or {"pattern": {"Regex": "x"}}: *text is one, the pattern that the runtime
// compiles where *regex.
bool tokenizer_read_pattern(tokenizer_spec *s, const cJSON *v, const char *path, const char **text,
                            bool *regex) {
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(v, "pattern");
    const char *string = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pattern, "String"));
    const char *expression = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pattern, "Regex"));
    if (cJSON_GetArraySize(pattern) != 1 || (!string && !expression))
        return tokenizer_wrong(s, path, "lacks a pattern, a String or a Regex");
    *regex = expression != NULL;
    *text = expression ? tokenizer_pattern(s, expression, path) : arena_strdup(s->a, string);
    return *text != NULL;
}
