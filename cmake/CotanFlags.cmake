# How every target of the project is compiled: cotan_compile(<target> [OPTIMIZE] [NO_THREAD_SANITIZER]).
#
# Floating point is what the source says: contraction to fused multiply-adds is off, so that a node has the same bits whichever kernel it is fused into.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

find_program(COTAN_CCACHE ccache)
mark_as_advanced(COTAN_CCACHE)
if(COTAN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${COTAN_CCACHE}")
endif()

set(cotan_compile_options -ffp-contract=off -Wall -Wextra)
if(COTAN_WERROR)
  list(APPEND cotan_compile_options -Werror)
endif()

set(cotan_sanitize_options "")
if(COTAN_SANITIZE)
  if(NOT COTAN_SANITIZE MATCHES "^(thread|address|undefined|address,undefined)$")
    message(FATAL_ERROR "COTAN_SANITIZE is '${COTAN_SANITIZE}'; it may be 'thread', 'address', 'undefined' or 'address,undefined'")
  endif()
  set(cotan_sanitize_options "-fsanitize=${COTAN_SANITIZE}" -fno-omit-frame-pointer -g1)
  if(COTAN_SANITIZE MATCHES "undefined")
    list(APPEND cotan_sanitize_options -fno-sanitize-recover=undefined)
  endif()
  # The checks a sanitizer inserts confuse GCC's flow analysis; a plain build still reports these.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    foreach(warning array-bounds maybe-uninitialized nonnull restrict stringop-overflow stringop-overread)
      list(APPEND cotan_compile_options -Wno-${warning})
    endforeach()
  endif()
endif()

# OPTIMIZE: -O3 in optimized builds, for the folders whose loops are the product. NO_THREAD_SANITIZER: under the thread sanitizer leave this target out and
# define COTAN_TSAN: libtbb is not instrumented, so the target states the edges of its forks and joins itself.
function(cotan_compile target)
  cmake_parse_arguments(arg "OPTIMIZE;NO_THREAD_SANITIZER" "" "" ${ARGN})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE ${cotan_compile_options})
  get_target_property(kind ${target} TYPE)
  # The default of CMake is -O3; -O2 compiles faster and is level with it outside loops. Only optimized configurations get either.
  if(arg_OPTIMIZE)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O3>)
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O2>)
  endif()
  if(COTAN_SANITIZE)
    if(arg_NO_THREAD_SANITIZER AND COTAN_SANITIZE STREQUAL "thread")
      target_compile_definitions(${target} PRIVATE COTAN_TSAN)
    else()
      target_compile_options(${target} PRIVATE ${cotan_sanitize_options})
    endif()
    if(kind STREQUAL "EXECUTABLE")
      target_link_options(${target} PRIVATE "-fsanitize=${COTAN_SANITIZE}")
    endif()
  endif()
endfunction()
