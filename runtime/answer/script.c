// The scripts that are written without spaces. Unicode has no property that says so: these are the characters
// whose Script (Scripts.txt) is Han, Hiragana, Katakana, Bopomofo, Yi, Tangut, Nushu, Khitan, Tibetan, Javanese,
// Buginese or Balinese, and those whose Line_Break (LineBreak.txt) is SA (Thai, Lao, Khmer, Myanmar, Tai Le, New
// Tai Lue, Tai Tham, Tai Viet, Ahom), with the digits and marks of these. To them come CJK's own punctuation, and
// fullwidth punctuation: what stands beside it is a word of its own. Fullwidth letters and digits, and Hangul,
// are written with spaces. Ranges run over code points that Unicode has not given away yet.
#include "runtime/answer/script.h"

#include <stddef.h>

static const struct {
    uint32_t first, last;
} spaceless[] = {
    {0x02EA, 0x02EB},   // tones of Bopomofo
    {0x0E01, 0x0E3A},   // Thai, around its currency sign
    {0x0E40, 0x0FD4},   // Thai, Lao, Tibetan
    {0x0FD9, 0x109F},   // Tibetan, Myanmar
    {0x1780, 0x17F9},   // Khmer
    {0x1950, 0x19FF},   // Tai Le, New Tai Lue, Khmer symbols
    {0x1A00, 0x1AAD},   // Buginese, Tai Tham
    {0x1B00, 0x1B7E},   // Balinese
    {0x2E80, 0x2FD5},   // radicals
    {0x3000, 0x302D},   // CJK symbols and punctuation, around Hangul's tones
    {0x3030, 0x312F},   // the same, Hiragana, Katakana, Bopomofo
    {0x31A0, 0x31BF},   // Bopomofo
    {0x31F0, 0x31FF},   // Katakana
    {0x32D0, 0x32FE},   // circled Katakana
    {0x3300, 0x3357},   // squared Katakana
    {0x3400, 0x4DBF},   // Han
    {0x4E00, 0xA4C6},   // Han, Yi
    {0xA980, 0xA9CD},   // Javanese
    {0xA9D0, 0xA9FE},   // Javanese, Myanmar
    {0xAA60, 0xAADF},   // Myanmar, Tai Viet
    {0xF900, 0xFAD9},   // Han
    {0xFE30, 0xFE4F},   // upright forms of CJK punctuation
    {0xFF01, 0xFF03},   // fullwidth punctuation
    {0xFF05, 0xFF0A},   // the same
    {0xFF0C, 0xFF0F},   // the same
    {0xFF1A, 0xFF1B},   // the same
    {0xFF1F, 0xFF20},   // the same
    {0xFF3B, 0xFF3D},   // the same
    {0xFF3F, 0xFF3F},   // the same
    {0xFF5B, 0xFF5B},   // the same
    {0xFF5D, 0xFF5D},   // the same
    {0xFF5F, 0xFF9F},   // the same, halfwidth Katakana
    {0x11700, 0x11746}, // Ahom
    {0x16FE0, 0x18D08}, // Tangut, Nushu, Khitan
    {0x1AFF0, 0x1B2FB}, // Katakana, Hiragana, Nushu
    {0x1F200, 0x1F200}, // squared Hiragana
    {0x20000, 0x3FFFD}, // Han
};

bool script_has_spaces(uint32_t c) {
    size_t low = 0, high = sizeof spaceless / sizeof *spaceless; // the last range from `c` or before it
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (spaceless[middle].first <= c)
            low = middle + 1;
        else
            high = middle;
    }
    return !low || c > spaceless[low - 1].last;
}
