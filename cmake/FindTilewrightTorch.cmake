# SPDX-License-Identifier: Apache-2.0
# LibTorch from a wheel, without its own CMake package: that one enables the CUDA language and fails
# where there is no toolkit. Only c10 and torch_cpu are linked; CUDA is found at run time.
set(_include ${TORCH_ROOT}/include ${TORCH_ROOT}/include/torch/csrc/api/include)
set(_lib ${TORCH_ROOT}/lib)
if(NOT EXISTS ${_lib}/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is not at TORCH_ROOT=${TORCH_ROOT} (no lib/libtorch_cpu.so). "
    "Run `make deps`, or set TORCH_ROOT to the torch folder of a Python that has PyTorch 2.7 or newer.")
endif()

# The macros moved between files over time: ask the preprocessor.
file(WRITE ${CMAKE_BINARY_DIR}/torch_version.cpp
  "#include <torch/version.h>\nTORCH_IS TORCH_VERSION_MAJOR TORCH_VERSION_MINOR TORCH_VERSION_PATCH\n")
set(_flags -std=c++20 -E -P)
foreach(dir ${_include})
  list(APPEND _flags -I${dir})
endforeach()
execute_process(COMMAND ${CMAKE_CXX_COMPILER} ${_flags} ${CMAKE_BINARY_DIR}/torch_version.cpp
  OUTPUT_VARIABLE _text ERROR_VARIABLE _error RESULT_VARIABLE _status)
string(REGEX MATCH "TORCH_IS ([0-9]+) ([0-9]+) ([0-9]+)" _match "${_text}")
if(_status OR NOT _match)
  message(FATAL_ERROR "the version of LibTorch at ${TORCH_ROOT} cannot be read: ${_error}")
endif()
set(TilewrightTorch_VERSION ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3})
if(TilewrightTorch_VERSION VERSION_LESS 2.7)
  message(FATAL_ERROR "LibTorch at ${TORCH_ROOT} is ${TilewrightTorch_VERSION}; 2.7 or newer is needed")
endif()

foreach(part c10 torch_cpu)
  add_library(TilewrightTorch::${part} SHARED IMPORTED)
  set_target_properties(TilewrightTorch::${part} PROPERTIES
    IMPORTED_LOCATION ${_lib}/lib${part}.so
    INTERFACE_INCLUDE_DIRECTORIES "${_include}")
endforeach()
add_library(TilewrightTorch::torch INTERFACE IMPORTED)
target_link_libraries(TilewrightTorch::torch INTERFACE TilewrightTorch::torch_cpu TilewrightTorch::c10)
# Libraries that the wheel names at load time lie beside it, in nvidia/cu13/lib.
target_link_options(TilewrightTorch::torch INTERFACE "LINKER:--disable-new-dtags" "LINKER:-rpath,${_lib}"
  "LINKER:-rpath-link,${_lib}" "LINKER:-rpath-link,${TORCH_ROOT}/../nvidia/cu13/lib" "LINKER:--allow-shlib-undefined")

# One ABI or none: a std::string must cross the border.
set(CMAKE_REQUIRED_QUIET ON)
file(WRITE ${CMAKE_BINARY_DIR}/torch_abi.cpp
  "#include <c10/util/Exception.h>\nint main() { return c10::Error(std::string()).msg().size() ? 1 : 0; }\n")
try_compile(TILEWRIGHT_TORCH_LINKS ${CMAKE_BINARY_DIR}/torch_abi ${CMAKE_BINARY_DIR}/torch_abi.cpp
  CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${_include}" LINK_LIBRARIES ${_lib}/libc10.so CXX_STANDARD 20
  OUTPUT_VARIABLE _why)
if(NOT TILEWRIGHT_TORCH_LINKS)
  message(FATAL_ERROR "LibTorch at ${TORCH_ROOT} does not link with this compiler (another C++ ABI?):\n${_why}")
endif()
message(STATUS "LibTorch ${TilewrightTorch_VERSION} at ${TORCH_ROOT}")
set(TilewrightTorch_FOUND TRUE)
