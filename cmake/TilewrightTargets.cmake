# SPDX-License-Identifier: Apache-2.0
# What every target shares: warnings, include root, one-line test targets.

add_library(tilewright_options INTERFACE)
target_include_directories(tilewright_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(tilewright_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  $<$<BOOL:${TILEWRIGHT_WERROR}>:-Werror>)
# No fused multiply-add behind our back: results must not depend on the compiler's mood.
target_compile_options(tilewright_options INTERFACE -ffp-contract=off)
if(TILEWRIGHT_FAILPOINTS)
  target_compile_definitions(tilewright_options INTERFACE TILEWRIGHT_FAILPOINTS)
endif()
find_program(TILEWRIGHT_LLD ld.lld)
if(TILEWRIGHT_LLD)
  target_link_options(tilewright_options INTERFACE -fuse-ld=lld)
endif()

# tilewright_library(name SOURCES...): a static library with the shared options.
function(tilewright_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC tilewright_options)
endfunction()

# tilewright_test(file LABELS l... LIBS lib... [TIMEOUT s]): one executable and one ctest entry for
# tests/<folder>/<file>.cpp, named <folder>_<file>.
function(tilewright_test file)
  cmake_parse_arguments(T "" "TIMEOUT" "LABELS;LIBS" ${ARGN})
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(name ${folder}_${file})
  add_executable(${name} ${file}.cpp)
  target_link_libraries(${name} PRIVATE ${T_LIBS} tilewright_options GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    TILEWRIGHT_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    TILEWRIGHT_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test-bin)
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()
