# cotan_find_highway(<target>) defines an imported target for Highway (Debian: libhwy-dev). Highway's own config file also insists on its test library,
# which nothing here needs.
function(cotan_find_highway target)
  if(TARGET ${target})
    return()
  endif()
  find_path(cotan_highway_include hwy/highway.h)
  find_library(cotan_highway_library hwy)
  mark_as_advanced(cotan_highway_include cotan_highway_library)
  if(NOT cotan_highway_include OR NOT cotan_highway_library)
    message(FATAL_ERROR "Highway was not found. On Debian install libhwy-dev")
  endif()
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  # HWY_SHARED_DEFINE is what its pkg-config file gives users of the shared library.
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${cotan_highway_library}" INTERFACE_INCLUDE_DIRECTORIES "${cotan_highway_include}"
                                             INTERFACE_COMPILE_DEFINITIONS HWY_SHARED_DEFINE)
endfunction()
