// Regular expressions of tokenizer.json. They are Oniguruma's (Ruby's syntax); the runtime's are PCRE2's.
// Where the two differ, a pattern is rewritten, or refused if it can't be.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend/hub/tokenizer/spec.h"
#include "ir/memory.h"

#define MOST_PATTERN  4096  // bytes, as it is given
#define MOST_COMPILED 65536 // as the runtime takes it
#define HEX           "0-9A-Fa-f"
#define SPACES        "\\t-\\r\\x{85}\\p{Z}"
// \w: letters, marks, decimal and letter-like numbers, connectors, other alphabetic characters; alone it also
// has six Latin-1 ones
#define WORD_CLASSES     "L M Nd Nl Pc"
#define WORD_OTHERS      "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define YOUNG_ALPHABETIC "\\x{363}-\\x{36f}\\x{c04}\\x{f82}\\x{f83}\\x{1dd3}-\\x{1de6}\\x{11080}\\x{11081}"
#define YOUNG_HAN        "\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"
#define WORD_ALONE       "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

// General categories of characters younger than the oldest PCRE2 that is supported (10.42, Unicode 14), as
// Hugging Face tokenizers 0.23 has them; `a`: alphabetic all the same.
// clang-format off
static const struct {
    uint32_t first, last;
    char category[4];
} young[] = {
    {0x897, 0x897, "Mna"}, {0xcf3, 0xcf3, "Mca"}, {0xece, 0xece, "Mn"}, {0x1b4e, 0x1b4f, "Po"},
    {0x1b7f, 0x1b7f, "Po"}, {0x1c89, 0x1c89, "Lu"}, {0x1c8a, 0x1c8a, "Ll"}, {0x2427, 0x2429, "So"},
    {0x2ffc, 0x2fff, "So"}, {0x31e4, 0x31e5, "So"}, {0x31ef, 0x31ef, "So"}, {0xa7cb, 0xa7cc, "Lu"},
    {0xa7cd, 0xa7cd, "Ll"}, {0xa7da, 0xa7da, "Lu"}, {0xa7db, 0xa7db, "Ll"}, {0xa7dc, 0xa7dc, "Lu"},
    {0x105c0, 0x105f3, "Lo"}, {0x10d40, 0x10d49, "Nd"}, {0x10d4a, 0x10d4d, "Lo"}, {0x10d4e, 0x10d4e, "Lm"},
    {0x10d4f, 0x10d4f, "Lo"}, {0x10d50, 0x10d65, "Lu"}, {0x10d69, 0x10d69, "Mna"}, {0x10d6a, 0x10d6d, "Mn"},
    {0x10d6e, 0x10d6e, "Pd"}, {0x10d6f, 0x10d6f, "Lm"}, {0x10d70, 0x10d85, "Ll"}, {0x10d8e, 0x10d8f, "Sm"},
    {0x10ec2, 0x10ec4, "Lo"}, {0x10efc, 0x10efc, "Mna"}, {0x10efd, 0x10eff, "Mn"}, {0x1123f, 0x11240, "Lo"},
    {0x11241, 0x11241, "Mna"}, {0x11380, 0x11389, "Lo"}, {0x1138b, 0x1138b, "Lo"}, {0x1138e, 0x1138e, "Lo"},
    {0x11390, 0x113b5, "Lo"}, {0x113b7, 0x113b7, "Lo"}, {0x113b8, 0x113ba, "Mca"},
    {0x113bb, 0x113c0, "Mna"}, {0x113c2, 0x113c2, "Mca"}, {0x113c5, 0x113c5, "Mca"},
    {0x113c7, 0x113ca, "Mca"}, {0x113cc, 0x113cd, "Mca"}, {0x113ce, 0x113ce, "Mn"},
    {0x113cf, 0x113cf, "Mc"}, {0x113d0, 0x113d0, "Mn"}, {0x113d1, 0x113d1, "Lo"}, {0x113d2, 0x113d2, "Mn"},
    {0x113d3, 0x113d3, "Lo"}, {0x113d4, 0x113d5, "Po"}, {0x113d7, 0x113d8, "Po"}, {0x113e1, 0x113e2, "Mn"},
    {0x116d0, 0x116e3, "Nd"}, {0x11b00, 0x11b09, "Po"}, {0x11bc0, 0x11be0, "Lo"}, {0x11be1, 0x11be1, "Po"},
    {0x11bf0, 0x11bf9, "Nd"}, {0x11f00, 0x11f01, "Mna"}, {0x11f02, 0x11f02, "Lo"},
    {0x11f03, 0x11f03, "Mca"}, {0x11f04, 0x11f10, "Lo"}, {0x11f12, 0x11f33, "Lo"},
    {0x11f34, 0x11f35, "Mca"}, {0x11f36, 0x11f3a, "Mna"}, {0x11f3e, 0x11f3f, "Mca"},
    {0x11f40, 0x11f40, "Mna"}, {0x11f41, 0x11f41, "Mc"}, {0x11f42, 0x11f42, "Mn"}, {0x11f43, 0x11f4f, "Po"},
    {0x11f50, 0x11f59, "Nd"}, {0x11f5a, 0x11f5a, "Mn"}, {0x1342f, 0x1342f, "Lo"}, {0x13440, 0x13440, "Mn"},
    {0x13441, 0x13446, "Lo"}, {0x13447, 0x13455, "Mn"}, {0x13460, 0x143fa, "Lo"}, {0x16100, 0x1611d, "Lo"},
    {0x1611e, 0x16129, "Mna"}, {0x1612a, 0x1612c, "Mca"}, {0x1612d, 0x1612e, "Mna"},
    {0x1612f, 0x1612f, "Mn"}, {0x16130, 0x16139, "Nd"}, {0x16d40, 0x16d42, "Lm"}, {0x16d43, 0x16d6a, "Lo"},
    {0x16d6b, 0x16d6c, "Lm"}, {0x16d6d, 0x16d6f, "Po"}, {0x16d70, 0x16d79, "Nd"}, {0x18cff, 0x18cff, "Lo"},
    {0x1b132, 0x1b132, "Lo"}, {0x1b155, 0x1b155, "Lo"}, {0x1cc00, 0x1ccef, "So"}, {0x1ccf0, 0x1ccf9, "Nd"},
    {0x1cd00, 0x1ceb3, "So"}, {0x1d2c0, 0x1d2d3, "No"}, {0x1df25, 0x1df2a, "Ll"}, {0x1e030, 0x1e06d, "Lm"},
    {0x1e08f, 0x1e08f, "Mna"}, {0x1e4d0, 0x1e4ea, "Lo"}, {0x1e4eb, 0x1e4eb, "Lm"}, {0x1e4ec, 0x1e4ef, "Mn"},
    {0x1e4f0, 0x1e4f9, "Nd"}, {0x1e5d0, 0x1e5ed, "Lo"}, {0x1e5ee, 0x1e5ef, "Mn"}, {0x1e5f0, 0x1e5f0, "Lo"},
    {0x1e5f1, 0x1e5fa, "Nd"}, {0x1e5ff, 0x1e5ff, "Po"}, {0x1f6dc, 0x1f6dc, "So"}, {0x1f774, 0x1f776, "So"},
    {0x1f77b, 0x1f77f, "So"}, {0x1f7d9, 0x1f7d9, "So"}, {0x1f8b2, 0x1f8bb, "So"}, {0x1f8c0, 0x1f8c1, "So"},
    {0x1fa75, 0x1fa77, "So"}, {0x1fa87, 0x1fa89, "So"}, {0x1fa8f, 0x1fa8f, "So"}, {0x1faad, 0x1faaf, "So"},
    {0x1fabb, 0x1fabf, "So"}, {0x1fac6, 0x1fac6, "So"}, {0x1face, 0x1facf, "So"}, {0x1fada, 0x1fadc, "So"},
    {0x1fadf, 0x1fadf, "So"}, {0x1fae8, 0x1fae9, "So"}, {0x1faf7, 0x1faf8, "So"}, {0x1fbcb, 0x1fbef, "So"},
    {0x2b739, 0x2b739, "Lo"}, {0x2ebf0, 0x2ee5d, "Lo"}, {0x31350, 0x323af, "Lo"},
};
// clang-format on

typedef struct pattern_writer {
    char *text;
    size_t size;
    bool failed; // it grew too long
} pattern_writer;

static void put_bytes(pattern_writer *w, const char *text, size_t size) {
    if (w->failed || size > MOST_COMPILED - w->size) {
        w->failed = true;
        return;
    }
    memcpy(w->text + w->size, text, size);
    w->size += size;
}

static void puts_to(pattern_writer *w, const char *text) {
    put_bytes(w, text, strlen(text));
}

static void put_young(pattern_writer *w, size_t at, const char *name, size_t size) {
    char text[32];
    for (size_t i = 0; i < sizeof young / sizeof *young; i++) {
        if (strncmp(young[i].category + at, name, size)) continue;
        put_bytes(w, text,
                  (size_t)snprintf(text, sizeof text, "\\x{%x}-\\x{%x}", young[i].first, young[i].last));
    }
}

// The insides of classes: a general category, or all whose names it begins; what is alphabetic; words.
static void put_category(pattern_writer *w, const char *name, size_t size) {
    char text[8];
    put_bytes(w, text, (size_t)snprintf(text, sizeof text, "\\p{%.*s}", (int)size, name));
    put_young(w, 0, name, size);
}

static void put_alphabetic(pattern_writer *w) {
    puts_to(w, "\\p{Alphabetic}" YOUNG_ALPHABETIC);
    put_young(w, 0, "L", 1);
    put_young(w, 2, "a", 1);
}

static void put_words(pattern_writer *w, bool alone) {
    for (const char *p = WORD_CLASSES; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        put_category(w, p, n);
        p += n;
    }
    puts_to(w, WORD_OTHERS);
    if (alone) puts_to(w, WORD_ALONE);
}

// --- PCRE2, with our memory

static void *take(size_t size, void *user) {
    (void)user;
    return memory_must(memory_alloc(size, 1));
}

static void give(void *p, void *user) {
    (void)user;
    free(p);
}

// Whether PCRE2 takes the expression; else its code and the place.
static bool compiles(const char *pattern, size_t size, int *code, size_t *at) {
    pcre2_general_context *memory = pcre2_general_context_create(take, give, NULL);
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, size, BERTC_PATTERN_OPTIONS, code, at, context);
    pcre2_code_free(compiled);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return compiled != NULL;
}

static bool is_script(const char *name, size_t size) {
    char pattern[64];
    int code = 0;
    size_t at = 0;
    if (size > 40) return false;
    size_t n = (size_t)snprintf(pattern, sizeof pattern, "\\p{sc:%.*s}", (int)size, name);
    return compiles(pattern, n, &code, &at);
}

static bool is_name(const char *name, size_t size, const char *known) {
    return size == strlen(known) && !strncasecmp(name, known, size);
}

// Writes the class "\p{NAME}" or "[:NAME:]", if both libraries have it; false: they don't.
static bool put_posix(pattern_writer *w, const char *name, size_t size) {
    if (is_name(name, size, "alpha"))
        put_alphabetic(w);
    else if (is_name(name, size, "alnum"))
        put_alphabetic(w), put_category(w, "Nd", 2);
    else if (is_name(name, size, "word"))
        put_words(w, false);
    else if (is_name(name, size, "digit"))
        put_category(w, "Nd", 2);
    else if (is_name(name, size, "space"))
        puts_to(w, SPACES);
    else if (is_name(name, size, "cntrl"))
        puts_to(w, "\\p{Cc}");
    else if (is_name(name, size, "xdigit"))
        puts_to(w, HEX);
    else if (is_name(name, size, "blank"))
        puts_to(w, "\\t\\p{Zs}");
    else
        return false;
    return true;
}

static void put_property(pattern_writer *w, const char *name, size_t size) {
    char text[64];
    if (size <= 2)
        put_category(w, name, size);
    else if (is_name(name, size, "punct"))
        put_category(w, "P", 1);
    else if (is_name(name, size, "alphabetic"))
        put_alphabetic(w);
    else if (is_name(name, size, "han"))
        puts_to(w, "\\p{sc:Han}" YOUNG_HAN);
    else if (!put_posix(w, name, size)) // a script there is without PCRE2's extensions
        put_bytes(w, text,
                  (size_t)snprintf(text, sizeof text, is_script(name, size) ? "\\p{sc:%.*s}" : "\\p{%.*s}",
                                   (int)(size < 40 ? size : 40), name));
}

// If there is an escape for a set of characters at p: writes it as the inside of a class and returns its
// length; else 0. *negated: it means all other characters.
static size_t put_set(pattern_writer *w, const char *p, bool in_class, bool *negated) {
    if (*p != '\\') return 0;
    *negated = isupper((unsigned char)p[1]) != 0;
    switch (p[1]) {
    case 's':
    case 'S': puts_to(w, SPACES); return 2;
    case 'w':
    case 'W': put_words(w, !in_class); return 2;
    case 'd':
    case 'D': put_category(w, "Nd", 2); return 2;
    case 'h':
    case 'H': puts_to(w, HEX); return 2;
    case 'v': puts_to(w, "\\x0b"); return 2;
    case 'p':
    case 'P': break;
    default: return 0;
    }
    const char *end = p[2] == '{' ? strchr(p, '}') : NULL;
    if (!end) return 0;
    bool turned = p[3] == '^';
    *negated ^= turned;
    const char *name = p + 3 + turned;
    put_property(w, name, (size_t)(end - name));
    return (size_t)(end - p) + 1;
}

// "[:alpha:]" at p within a class: its length, 0 where it isn't known.
static size_t put_bracket(pattern_writer *w, const char *p) {
    const char *end = strstr(p, ":]");
    size_t size = end ? (size_t)(end - p) - 2 : 0;
    if (is_name(p + 2, size, "punct"))
        put_category(w, "P", 1), put_category(w, "S", 1);
    else if (!put_posix(w, p + 2, size))
        return 0;
    return size + 4;
}

static bool is_hex(const char *p, int digits) {
    for (int i = 0; i < digits; i++)
        if (!isxdigit((unsigned char)p[i])) return false;
    return true;
}

// What PCRE2 would read differently at p outside a class, NULL: nothing.
static const char *differs(const char *p) {
    if (*p == '{' && p[1 + strspn(p + 1, "0123456789,")] == '}' && p[2 + strspn(p + 1, "0123456789,")] == '+')
        return "`{n}+`"; // there a repeat of a repeat, here a possessive one
    if (!strncmp(p, "(?", 2)) {
        for (const char *q = p + 2; isalpha((unsigned char)*q) || *q == '-'; q++)
            if (*q == 'm' || *q == 's') return "the option `m` or `s`";
    }
    if (!strncmp(p, "(*", 2)) return "`(*`";
    return NULL;
}

// One character or escape, as it is but for "\u00e9"; its length.
static size_t put_one(pattern_writer *w, const char *p) {
    if (!strncmp(p, "\\u", 2) && is_hex(p + 2, 4)) {
        char text[16];
        put_bytes(w, text, (size_t)snprintf(text, sizeof text, "\\x{%.4s}", p + 2));
        return 6;
    }
    size_t n = *p == '\\' && p[1] ? 2 : 1;
    put_bytes(w, p, n);
    return n;
}

// What a class consists of: characters, and complements of sets.
typedef struct class_parts {
    pattern_writer plain;
    pattern_writer not_in[8];
    int not_count;
} class_parts;

static size_t read_class_part(arena *a, class_parts *c, const char *p, const char **wrong) {
    if (!strncmp(p, "[:", 2)) {
        size_t n = put_bracket(&c->plain, p);
        if (!n) *wrong = "this class in `[:` and `:]`";
        return n;
    }
    if (*p == '[') *wrong = "a class within a class";
    if (!strncmp(p, "&&", 2)) *wrong = "`&&`";
    if (*wrong) return 0;
    bool negated = false;
    size_t before = c->plain.size, n = put_set(&c->plain, p, true, &negated);
    if (!n) return put_one(&c->plain, p);
    if (!negated) return n;
    if (c->not_count == 8) return *wrong = "so many complements in a class", 0;
    pattern_writer *w = &c->not_in[c->not_count++];
    w->text = arena_dup(a, c->plain.text + before, c->plain.size - before + 1);
    w->size = c->plain.size - before;
    c->plain.size = before;
    return n;
}

// The class that begins at p; its length, 0 with *wrong where it can't be read. PCRE2 can't add to a
// complement within a class, so that [x\W] becomes (?:[x]|[^...]), and [^x\W] (?:(?![x])[...]).
static size_t put_class(arena *a, pattern_writer *w, const char *p, const char **wrong) {
    class_parts c = {.plain.text = arena_alloc(a, MOST_COMPILED)};
    const char *at = p + 1;
    bool negated = *at == '^';
    at += negated;
    if (*at == ']') puts_to(&c.plain, "\\]"), at++;
    while (*at && *at != ']') {
        size_t n = read_class_part(a, &c, at, wrong);
        if (*wrong) return 0;
        at += n;
    }
    if (!*at) return *wrong = "a class without an end", 0;
    w->failed |= c.plain.failed;
    if (c.not_count) puts_to(w, "(?:");
    for (int i = 0; i < c.not_count; i++) {
        puts_to(w, !negated ? "[^" : i ? "(?=[" : "");
        if (negated && !i) continue;
        put_bytes(w, c.not_in[i].text, c.not_in[i].size);
        puts_to(w, negated ? "])" : "]|");
    }
    if (c.plain.size) {
        puts_to(w, !c.not_count ? negated ? "[^" : "[" : negated ? "(?![" : "[");
        put_bytes(w, c.plain.text, c.plain.size);
        puts_to(w, c.not_count && negated ? "])" : "]");
    } else if (c.not_count && !negated && !w->failed) {
        w->size--; // the last `|`
    }
    if (c.not_count && negated) {
        puts_to(w, "[");
        put_bytes(w, c.not_in[0].text, c.not_in[0].size);
        puts_to(w, "]");
    }
    if (c.not_count) puts_to(w, ")");
    return (size_t)(at - p) + 1;
}

// A word's bound, or where there is none; PCRE2's words are others.
static void put_bound(pattern_writer *w, bool bound) {
    static const char *const parts[2][4] = {{"(?:(?<=[", "])(?=[", "])|(?<![", "])(?!["},
                                            {"(?:(?<=[", "])(?![", "])|(?<![", "])(?=["}};
    for (int i = 0; i < 4; i++) {
        puts_to(w, parts[bound][i]);
        put_words(w, true);
    }
    puts_to(w, "]))");
}

// Rewrites the item at p, outside a class. Returns its length; 0, with *wrong, where it can't be read.
static size_t put_next(arena *a, pattern_writer *w, const char *p, const char **wrong) {
    if (*p == '[') return put_class(a, w, p, wrong);
    if ((*wrong = differs(p))) return 0;
    if (!strncmp(p, "\\b", 2) || !strncmp(p, "\\B", 2)) return put_bound(w, p[1] == 'b'), 2;
    if (!strncmp(p, "{,", 2) && isdigit((unsigned char)p[2])) return puts_to(w, "{0,"), 2;
    size_t before = w->size;
    bool negated = false;
    puts_to(w, "[^");
    size_t n = put_set(w, p, false, &negated);
    if (n) {
        puts_to(w, "]");
        if (!negated && !w->failed) { // the room for `^` closes
            memmove(w->text + before + 1, w->text + before + 2, w->size - before - 2);
            w->size--;
        }
        return n;
    }
    if (!w->failed) w->size = before;
    return put_one(w, p);
}

static bool check(tokenizer_spec *s, const char *pattern, const char *path) {
    int code = 0;
    size_t at = 0;
    if (compiles(pattern, strlen(pattern), &code, &at)) return true;
    PCRE2_UCHAR cause[128];
    pcre2_get_error_message(code, cause, sizeof cause);
    return tokenizer_wrong(s, path, "regular expression `%s`: %s (at byte %zu as PCRE2 reads it)", pattern,
                           (const char *)cause, at);
}

// The regular expression as the runtime compiles it, NULL (with a diagnostic) where it can't.
static const char *rewritten(tokenizer_spec *s, const char *text, const char *path) {
    size_t size = strlen(text);
    if (!size || size > MOST_PATTERN)
        return tokenizer_wrong(s, path, "a regular expression of %zu bytes", size), NULL;
    pattern_writer w = {.text = arena_alloc(s->a, MOST_COMPILED + 1)};
    for (const char *p = text, *wrong = NULL; *p && !w.failed;) {
        p += put_next(s->a, &w, p, &wrong);
        if (wrong)
            return tokenizer_wrong(s, path, "regular expression `%s`: %s is not supported", text, wrong),
                   NULL;
    }
    if (w.failed) return tokenizer_wrong(s, path, "regular expression `%s` is too long", text), NULL;
    w.text[w.size] = 0;
    return check(s, w.text, path) ? w.text : NULL;
}

bool tokenizer_read_pattern(tokenizer_spec *s, const cJSON *v, const char *path, const char **text,
                            bool *regex) {
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(v, "pattern");
    const char *string = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pattern, "String"));
    const char *expression = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pattern, "Regex"));
    if (cJSON_GetArraySize(pattern) != 1 || (!string && !expression))
        return tokenizer_wrong(s, path, "lacks a pattern, a String or a Regex");
    *regex = expression != NULL;
    *text = expression ? rewritten(s, expression, path) : arena_strdup(s->a, string);
    return *text != NULL;
}
