// The conformance cases by name: the folders of tests/models/cases. Where the files of one lie: case_path.h.
#ifndef BERTC_TESTS_CASE_LIST_H
#define BERTC_TESTS_CASE_LIST_H
#include <check.h>
#include <stddef.h>

#include "case_path.h"

#define CASES_MAX 256
typedef struct case_list {
    char *names[CASES_MAX]; // in alphabetical order
    int count;
} case_list;

// The cases whose names begin so; NULL: all.
case_list case_list_find(const char *begin);
void case_list_free(case_list *l);

// The main of a program over the cases, which go to *cases: `one` runs `each` times for each of them, numbered case by case, of
// all or of those whose names begin as an argument, or BERTC_CASE, says; with --table, `table` runs alone (NULL: there is none).
// Returns the exit status: 1 too where no case has such a name.
int case_main(const char *suite, int argc, char **argv, case_list *cases, const TTest *one, int each,
              const TTest *table);

// The files of references that a case may have.
#define CASE_FILES 6
extern const char *const case_files[CASE_FILES];
#endif
