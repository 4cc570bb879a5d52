// What the process as a whole is set up for, before any work: called by main alone.
#ifndef BERTC_CLI_PROCESS_H
#define BERTC_CLI_PROCESS_H

// Descriptors 0, 1 and 2 that are closed are opened on /dev/null: a file that got one of these numbers would be
// taken for standard input or output, by this process and by the linker.
void process_open_standard(void);
// A file that is mapped and becomes shorter ends a program that reads on with SIGBUS. From now on that is one
// line on standard error that names the file, and status 1; what is being written has no name yet, or a guard.
void process_watch_files(void);

#endif
