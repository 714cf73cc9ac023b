# How Decree's targets are made: one place for flags, so that a target names only its sources and
# what it uses. Nothing here is set globally: Decree also builds inside other projects.
include_guard(GLOBAL)

set(DECREE_SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR})

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(PkgConfig REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
if(DECREE_ROCKSDB_ROOT)
  list(PREPEND CMAKE_PREFIX_PATH ${DECREE_ROCKSDB_ROOT})
endif()
find_package(RocksDB REQUIRED)
set(DECREE_ROCKSDB RocksDB::rocksdb)
if(DECREE_SANITIZE STREQUAL "thread")  # tests/tsan.supp names what is in the shared library
  set(DECREE_ROCKSDB RocksDB::rocksdb-shared)
  if(NOT TARGET ${DECREE_ROCKSDB})
    message(FATAL_ERROR "The thread sanitizer's build needs RocksDB's shared library.")
  endif()
endif()

if(PROJECT_IS_TOP_LEVEL)
  find_program(DECREE_CCACHE ccache)
  if(DECREE_CCACHE)
    # Without the sloppiness ccache takes no part where headers are precompiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros ${DECREE_CCACHE})
  endif()
  find_program(DECREE_MOLD mold)
  if(DECREE_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

add_library(decree_flags INTERFACE)
target_compile_features(decree_flags INTERFACE cxx_std_20)
target_include_directories(decree_flags INTERFACE
  $<BUILD_INTERFACE:${DECREE_SOURCE_DIR}>
  $<BUILD_INTERFACE:${DECREE_SOURCE_DIR}/kv/include>)
if(DECREE_BUGS)
  target_compile_definitions(decree_flags INTERFACE $<BUILD_INTERFACE:DECREE_BUGS>)
endif()
# Warnings are for Decree's own sources, not for the programs that link it.
add_library(decree_warnings INTERFACE)
target_compile_options(decree_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wno-missing-field-initializers
  $<$<BOOL:${DECREE_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-maybe-uninitialized>)
if(DECREE_SANITIZE)
  set(sanitize -fsanitize=${DECREE_SANITIZE})
  # Not beside the thread sanitizer, to which its checks look like races.
  if(NOT DECREE_SANITIZE STREQUAL "thread")
    set(sanitize ${sanitize},undefined)
  endif()
  target_compile_options(decree_flags INTERFACE "$<BUILD_INTERFACE:${sanitize}>"
    $<BUILD_INTERFACE:-fno-sanitize-recover=undefined> $<BUILD_INTERFACE:-fno-omit-frame-pointer>)
  target_link_options(decree_flags INTERFACE "$<BUILD_INTERFACE:${sanitize}>")
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)  # with its time in it, ccache keeps no precompiled header
  target_compile_options(decree_warnings INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
endif()

# What tests under a sanitizer need in their environment.
set(DECREE_TEST_ENVIRONMENT)
if(DECREE_SANITIZE)
  find_program(DECREE_SYMBOLIZER NAMES llvm-symbolizer-19 llvm-symbolizer
    HINTS /usr/lib/llvm-19/bin)
  set(suppressions ${DECREE_SOURCE_DIR}/tests/tsan.supp)
  set(symbolizer)
  if(DECREE_SYMBOLIZER)
    set(symbolizer :external_symbolizer_path=${DECREE_SYMBOLIZER})
  endif()
  set(DECREE_TEST_ENVIRONMENT
    ASAN_OPTIONS=strict_string_checks=1${symbolizer}
    UBSAN_OPTIONS=print_stacktrace=1${symbolizer}
    TSAN_OPTIONS=second_deadlock_stack=1:suppressions=${suppressions}${symbolizer})
endif()

# Half of an unoptimised compilation is the reading of these. Only for the sanitizers' builds, which
# come last in CI: elsewhere a source that forgets an include has to be found.
function(decree_sanitizer_headers name)
  if(DECREE_SANITIZE)
    target_precompile_headers(${name} PRIVATE ${ARGN})
  endif()
endfunction()

# Sources whose local names another one of their target has, too: the sanitizers' builds compile the
# others in bundles, which takes half the time.
function(decree_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# decree_library(NAME SOURCES... [DEPS ...])
function(decree_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${name} PUBLIC decree_flags ${ARG_DEPS}
    PRIVATE $<BUILD_INTERFACE:decree_warnings>)
  decree_sanitizer_headers(${name} <algorithm> <functional> <map> <memory> <optional> <set> <string>
    <variant> <vector> ${DECREE_SOURCE_DIR}/kv/base/codec.h)
  if(DECREE_FUZZ)  # the fuzzer follows the product's branches, not the targets'
    target_compile_options(${name} PRIVATE $<BUILD_INTERFACE:-fsanitize=fuzzer-no-link>)
  endif()
endfunction()

# decree_program(NAME SOURCES... [DEPS ...]); the binary lands at the top of the build folder.
function(decree_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  target_link_libraries(${name} PRIVATE decree_flags decree_warnings ${ARG_DEPS})
endfunction()

# decree_test(NAME SOURCES... [DEPS ...]): a gtest program registered with ctest as one test.
function(decree_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE
    decree_flags decree_warnings ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  # Tests at -O1: half the time to compile, and GCC 12 at -O3 sees overflows in std::string's
  # operator+ that are not there. The product under test keeps its own flags.
  # In bundles, as the sanitizers' builds: most of the time goes into what all of them include.
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE -O1)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  elseif(DECREE_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
  target_precompile_headers(${name} PRIVATE <gtest/gtest.h> <string> <vector> <map> <functional>)
  target_compile_definitions(${name} PRIVATE
    DECREE_TESTDATA="${DECREE_SOURCE_DIR}/tests/testdata" DECREE_BINARIES="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "${DECREE_TEST_ENVIRONMENT}")
endfunction()
