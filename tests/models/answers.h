// What the tests of answers share: a model with a session, the JSON of what it should answer, the folders of a kind, and a
// table of the largest differences (the program's argument --table prints it).
#ifndef BERTC_TESTS_ANSWERS_H
#define BERTC_TESTS_ANSWERS_H
#include <check.h>

#include "frontend/cli/cli.h"
#include "models/reference.h"

typedef struct fixture {
    opened model;
    bertc_session *session; // of one thread
    diag d;
} fixture;
// The test fails where the folder can't be opened.
void fixture_open(fixture *f, const char *folder, build_options o);
void fixture_close(fixture *f);
bertc_session *session_of(bertc_model *model, int threads);

// --- JSON. A file that is none, and a member that is missing, fail the test.
cJSON *read_json(const char *path); // freed by the caller
cJSON *read_answers(const char *folder, const char *file);
const cJSON *member(const cJSON *o, const char *name);
const char *string_of(const cJSON *o, const char *key); // NULL: there is none
bertc_text text_of(const char *text);

// --- Folders
typedef struct folder_list {
    char *names[32];
    int count;
} folder_list;
const char *folder_in(const char *root, const char *name); // their path; valid until the next call
// Those in `root` whose names begin so and that hold `file`, in alphabetical order.
folder_list folders_find(const char *root, const char *begin, const char *file);

// --- The table: a row for each test that compares with a reference.
void table_begin(int argc, char **argv);
// Notes a difference, and returns it.
double table_note(double difference);
// The largest one noted in this test, where the table is asked for.
void table_row(const char *kind, const char *name);
// Runs the suite over folders: what main returns. Frees them.
int table_status(Suite *s, folder_list *folders);
#endif
