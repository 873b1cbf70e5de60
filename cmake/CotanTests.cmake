# Each folder tests/AREA is one GoogleTest program, cotan_AREA_tests, and one entry of ctest; it leaves its results, case by case, as
# test-results/cotan_AREA_tests.xml in the build folder. A folder with a CMakeLists.txt of its own says there how it is built, with cotan_test_area().

# cotan_test_area(<area> [LINK <lib>...] [DEFINITIONS <name=value>...] [TIMEOUT <seconds>]): the test program of tests/<area>, linked to `cotan` unless LINK
# names something narrower.
function(cotan_test_area area)
  cmake_parse_arguments(arg "" "TIMEOUT" "LINK;DEFINITIONS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${area}/*.cpp")
  if(NOT sources)
    return()
  endif()
  if(NOT arg_LINK)
    set(arg_LINK cotan_test_support cotan)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 900)
  endif()
  set(target cotan_${area}_tests)
  add_executable(${target} ${sources})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_compile_definitions(${target} PRIVATE COTAN_SOURCE_DIR="${PROJECT_SOURCE_DIR}" ${arg_DEFINITIONS})
  target_link_libraries(${target} PRIVATE ${arg_LINK} GTest::gtest_main GTest::gmock)
  cotan_compile(${target})
  add_test(NAME ${target} COMMAND ${target} "--gtest_output=xml:${PROJECT_BINARY_DIR}/test-results/${target}.xml" WORKING_DIRECTORY "${PROJECT_BINARY_DIR}")
  set(environment "COTAN_VERIFY=1" "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1" "UBSAN_OPTIONS=print_stacktrace=1")
  set_tests_properties(${target} PROPERTIES TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${environment}")
endfunction()

# What several test programs share and is long to compile: the rows' cases, the generator of random graphs.
file(GLOB support_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.cpp")
add_library(cotan_test_support STATIC ${support_sources})
target_link_libraries(cotan_test_support PUBLIC cotan GTest::gtest)
cotan_compile(cotan_test_support)

# The layers under test alone: what a layer must not need, its test does not link.
set(cotan_test_link_ops cotan_ops)
set(cotan_test_link_memory cotan_ops cotan_memory)

file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true "${PROJECT_SOURCE_DIR}/tests/*")
foreach(folder IN LISTS folders)
  if(NOT IS_DIRECTORY "${folder}" OR folder STREQUAL "${PROJECT_SOURCE_DIR}/tests/support")
    continue()
  endif()
  get_filename_component(area "${folder}" NAME)
  if(EXISTS "${folder}/CMakeLists.txt")
    add_subdirectory("${folder}" "${PROJECT_BINARY_DIR}/tests/${area}")
  else()
    cotan_test_area(${area} LINK ${cotan_test_link_${area}})
  endif()
endforeach()
