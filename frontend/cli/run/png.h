// A picture of 256 colours as PNG, compressed by zlib.
#ifndef BERTC_CLI_PNG_H
#define BERTC_CLI_PNG_H

#include <stddef.h>
#include <stdint.h>

// pixels[height, width]: numbers of palette[256][3], red, green, blue. Returns the file, for the caller to free, and its size;
// NULL: no memory.
uint8_t *png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, const uint8_t palette[256][3],
                    size_t *size);

#endif
