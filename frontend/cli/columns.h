// Columns of tables that hold text of users: as wide as a terminal shows it, whatever its bytes. East Asian characters and emoji take two
// columns, combining marks none.
#ifndef BERTC_CLI_COLUMNS_H
#define BERTC_CLI_COLUMNS_H

#include <stdbool.h>
#include <stdio.h>

// Columns of UTF-8 text; a byte that belongs to none is one column.
int columns_of(const char *text);
// The wider one of `least` and the text.
int columns_widest(int least, const char *text);
// The text with spaces behind it up to `width` columns; wider text is not cut.
void columns_left(FILE *out, const char *text, int width);
// The same with the spaces before it.
void columns_right(FILE *out, const char *text, int width);
// Exactly `width` columns: what doesn't fit is cut, behind a whole character and its marks. `left`: spaces stand behind the text.
void columns_cut(FILE *out, const char *text, int width, bool left);

#endif
