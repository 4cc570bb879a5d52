# The folders that ask for memory by ir/memory.h and runtime/memory.h alone, so that test_faults meets every allocation: seam.sh SOURCE
cd "$1" || exit 1
asks='(^|[^_[:alnum:]])(malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|strdup|strndup|asprintf|vasprintf|open_memstream|getline|getdelim) *\('
found=$(grep -rnE --include='*.c' --include='*.h' "$asks" ir passes backend frontend runtime | grep -vE '^(ir|runtime)/memory\.[ch]:|^[^:]*:[0-9]*: *//')
[ -z "$found" ] && exit 0
printf 'memory that a test cannot refuse (ir/memory.h, runtime/memory.h):\n%s\n' "$found"
exit 1
