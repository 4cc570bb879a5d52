# -DBERTC_PORTABLE=ON: one static, stripped bertc with code generation for x86-64 alone, to be carried to a machine
# that has neither LLVM nor the other libraries. Build the targets `bertc`, `bench_compare`, `bertc_peer` or `portable`
# (docs/benchmarks.md); the shared library and the tests are for the ordinary build.
#
# Static libraries: LLVM's components, zstd, zlib, utf8proc, PCRE2, libcsv, libmicrohttpd and cJSON. Debian has no static cJSON: BERTC_CJSON_SOURCE names
# a folder with cJSON.c and cJSON.h. Its static libmicrohttpd needs GnuTLS, which is not static: BERTC_MICROHTTPD_SOURCE names a folder
# where it was built without (sh setup.sh portable fetches Debian's source packages, and builds this one).
set(BERTC_CJSON_SOURCE "" CACHE PATH "BERTC_PORTABLE: folder with cJSON.c, where there is no libcjson.a")
set(BERTC_MICROHTTPD_SOURCE "" CACHE PATH "BERTC_PORTABLE: folder of libmicrohttpd, built without TLS; empty: the system's static one is")
set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -static -s -Wl,--gc-sections")
add_compile_options(-ffunction-sections -fdata-sections)

function(bertc_static_library target library)
    find_library(BERTC_STATIC_${library} NAMES lib${library}.a REQUIRED)
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_link_libraries(${target} INTERFACE "${BERTC_STATIC_${library}}")
endfunction()
bertc_static_library(PkgConfig::UTF8PROC utf8proc)
bertc_static_library(PkgConfig::PCRE2 pcre2-8)
bertc_static_library(bertc_libcsv csv)
bertc_static_library(PkgConfig::ZLIB z)
if(BERTC_MICROHTTPD_SOURCE)
    add_library(PkgConfig::MICROHTTPD INTERFACE IMPORTED GLOBAL)
    target_include_directories(PkgConfig::MICROHTTPD INTERFACE "${BERTC_MICROHTTPD_SOURCE}/src/include")
    target_link_libraries(PkgConfig::MICROHTTPD INTERFACE
        "${BERTC_MICROHTTPD_SOURCE}/src/microhttpd/.libs/libmicrohttpd.a" Threads::Threads)
else()
    bertc_static_library(PkgConfig::MICROHTTPD microhttpd)
endif()
if(BERTC_CJSON_SOURCE)
    # Included as <cJSON.h> and, as the system lays its headers, as <cjson/cJSON.h>.
    file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/include/cjson_source")
    file(CREATE_LINK "${BERTC_CJSON_SOURCE}" "${CMAKE_BINARY_DIR}/include/cjson_source/cjson" SYMBOLIC)
    add_library(cjson_static STATIC "${BERTC_CJSON_SOURCE}/cJSON.c")
    target_include_directories(cjson_static INTERFACE "${CMAKE_BINARY_DIR}/include/cjson_source"
        "${CMAKE_BINARY_DIR}/include/cjson_source/cjson")
    target_link_libraries(cjson_static PUBLIC m)
    add_library(PkgConfig::CJSON ALIAS cjson_static)
else()
    bertc_static_library(PkgConfig::CJSON cjson)
    find_path(BERTC_CJSON_INCLUDE cJSON.h PATH_SUFFIXES cjson REQUIRED)
    target_include_directories(PkgConfig::CJSON INTERFACE "${BERTC_CJSON_INCLUDE}")
endif()

# LLVM for x86-64, from its own word on what those components need.
find_program(BERTC_LLVM_CONFIG llvm-config PATHS "${LLVM_TOOLS_BINARY_DIR}" NO_DEFAULT_PATH REQUIRED)
execute_process(COMMAND "${BERTC_LLVM_CONFIG}" --link-static --libs core passes orcjit x86codegen x86asmparser x86desc x86info
    OUTPUT_VARIABLE components OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(components)
add_library(bertc_llvm_static INTERFACE)
target_link_directories(bertc_llvm_static INTERFACE "${LLVM_LIBRARY_DIR}")
target_link_libraries(bertc_llvm_static INTERFACE ${components} stdc++ z zstd Threads::Threads m)
target_compile_definitions(bertc_llvm_static INTERFACE BERTC_X86_ONLY)

# What travels (docs/benchmarks.md): the programs, compressed, and the script that unpacks and runs them. bertc is the tests' program
# by another name: LLVM is in it once.
function(bertc_portable_package)
    set(folder "${CMAKE_BINARY_DIR}/portable")
    set(scripts "${CMAKE_SOURCE_DIR}/tests/bench")
    add_custom_target(portable
        COMMAND ${CMAKE_COMMAND} -E make_directory "${folder}/programs"
        COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:bertc_tests> $<TARGET_FILE:bench_compare> $<TARGET_FILE:bench_figures> $<TARGET_FILE:bench_lengths> $<TARGET_FILE:bench_serve>
            $<TARGET_FILE:bertc_peer> $<TARGET_FILE:bench_tokenizer> "${scripts}/checkpoint.py" "${scripts}/onnx_graph.py" "${scripts}/ort_peer.py"
            "${scripts}/peer_io.py" "${scripts}/torch_peer.py" "${scripts}/torch_step_peer.py" "${scripts}/tokenizer_speed.py" "${folder}/programs"
        COMMAND ${CMAKE_COMMAND} -E create_symlink bertc_tests "${folder}/programs/bertc"
        COMMAND ${CMAKE_COMMAND} -DTO=${folder}/programs -P "${CMAKE_BINARY_DIR}/copy_cases.cmake"
        COMMAND ${CMAKE_COMMAND} -E copy "${scripts}/remote.sh" "${folder}"
        COMMAND ${CMAKE_COMMAND} -E chdir "${folder}" ${CMAKE_COMMAND} -E tar cJf programs.tar.xz programs
        COMMAND ${CMAKE_COMMAND} -E rm -r "${folder}/programs"
        DEPENDS bertc_tests bench_compare bench_figures bench_lengths bench_serve bertc_peer bench_tokenizer VERBATIM)
endfunction()
