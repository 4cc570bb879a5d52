// links: cli hub ir
// JSON as it is written: numbers have the fewest digits that read back, characters are escaped, and values stand on one line or on several.
#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/out.h"
#include "ir/memory.h"
#include "main.h"
#include "runtime/json_text.h"

static const struct {
    float x;
    const char *text;
} floats[] = {{0, "0"},
              {0.1F, "0.1"},
              {-0.1F, "-0.1"},
              {1, "1"},
              {100, "100"},
              {1.5e-4F, "0.00015"},
              {1e-5F, "1e-05"},
              {0.01F, "0.01"},
              {99999.9999F, "100000"},
              {0.3F, "0.3"},
              {0.7F, "0.7"},
              {16777216, "16777216"},
              {0.99999994F, "0.99999994"},
              {0.333333343F, "0.33333334"},
              {9999.9990F, "9999.999"},
              {3.40282347e38F, "3.4028235e+38"},
              {1e-45F, "1e-45"},
              {INFINITY, "null"},
              {NAN, "null"}};

START_TEST(float_text) {
    char text[JSON_NUMBER_ROOM];
    ck_assert_uint_eq(json_print_float(floats[_i].x, text), strlen(floats[_i].text));
    ck_assert_str_eq(text, floats[_i].text);
}
END_TEST

static const struct {
    double x;
    const char *text;
} doubles[] = {{0.1, "0.1"},
               {5e-324, "5e-324"},
               {0.1 + 0.2, "0.30000000000000004"},
               {(double)0.1F, "0.1"},
               {1e-12, "1e-12"},
               {9007199254740991, "9007199254740991"},
               {-3, "-3"},
               {9.8e-05, "9.8e-05"},
               {1e300, "1e+300"},
               {-INFINITY, "null"}};

START_TEST(double_text) {
    char text[JSON_NUMBER_ROOM];
    ck_assert_uint_eq(json_print_double(doubles[_i].x, text), strlen(doubles[_i].text));
    ck_assert_str_eq(text, doubles[_i].text);
}
END_TEST

// Significant digits of a number's text.
static int digits_of(const char *text) {
    int n = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (!n && *text == '0')) continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

// Floats of all sizes: each reads back, and one digit fewer does not (but for whole numbers where a decimal may lie halfway between two
// floats).
START_TEST(fewest_digits) {
    uint32_t bits = 12345, longer = 0;
    for (int i = 0; i < 300000; i++) {
        float x;
        char text[JSON_NUMBER_ROOM], fewer[JSON_NUMBER_ROOM];
        bits = bits * 1664525U + 1013904223U;
        uint32_t drawn = i % 3 ? 0x38000000U + (bits >> 5) % 0x14000000U : bits; // most are from 3e-5 to 1e8
        memcpy(&x, &drawn, sizeof x);
        if (!isfinite(x)) continue;
        json_print_float(x, text);
        ck_assert_msg(strtof(text, NULL) == x, "%s is not %.9g", text, (double)x);
        int n = digits_of(text);
        ck_assert_int_le(n, 9);
        snprintf(fewer, sizeof fewer, "%.*e", n > 1 ? n - 2 : 0, (double)x);
        longer += n > 1 && fabsf(x) < 0x1p24F && strtof(fewer, NULL) == x;
    }
    ck_assert_uint_eq(longer, 0);
}
END_TEST

START_TEST(locale_point) {
    char text[JSON_NUMBER_ROOM];
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) SKIP("tools", "no locale with a decimal comma");
    json_print_double(0.1 + 0.2, text);
    ck_assert_str_eq(text, "0.30000000000000004");
    json_print_float(1.5e-20F, text);
    ck_assert_str_eq(text, "1.5e-20");
}
END_TEST

static const struct {
    const char *text;
    size_t size;
    const char *json;
} strings[] = {{"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
               {"\n\t\r\b\f\x01\x7f", 7, "\"\\n\\t\\r\\b\\f\\u0001\\u007f\""},
               {"a\0b", 3, "\"a\\u0000b\""},
               {"\xc3\xa9\xe4\xb8\xad", 5, "\"\xc3\xa9\xe4\xb8\xad\""},
               {"a\xff\xe4\xb8", 4, "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
               {"", 0, "\"\""}};

START_TEST(string_text) {
    out o = {0};
    out_string(&o, strings[_i].text, strings[_i].size);
    out_bytes(&o, "", 1);
    ck_assert_str_eq(o.text, strings[_i].json);
    out_free(&o);
}
END_TEST

START_TEST(values) {
    static const char compact[] = "{\"a\":[1,2.5,null,true,false],\"b\":{},\"c\":[],\"d\":{\"e\":\"x\"}}";
    out line = {0}, pages = {0};
    cJSON *v = cJSON_Parse(compact);
    out_json(&line, v);
    out_bytes(&line, "", 1);
    out_json_pages(&pages, v);
    out_bytes(&pages, "", 1);
    ck_assert_str_eq(line.text,
                     "{\"a\": [1, 2.5, null, true, false], \"b\": {}, \"c\": [], \"d\": {\"e\": \"x\"}}");
    ck_assert_str_eq(pages.text, "{\n  \"a\": [\n    1,\n    2.5,\n    null,\n    true,\n    false\n  ],\n"
                                 "  \"b\": {},\n  \"c\": [],\n  \"d\": {\n    \"e\": \"x\"\n  }\n}\n");
    cJSON_Delete(v);
    out_free(&line);
    out_free(&pages);
}
END_TEST

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

int main(void) {
    Suite *s = suite_create("json_text");
    TCase *t = tcase_create("json_text");
    tcase_add_loop_test(t, float_text, 0, COUNT(floats));
    tcase_add_loop_test(t, double_text, 0, COUNT(doubles));
    tcase_add_test(t, fewest_digits);
    tcase_add_test(t, locale_point);
    tcase_add_loop_test(t, string_text, 0, COUNT(strings));
    tcase_add_test(t, values);
    suite_add_tcase(s, t);
    return suite_status(s);
}
