#include "frontend/cli/run/draw.h"

#include <string.h>

#include "frontend/hub/files/text.h"
// Length of the UTF-8 character at s, 0: it is none, or one that XML can't hold.
static size_t character(const unsigned char *s, size_t left) {
    if (s[0] < 0x20 && s[0] != '\t' && s[0] != '\n' && s[0] != '\r') return 0;
    return left >= 3 && s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe ? 0 : hub_utf8_length(s, left);
}

void draw_text(FILE *f, const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        size_t n = character((const unsigned char *)text + i, size - i);
        char c = text[i];
        if (!n)
            fputs("\xef\xbf\xbd", f);
        else if (c == '<')
            fputs("&lt;", f);
        else if (c == '>')
            fputs("&gt;", f);
        else if (c == '&')
            fputs("&amp;", f);
        else if (c == '"')
            fputs("&quot;", f);
        else
            fwrite(text + i, 1, n, f);
        i += n ? n : 1;
    }
}
