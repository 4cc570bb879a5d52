// The files of the page at /, which the build puts into the program (frontend/cli/serve/page/).
#ifndef BERTC_CLI_PAGE_H
#define BERTC_CLI_PAGE_H

#include <stddef.h>

typedef struct page_file {
    const unsigned char *bytes;
    size_t size;
} page_file;

extern const page_file page_document, page_style, page_script;

#endif
