// links: cli hub runtime ir
// Data sets: every form in every format, labels and their numbers, reading again by offset, and lines that are bad, each with
// where and why.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/data/data.h"
#include "main.h"

static arena *memory;
static diag d;

static void setup(void) {
    memory = arena_new();
    diag_init(&d);
}

static void teardown(void) {
    arena_free(memory);
    diag_free(&d);
}

// A file of that name in a folder of its own; it is removed by done().
static const char *write_file(const char *name, const char *bytes, size_t size) {
    char folder[] = "/tmp/bertc-data-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    const char *path = arena_printf(memory, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
    return path;
}

static void done(const char *path, data_source *s) {
    data_close(s);
    unlink(path);
    char *folder = strdup(path);
    *strrchr(folder, '/') = 0;
    rmdir(folder);
    free(folder);
}

static data_source *open_as(const char *path, data_form form, const char *columns) {
    data_source *s =
        data_open(path, &(data_options){.form = form, .columns = columns, .group_by = "sex"}, &d);
    if (!s) diag_print(&d, stderr);
    ck_assert_ptr_nonnull(s);
    return s;
}

// The first example of a file that holds `text`.
static data_example first_of(const char *name, const char *text, data_form form, const char *columns) {
    data_example e;
    const char *path = write_file(name, text, strlen(text));
    data_source *s = open_as(path, form, columns);
    ck_assert(data_next(s, &e, memory, &d));
    done(path, s);
    return e;
}

static data_example json(const char *text, data_form form) {
    return first_of("x.jsonl", text, form, NULL);
}

static void pair_is(const data_example *e, const char *text, const char *pair) {
    ck_assert_msg(!e->error, "%s", e->error);
    ck_assert_str_eq(e->text.text, text);
    ck_assert_uint_eq(e->text.size, strlen(text));
    if (pair)
        ck_assert_str_eq(e->text.pair, pair);
    else
        ck_assert_ptr_null(e->text.pair);
}

static void fails(data_example e, const char *why) {
    ck_assert_msg(e.error != NULL, "no error, where '%s' is wanted", why);
    ck_assert_msg(strstr(e.error, why) != NULL, "'%s' is not in: %s", why, e.error);
}

START_TEST(label_forms) {
    data_example e = json("{\"text\": \"good\", \"label\": 1, \"sex\": \"f\"}", DATA_LABEL);
    pair_is(&e, "good", NULL);
    ck_assert_ptr_null(e.labels[0].name);
    ck_assert_double_eq(e.labels[0].number, 1);
    ck_assert_str_eq(e.group, "f");
    e = json("{\"sentence1\": \"a\", \"sentence2\": \"b\", \"label\": \"yes\", \"sex\": 3}", DATA_LABEL);
    pair_is(&e, "a", "b");
    ck_assert_str_eq(e.labels[0].name, "yes");
    ck_assert_str_eq(e.group, "3");
    e = json("{\"premise\": \"a\", \"hypothesis\": \"b\", \"label\": true}", DATA_LABEL);
    pair_is(&e, "a", "b");
    ck_assert_double_eq(e.labels[0].number, 1);
    ck_assert_ptr_null(e.group);
    e = json("{\"question\": \"a\", \"sentence\": \"b\", \"label\": 0}", DATA_LABEL);
    pair_is(&e, "a", "b");
    e = json("{\"text\": \"a\\u0000b\", \"label\": 0}", DATA_LABEL);
    ck_assert_uint_eq(e.text.size, 3);
    ck_assert_mem_eq(e.text.text, "a\0b", 3);
    e = first_of("x.jsonl", "{\"t\": \"a\", \"text\": \"b\", \"stars\": 5}", DATA_LABEL,
                 "text=t,label=stars");
    pair_is(&e, "a", NULL);
    ck_assert_double_eq(e.labels[0].number, 5);
    e = json("{\"text\": \"a\", \"labels\": [\"x\", \"y\"]}", DATA_LABELS);
    ck_assert_int_eq(e.label_count, 2);
    ck_assert(!e.marks);
    e = json("{\"text\": \"a\", \"labels\": [0, 1.0, 1]}", DATA_LABELS);
    ck_assert_int_eq(e.label_count, 3);
    ck_assert(e.marks);
    e = json("{\"text\": \"a\", \"labels\": []}", DATA_LABELS);
    ck_assert_int_eq(e.label_count, 0);
    ck_assert(!e.marks);
}
END_TEST

START_TEST(other_forms) {
    data_example e = json("{\"text\": \"a\", \"score\": -1.5}", DATA_NUMBER);
    ck_assert_double_eq(e.numbers[0], -1.5);
    e = json("{\"text\": \"a\", \"labels\": [1, 2]}", DATA_NUMBER);
    ck_assert_int_eq(e.number_count, 2);
    e = json("{\"a\": \"x\", \"b\": \"y\", \"score\": 5}", DATA_SCORED);
    pair_is(&e, "x", "y");
    e = json("{\"text\": \"only\"}", DATA_TEXT);
    pair_is(&e, "only", NULL);
    e = json("{\"tokens\": [\"New\", \"\", \"York\"], \"ner_tags\": [1, 0, \"I-LOC\"]}", DATA_TAGS);
    pair_is(&e, "New  York", NULL);
    ck_assert_uint_eq(e.text.word_count, 3);
    ck_assert_uint_eq(e.text.words[2].start, 5);
    ck_assert_uint_eq(e.text.words[2].end, 9);
    ck_assert_str_eq(e.labels[2].name, "I-LOC");
    e = json(
        "{\"query\": \"q\", \"positive\": [\"p\", \"r\"], \"negative_1\": \"n\", \"negative_2\": [\"m\"]}",
        DATA_RANKED);
    pair_is(&e, "q", NULL);
    ck_assert_int_eq(e.positive_count, 2);
    ck_assert_int_eq(e.negative_count, 2);
    ck_assert_str_eq(e.negatives[1].text, "m");
    e = json("{\"anchor\": \"q\", \"positive\": \"p\"}", DATA_RANKED);
    ck_assert_int_eq(e.positive_count, 1);
    ck_assert_int_eq(e.negative_count, 0);
    e = json("{\"anchor\": \"q\", \"positive\": \"p\"}", DATA_EMBED);
    ck_assert_int_eq(e.positive_count, 1);
    ck_assert_int_eq(e.number_count, 0);
    e = json("{\"anchor\": \"q\", \"positive\": \"p\", \"score\": 2}", DATA_EMBED);
    pair_is(&e, "q", "p");
    ck_assert_int_eq(e.number_count, 1);
    e = first_of("x.csv", "query,positive,sex\nq,p,\n", DATA_EMBED, NULL);
    ck_assert_int_eq(e.positive_count, 1);
}
END_TEST

START_TEST(answer_forms) {
    data_example e = json("{\"question\": \"q\", \"context\": \"\xc3\xa9 one two\", \"answers\": "
                          "{\"text\": [\"one\", \"two\"], \"answer_start\": [2, 6]}}",
                          DATA_ANSWER);
    pair_is(&e, "q", "\xc3\xa9 one two");
    ck_assert_int_eq(e.answer_count, 2);
    ck_assert_int_eq(e.answers[0].byte_start, 3);
    ck_assert_int_eq(e.answers[1].byte_end, 10);
    e = json("{\"question\": \"q\", \"context\": \"c\", \"answers\": {\"text\": [], \"answer_start\": []}}",
             DATA_ANSWER);
    ck_assert_ptr_null(e.error);
    ck_assert_int_eq(e.answer_count, 0);
    e = json("{\"question\": \"q\", \"context\": \"c\", \"answers\": [\"x\", \"y\"]}", DATA_ANSWER);
    ck_assert_int_eq(e.answer_count, 2);
    ck_assert_int_eq(e.answers[1].byte_start, -1);
    e = json(
        "{\"question\": \"q\", \"context\": \"abc\", \"answers\": [{\"text\": \"c\", \"answer_start\": 2}]}",
        DATA_ANSWER);
    ck_assert_int_eq(e.answers[0].byte_start, 2);
    fails(json("{\"question\": \"q\", \"context\": \"abc\", \"answers\": {\"text\": [\"c\"], "
               "\"answer_start\": [3]}}",
               DATA_ANSWER),
          "$.answers.text[0]: 'c' does not stand at character 3 of the context, which ends before");
    fails(json("{\"question\": \"q\", \"context\": \"abc\", \"answers\": {\"text\": [\"c\"], "
               "\"answer_start\": [1]}}",
               DATA_ANSWER),
          "does not stand at character 1");
    fails(json("{\"question\": \"q\", \"context\": \"abc\", \"answers\": {\"text\": [\"c\"], "
               "\"answer_start\": [-1]}}",
               DATA_ANSWER),
          "has the start -1: the context's characters are numbered from 0 to less than 3");
    fails(json("{\"question\": \"q\", \"context\": \"abc\", \"answers\": {\"text\": [\"c\"], "
               "\"answer_start\": []}}",
               DATA_ANSWER),
          "more or fewer starts than texts");
    fails(json("{\"question\": \"q\", \"answers\": []}", DATA_ANSWER), "has no pair: looked for context");
}
END_TEST

START_TEST(bad_lines) {
    fails(json("{\"text\": \"a\"}", DATA_LABEL),
          "has no label: looked for label, labels, target (--columns label=NAME)");
    fails(json("{\"text\": 3, \"label\": 1}", DATA_LABEL), "$.text: is not a text");
    fails(json("{\"text\": \"a\", \"label\": null}", DATA_LABEL), "$.label: is not a label");
    fails(json("{\"text\": \"a\", \"label\": \"\"}", DATA_LABEL), "$.label: is not a label");
    fails(json("{\"text\": \"a\", \"label\": [1]}", DATA_LABEL), "$.label: is a list");
    fails(json("{\"text\": \"a\", \"labels\": [1, {}]}", DATA_LABELS), "$.labels[1]: is not a label");
    fails(json("{\"text\": \"a\", \"label\": 1e999}", DATA_NUMBER), "$.label: is not a number");
    fails(json("{\"text\": \"a\", \"label\": \"x\"}", DATA_NUMBER), "$.label: is not a number");
    fails(json("{\"text\": \"a\", \"label\": -1e39}", DATA_NUMBER), "$.label: is too large a number");
    fails(json("{\"text\": \"a\", \"label\": [1, 3.5e38]}", DATA_NUMBER),
          "$.label[1]: is too large a number");
    fails(json("{\"a\": \"x\", \"b\": \"y\", \"score\": [1]}", DATA_SCORED), "one number is needed");
    fails(json("{\"tokens\": [\"a\"], \"tags\": []}", DATA_TAGS), "has 1 word and 0 tags");
    fails(json("{\"tokens\": [\"a\", 1], \"tags\": [0, 0]}", DATA_TAGS), "$.tokens[1]: is not a word");
    fails(json("{\"query\": \"a\", \"positive\": []}", DATA_RANKED), "$.positive: is empty");
    fails(json("{\"text\": \"a\"", DATA_TEXT), "is no JSON");
    fails(json("{\"text\": \"a\"} {}", DATA_TEXT), "has more behind its JSON object, at column 15");
    fails(json("[{\"text\": \"a\"}] {}", DATA_TEXT), "a line of JSON holds one object");
    const data_example listed = json("[{\"text\": \"a\"}]", DATA_TEXT);
    pair_is(&listed, "a", NULL);
    fails(json("\"a\"", DATA_TEXT), "is no JSON object");
    fails(json("{\"text\": \"a\", \"label\": 1, \"text\": \"b\"}", DATA_TEXT), "has the key \"text\" twice");
    fails(json("{\"text\": \"a\xff\"}", DATA_TEXT), "is no UTF-8 from byte 12 on");
    const char *path = write_file("x.jsonl", "{\"text\": \"a\0\"}", 14);
    data_source *s = open_as(path, DATA_TEXT, NULL);
    data_example e;
    ck_assert(data_next(s, &e, memory, &d));
    fails(e, "NUL byte");
    done(path, s);
}
END_TEST

// All examples, read in order and then again from the last to the first.
static int read_twice(data_source *s, data_example *all, int room) {
    int n = 0;
    while (n < room && data_next(s, &all[n], memory, &d)) n++;
    for (int i = n; i-- > 0;) {
        data_example e;
        ck_assert(data_at(s, all[i].offset, all[i].line, &e, memory, &d));
        ck_assert_int_eq(e.line, all[i].line);
        ck_assert_int_eq(e.offset, all[i].offset);
        ck_assert_int_eq(e.error != NULL, all[i].error != NULL);
        if (e.error) ck_assert_str_eq(e.error, all[i].error);
        if (!e.error) ck_assert_uint_eq(e.text.size, all[i].text.size);
        if (!e.error) ck_assert_mem_eq(e.text.text, all[i].text.text, e.text.size);
    }
    return n;
}

START_TEST(comma_separated) {
    static const char text[] = "\xef\xbb\xbftext,label,sex\r\n"
                               " plain ,pos,f\r\n"
                               "\"quoted, with \"\"quotes\"\"\r\nand a line\",neg,\r\n"
                               "\r\n"
                               "too,few\r\n"
                               "a \"bare\" quote,pos,m\r\n"
                               "\"closed\" early,pos,m\r\n"
                               "1,2,\"\"\r\n"
                               "\xff,2,3\r\n"
                               "last,\"pos\",m";
    data_example e[16];
    const char *path = write_file("x.csv", text, sizeof text - 1);
    data_source *s = open_as(path, DATA_LABEL, NULL);
    ck_assert_int_eq(read_twice(s, e, 16), 8);
    pair_is(&e[0], " plain ", NULL);
    ck_assert_int_eq(e[0].line, 2);
    ck_assert_str_eq(e[0].group, "f");
    pair_is(&e[1], "quoted, with \"quotes\"\r\nand a line", NULL);
    ck_assert_str_eq(e[1].labels[0].name, "neg");
    ck_assert_ptr_null(e[1].group);
    ck_assert_int_eq(e[1].line, 3);
    ck_assert_int_eq(e[2].line, 6);
    fails(e[2], "has 2 fields, and the header has 3");
    fails(e[3], "line 7, column 3: a quote inside a field");
    fails(e[4], "line 8, column 9: a quote inside");
    pair_is(&e[5], "1", NULL);
    ck_assert_double_eq(e[5].labels[0].number, 2);
    fails(e[6], "field 1 is no UTF-8");
    pair_is(&e[7], "last", NULL);
    ck_assert_str_eq(e[7].group, "m");
    done(path, s);
}
END_TEST

START_TEST(tab_separated) {
    static const char text[] = "sentence1\tsentence2\tlabel\tsex\n\" a\tb \"c\"\t1\tx\n";
    data_example e = first_of("x.tsv", text, DATA_LABEL, NULL);
    pair_is(&e, "\" a", "b \"c\"");
    e = first_of("other", text, DATA_LABEL, NULL); // by its first line
    pair_is(&e, "\" a", "b \"c\"");
    e = first_of("x.tsv", "tokens\ttags\tsex\nNew York\tB-LOC I-LOC\t\n", DATA_TAGS, NULL);
    ck_assert_uint_eq(e.text.word_count, 2);
    ck_assert_str_eq(e.labels[1].name, "I-LOC");
    fails(first_of("x.csv", "tokens,tags,sex\n['a' 'b'],O O,\n", DATA_TAGS, NULL),
          "column tokens: is a list in brackets, but not JSON");
    fails(first_of("x.csv", "text,labels,sex\na,['x'],\n", DATA_LABELS, NULL),
          "column labels: is a list in brackets");
    e = first_of("x.csv", "tokens,tags,sex\n[ a,O O,\n", DATA_TAGS, NULL);
    ck_assert_uint_eq(e.text.word_count, 2);
    e = first_of("x.csv", "text,labels,sex\na,x|y,\n", DATA_LABELS, NULL);
    ck_assert_int_eq(e.label_count, 2);
    e = first_of("x.csv", "text,labels,sex\na,\"[0, 1]\",\n", DATA_LABELS, NULL);
    ck_assert(e.marks);
    e = first_of("x.csv", "question,context,answer,answer_start,sex\nq,abc,c,2,\n", DATA_ANSWER, NULL);
    ck_assert_int_eq(e.answers[0].byte_start, 2);
    e = first_of("x.csv", "question,context,answer,sex\nq,abc,,\n", DATA_ANSWER, NULL);
    ck_assert_int_eq(e.answer_count, 0);
}
END_TEST

START_TEST(unclosed_quote) {
    data_example e[4];
    static const char text[] = "text,label,sex\na,1,x\n\"b,1,x\nc,1,x\n";
    const char *path = write_file("x.csv", text, sizeof text - 1);
    data_source *s = open_as(path, DATA_LABEL, NULL);
    ck_assert_int_eq(read_twice(s, e, 4), 2);
    fails(e[1], "a quote in it is never closed");
    ck_assert_int_eq(e[1].line, 3);
    done(path, s);
}
END_TEST

static void open_fails(const char *name, const char *text, const char *why) {
    const char *path = write_file(name, text, strlen(text));
    ck_assert_ptr_null(data_open(path, &(data_options){.form = DATA_LABEL, .group_by = "sex"}, &d));
    ck_assert_int_eq(d.count, 1);
    ck_assert_msg(strstr(d.items[0].text, why) != NULL, "'%s' is not in: %s", why, d.items[0].text);
    diag_free(&d);
    diag_init(&d);
    done(path, NULL);
}

START_TEST(bad_files) {
    open_fails("x.csv", "", "is empty");
    open_fails("x.csv", "\n  \n", "is empty");
    open_fails("x.csv", "text,text\n", "two of its columns are called 'text'");
    open_fails("x.csv", "text,stars\n",
               "has no label: looked for label, labels, target, and its columns are text, stars");
    open_fails("x.csv", "text,label\n", "has no column sex (--group-by)");
    open_fails("x.csv", "\"text,label\n", "its header: a quote in it is never closed");
    open_fails("x.txt", "text\n", "is plain text");
    ck_assert_ptr_null(data_open("/nowhere.jsonl", &(data_options){.form = DATA_LABEL}, &d));
}
END_TEST

START_TEST(groups) {
    data_example e;
    static const char people[] =
        "{\"text\": \"a\", \"sex\": \"f\", \"age\": 30}\n{\"text\": \"a\", \"sex\": \"f\"}\n";
    const char *path = write_file("x.jsonl", people, sizeof people - 1);
    data_source *s = data_open(path, &(data_options){.form = DATA_TEXT, .group_by = "sex,age"}, &d);
    ck_assert_ptr_nonnull(s);
    ck_assert(data_next(s, &e, memory, &d));
    ck_assert_str_eq(e.group, "f, 30");
    ck_assert(data_next(s, &e, memory, &d));
    ck_assert_ptr_null(e.group);
    done(path, s);
}
END_TEST

START_TEST(lines_again) {
    data_example e[16];
    static const char text[] = "{\"text\": \"one\"}\r\n\n  \n{\"text\": \"two\"}\nbad\n{\"text\": \"three\"}";
    const char *path = write_file("x.jsonl", text, sizeof text - 1);
    data_source *s = open_as(path, DATA_TEXT, NULL);
    ck_assert_int_eq(read_twice(s, e, 16), 4);
    ck_assert_int_eq(e[1].line, 4);
    pair_is(&e[3], "three", NULL);
    for (int i = 0; i < 60; i++) data_report(s, &e[2], "is bad", &d);
    ck_assert_int_eq(data_bad(s), 60);
    ck_assert_int_eq(d.errors, 50);
    done(path, s);
    path = write_file("x.txt", "one\r\n\n two", 10);
    s = open_as(path, DATA_TEXT, NULL);
    ck_assert_int_eq(read_twice(s, e, 16), 3);
    pair_is(&e[0], "one", NULL);
    pair_is(&e[1], "", NULL);
    pair_is(&e[2], " two", NULL);
    done(path, s);
}
END_TEST

START_TEST(standard_input) {
    int ends[2];
    data_example e[4];
    static const char text[] = "{\"text\": \"one\"}\n{\"text\": \"two\"}\n";
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], text, sizeof text - 1), (long)sizeof text - 1);
    close(ends[1]);
    ck_assert_int_eq(dup2(ends[0], 0), 0);
    data_source *s = data_open("-", &(data_options){.form = DATA_TEXT, .again = true}, &d);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(read_twice(s, e, 4), 2);
    pair_is(&e[1], "two", NULL);
    data_close(s);
}
END_TEST

// --- Labels

static data_label named(const char *name) {
    return (data_label){name, NAN};
}

static data_label numbered(double number) {
    return (data_label){NULL, number};
}

static data_labels *learn(int n, const data_label *labels, const char **why) {
    data_labels *l = data_labels_new(memory);
    for (int i = 0; i < n; i++) data_labels_note(l, &labels[i]);
    if (!data_labels_settle(l, why)) return NULL;
    return l;
}

START_TEST(labels_learnt) {
    const char *why;
    data_labels *l = learn(4, (data_label[]){named("pos"), named("neg"), named("pos"), named("Pos")}, &why);
    ck_assert_int_eq(data_labels_count(l), 3);
    ck_assert_str_eq(data_labels_name(l, 0), "Pos");
    ck_assert_str_eq(data_labels_name(l, 2), "pos");
    ck_assert_ptr_null(data_labels_name(l, 3));
    l = learn(2, (data_label[]){numbered(3), numbered(0)}, &why);
    ck_assert_int_eq(data_labels_count(l), 4);
    ck_assert_str_eq(data_labels_name(l, 2), "LABEL_2");
    l = learn(3, (data_label[]){numbered(10), numbered(9), {"-1", -1}}, &why);
    ck_assert_int_eq(data_labels_count(l), 3);
    ck_assert_str_eq(data_labels_name(l, 0), "-1");
    ck_assert_str_eq(data_labels_name(l, 1), "9");
    data_label nine = numbered(9);
    ck_assert_int_eq(data_labels_find(l, &nine), 1);
    ck_assert_ptr_null(learn(2, (data_label[]){numbered(0), named("a")}, &why));
    ck_assert_str_eq(why, "some labels are whole numbers, as 0, and some are names, as 'a'");
    ck_assert_ptr_null(learn(0, NULL, &why));
    ck_assert_ptr_null(learn(2, (data_label[]){numbered(0), numbered(1e9)}, &why));
    l = data_labels_new(memory);
    for (int i = 0; i < 70000; i++) {
        data_label label = named(arena_printf(memory, "label %d", i));
        data_labels_note(l, &label);
    }
    ck_assert(!data_labels_settle(l, &why));
    l = data_labels_new(memory);
    data_example marks = {
        .marks = true, .label_count = 3, .labels = (data_label[]){numbered(0), numbered(0), numbered(1)}};
    data_labels_note_all(l, &marks);
    ck_assert(data_labels_settle(l, &why));
    ck_assert_int_eq(data_labels_count(l), 3);
}
END_TEST

START_TEST(labels_found) {
    data_labels *l = data_labels_new(memory);
    data_labels_add(l, "NEGATIVE");
    data_labels_add(l, "POSITIVE");
    data_labels_add(l, "7");
    const struct {
        data_label label;
        int id;
    } cases[] = {{named("POSITIVE"), 1}, {named("positive"), 1}, {numbered(1), 1},
                 {{"1", 1}, 1},          {numbered(7), 2},       {numbered(3), -1},
                 {numbered(-1), -1},     {numbered(0.5), -1},    {named("LABEL_1"), 1},
                 {named("LABEL_3"), -1}, {named("LABEL_"), -1},  {named("LABEL_1x"), -1},
                 {named("neutral"), -1}};
    const int last = (int)(sizeof cases / sizeof *cases) - 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(data_labels_find(l, &cases[i].label), cases[i].id);
    ck_assert_str_eq(data_labels_unknown(l, &cases[last].label, memory),
                     "'neutral' is not one of the labels NEGATIVE, POSITIVE, 7");
    float marks[3];
    data_example e = {.label_count = 2, .labels = (data_label[]){numbered(0), named("7")}};
    ck_assert_ptr_null(data_labels_mark(l, &e, marks, memory));
    ck_assert(marks[0] == 1 && marks[1] == 0 && marks[2] == 1);
    e = (data_example){
        .marks = true, .label_count = 3, .labels = (data_label[]){numbered(0), numbered(1), numbered(0)}};
    ck_assert_ptr_null(data_labels_mark(l, &e, marks, memory));
    ck_assert(marks[0] == 0 && marks[1] == 1 && marks[2] == 0);
    e.label_count = 2; // not as many as there are: labels 0 and 1
    ck_assert_ptr_null(data_labels_mark(l, &e, marks, memory));
    ck_assert(marks[0] == 1 && marks[1] == 1 && marks[2] == 0);
    e = (data_example){.label_count = 1, .labels = (data_label[]){named("x")}};
    ck_assert_ptr_nonnull(data_labels_mark(l, &e, marks, memory));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("data");
    TCase *t = tcase_create("examples");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, label_forms);
    tcase_add_test(t, other_forms);
    tcase_add_test(t, answer_forms);
    tcase_add_test(t, bad_lines);
    tcase_add_test(t, comma_separated);
    tcase_add_test(t, tab_separated);
    tcase_add_test(t, unclosed_quote);
    tcase_add_test(t, bad_files);
    tcase_add_test(t, groups);
    tcase_add_test(t, lines_again);
    tcase_add_test(t, standard_input);
    tcase_add_test(t, labels_learnt);
    tcase_add_test(t, labels_found);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
