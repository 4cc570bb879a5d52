// Folders and files of the output; each file is whole and on the disk, or absent.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/hub/files/out.h"
#include "frontend/hub/save/save.h"
#include "ir/output_file.h"

bool save_make_folder(const char *path, diag *d) {
    if (!mkdir(path, 0777) || (errno == EEXIST && hub_is_folder(path))) return true;
    return diag_error(d, path, "can't be made: %s", strerror(errno));
}

bool save_copy(saving *s, const char *from, const char *to) {
    hub_file f;
    if (!hub_is_file(from)) return true;
    if (!hub_file_map(from, &f, s->d)) return false;
    bool ok = output_file_text(to, (const char *)f.data, f.size, true, s->d);
    hub_file_unmap(&f);
    return ok;
}

bool save_json(saving *s, const char *path, cJSON *json) {
    out text = {0};
    if (json) out_json_pages(&text, json);
    bool ok = (json && !text.bad) || diag_error(s->d, path, "out of memory");
    ok = ok && output_file_text(path, text.text, text.size, true, s->d);
    cJSON_Delete(json);
    out_free(&text);
    return ok;
}
