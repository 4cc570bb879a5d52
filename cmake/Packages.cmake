# .deb packages by `cpack`: bertc (the command), libbertc0.1 (the library), libbertc-dev (headers, what is linked against) and
# python3-bertc. The library's package is called as its SONAME is, so that two of them may be installed side by side.
if(BERTC_PORTABLE)
    return()
endif()
install(DIRECTORY frontend/python/bertc DESTINATION lib/python3/dist-packages COMPONENT python EXCLUDE_FROM_ALL
    FILES_MATCHING PATTERN "*.py" PATTERN "py.typed" PATTERN "__pycache__" EXCLUDE)
file(WRITE "${CMAKE_BINARY_DIR}/python-version/VERSION" "${PROJECT_VERSION}\n")
install(FILES "${CMAKE_BINARY_DIR}/python-version/VERSION" DESTINATION lib/python3/dist-packages/bertc COMPONENT python
    EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bertc)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "The bertc developers <bertc@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL bertc libbertc dev python)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF) # on where a package holds binaries
set(BERTC_LIBRARY_PACKAGE "libbertc${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")

set(CPACK_DEBIAN_BERTC_PACKAGE_NAME bertc)
set(CPACK_DEBIAN_BERTC_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_BERTC_PACKAGE_DEPENDS "binutils | lld") # compile links
set(CPACK_DEBIAN_BERTC_DESCRIPTION "Compiler of BERT encoders to native code
 bertc reads a checkpoint of Hugging Face and writes a shared object that answers
 texts without a framework; it also trains, evaluates and serves.")

set(CPACK_DEBIAN_LIBBERTC_PACKAGE_NAME "${BERTC_LIBRARY_PACKAGE}")
set(CPACK_DEBIAN_LIBBERTC_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBBERTC_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBBERTC_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_LIBBERTC_DESCRIPTION "Library that runs what bertc compiles
 libbertc loads models that bertc has compiled and answers texts with them.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libbertc-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "${BERTC_LIBRARY_PACKAGE} (= ${PROJECT_VERSION}), libutf8proc-dev, libpcre2-dev")
set(CPACK_DEBIAN_DEV_DESCRIPTION "Headers and static library of libbertc
 What programs that run compiled models are built with, for pkg-config and CMake.")

set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-bertc)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3 (>= 3.9), python3-numpy, ${BERTC_LIBRARY_PACKAGE} (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_PYTHON_PACKAGE_RECOMMENDS "bertc")
set(CPACK_DEBIAN_PYTHON_DESCRIPTION "Python package for models that bertc compiles
 Embeddings, labels, entities and answers by libbertc, without a framework.")
include(CPack)
