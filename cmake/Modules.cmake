# The arrows of docs/architecture.md, enforced: a folder sees its own files and the public headers of the folders that it names.
# Every include names a file by its path from the root of the repository.
#
# A switch over an enum that misses a value is an error. GCC and clang report one without a default as -Wswitch, one with a default
# as -Wswitch-enum.
#
# bertc_module(NAME DIR PUBLIC header... USES module... LIBS library...)
# adds the static library bertc_NAME from the *.c of DIR and its sub-folders. Its public headers are staged under ${CMAKE_BINARY_DIR}/include/NAME, as
# links, so that `#include "ir/ir.h"` works for those targets alone that list `ir` in USES.
add_library(bertc_warnings INTERFACE)
target_compile_options(bertc_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Werror=switch -Werror=switch-enum
    -Wno-missing-field-initializers -Wstrict-prototypes -Wmissing-prototypes -fvisibility=hidden $<$<BOOL:${BERTC_WERROR}>:-Werror>)
target_compile_definitions(bertc_warnings INTERFACE _GNU_SOURCE)
if(BERTC_SANITIZE) # clang has no macro of its own that says so
    target_compile_definitions(bertc_warnings INTERFACE BERTC_SANITIZED)
endif()
if(BERTC_SANITIZE STREQUAL "thread")
    target_compile_options(bertc_warnings INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
    target_link_options(bertc_warnings INTERFACE -fsanitize=thread)
elseif(BERTC_SANITIZE STREQUAL "address" OR (BERTC_SANITIZE AND BERTC_SANITIZE MATCHES "^(1|ON|on|TRUE|true|YES|yes)$"))
    target_compile_options(bertc_warnings INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
        $<$<C_COMPILER_ID:Clang>:-fno-sanitize=function>) # generated code has no type hash before its functions
    target_link_options(bertc_warnings INTERFACE -fsanitize=address,undefined)
elseif(BERTC_SANITIZE)
    message(FATAL_ERROR "BERTC_SANITIZE is ON, address, thread or OFF, not '${BERTC_SANITIZE}'")
endif()
if(BERTC_FUZZ)
    target_compile_options(bertc_warnings INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(bertc_warnings INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(bertc_stage name dir)
    foreach(header ${ARGN})
        set(staged "${CMAKE_BINARY_DIR}/include/${name}/${dir}/${header}")
        get_filename_component(folder "${staged}" DIRECTORY)
        file(MAKE_DIRECTORY "${folder}")
        file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${dir}/${header}" "${staged}" SYMBOLIC)
    endforeach()
    add_library(bertc_${name}_headers INTERFACE)
    target_include_directories(bertc_${name}_headers INTERFACE "${CMAKE_BINARY_DIR}/include/${name}")
endfunction()

# Lets `target` include what lies in DIR.
function(bertc_sees_own target dir)
    set(own "${CMAKE_BINARY_DIR}/own/${dir}")
    get_filename_component(folder "${own}/${dir}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${dir}" "${own}/${dir}" SYMBOLIC)
    target_include_directories(${target} PRIVATE "${own}")
endfunction()

function(bertc_module name dir)
    cmake_parse_arguments(M "" "" "PUBLIC;USES;LIBS" ${ARGN})
    bertc_stage(${name} ${dir} ${M_PUBLIC})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${dir}/*.c")
    add_library(bertc_${name} STATIC ${sources})
    bertc_sees_own(bertc_${name} ${dir})
    target_link_libraries(bertc_${name} PUBLIC bertc_${name}_headers PRIVATE bertc_warnings)
    foreach(used ${M_USES})
        if(TARGET bertc_${used})
            target_link_libraries(bertc_${name} PUBLIC bertc_${used})
        else()
            target_link_libraries(bertc_${name} PUBLIC bertc_${used}_headers)
        endif()
    endforeach()
    target_link_libraries(bertc_${name} PRIVATE ${M_LIBS})
endfunction()
